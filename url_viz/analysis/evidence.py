"""What an image set's own classes say of a measure: whether leaving the uncertain out makes its search right."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.metrics import RiskCoverage, r_auroc, risk_coverage
from url_viz.analysis.restriction import LabelledSet, Study, labelled_set, study
from url_viz.index.tables import Graph, positions_of
from url_viz.index.unit import normalised

FEWEST_PICTURES = 20
MOST_CURVE_POINTS = 200


@dataclass(frozen=True)
class Curve:
    """Recall@1 of the queries that are kept, the least uncertain first: `coverage` and `recall` (P,), thinned."""

    coverage: NDArray[np.float64]
    recall: NDArray[np.float64]


@dataclass(frozen=True)
class Evidence:
    """What labels say of one measure on `pictures` distinct pictures of `classes` classes.

    `left_out` counts pictures without a class or a value, and copies. `recall` is recall@1 of all, `auroc` the
    measure's R-AUROC, `curve` its recall by coverage, `oracle` that of a perfect order, `study` the restrictions.
    """

    measure: str
    pictures: int
    classes: int
    left_out: int
    recall: float
    auroc: float
    curve: Curve
    oracle: Curve
    study: Study


def has_evidence(table: pd.DataFrame, contents: NDArray[np.int64], *, graph: Graph | None, measure: str) -> bool:
    """Whether enough pictures of at least two classes have a value, so that there is something to compute."""
    rows = _rows(table, contents, graph, measure)
    return len(rows) >= FEWEST_PICTURES and table["label"].iloc[rows].nunique() >= 2


def evidence(
    table: pd.DataFrame,
    embeddings: NDArray[np.floating],
    contents: NDArray[np.int64],
    *,
    graph: Graph | None,
    measure: str,
) -> Evidence:
    """Evidence for `measure` of `ImageSet.table()`, with embeddings (N, D) and content keys (N,) in its order.

    Copies count once: the copy of a picture would make its search right whatever its uncertainty. Neighbours are those
    of the set's `graph`, and pictures that are not in it yet take no part; without a graph, neighbours are searched.
    `has_evidence` must hold.
    """
    rows = _rows(table, contents, graph, measure)
    pictures = _labelled(table["label"].to_numpy(dtype=str)[rows], embeddings[rows], contents[rows], graph)
    uncertainty = table[measure].to_numpy(np.float64)[rows]
    wrong = 1 - pictures.is_right
    return Evidence(
        measure=measure,
        pictures=len(rows),
        classes=len(np.unique(pictures.labels)),
        left_out=len(table) - len(rows),
        recall=float(1 - wrong.mean()),
        auroc=r_auroc(uncertainty, wrong == 0),
        curve=_curve(risk_coverage(uncertainty, wrong)),
        oracle=_curve(risk_coverage(wrong, wrong)),
        study=study(pictures, uncertainty),
    )


def _rows(table: pd.DataFrame, contents: NDArray[np.int64], graph: Graph | None, measure: str) -> NDArray[np.int64]:
    """The rows that take part: the first of each content, where it has a class and a value and is in the graph."""
    first = np.unique(contents, return_index=True)[1]
    usable = table["label"].notna().to_numpy() & np.isfinite(table[measure].to_numpy(np.float64))
    if graph is not None:
        usable &= positions_of(contents, graph.content) >= 0
    return np.sort(first[usable[first]])


def _labelled(
    labels: NDArray[np.str_], embeddings: NDArray[np.floating], contents: NDArray[np.int64], graph: Graph | None
) -> LabelledSet:
    """The pictures with the graph's neighbours among them, as rows of their own."""
    if graph is None:
        return labelled_set(embeddings, labels)
    in_graph = positions_of(contents, graph.content)
    number = np.full(len(graph) + 1, -1, np.int64)  # the last stands for −1, no neighbour
    number[in_graph] = np.arange(len(in_graph))
    return LabelledSet(normalised(embeddings), labels, number[graph.position[in_graph]])


def _curve(found: RiskCoverage) -> Curve:
    chosen = np.unique(np.linspace(0, len(found.coverage) - 1, MOST_CURVE_POINTS).round().astype(np.int64))
    return Curve(found.coverage[chosen], 1 - found.risk[chosen])
