"""Measure how well uncertainties order labelled pictures: recall@1, R-AUROC, AURC, the crop test, against baselines.

    python -m training.evaluate --model NAME_OR_PATH --data SPEC [--baselines] [--json OUT]

Prints a table, best order first, with bootstrap intervals; --json keeps every figure and the risk–coverage curves.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.command import command
from training.config import EvaluateConfig
from training.data.spec import PictureList, labelled_pictures_of
from training.embed import Embedded, embed_pictures
from url_viz.errors import FolderError, HeadMismatchError
from url_viz.insight.baselines import all_baselines
from url_viz.insight.metrics import Interval, bootstrap_interval, r_auroc, recall_at_1, risk_coverage
from url_viz.models.head import Head
from url_viz.models.model import Model, load_model
from url_viz.progress import command_report
from url_viz.workspace import replaced

HEAD = "head"
CURVE_POINTS = 101


@dataclass(frozen=True)
class Order:
    """How one uncertainty orders a set. `interval` is R-AUROC's 95 % bootstrap interval, `risk` at `coverage`."""

    name: str
    r_auroc: float
    interval: Interval
    aurc: float
    coverage: tuple[float, ...]
    risk: tuple[float, ...]


@dataclass(frozen=True)
class Evaluation:
    """Every figure of a model on a labelled set; `crop_test` is nan where it was not asked for."""

    model: str
    data: str
    precision: str
    pictures: int
    classes: int
    unreadable: int
    recall_at_1: float
    crop_test: float
    orders: tuple[Order, ...]

    def order(self, name: str) -> Order:
        """The figures of the order with this name."""
        return next(order for order in self.orders if order.name == name)


def main(config: EvaluateConfig) -> None:
    """Evaluate as `config` says, print the table, and write the JSON where asked."""
    model = load_model(config.model, device=config.device, precision=config.precision)
    pictures = labelled_pictures_of(config.data, limit=config.limit)
    embedded = embed_pictures(model, pictures, seed=config.seed, report=command_report())
    evaluation = evaluate(model, pictures, embedded, config)
    print(table(evaluation))
    if config.json is not None:
        write_json(evaluation, config.json)


def evaluate(model: Model, pictures: PictureList, embedded: Embedded, config: EvaluateConfig) -> Evaluation:
    """All figures of a model on pictures that were embedded with it.

    Raises HeadMismatchError where the model has no head and no baselines are asked for, FolderError with too few
    pictures to have neighbours.
    """
    if model.head is None and not config.baselines:
        raise HeadMismatchError(f"{config.model!r} has no head. Give the path of one, or --baselines.")
    if len(embedded.places) < 3:
        raise FolderError(f"{len(embedded.places)} readable pictures in {config.data!r} are too few to evaluate on.")
    share, is_correct = recall_at_1(embedded.embedding, pictures.labels[embedded.places])
    uncertainties = _uncertainties(model.head, embedded, with_baselines=config.baselines)
    orders = [
        order_of(name, values, is_correct, resamples=config.resamples, seed=config.seed)
        for name, values in uncertainties.items()
    ]
    return Evaluation(
        model=str(config.model),
        data=config.data,
        precision=model.space.precision,
        pictures=len(embedded.places),
        classes=len(pictures.classes),
        unreadable=len(embedded.failures),
        recall_at_1=share,
        crop_test=crop_test(model.head, embedded) if model.head and config.crop_test else float("nan"),
        orders=tuple(sorted(orders, key=lambda order: -order.r_auroc)),
    )


def _uncertainties(
    head: Head | None, embedded: Embedded, *, with_baselines: bool
) -> Mapping[str, NDArray[np.floating]]:
    found: dict[str, NDArray[np.floating]] = {} if head is None else {HEAD: head(embedded.embedding)}
    return found | dict(all_baselines(embedded.embedding, embedded.logits)) if with_baselines else found


def order_of(
    name: str, uncertainty: NDArray[np.floating], is_correct: NDArray[np.bool_], *, resamples: int, seed: int
) -> Order:
    """R-AUROC with its interval, AURC and the risk–coverage curve of an uncertainty (N,) against correctness (N,)."""
    curve = risk_coverage(uncertainty, ~is_correct)
    points = np.unique(np.linspace(0, len(is_correct) - 1, CURVE_POINTS).round().astype(int))
    return Order(
        name,
        r_auroc(uncertainty, is_correct),
        bootstrap_interval(r_auroc, uncertainty, is_correct, resamples=resamples, seed=seed),
        curve.aurc,
        tuple(curve.coverage[points].tolist()),
        tuple(curve.risk[points].tolist()),
    )


def crop_test(head: Head, embedded: Embedded) -> float:
    """Share of pictures whose crop is more uncertain than they are, strictly (PVU 4.3); .5 is chance."""
    return float((head(embedded.crop_embedding) > head(embedded.embedding)).mean())


def table(evaluation: Evaluation) -> str:
    """An evaluation as text, best order first."""
    lines = [
        f"{evaluation.data}: {evaluation.pictures:,} pictures, {evaluation.classes:,} classes, "
        f"recall@1 {evaluation.recall_at_1:.3f}, crop test {evaluation.crop_test:.3f}",
        f"{'order':<20}{'R-AUROC':>9}{'95 % interval':>17}{'AURC':>8}",
    ]
    lines += [
        f"{o.name:<20}{o.r_auroc:>9.3f}{f'{o.interval.low:.3f} to {o.interval.high:.3f}':>17}{o.aurc:>8.3f}"
        for o in evaluation.orders
    ]
    return "\n".join(lines)


def write_json(evaluation: Evaluation, path: Path) -> None:
    """Write every figure of an evaluation; a figure that there is none of (nan) becomes null."""
    with replaced(path) as temporary:
        temporary.write_text(json.dumps(_without_nan(asdict(evaluation)), indent=1))


def _without_nan(value: object) -> object:
    if isinstance(value, dict):
        return {name: _without_nan(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and np.isnan(value) else value


if __name__ == "__main__":
    sys.exit(command(EvaluateConfig, main))
