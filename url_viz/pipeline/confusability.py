"""Confusability: how easily a picture is taken for another one of its image set, without labels or training."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from url_viz.base.rows import mid_ranks

SHARED = (3, 5, 10)
"""Lengths of the lists whose common members are counted."""
SCALE_PLACE = 10
"""The crowd's scale is a third of the median gap from the nearest to this place of the list, counted from 0."""
FEWEST_RANKED = 50
"""With fewer pictures only the similarity of the nearest counts."""
LEAST_SCALE = 1e-6
MOST_AHEAD = 50
"""The weight of a neighbour is capped at this many scales nearer than the other picture: it must fit in float32."""
BLOCK = 8192

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Places = NDArray[np.integer]


@dataclass(frozen=True)
class Lists:
    """What a model says of N pictures: its lists of a set's, and how near the nearest is.

    `position`, `similarity` (N, K) are rows of the set's graph, −1 if there are fewer than K; `cosine` (N,) is the
    similarity, in this model's whitened space, of each picture and that which is nearest to the first model.
    """

    position: Places
    similarity: NDArray[np.floating]
    cosine: NDArray[np.floating]


@dataclass(frozen=True)
class RankedByModel:
    """The quantities of the M pictures of a set that have a neighbour, by one model, which new ones are ranked among.

    Each is sorted, and higher = more confusable: `shared` (3, M) int8, minus the number of common members of the first
    3, 5, 10 of a picture's list and of its nearest's; `isolation` (M,), the mean of these three ranks; `crowd` (M,)
    float32, how many neighbours are about as near as the nearest; `far` (M,) float32, minus the nearest's similarity.
    `scale` is the τ of the crowd; `first` (N, 10) int32 are the first of the lists of all N pictures, −1 for none.
    Below FEWEST_RANKED pictures `far` alone counts.
    """

    shared: NDArray[np.int8]
    isolation: Doubles
    crowd: Floats
    far: Floats
    scale: float
    first: NDArray[np.int32]


@dataclass(frozen=True)
class ConfusabilityReference:
    """What a new picture is ranked among: by each of some models, and the sorted means (M,) of their ranks.

    The quantities of those behind the first are of each picture and that which is nearest to the first.
    """

    models: tuple[RankedByModel, ...]
    mean: Doubles


def confusability(
    position: Places,
    similarity: NDArray[np.floating],
    *,
    others: Sequence[Lists] = (),
    representative: NDArray[np.integer] | None = None,
) -> tuple[Floats, ConfusabilityReference]:
    """Confusability (N,) float32, 0 to 1, of the pictures of a graph, and what new ones are ranked among.

    `position` and `similarity` (N, K) are the graph's lists, −1 if there are fewer than K. A picture's rank is the
    mid-rank of the mean of three ranks: how few neighbours it shares with its nearest, how many are about as near as
    its nearest, how far its nearest is. Below FEWEST_RANKED pictures it is the last alone; nan without neighbours.
    With `others` the mean is of all models' ranks: they are asked about the picture that is nearest to the first.
    With the `representative` (N,) of each (`url_viz.pipeline.twins`), only those are ranked, and all have the value of
    theirs.
    """
    every = np.arange(len(position))
    representative = every if representative is None else representative
    counts = representative == every
    rows = np.flatnonzero((position[:, 0] >= 0) & counts)
    models, means = zip(
        *(_ranked(lists, rows, counts, position[rows, 0]) for lists in _by_model(position, similarity, others)),
        strict=True,
    )
    mean = np.mean(means, axis=0)
    values = np.full(len(position), np.nan, np.float32)
    values[rows] = (mid_ranks(mean) - 0.5) / max(1, len(rows))
    return values[representative], ConfusabilityReference(models, np.sort(mean))


