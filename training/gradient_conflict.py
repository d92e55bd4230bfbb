"""The gradient-conflict experiment: accuracy and AUROC over epochs, with and without stop-gradient.

    python -m training.gradient_conflict --out DIR [--uncertainty-weight 1] [--runs 3] …

PVU 5.1 at a size two cores can run: a small network from scratch on scikit-learn's digits, with a noise level drawn for
each, so that some are ambiguous. A seed gives both settings the same weights, pictures and order. Writes curves.csv,
figure.html and summary.json, and prints whether there is an effect.
"""

import csv
import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from training.command import command
from training.config import ConflictConfig, Joint, Recipe
from training.joint import JointBatch, JointModel, joint_model, order_of_epoch, scores_of, steps_an_epoch, train_jointly
from url_viz.analysis.metrics import classification_auroc
from url_viz.files import replaced
from url_viz.models.backbone import Backbone, create_network
from url_viz.progress import Clock, ProgressCallback, command_report

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

DIGITS = 10
TRAINING_PICTURES = 900
SCALE = 4
"""Digits are 8 × 8 pixels; each becomes a square of this many."""
HEAD = Recipe(width=64, layer_norm=False)
LATE_SHARE = 0.2
STANDARD_ERRORS = 2.0
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
    """With stop-gradient minus without, of the mean over the late epochs: mean and standard error over the seeds.

    The error is nan with one seed, and then `shows` is False.
    """

    mean: float
    standard_error: float

    @property
    def shows(self) -> bool:
        """Whether stop-gradient is ahead by more than two standard errors."""
        return self.mean > STANDARD_ERRORS * self.standard_error


@dataclass(frozen=True)
class Summary:
    """Both effects, and each setting's accuracy at its best epoch and over the late ones, mean over the seeds."""

    accuracy: Effect
    auroc: Effect
    best_accuracy: dict[str, float]
    late_accuracy: dict[str, float]
    late_auroc: dict[str, float]


@dataclass(frozen=True)
class Digits:
    """Noisy digits: `training` and `test` pixels (N, 3, S, S) float32 with labels (N,) int64."""

    training: JointBatch
    test: JointBatch


def main(config: ConflictConfig) -> None:
    """Run both settings for every seed, write curves and figure, and print the summary."""
    points = conflict(config, command_report())
    summary = summary_of(points)
    write_curves(points, config.out / "curves.csv")
    with replaced(config.out / "figure.html") as temporary:
        figure_of(points).write_html(temporary, include_plotlyjs=True)
    with replaced(config.out / "summary.json") as temporary:
        temporary.write_text(
            json.dumps({"config": asdict(config) | {"out": str(config.out)}} | asdict(summary), indent=1)
        )
    print(summary_text(summary))


def conflict(config: ConflictConfig, report: ProgressCallback) -> list[Point]:
    """The curves of both settings for each seed."""
    clock, points = Clock("train", 2 * config.runs), []
    for seed in range(config.runs):
        digits = noisy_digits(config.noise, seed)
        for stop_gradient in (True, False):
            points += run(digits, config, stop_gradient=stop_gradient, seed=seed)
            report(clock.at(2 * seed + 1 + (not stop_gradient), metrics={"accuracy": points[-1].accuracy}))
    return points


def noisy_digits(noise: float, seed: int) -> Digits:
    """scikit-learn's digits in a random order, with Gaussian noise of a strength drawn for each, 0 to `noise`."""
    from sklearn.datasets import load_digits

    dataset = load_digits()
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(dataset.target))
    pictures = np.asarray(dataset.images, np.float64)[order] / 8 - 1
    strength = generator.uniform(0, noise, (len(pictures), 1, 1))
    large = (pictures + strength * generator.normal(size=pictures.shape)).repeat(SCALE, 1).repeat(SCALE, 2)
    pixels = torch.from_numpy(large.astype(np.float32))[:, None].repeat(1, 3, 1, 1)
    labels = torch.from_numpy(np.asarray(dataset.target, np.int64)[order])
    first, rest = slice(None, TRAINING_PICTURES), slice(TRAINING_PICTURES, None)
    return Digits(JointBatch(pixels[first], labels[first]), JointBatch(pixels[rest], labels[rest]))


def run(digits: Digits, config: ConflictConfig, *, stop_gradient: bool, seed: int) -> list[Point]:
    """One training from scratch; a point after each epoch."""
    model = fresh_model(config.backbone, stop_gradient=stop_gradient, seed=seed)
    points: list[Point] = []
    labels = digits.test.labels.numpy()

    def after_epoch(number: int, _: float) -> None:
        scores = scores_of(model, torch.split(digits.test.pixels, 256))
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
        _epochs(digits.training, config, seed),
        recipe=HEAD,
        joint=joint,
        steps=config.epochs * steps_an_epoch(len(digits.training.labels), config.batch),
        seed=seed,
        after_epoch=after_epoch,
    )
    return points


def fresh_model(backbone: str, *, stop_gradient: bool, seed: int) -> JointModel:
    """An untrained network with a classifier of ten digits and a head, all initialised from `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = create_network(backbone)
    return joint_model(Backbone(network), DIGITS, recipe=HEAD, stop_gradient=stop_gradient, seed=seed)


def _epochs(training: JointBatch, config: ConflictConfig, seed: int) -> Iterator[Iterator[JointBatch]]:
    generator = torch.Generator().manual_seed(seed)
    for _ in range(config.epochs):
        orders = order_of_epoch(len(training.labels), config.batch, generator)
        yield (JointBatch(training.pixels[batch], training.labels[batch]) for batch in orders)


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
    count = len(differences)
    error = float(differences.std(ddof=1) / math.sqrt(count)) if count > 1 else float("nan")
    return Effect(float(differences.mean()), error)


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
            f"difference {effect.mean:+.4f} ± {effect.standard_error:.4f}: {verdict}."
        )
    return "\n".join(lines)


def write_curves(points: Sequence[Point], path: Path) -> None:
    """Every point as a line of CSV."""
    names = [field.name for field in fields(Point)]
    with replaced(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows([[getattr(point, name) for name in names] for point in points])


def figure_of(points: Sequence[Point]) -> "Figure":
    """Two panels as in the paper's figure: each seed thin, the mean thick; axes are not cropped."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    figure = make_subplots(rows=1, cols=2, subplot_titles=["Top-1 accuracy", "Classification AUROC"])
    for column, name in enumerate(("accuracy", "auroc"), 1):
        for stop in (True, False):
            curves = _curves(points, name, stop_gradient=stop)
            epochs = list(range(1, curves.shape[1] + 1))
            for row in (*curves, curves.mean(axis=0)):
                figure.add_trace(go.Scatter(x=epochs, y=row, line={"color": COLOURS[stop], "width": 1}), 1, column)
                figure.data[-1].update(opacity=0.4, showlegend=False, hoverinfo="skip")
            figure.data[-1].update(
                opacity=1, line_width=3, name=_name(stop_gradient=stop), hoverinfo="all", showlegend=column == 1
            )
    figure.update_xaxes(title="epoch")
    figure.update_yaxes(range=[0, 1.02], col=1)
    figure.update_yaxes(range=[0.4, 1.02], col=2)
    return figure


if __name__ == "__main__":
    sys.exit(command(ConflictConfig, main))
