"""A head from labelled pictures in one command: cache, train several seeds, choose, measure, and write its card.

    python -m training.pretrain --data SPEC [--data SPEC …] --model NAME --out DIR [--develop SPEC …] [--report SPEC …]

Each step leaves its files in OUT, and a run that was stopped goes on with the first that is missing:
OUT/caches/, OUT/seed-0/ …, OUT/head.safetensors, OUT/overlap.json, OUT/development.json, OUT/report.json, OUT/head.md.
"""

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

import torch

from training import overlap
from training.benchmark import __main__ as benchmark
from training.benchmark.benchmark_records import read_benchmark
from training.cache import cache_config, write_cache
from training.command import command
from training.config import BenchmarkConfig, OverlapConfig, PretrainConfig
from training.data.spec import pictures_of
from training.functions import read_by_functions
from training.model_card import card_text
from training.run_files import RunPaths, locked, pretrain_record
from training.sources import Sources
from training.train import save_trained, train
from training.training_rows import rows_of
from url_viz.errors import FolderError
from url_viz.files import replaced
from url_viz.models.head import Head, load_head
from url_viz.models.model import Model, load_model, load_source
from url_viz.models.runtime import choose_device
from url_viz.progress import Progress, ProgressCallback, command_report

MAY_CHANGE = ("out", "device", "develop", "report", "earlier", "votes", "votes_order")
"""Options that leave the head as it is, so that a run may go on with others."""

PREPARING = Progress("prepare", 0)
"""The step before pictures are read: a model is loaded, and converted if it is the first time."""


class PretrainPaths:
    """The files of a run, besides those that its steps keep for themselves."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.head = RunPaths(folder).head
        self.config = RunPaths(folder).config
        self.card = folder / "head.md"
        self.overlap = folder / "overlap.json"

    def figures(self, use: str) -> Path:
        return self.folder / f"{use}.json"

    def cache(self, number: int, data: str) -> Path:
        name = "".join(c if c.isalnum() or c in "._-" else "_" for c in Path(data.rpartition(":")[2]).name)
        return self.folder / "caches" / f"{number}-{name}"

    def seed(self, seed: int) -> RunPaths:
        return RunPaths(self.folder / f"seed-{seed}")


def main(config: PretrainConfig) -> None:
    """Make the head of `config`, and say where it is."""
    with locked(config.out):
        head = pretrain(config, report=command_report())
    paths = PretrainPaths(config.out)
    print(f"{paths.head}: head {head.digest}; its card is {paths.card}. Open it with --model {paths.head}.")


def pretrain(config: PretrainConfig, *, report: ProgressCallback) -> Head:
    """Do what is missing of a run, and return its head. Raises FolderError if OUT holds a run of other options."""
    paths = PretrainPaths(config.out)
    _refuse_another_run(config, paths)
    if not paths.head.is_file():
        report(PREPARING)
        model = load_model(config.model, device=config.device, precision=config.precision)
        sources = _cached(config, model, paths, report)
        _train_seeds(config, model, sources, paths, report)
        shutil.copyfile(_best_seed(config, paths).head, paths.head)
    _measure(config, paths, report)
    with replaced(paths.card) as temporary:
        temporary.write_text(card_text(paths.folder), "utf-8")
    return load_head(paths.head)


def _refuse_another_run(config: PretrainConfig, paths: PretrainPaths) -> None:
    file = pretrain_record(paths.folder)
    before = file.find() or config
    names = [field.name for field in fields(config) if field.name not in MAY_CHANGE]
    differ = [name for name in names if getattr(before, name) != getattr(config, name)]
    if differ:
        raise FolderError(
            f"{str(paths.folder)!r} holds a run with other {', '.join(differ)}. Give another --out, or the same "
            f"options to go on with it."
        )
    file.write(config)


def _cached(config: PretrainConfig, model: Model, paths: PretrainPaths, report: ProgressCallback) -> Sources:
    caches = []
    for number, data in enumerate(config.data):
        cache = cache_config(config, data, paths.cache(number, data), target=config.target)
        caches.append(write_cache(cache, model, _numbered(report, "set", number, len(config.data)), head=paths.folder))
    return Sources(tuple(caches))


def _numbered(report: ProgressCallback, what: str, number: int, count: int) -> ProgressCallback:
    """A callback whose stages say which of several it is: "train, seed 2 of 3"."""

    def report_numbered(progress: Progress) -> None:
        report(replace(progress, stage=f"{progress.stage}, {what} {number + 1} of {count}"))

    return report if count == 1 else report_numbered


def _train_seeds(
    config: PretrainConfig, model: Model, sources: Sources, paths: PretrainPaths, report: ProgressCallback
) -> None:
    rows = None
    for seed in range(config.seeds):
        if paths.seed(seed).metrics.is_file():
            continue
        if rows is None:
            device = torch.device(choose_device(config.device))
            rows = rows_of(sources, held_out=config.recipe.held_out, device=device, mixture=config.mixture)
            if config.reads == "functions":
                rows = read_by_functions(rows, load_source(model.source))
        trained = train(rows, config.recipe, seed=seed, report=_numbered(report, "seed", seed, config.seeds))
        save_trained(paths.seed(seed), trained, rows, config, seed=seed)


def _best_seed(config: PretrainConfig, paths: PretrainPaths) -> RunPaths:
    """The seed with the best figure on upstream pictures that were held out; no labelled set takes part."""
    seeds = [paths.seed(seed) for seed in range(config.seeds)]
    return max(seeds, key=lambda seed: next(iter(json.loads(seed.metrics.read_text()).values())))


def _is_measured(head: Path, figures: Path) -> bool:
    """Whether there are figures of this very head: one that was trained again may differ in the last digits."""
    return figures.is_file() and read_benchmark(figures).head == load_head(head).digest


def _measure(config: PretrainConfig, paths: PretrainPaths, report: ProgressCallback) -> None:
    """Measure what is missing: the benchmark of each use, and the pictures that upstream shares with reported sets."""
    for use, data in (("development", config.develop), ("report", config.report)):
        if data and not _is_measured(paths.head, paths.figures(use)):
            report(PREPARING)
            benchmark.main(
                BenchmarkConfig(
                    data=data,
                    model=str(paths.head),
                    json=paths.figures(use),
                    seen_classes=seen_classes(data, config.data),
                    choose=config.develop if use == "report" else (),  # nothing is chosen on reported sets
                    votes=config.votes if use == "report" else (),
                    votes_order=config.votes_order,
                    precision=config.precision,
                    device=config.device,
                )
            )
    if config.report and not paths.overlap.is_file():
        report(PREPARING)
        overlap.main(OverlapConfig(config.data, config.report, model=config.model, json=paths.overlap))


def seen_classes(measured: Sequence[str], trained: Sequence[str]) -> tuple[str, ...]:
    """The `measured` sets half or more of whose classes, by their names, are classes of the `trained` ones."""
    known = {name for spec in trained for name in pictures_of(spec).classes}
    classes = {spec: pictures_of(spec).classes for spec in measured}
    return tuple(spec for spec, names in classes.items() if names and 2 * len(known & set(names)) >= len(names))


if __name__ == "__main__":
    sys.exit(command(PretrainConfig, main))
