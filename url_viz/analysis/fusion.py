"""Fusion: one order made of uncertainty and confusability, weighted without labels by what the neighbour graph says."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from url_viz.analysis.metrics import r_auroc
from url_viz.analysis.ranking import percentile
from url_viz.store.tables import Graph

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Fusion:
    """`value` (M,) float64, 0 to 100, higher = less to be trusted, nan where a part is missing.

    `weight` is the share of uncertainty in it, 0 to 1; the rest is confusability's.
    """

    value: Floats
    weight: float


def fused(
    uncertainty: NDArray[np.floating],
    confusability: NDArray[np.floating],
    *,
    graph: Graph,
    twin_group: NDArray[np.integer],
) -> Fusion:
    """The weighted mean of two percentiles, of uncertainty (M,) and confusability (M,), rows in the order of `graph`.

    Two things need no labels, and make the rule. A picture whose nearest neighbour is its twin (`twin_group` (M,)) will
    be found by it: it takes the lowest place by confusability, which looks past twins. And neighbours are more often
    right where they are each other's nearest: how well a measure tells these pictures, as an R-AUROC above .5, is its
    worth, and the weights are the two worths' shares. A head that orders this set no better than dice has no say.

    Chosen on the project's five development sets among about forty rules, then frozen. R-AUROC of uncertainty,
    confusability and the fusion: digits .579 .671 .686, drawings .519 .690 .695, icons .619 .557 .791, stamps
    .429 .708 .723, windows .803 .761 .837; mean .590 .677 .746. Most of that is the twins (.734 with them alone). Plain
    nearest-neighbour similarity stays ahead on stamps (.754) and behind on the mean (.648).

    On four fresh report sets, run once: letters .581 .482 .407, emoji .418 .679 .739, game art .475 .578 .537, pieces
    of paintings .580 .780 .783; mean .514 .630 .617, so confusability alone is the better one there.
    """
    has_twin = _nearest_is_twin(graph, twin_group)
    placed = np.where(has_twin, -1.0, confusability.astype(np.float64))
    is_mutual = mutual_nearest(graph)
    weight = _share(worth(uncertainty, is_mutual), worth(confusability, is_mutual))
    parts = percentile(uncertainty).astype(np.float64), percentile(placed).astype(np.float64)
    return Fusion(weight * parts[0] + (1 - weight) * parts[1], weight)


def mutual_nearest(graph: Graph) -> NDArray[np.bool_]:
    """Whether each row (M,) and its nearest neighbour are each other's nearest."""
    if not graph.position.shape[1]:
        return np.zeros(len(graph), bool)
    nearest = graph.position[:, 0]
    mutual: NDArray[np.bool_] = (nearest >= 0) & (nearest[nearest] == np.arange(len(graph)))
    return mutual


def worth(measure: NDArray[np.floating], is_mutual: NDArray[np.bool_]) -> float:
    """How far above chance a measure (M,) is lower on mutual neighbours (M,): 0 to .5, 0 where nothing tells."""
    known = np.isfinite(measure)
    score = r_auroc(measure[known], is_mutual[known])
    return max(0.0, score - 0.5) if np.isfinite(score) else 0.0


def _nearest_is_twin(graph: Graph, twin_group: NDArray[np.integer]) -> NDArray[np.bool_]:
    if not graph.position.shape[1]:
        return np.zeros(len(graph), bool)
    nearest = graph.position[:, 0]
    is_twin: NDArray[np.bool_] = (nearest >= 0) & (twin_group[nearest] == twin_group)
    return is_twin


def _share(first: float, second: float) -> float:
    return first / (first + second) if first + second > 0 else 0.5
