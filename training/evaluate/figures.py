"""The records of an evaluation, and its plots."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from training.benchmark.labelled import LabelledSet
from url_viz.base.files import replaced
from url_viz.base.wording import counted, decimal
from url_viz.evidence.order_metrics import Interval
from url_viz.pictures.map_figure import PALETTE

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


HEAD = "head"


@dataclass(frozen=True)
class OrderResult:
    """How one uncertainty orders a set. `interval` is R-AUROC's of 95 % over classes, `risk` at `coverage`.

    `recall_by_tenth` is recall@1 of each tenth of the pictures, the clearest first.
    """

    name: str
    r_auroc: float
    interval: Interval
    aurc: float
    coverage: tuple[float, ...]
    risk: tuple[float, ...]
    beside: "Comparisons"
    recall_by_tenth: tuple[float, ...] = ()


@dataclass(frozen=True)
class Comparisons:
    """Figures of an uncertainty beyond recall@1; nan without the reference data.

    `classification_auroc` is against the classifier's errors, `human_alignment` Spearman with the entropy of people's
    votes; `ood_auroc` and `mixed_r_auroc` are with an upstream set.
    """

    classification_auroc: float = math.nan
    human_alignment: float = math.nan
    ood_auroc: float = math.nan
    mixed_r_auroc: float = math.nan


@dataclass(frozen=True)
class References:
    """What uncertainties are compared with, as far as there is any.

    `classes` (N,): each picture's class among the classifier's, −1 unknown. `entropy_nats` (N,): of people's votes.
    `upstream` was embedded with the same model.
    """

    classes: NDArray[np.int64] | None = None
    entropy_nats: NDArray[np.float64] | None = None
    upstream: LabelledSet | None = None


@dataclass(frozen=True)
class Crop:
    """One picture's crop: the share of the sides that it keeps, and whether it is more uncertain than the picture."""

    share: float
    is_more_uncertain: bool


@dataclass(frozen=True)
class Evaluation:
    """Every figure of a model on a labelled set; `crop_test` is nan if it was not run."""

    model: str
    data: str
    precision: str
    pictures: int
    classes: int
    unreadable: int
    recall_at_1: float
    crop_test: float
    orders: tuple[OrderResult, ...]
    crops: tuple[Crop, ...] = ()

    def order(self, name: str) -> OrderResult:
        return next(order for order in self.orders if order.name == name)


WIDTH_PX, HEIGHT_PX = 760, 460
CROP_BINS = 8
GREY = "#8a8f98"


def write_figures(evaluation: Evaluation, folder: Path) -> list[Path]:
    """Write `risk-coverage.html`, `recall-by-tenth.html` and, of measured crops, `crop-curve.html`, offline pages."""
    figures = {"risk-coverage": risk_coverage_figure(evaluation), "recall-by-tenth": tenths_figure(evaluation)}
    if evaluation.crops:
        figures["crop-curve"] = crop_figure(evaluation)
    paths = [folder / f"{name}.html" for name in figures]
    for path, figure in zip(paths, figures.values(), strict=True):
        with replaced(path) as temporary:
            temporary.write_text(figure.to_html(include_plotlyjs=True), "utf-8")
    return paths


def risk_coverage_figure(evaluation: Evaluation) -> "Figure":
    """The share of wrong neighbours among the clearest pictures, over the share of these; lower is better."""
    figure = _figure(evaluation, "kept, clearest first", "wrong among these")
    for index, order in enumerate(evaluation.orders):
        _line(figure, order.coverage, order.risk, f"AURC {decimal(order.aurc, digits=3)}", order, index)
    _level(figure, 1 - evaluation.recall_at_1, "all kept")
    figure.update_xaxes(tickformat=".0%", range=[0, 1])
    return figure


def tenths_figure(evaluation: Evaluation) -> "Figure":
    """recall@1 of each tenth of the pictures, the clearest first; a good order falls."""
    figure = _figure(evaluation, "tenth of the pictures, clearest first", "recall@1")
    for index, order in enumerate(evaluation.orders):
        tenths = range(1, len(order.recall_by_tenth) + 1)
        _line(figure, tenths, order.recall_by_tenth, f"R-AUROC {decimal(order.r_auroc, digits=3)}", order, index)
    _level(figure, evaluation.recall_at_1, "all")
    figure.update_xaxes(dtick=1)
    return figure


def crop_figure(evaluation: Evaluation) -> "Figure":
    """How often a crop is more uncertain than its picture, over the share of the sides that the crop keeps."""
    figure = _figure(evaluation, "side of the crop as a share of the whole", "crops more uncertain than the whole")
    shares = np.array([crop.share for crop in evaluation.crops])
    is_more = np.array([crop.is_more_uncertain for crop in evaluation.crops], float)
    edges = np.quantile(shares, np.linspace(0, 1, CROP_BINS + 1))
    bins = np.clip(np.searchsorted(edges, shares, side="right") - 1, 0, CROP_BINS - 1)
    there = np.unique(bins)
    x = np.array([shares[bins == number].mean() for number in there])
    y = np.array([is_more[bins == number].mean() for number in there])
    figure.add_scatter(x=x, y=y, mode="lines+markers", name=HEAD, line={"color": PALETTE[0], "width": 3})
    _level(figure, 0.5, "chance")
    return figure


def _figure(evaluation: Evaluation, x: str, y: str) -> "Figure":
    import plotly.graph_objects as go

    recall = decimal(evaluation.recall_at_1, digits=3)
    title = f"{evaluation.data}: {counted(evaluation.pictures, 'picture')}, recall@1 {recall}"
    return go.Figure(
        layout={
            "title": {"text": title, "font": {"size": 15}},
            "template": "plotly_white",
            "width": WIDTH_PX,
            "height": HEIGHT_PX,
            "xaxis": {"title": {"text": x}},
            "yaxis": {"title": {"text": y}, "rangemode": "tozero"},
            "legend": {"font": {"size": 11}},
        }
    )


def _line(figure: "Figure", x: Sequence[float], y: Sequence[float], value: str, order: OrderResult, index: int) -> None:
    colour, (width, dash) = PALETTE[index % len(PALETTE)], (3, "solid") if order.name == HEAD else (1.5, "dot")
    line = {"color": colour, "width": width, "dash": dash}
    figure.add_scatter(x=list(x), y=list(y), mode="lines", name=f"{order.name}, {value}", line=line)


def _level(figure: "Figure", value: float, name: str) -> None:
    figure.add_hline(y=value, line={"color": GREY, "width": 1, "dash": "dash"}, annotation_text=name)
