"""A pretrained head measured: the benchmark of each use of sets, and the pictures that train and are reported."""

from collections.abc import Sequence
from pathlib import Path

from training import overlap
from training.benchmark import __main__ as benchmark
from training.benchmark.benchmark_tables import read_benchmark
from training.config import BenchmarkConfig, OverlapConfig, PretrainConfig
from training.data.spec import list_pictures
from training.head_pretraining import PREPARING, PretrainPaths
from url_viz.base.progress import ProgressCallback
from url_viz.models.head import load_head


def measure(config: PretrainConfig, report: ProgressCallback) -> None:
    """Measure what is missing: the benchmark of each use, and the pictures that upstream shares with reported sets."""
    paths = PretrainPaths(config.out)
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


def _is_measured(head: Path, figures: Path) -> bool:
    """Whether there are figures of this very head: one that was trained again may differ in the last digits."""
    return figures.is_file() and read_benchmark(figures).head == load_head(head).digest


def seen_classes(measured: Sequence[str], trained: Sequence[str]) -> tuple[str, ...]:
    """The `measured` sets half or more of whose classes, by their names, are classes of the `trained` ones."""
    trained_classes = {name for spec in trained for name in list_pictures(spec).classes}
    classes = {spec: list_pictures(spec).classes for spec in measured}
    return tuple(
        spec for spec, names in classes.items() if names and 2 * len(trained_classes & set(names)) >= len(names)
    )
