"""Between which two classes a picture lies, by the classes of its nearest neighbours."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from url_viz.analysis.confusability import TEMPERATURE

NEAREST = 12
"""Neighbours that are asked; further ones weigh next to nothing at this temperature."""
_SLOT_BITS = (NEAREST - 1).bit_length()


@dataclass(frozen=True)
class Rivals:
    """Of N pictures the two classes with the most weight among their neighbours.

    `first` and `second` (N,) are class numbers (−1: none), `first_share` and `second_share` (N,) float32 their shares
    of the weight of all neighbours asked that have a class; 0 where there is none.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    first_share: NDArray[np.float32]
    second_share: NDArray[np.float32]

    def __post_init__(self) -> None:
        assert len(self.first) == len(self.second) == len(self.first_share) == len(self.second_share)

    def take(self, rows: NDArray[np.integer]) -> "Rivals":
        """The pictures at `rows`; −1 stands for one without neighbours."""
        found = rows >= 0
        return Rivals(
            np.where(found, self.first[rows], -1),
            np.where(found, self.second[rows], -1),
            np.where(found, self.first_share[rows], 0).astype(np.float32),
            np.where(found, self.second_share[rows], 0).astype(np.float32),
        )


def rivals(
    position: NDArray[np.integer],
    similarity: NDArray[np.floating],
    *,
    label: NDArray[np.integer],
    twin_group: NDArray[np.integer],
    temperature: float = TEMPERATURE,
) -> Rivals:
    """The two leading classes among the `NEAREST` neighbours of each row that are no twins of it.

    `position` and `similarity` (M, K) are the neighbour graph (−1: none), `label` (M,) a class number (−1: none),
    `twin_group` (M,) as in `confusability`. A neighbour weighs exp(cosine / temperature).
    """
    position, similarity = position[:, :NEAREST], similarity[:, :NEAREST]
    theirs = label[position]
    counts = (position >= 0) & (theirs >= 0) & (twin_group[position] != twin_group[:, None])
    weight = _weights(similarity, counts, temperature)
    sums, classes = _by_class(np.where(counts, theirs, -1), weight)
    first, first_share = _largest(sums, classes)
    second, second_share = _largest(sums, classes)
    return Rivals(first, second, first_share, second_share)


def _weights(similarity: NDArray[np.floating], counts: NDArray[np.bool_], temperature: float) -> NDArray[np.float32]:
    """Softmax weights (M, K) over the neighbours that count; 0 for the others."""
    scaled = np.where(counts, similarity.astype(np.float32) / np.float32(temperature), -np.inf)
    highest = scaled.max(axis=1, keepdims=True) if scaled.shape[1] else scaled
    weight = np.exp(scaled - np.where(np.isfinite(highest), highest, 0))
    return np.asarray(weight / np.maximum(weight.sum(axis=1, keepdims=True), 1e-30), np.float32)


def _by_class(
    classes: NDArray[np.integer], weight: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """The weight of each class at the last place of its run in the sorted row, 0 elsewhere; and the sorted classes.

    Rows are sorted by class with the slot in the lowest bits: one pass, where a table of M × classes has no room.
    """
    slots = np.arange(classes.shape[1], dtype=np.int32)
    key = np.sort(classes.astype(np.int32) << _SLOT_BITS | slots, axis=1)
    ordered, slot = key >> _SLOT_BITS, key & ((1 << _SLOT_BITS) - 1)
    flat = slot + np.arange(len(weight), dtype=np.int32)[:, None] * np.int32(weight.shape[1])
    upto = np.cumsum(weight.ravel()[flat], axis=1)
    is_last = np.ones(ordered.shape, bool)
    is_last[:, :-1] = ordered[:, 1:] != ordered[:, :-1]
    at_ends = np.where(is_last, upto, 0)
    before = np.zeros_like(at_ends)
    before[:, 1:] = np.maximum.accumulate(at_ends, axis=1)[:, :-1]
    return np.where(is_last & (ordered >= 0), at_ends - before, 0), ordered


def _largest(sums: NDArray[np.float32], classes: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The class with the largest sum in each row, and that sum, which is taken out of `sums`."""
    rows = np.arange(len(sums))
    if not sums.shape[1]:
        return np.full(len(sums), -1, np.int64), np.zeros(len(sums), np.float32)
    place = sums.argmax(axis=1)
    share = sums[rows, place]
    sums[rows, place] = 0
    return np.where(share > 0, classes[rows, place], -1).astype(np.int64), share
