"""A head from labelled pictures: each list cached, several seeds trained on all, and the best of them kept."""

import json
import shutil
from dataclasses import fields, replace
from pathlib import Path

import torch

from training.cache import cache_config, write_cache
from training.config import PretrainConfig
from training.store import RunPaths, pretrain_record
from training.train import read_by_functions, save_trained, train
from training.training_rows import Sources, training_rows
from url_viz.base.errors import FolderError
from url_viz.base.progress import Progress, ProgressCallback
from url_viz.models.head import Head, load_head
from url_viz.models.model import Model, load_model, load_source
from url_viz.models.runtime import choose_device

MAY_CHANGE = ("out", "device", "develop", "report", "earlier", "votes", "votes_order")
"""Options that leave the head as it is, so that a run may go on with others."""

PREPARING = Progress("prepare", 0)
"""The step before pictures are read: a model is loaded, and converted if it is the first time."""


class PretrainPaths:
    """The files of a run, besides those of its caches and seeds."""

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


def pretrain_head(config: PretrainConfig, *, report: ProgressCallback) -> Head:
    """Do what is missing of a run's training → its head; raises FolderError if OUT holds a run with other options."""
    paths = PretrainPaths(config.out)
    _refuse_another_run(config, paths)
    if not paths.head.is_file():
        report(PREPARING)
        model = load_model(config.model, device=config.device, precision=config.precision)
        caches = []
        for number, data in enumerate(config.data):
            cache = cache_config(config, data, paths.cache(number, data), target=config.target)
            numbered = _numbered(report, "set", number, len(config.data))
            caches.append(write_cache(cache, model, numbered, head=paths.folder))
        _train_seeds(config, model, Sources(tuple(caches)), paths, report)
        shutil.copyfile(_best_seed(config, paths).head, paths.head)
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


def _numbered(report: ProgressCallback, what: str, number: int, count: int) -> ProgressCallback:
    """A callback whose stages are numbered: "train, seed 2 of 3"."""

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
            rows = training_rows(sources, held_out=config.recipe.held_out, device=device, mixture=config.mixture)
            if config.reads == "functions":
                rows = read_by_functions(rows, load_source(model.source))
        trained = train(rows, config.recipe, seed=seed, report=_numbered(report, "seed", seed, config.seeds))
        save_trained(paths.seed(seed), trained, rows, config, seed=seed)


def _best_seed(config: PretrainConfig, paths: PretrainPaths) -> RunPaths:
    """The seed with the best first figure, on pictures held out of training; no labelled set takes part."""
    seeds = [paths.seed(seed) for seed in range(config.seeds)]
    return max(seeds, key=lambda seed: next(iter(json.loads(seed.metrics.read_text()).values())))
