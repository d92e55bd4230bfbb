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
"""With fewer pictures only the similarity of the nearest counts."""
LEAST_SCALE = 1e-6
MOST_AHEAD = 50
"""The weight of a neighbour is capped at this many scales nearer than the other picture: it must fit in float32."""
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

    Each sorted: their `quantities`; `isolation` (M,), the mean of the three ranks of `shared`; `mean` (M,), the mean of
    the ranks of `isolation`, `crowd` and `far`. `scale`, the τ of the crowd; `first` (N, 10) int32, the first of the
    lists of all N pictures, −1 for none. Below FEW pictures `far` alone counts, and `mean` is its rank.
    """

    quantities: Raw
    isolation: Doubles
    mean: Doubles
    scale: float
    first: NDArray[np.int32]

    @property
    def is_few(self) -> bool:
        return len(self.isolation) < FEW


@dataclass(frozen=True)
class ReferenceOfBoth:
    """What a new picture is ranked among by two models: the `first` and the `second`, and their means (M,), sorted.

    The quantities of the second are of each picture and that which is nearest to the first.
    """

    first: ConfusabilityReference
    second: ConfusabilityReference
    mean: Doubles


@dataclass(frozen=True)
class SecondLists:
    """What a second model says of the N pictures of a graph: its own lists of them, and how near their nearest is.

    `position`, `similarity` (N, K) are its graph's lists, in rows of the first one's; `cosine` (N,) is the similarity,
    in its whitened space, of each picture and that which is nearest to the first model.
    """

    position: Places
    similarity: NDArray[np.floating]
    cosine: Floats


def confusability(
    position: Places, similarity: NDArray[np.floating], *, representative: NDArray[np.integer] | None = None
) -> tuple[Floats, ConfusabilityReference]:
    """Confusability (N,) float32, 0 to 1, of the pictures of a graph, and what new ones are ranked among.

    `position` and `similarity` (N, K) are the graph's lists, −1 if there are fewer than K. A picture's rank is the
    mid-rank of the mean of three ranks: how few neighbours it shares with its nearest, how many are about as near as
    its nearest, how far its nearest is. Below FEW pictures it is the last alone. nan for a picture without neighbours.
    With the `representative` (N,) of each (`url_viz.pipeline.twins`), only those are ranked, and all have the value of
    theirs.
    """
    rows, representative = _counted(position, representative)
    reference, mean = _ranked(position, similarity, rows, representative)
    return _for_all_rows(mean, rows, representative), reference


def confusability_by_both(
    position: Places,
    similarity: NDArray[np.floating],
    second: SecondLists,
    *,
    representative: NDArray[np.integer] | None = None,
) -> tuple[Floats, ReferenceOfBoth]:
    """Confusability (N,) by two models: like `confusability`, of the mean of both models' three ranks.

    Both are asked about the picture that is nearest to the first: the second by its own lists.
    """
    rows, representative = _counted(position, representative)
    first, of_first = _ranked(position, similarity, rows, representative)
    about = position[rows, 0], second.cosine[rows]
    other, of_second = _ranked(second.position, second.similarity, rows, representative, about=about)
    mean = (of_first + of_second) / 2
    return _for_all_rows(mean, rows, representative), ReferenceOfBoth(first, other, np.sort(mean))


def _counted(
    position: Places, representative: NDArray[np.integer] | None
) -> tuple[NDArray[np.int64], NDArray[np.integer]]:
    """The rows that are ranked: those with a neighbour that count; and the representative of each (N,)."""
    representative = np.arange(len(position)) if representative is None else representative
    return np.flatnonzero((position[:, 0] >= 0) & (representative == np.arange(len(position)))), representative


def _ranked(
    position: Places,
    similarity: NDArray[np.floating],
    rows: NDArray[np.int64],
    representative: NDArray[np.integer],
    *,
    about: tuple[Places, NDArray[np.floating]] | None = None,
) -> tuple[ConfusabilityReference, Doubles]:
    """What new pictures are ranked among, and the mean (R,) of the three ranks of the pictures `rows`.

    Each with its nearest, or with another picture and its similarity, both (R,), as given in `about`.
    """
    first = np.ascontiguousarray(position[:, : max(SHARED)], np.int32)
    is_counted = representative == np.arange(len(position))
    scale = crowd_scale(position[is_counted], similarity[is_counted])
    raw = _raw(position, similarity, rows, first, scale, *(about or (position[rows, 0], similarity[rows, 0])))
    isolation = np.mean([mid_ranks(counts) for counts in raw.shared], axis=0)
    far = mid_ranks(raw.far)
    mean = far if len(rows) < FEW else np.mean([mid_ranks(isolation), mid_ranks(raw.crowd), far], axis=0)
    quantities = Raw(np.sort(raw.shared, axis=1), np.sort(raw.crowd), np.sort(raw.far))
    return ConfusabilityReference(quantities, np.sort(isolation), np.sort(mean), scale, first), mean


def _for_all_rows(mean: Doubles, rows: NDArray[np.int64], representative: NDArray[np.integer]) -> Floats:
    """Mid-ranks of `mean` (R,), put to 0 … 1, at `rows` and those they represent; nan elsewhere."""
    values = np.full(len(representative), np.nan, np.float32)
    values[rows] = (mid_ranks(mean) - 0.5) / max(1, len(rows))
    spread: Floats = values[representative]
    return spread


def confusability_of_new(
    position: Places, similarity: NDArray[np.floating], reference: ConfusabilityReference
) -> Floats:
    """Confusability (Q,) of pictures that are not of the set, as if each were; nan for one without neighbours.

    `position` and `similarity` (Q, K) are their lists in the set, twins left out. Each quantity is ranked among the
    set's, and the mean of the ranks among the set's means, so that a copy of a picture of the set has its value.
    """
    rows = np.flatnonzero(position[:, 0] >= 0)
    mean = _among(position, similarity, rows, reference, position[rows, 0], similarity[rows, 0])
    return _placed(mean, rows, reference.mean, len(position))


def confusability_of_new_by_both(
    position: Places, similarity: NDArray[np.floating], second: SecondLists, reference: ReferenceOfBoth
) -> Floats:
    """Like `confusability_of_new`, by two models, as `confusability_by_both`; `second` (Q, K) is of the new pictures.

    Its `cosine` (Q,) is that of each and the picture of the set that is nearest to the first model.
    """
    rows = np.flatnonzero(position[:, 0] >= 0)
    of_first = _among(position, similarity, rows, reference.first, position[rows, 0], similarity[rows, 0])
    lists = second.position, second.similarity
    of_second = _among(*lists, rows, reference.second, position[rows, 0], second.cosine[rows])
    return _placed((of_first + of_second) / 2, rows, reference.mean, len(position))


def _among(
    position: Places,
    similarity: NDArray[np.floating],
    rows: NDArray[np.int64],
    reference: ConfusabilityReference,
    other: Places,
    cosine: NDArray[np.floating],
) -> Doubles:
    """The mean (R,) of the ranks that the quantities of new pictures and `other` have among those of a set."""
    raw, among = _raw(position, similarity, rows, reference.first, reference.scale, other, cosine), reference.quantities
    far = _rank_among(raw.far, among.far)
    if reference.is_few:
        return far
    isolation = np.mean([_rank_among(*both) for both in zip(raw.shared, among.shared, strict=True)], axis=0)
    mean: Doubles = np.mean(
        [_rank_among(isolation, reference.isolation), _rank_among(raw.crowd, among.crowd), far], axis=0
    )
    return mean


def _placed(mean: Doubles, rows: NDArray[np.int64], among: Doubles, count: int) -> Floats:
    """Values (count,) of new pictures at `rows`, by their means (R,) among the sorted means of a set; nan elsewhere."""
    values = np.full(count, np.nan, np.float32)
    if len(among):
        values[rows] = _share_below(mean, among)
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
    position: Places,
    similarity: NDArray[np.floating],
    rows: NDArray[np.int64],
    first: NDArray[np.int32],
    scale: float,
    other: Places,
    cosine: NDArray[np.floating],
) -> Raw:
    """The quantities of the pictures whose lists are at `rows`, and of `other` (R,), whose similarity is `cosine` (R,).

    `first` (N, 10) are the set's lists.
    """
    shared = np.zeros((len(SHARED), len(rows)), np.int8)
    crowd = np.zeros(len(rows), np.float32)
    for start in range(0, len(rows), BLOCK):
        part = slice(start, start + BLOCK)
        some = rows[part]
        shared[:, part] = -_common(position[some, : max(SHARED)], first[other[part]])
        ahead = (similarity[some].astype(np.float64) - cosine[part, None]) / scale
        weight = np.exp(np.minimum(ahead, MOST_AHEAD))
        weight[position[some] < 0] = 0
        crowd[part] = weight.sum(axis=1)
    return Raw(shared, crowd, -cosine.astype(np.float32))


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
