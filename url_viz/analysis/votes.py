"""What a picture's neighbours, and a linear classifier that never saw it, say of its class."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from url_viz.index.tables import Graph

NONE = -1
"""The code of a picture that has no class, and of a neighbour that has no vote."""

NEARNESS = 0.1
"""A neighbour's weight is exp((its cosine − the nearest one's) / NEARNESS)."""
RIDGE = 1.0
_CELLS = 4_000_000

Floats = NDArray[np.float32]
Codes = NDArray[np.int32]


@dataclass(frozen=True)
class Ballot:
    """Votes on M distinct contents: `label` (M, K) int32 codes of the voters (NONE: no vote), `weight` (M, K) float32.

    The weights of a row sum to one where anybody votes.
    """

    label: Codes
    weight: Floats

    def __post_init__(self) -> None:
        assert self.label.shape == self.weight.shape

    def shares(self, rows: NDArray[np.integer], classes: int) -> Floats:
        """The share of the votes (R, C) that each class has at `rows`; a row of zeros where nobody votes."""
        label, weight = self.label[rows], self.weight[rows]
        place = np.arange(len(rows))[:, None] * classes + np.maximum(label, 0)
        counted = np.bincount(place.ravel(), weight.ravel(), minlength=len(rows) * classes)
        return counted.reshape(len(rows), classes).astype(np.float32)


def ballot(label: Codes, graph: Graph, *, twin_group: NDArray[np.integer]) -> Ballot:
    """The votes of the graph's neighbours, nearer ones weighing more, twins of each other counting once.

    `label` (M,) are codes in the order of `graph` (NONE: has no vote), `twin_group` (M,) groups. Of neighbours that are
    each other's twins the nearest votes for all, so that a burst is one voice.
    """
    position = np.maximum(graph.position, 0)
    has_vote = (graph.position >= 0) & (label[position] != NONE)
    has_vote &= ~_repeats(twin_group[position], has_vote, twin_group)
    nearest = graph.similarity[:, :1] if graph.similarity.shape[1] else np.zeros((len(graph), 1), np.float32)
    weight = np.where(has_vote, np.exp((graph.similarity - nearest) / np.float32(NEARNESS)), 0)
    weight /= np.maximum(weight.sum(axis=1, keepdims=True), np.float32(1e-12))
    return Ballot(np.where(has_vote, label[position], NONE).astype(np.int32), weight.astype(np.float32))


def _repeats(group: NDArray[np.integer], has_vote: NDArray[np.bool_], groups: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Whether a nearer voter of the row is of the same group (M, K); only rows with grouped neighbours are compared."""
    repeats = np.zeros(group.shape, bool)
    is_grouped = np.bincount(groups, minlength=len(groups)) > 1
    rows = np.flatnonzero((is_grouped[group] & has_vote).sum(axis=1) > 1)
    for start in range(0, len(rows), 4096):
        some = rows[start : start + 4096]
        is_same = group[some][:, :, None] == group[some][:, None, :]
        is_nearer = np.tri(group.shape[1], k=-1, dtype=bool)
        repeats[some] = (is_same & is_nearer & has_vote[some][:, None, :]).any(axis=2)
    return repeats


@dataclass(frozen=True)
class LeftOut:
    """A ridge regression onto class indicators, read at each picture as if it had not been fitted on that picture.

    `unit` (M, D) centred embeddings; `coefficients` (D, C); `mean` (C,) shares of the classes; `label` (M,) codes, NONE
    where a picture took no part in the fit; `leverage` (M,), how far a picture pulls its own value. Leaving a picture
    out has a closed form in ridge regression: (fit − leverage · target) / (1 − leverage).
    """

    unit: Floats
    coefficients: Floats
    mean: Floats
    label: Codes
    leverage: Floats

    def values(self, rows: NDArray[np.integer]) -> Floats:
        """How much each class is indicated (R, C) at `rows`; about 1 for a sure class, 0 for a sure other."""
        fit = self.unit[rows] @ self.coefficients
        leverage, label = self.leverage[rows][:, None], self.label[rows]
        was_in = label != NONE
        target = np.where(was_in[:, None], -self.mean, np.float32(0))
        target[np.flatnonzero(was_in), label[was_in]] += 1
        left_out: Floats = (fit - leverage * target) / (1 - leverage) + self.mean
        return left_out


def left_out(embeddings: Floats, label: Codes, classes: int, *, ridge: float = RIDGE) -> LeftOut:
    """Fit on the normalised `embeddings` (M, D) whose `label` (M,) is not NONE. At 100,000 × 1,280 it takes seconds."""
    used = label != NONE
    fitted, codes = embeddings[used], label[used]
    centre = fitted.mean(axis=0)
    fitted = fitted - centre
    share = (np.bincount(codes, minlength=classes) / max(1, len(codes))).astype(np.float32)
    sums = np.zeros((classes, embeddings.shape[1]), np.float32)
    order = np.argsort(codes, kind="stable")
    present, start = np.unique(codes[order], return_index=True)
    sums[present] = np.add.reduceat(fitted[order], start, axis=0)
    inverse = np.linalg.inv((fitted.T @ fitted).astype(np.float64) + ridge * np.eye(embeddings.shape[1]))
    inverse32 = inverse.astype(np.float32)
    leverage = np.zeros(len(label), np.float32)
    leverage[used] = _quadratic(fitted, inverse32) + np.float32(1 / max(2, len(codes)))
    coefficients = inverse32 @ sums.T  # the fitted rows sum to zero, so the targets' mean drops out
    return LeftOut(embeddings - centre, coefficients, share, label, np.minimum(leverage, np.float32(0.999)))


def _quadratic(rows: Floats, matrix: Floats) -> Floats:
    """rowᵀ · matrix · row of each row, without another array as large as `rows`."""
    parts = [np.einsum("nd,nd->n", part @ matrix, part) for part in blocks(rows, 4096)]
    return np.concatenate(parts)


def blocks(rows: Floats, size: int) -> Iterator[Floats]:
    """`rows` in pieces of at most `size`."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def rows_at_once(classes: int) -> int:
    """How many rows of `classes` numbers are worked on together."""
    return max(64, _CELLS // max(1, classes))
