"""The gradient-conflict experiment: accuracy and AUROC over epochs, with and without stop-gradient.

    python -m experiments.gradient_conflict --out DIR [--data SPEC] [--uncertainty-weight 1] [--runs 3] …

PVU 5.1 at a size two cores can run: a small network from scratch on scikit-learn's digits, with a noise level drawn for
each, so that some are ambiguous, or on small photographs of a few classes. A seed gives both settings the same weights,
pictures and order. Writes curves.csv, figure.html and summary.json, and prints whether there is an effect.
"""

import csv
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from experiments.conflict_data import AuthorsCurve, ConflictConfig, SplitPictures, authors_curves, source_of
from training.command import command
from training.config import Joint, Recipe, as_record
from training.full.joint import (
    JointBatch,
    JointModel,
    batches_per_epoch,
    compute_scores,
    joint_model,
    shuffled_batches,
    train_jointly,
)
from url_viz.base.files import replaced
from url_viz.base.progress import Clock, ProgressCallback, command_report
from url_viz.evidence.order_metrics import classification_auroc
from url_viz.models.backbone import Backbone, create_network

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

HEAD = Recipe(width=64, layer_norm=False)
LATE_SHARE = 0.2
CONFIDENCE = 0.95
COLOURS = {True: "#0072b2", False: "#d55e00"}


@dataclass(frozen=True)
class Point:
    """One run after one epoch: top-1 accuracy and classification AUROC on pictures that it did not train on."""

    stop_gradient: bool
    seed: int
    epoch: int
    accuracy: float
    auroc: float


@dataclass(frozen=True)
class Effect:
    """With stop-gradient minus without, of the mean over the late epochs: over the seeds, mean and 95 % t interval.

    The interval's ends `low` and `high` are nan with one seed, and then `shows` is False.
    """

    mean: float
    low: float
    high: float

    @property
    def shows(self) -> bool:
        """Whether stop-gradient is ahead, by an interval without zero."""
        return self.low > 0


@dataclass(frozen=True)
class Summary:
    """Both effects, and each setting's accuracy at its best epoch and over the late ones, mean over the seeds."""

    accuracy: Effect
    auroc: Effect
    best_accuracy: dict[str, float]
    late_accuracy: dict[str, float]
    late_auroc: dict[str, float]


def main(config: ConflictConfig) -> None:
    """Run both settings for every seed, write curves and figure, and print the summary."""
    authors = {} if config.beside is None else authors_curves(config.beside)
    points = conflict(config, command_report())
    summary = summary_of(points)
    write_curves(points, config.out / "curves.csv")
    with replaced(config.out / "figure.html") as temporary:
        figure_of(points, authors).write_html(temporary, include_plotlyjs=True)
    with replaced(config.out / "summary.json") as temporary:
        temporary.write_text(json.dumps({"config": as_record(config)} | asdict(summary), indent=1))
    print(summary_text(summary))


def conflict(config: ConflictConfig, report: ProgressCallback) -> list[Point]:
    """The curves of both settings for each seed."""
    clock, points = Clock("train", 2 * config.runs), []
    source = source_of(config)
    for seed in range(config.runs):
        pictures = source(seed)
        for stop_gradient in (True, False):
            points += run(pictures, config, stop_gradient=stop_gradient, seed=seed)
            report(clock.at(2 * seed + 1 + (not stop_gradient), metrics={"accuracy": points[-1].accuracy}))
    return points


def run(pictures: SplitPictures, config: ConflictConfig, *, stop_gradient: bool, seed: int) -> list[Point]:
    """One training from scratch; a point after each epoch."""
    model = fresh_model(config.backbone, pictures.n_classes, stop_gradient=stop_gradient, seed=seed)
    points: list[Point] = []
    labels = pictures.test.labels.numpy()

    def after_epoch(number: int, _: float) -> None:
        scores = compute_scores(model, torch.split(pictures.test.pixels, 256))
        accuracy = float((scores.logits.argmax(axis=1) == labels).mean())
        auroc = classification_auroc(scores.uncertainty, scores.logits, labels)
        points.append(Point(stop_gradient, seed, number, accuracy, auroc))

    joint = Joint(
        stop_gradient=stop_gradient,
        uncertainty_weight=config.uncertainty_weight,
        freeze_norms=False,
        frozen_share=0.0,
        backbone_rate=config.rate,
        classifier_rate=config.rate,
        fresh_rate=config.rate,
    )
    train_jointly(
        model,
        _epochs(pictures, config, seed),
        recipe=HEAD,
        joint=joint,
        steps=config.epochs * batches_per_epoch(len(pictures.training.labels), config.batch),
        seed=seed,
        after_epoch=after_epoch,
    )
    return points