def confusability_of_new(
    position: Places,
    similarity: NDArray[np.floating],
    reference: ConfusabilityReference,
    *,
    others: Sequence[Lists] = (),
) -> Floats:
    """Confusability (Q,) of pictures that are not of the set, as if each were; nan for one without neighbours.

    `position` and `similarity` (Q, K) are their lists in the set, twins left out, `others` those of the other models
    of the reference. Each quantity is ranked among the set's, and the mean of the ranks among the set's means, so that
    a copy of a picture of the set has its value.
    """
    rows = np.flatnonzero(position[:, 0] >= 0)
    pairs = zip(_by_model(position, similarity, others), reference.models, strict=True)
    mean = np.mean([_rank_of_new(lists, rows, position[rows, 0], among) for lists, among in pairs], axis=0)
    values = np.full(len(position), np.nan, np.float32)
    count = len(reference.mean)
    if count:  # as `confusability` puts ranks to 0 … 1; what lies beyond the set has the value of its end
        values[rows] = np.clip(_rank_among(mean, reference.mean) - 0.5, 0.5, count - 0.5) / count
    return values


def _by_model(position: Places, similarity: NDArray[np.floating], others: Sequence[Lists]) -> list[Lists]:
    return [Lists(position, similarity, similarity[:, 0]), *others]


def _ranked(
    lists: Lists, rows: NDArray[np.int64], counts: NDArray[np.bool_], nearest: Places
) -> tuple[RankedByModel, Doubles]:
    """What new pictures are ranked among by one model, and the mean (R,) of the three ranks of the pictures `rows`.

    The scale is made of the pictures that count, (N,); `nearest` (R,) are those that are nearest to the first model.
    """
    first = np.ascontiguousarray(lists.position[:, : max(SHARED)], np.int32)
    scale = crowd_scale(lists.position[counts], lists.similarity[counts])
    shared, crowd, far = _quantities(lists, rows, nearest, first, scale)
    isolation = np.mean([mid_ranks(each) for each in shared], axis=0)
    mean = mid_ranks(far)
    if len(rows) >= FEWEST_RANKED:
        mean = np.mean([mid_ranks(isolation), mid_ranks(crowd), mean], axis=0)
    ranked = np.sort(shared, axis=1), np.sort(isolation), np.sort(crowd), np.sort(far)
    return RankedByModel(*ranked, scale, first), mean


def _rank_of_new(lists: Lists, rows: NDArray[np.int64], nearest: Places, among: RankedByModel) -> Doubles:
    """The mean (R,) of the ranks that the quantities of new pictures have among those of a set."""
    shared, crowd, far = _quantities(lists, rows, nearest, among.first, among.scale)
    far_rank = _rank_among(far, among.far)
    if len(among.isolation) < FEWEST_RANKED:
        return far_rank
    isolation = np.mean([_rank_among(*both) for both in zip(shared, among.shared, strict=True)], axis=0)
    ranks = _rank_among(isolation, among.isolation), _rank_among(crowd, among.crowd), far_rank
    return np.asarray(np.mean(ranks, axis=0))


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


def _quantities(
    lists: Lists, rows: NDArray[np.int64], nearest: Places, first: NDArray[np.int32], scale: float
) -> tuple[NDArray[np.int8], Floats, Floats]:
    """shared (3, R), crowd (R,) and far (R,), as in `RankedByModel`, of the pictures at `rows` with `nearest` (R,)."""
    cosine = lists.cosine[rows]
    shared = np.zeros((len(SHARED), len(rows)), np.int8)
    crowd = np.zeros(len(rows), np.float32)
    for start in range(0, len(rows), BLOCK):
        part = slice(start, start + BLOCK)
        some = rows[part]
        own, other = lists.position[some, : max(SHARED)], first[nearest[part]]
        is_same = (own[:, :, None] == other[:, None, :]) & (own >= 0)[:, :, None]
        shared[:, part] = [-is_same[:, :k, :k].sum(axis=(1, 2), dtype=np.int8) for k in SHARED]
        ahead = (lists.similarity[some].astype(np.float64) - cosine[part, None]) / scale
        weight = np.exp(np.minimum(ahead, MOST_AHEAD))
        weight[lists.position[some] < 0] = 0
        crowd[part] = weight.sum(axis=1)
    return shared, crowd, -cosine.astype(np.float32)


def _rank_among(values: NDArray[np.generic], sorted_others: NDArray[np.generic]) -> Doubles:
    """The mid-rank that each value has, or would have, among others: one of them has its own."""
    below, not_above = (np.searchsorted(sorted_others, values, side) for side in ("left", "right"))
    return np.asarray((below + not_above + 1) / 2)
