"""Confusability: how easily a picture is taken for another one of its image set, without labels or training."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from url_viz.rows import mid_ranks

SHARED = (3, 5, 10)
"""Lengths of the lists whose common members are counted."""
SCALE_PLACE = 10
"""The crowd's scale is a third of the median gap from the nearest to this place of the list, counted from 0."""
FEW = 50
"""Below so many pictures only the similarity of the nearest counts."""
LEAST_SCALE = 1e-6
BLOCK = 8192

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Places = NDArray[np.integer]


@dataclass(frozen=True)
class Raw:
    """The three quantities of R pictures, higher = more confusable, before they are ranked.

    `shared` (3, R) int8, minus the number of common members of the first 3, 5, 10 of the picture's list and of its
    nearest's; `crowd` (R,) float32, how many neighbours are about as near as the nearest; `far` (R,) float32, minus the
    nearest's similarity.
    """

    shared: NDArray[np.int8]
    crowd: Floats
    far: Floats


@dataclass(frozen=True)
class ConfusabilityReference:
    """What a new picture is ranked among: the M pictures of a set that have a neighbour.

    Each sorted: their `quantities`; `alone` (M,), the mean of the three ranks of `shared`; `mean` (M,), the mean of the
    ranks of `alone`, `crowd` and `far`. `scale`, the τ of the crowd; `first` (N, 10) int32, the first of the lists of
    all N pictures, −1 for none. Below FEW pictures `far` alone counts.
    """

    quantities: Raw
    alone: Doubles
    mean: Doubles
    scale: float
    first: NDArray[np.int32]

    @property
    def is_few(self) -> bool:
        return len(self.alone) < FEW


def confusability(
    position: Places, similarity: NDArray[np.floating], *, leader: NDArray[np.integer] | None = None
) -> tuple[Floats, ConfusabilityReference]:
    """Confusability (N,) float32, 0 to 1, of the pictures of a graph, and what new ones are ranked among.

    `position` and `similarity` (N, K) are the graph's lists, −1 if there are fewer than K. A picture's rank is the
    mid-rank of the mean of three ranks: how few neighbours it shares with its nearest, how many are about as near as
    its nearest, how far its nearest is. Below FEW pictures it is the last alone. nan for a picture without neighbours.
    With `leader` (N,), the row that counts for each (`url_viz.pipeline.twins.leaders`), only those are ranked, and all
    have the value of theirs.
    """
    first = np.ascontiguousarray(position[:, : max(SHARED)], np.int32)
    leads = np.arange(len(position)) if leader is None else leader
    is_counted = leads == np.arange(len(position))
    scale = crowd_scale(position[is_counted], similarity[is_counted])
    rows = np.flatnonzero((position[:, 0] >= 0) & is_counted)
    raw = _raw(position, similarity, rows, first, scale)
    alone = np.mean([mid_ranks(counts) for counts in raw.shared], axis=0)
    mean = np.mean([mid_ranks(alone), mid_ranks(raw.crowd), mid_ranks(raw.far)], axis=0)
    order = mid_ranks(raw.far if len(rows) < FEW else mean)
    values = np.full(len(position), np.nan, np.float32)
    values[rows] = (order - 0.5) / max(1, len(rows))
    quantities = Raw(np.sort(raw.shared, axis=1), np.sort(raw.crowd), np.sort(raw.far))
    reference = ConfusabilityReference(quantities, np.sort(alone), np.sort(mean), scale, first)
    return values[leads], reference


def confusability_of_new(
    position: Places, similarity: NDArray[np.floating], reference: ConfusabilityReference
) -> Floats:
    """Confusability (Q,) of pictures that are not of the set, as if each were; nan for one without neighbours.

    `position` and `similarity` (Q, K) are their lists in the set, twins left out. Each quantity is ranked among the
    set's, and the mean of the ranks among the set's means, so that a copy of a picture of the set has its value.
    """
    values = np.full(len(position), np.nan, np.float32)
    if not len(reference.alone):
        return values
    rows = np.flatnonzero(position[:, 0] >= 0)
    raw, among = _raw(position, similarity, rows, reference.first, reference.scale), reference.quantities
    if reference.is_few:
        values[rows] = _share_below(raw.far, among.far)
    else:
        alone = np.mean([_rank_among(*both) for both in zip(raw.shared, among.shared, strict=True)], axis=0)
        quantities = (alone, reference.alone), (raw.crowd, among.crowd), (raw.far, among.far)
        values[rows] = _share_below(np.mean([_rank_among(*both) for both in quantities], axis=0), reference.mean)
    return values


def crowd_scale(position: Places, similarity: NDArray[np.floating]) -> float:
    """τ of the crowd: a third of the median gap from the nearest to the eleventh, or to the last of a shorter list.

    Never 0: where the gap is, only neighbours exactly as near as the nearest count.
    """
    count = (position >= 0).sum(axis=1)
    rows = np.flatnonzero(count > 1)
    if not len(rows):
        return LEAST_SCALE
    place = np.minimum(count[rows] - 1, SCALE_PLACE)
    gap = similarity[rows, 0].astype(np.float64) - similarity[rows, place]
    return max(float(np.median(gap)) / 3, LEAST_SCALE)


def _raw(
    position: Places, similarity: NDArray[np.floating], rows: NDArray[np.int64], first: NDArray[np.int32], scale: float
) -> Raw:
    """The quantities of the lists at `rows`, each of which has a nearest; `first` (N, 10) are the set's lists."""
    shared = np.zeros((len(SHARED), len(rows)), np.int8)
    crowd = np.zeros(len(rows), np.float32)
    for start in range(0, len(rows), BLOCK):
        part = slice(start, start + BLOCK)
        some = rows[part]
        shared[:, part] = -_common(position[some, : max(SHARED)], first[position[some, 0]])
        near = similarity[some].astype(np.float64)
        weight = np.exp((near - near[:, :1]) / scale)
        weight[position[some] < 0] = 0
        crowd[part] = weight.sum(axis=1)
    return Raw(shared, crowd, -similarity[rows, 0].astype(np.float32))


def _common(one: Places, other: Places) -> NDArray[np.int8]:
    """How many of the first 3, 5, 10 of two lists (R, 10) are in both, (3, R)."""
    is_same = (one[:, :, None] == other[:, None, :]) & (one >= 0)[:, :, None]
    return np.stack([is_same[:, :k, :k].sum(axis=(1, 2), dtype=np.int8) for k in SHARED])


def _rank_among(values: NDArray[np.generic], sorted_others: NDArray[np.generic]) -> Doubles:
    """The mid-rank that each value has, or would have, among others: one of them has its own."""
    below, not_above = (np.searchsorted(sorted_others, values, side) for side in ("left", "right"))
    rank: Doubles = (below + not_above + 1) / 2
    return rank


def _share_below(values: NDArray[np.generic], sorted_others: NDArray[np.generic]) -> Doubles:
    """As `confusability` puts ranks to 0 … 1; what lies beyond the set has the value of its end."""
    count = len(sorted_others)
    return np.clip(_rank_among(values, sorted_others) - 0.5, 0.5, count - 0.5) / count