def fresh_model(backbone: str, n_classes: int, *, stop_gradient: bool, seed: int) -> JointModel:
    """An untrained network with a classifier and a head, all initialised from `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = create_network(backbone)
    return joint_model(Backbone(network), n_classes, recipe=HEAD, stop_gradient=stop_gradient, seed=seed)


def _epochs(pictures: SplitPictures, config: ConflictConfig, seed: int) -> Iterator[Iterator[JointBatch]]:
    generator = torch.Generator().manual_seed(seed)
    for _ in range(config.epochs):
        orders = shuffled_batches(len(pictures.training.labels), config.batch, generator)
        yield (pictures.batch(batch, generator) for batch in orders)


def summary_of(points: Sequence[Point]) -> Summary:
    """The summary of the curves; late are the last fifth of the epochs, at least one."""
    curves = {
        (name, stop): _curves(points, name, stop_gradient=stop)
        for name in ("accuracy", "auroc")
        for stop in (True, False)
    }
    late = {
        key: values[:, -max(1, round(LATE_SHARE * values.shape[1])) :].mean(axis=1) for key, values in curves.items()
    }
    return Summary(
        accuracy=_effect(late["accuracy", True] - late["accuracy", False]),
        auroc=_effect(late["auroc", True] - late["auroc", False]),
        best_accuracy={
            _name(stop_gradient=stop): float(curves["accuracy", stop].max(axis=1).mean()) for stop in (True, False)
        },
        late_accuracy={_name(stop_gradient=stop): float(late["accuracy", stop].mean()) for stop in (True, False)},
        late_auroc={_name(stop_gradient=stop): float(late["auroc", stop].mean()) for stop in (True, False)},
    )


def _curves(points: Sequence[Point], name: str, *, stop_gradient: bool) -> NDArray[np.float64]:
    """One row per seed, one column per epoch."""
    chosen = sorted((p.seed, p.epoch, getattr(p, name)) for p in points if p.stop_gradient == stop_gradient)
    return np.array([value for *_, value in chosen]).reshape(len({seed for seed, *_ in chosen}), -1)


def _effect(differences: NDArray[np.float64]) -> Effect:
    from scipy.stats import t as student  # slow to import

    count, mean = len(differences), float(differences.mean())
    if count < 2:
        return Effect(mean, math.nan, math.nan)
    half = float(student.ppf((1 + CONFIDENCE) / 2, count - 1) * differences.std(ddof=1) / math.sqrt(count))
    return Effect(mean, mean - half, mean + half)


def _name(*, stop_gradient: bool) -> str:
    return "with stop-gradient" if stop_gradient else "without"


def summary_text(summary: Summary) -> str:
    """The summary in two sentences, and whether it agrees with the paper."""
    lines = []
    for what, effect, late in (
        ("accuracy", summary.accuracy, summary.late_accuracy),
        ("AUROC", summary.auroc, summary.late_auroc),
    ):
        verdict = "the effect shows" if effect.shows else "no effect beyond the spread of the seeds"
        lines.append(
            f"{what} late: {late[_name(stop_gradient=True)]:.4f} with stop-gradient, "
            f"{late[_name(stop_gradient=False)]:.4f} without, "
            f"difference {effect.mean:+.4f} ({effect.low:+.4f} to {effect.high:+.4f}): {verdict}."
        )
    return "\n".join(lines)


def write_curves(points: Sequence[Point], path: Path) -> None:
    """Every point as a line of CSV."""
    names = [field.name for field in fields(Point)]
    with replaced(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows([[getattr(point, name) for name in names] for point in points])


def figure_of(points: Sequence[Point], authors: Mapping[tuple[str, bool], AuthorsCurve]) -> "Figure":
    """Two panels as in the paper's figure: each seed thin, the mean thick; axes are not cropped.

    Below them the authors' own curves, if they are given.
    """
    from plotly.subplots import make_subplots

    titles = ["Top-1 accuracy", "Classification AUROC"]
    titles += [f"{title}, the authors on ImageNet-1k" for title in titles] if authors else []
    rows = 2 if authors else 1
    figure = make_subplots(rows=rows, cols=2, subplot_titles=titles)
    for column, (name, lowest) in enumerate((("accuracy", 0), ("auroc", 0.4)), 1):
        for stop in (True, False):
            _draw_seeds(figure, _curves(points, name, stop_gradient=stop), column, stop=stop)
            if authors:
                curve = authors[name, stop]
                line = {"color": COLOURS[stop], "width": 3}
                figure.add_scatter(x=curve.epochs, y=curve.values, line=line, showlegend=False, row=2, col=column)
        figure.update_yaxes(range=[lowest, 1.02], row=1, col=column)
    figure.update_xaxes(title="epoch")
    return figure


def _draw_seeds(figure: "Figure", curves: NDArray[np.float64], column: int, *, stop: bool) -> None:
    epochs = list(range(1, curves.shape[1] + 1))
    for row in (*curves, curves.mean(axis=0)):
        figure.add_scatter(x=epochs, y=row, line={"color": COLOURS[stop], "width": 1}, row=1, col=column)
        figure.data[-1].update(opacity=0.4, showlegend=False, hoverinfo="skip")
    figure.data[-1].update(
        opacity=1, line_width=3, name=_name(stop_gradient=stop), hoverinfo="all", showlegend=column == 1
    )


if __name__ == "__main__":
    sys.exit(command(ConflictConfig, main))
