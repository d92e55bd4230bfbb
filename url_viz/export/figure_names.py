"""Names of classes beside the points of a figure, as on the app's map: as many as have room, none over another."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

CELLS = 48
"""Along the longer side; a class is named at its fullest cell."""
AWAY = (0.0, 3.0, 7.0, 12.0, 18.0, 25.0)
"""Points between that place and the name."""
DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1), (0.5, 1), (-0.5, 1), (0.5, -1), (-0.5, -1))
APART = 1.5
COVERED = 3.5
"""So far a name goes, in points, to cover one picture less."""
MOST_COVERED = 10
"""In a crowd it stays at its place."""

Floats = NDArray[np.float64]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom, in points."""


@dataclass(frozen=True)
class Name:
    """A name in its box."""

    text: str
    box: Box

    @property
    def middle(self) -> tuple[float, float]:
        """The middle of the box."""
        left, top, right, bottom = self.box
        return (left + right) / 2, (top + bottom) / 2


def place_names(
    labels: "pd.Series[str]",
    centres: Floats,
    size: tuple[float, float],
    *,
    height: float,
    width_of: Callable[[str], float],
) -> list[Name]:
    """The names that have room in a figure of this `size`, those of the largest classes first; all in points.

    `labels` (N,) and `centres` (N, 2) are of the pictures, y down; a name is `height` high and `width_of` it wide.
    """
    crowd, placed = _crowd_of(centres, size), list[Name]()
    for text, anchor in _anchors(labels, centres):
        boxes = [
            (away, box)
            for away, box in _places(anchor, width_of(text), height)
            if _is_within(box, size) and not any(_overlap(box, other.box) for other in placed)
        ]
        if boxes:
            _, best = min(boxes, key=lambda one: one[0] + COVERED * min(MOST_COVERED, crowd(one[1])))
            placed.append(Name(text, best))
    return placed


def _anchors(labels: "pd.Series[str]", centres: Floats) -> Iterator[tuple[str, Floats]]:
    """Each class, the largest first, and the middle of its pictures in the cell that holds most, and those about it."""
    cell = np.floor(centres / max(float(np.ptp(centres, axis=0).max()) / CELLS, 1e-9)) if len(centres) else centres
    names = labels.to_numpy(dtype=object)
    for name in labels.dropna().value_counts(sort=True).index:
        of_class = names == name
        cells, count = np.unique(cell[of_class], axis=0, return_counts=True)
        is_near = (np.abs(cell[of_class] - cells[count.argmax()]) <= 1).all(axis=1)
        yield str(name), centres[of_class][is_near].mean(axis=0)


def _places(anchor: Floats, width: float, height: float) -> Iterator[tuple[float, Box]]:
    """Boxes about a place, and how far away each is."""
    for away in AWAY:
        for right, down in DIRECTIONS if away else ((0, 0),):
            x, y = anchor[0] + right * (width / 2 + away), anchor[1] + down * (height / 2 + away)
            yield away, (x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def _crowd_of(centres: Floats, size: tuple[float, float]) -> Callable[[Box], int]:
    """How many pictures have their centre under a box."""
    columns, rows = (int(side) + 2 for side in size)
    counts, _, _ = np.histogram2d(centres[:, 1], centres[:, 0], bins=(np.arange(rows + 1), np.arange(columns + 1)))
    sums = np.zeros((rows + 1, columns + 1), np.int64)
    sums[1:, 1:] = counts.cumsum(axis=0).cumsum(axis=1)

    def crowd(box: Box) -> int:
        left, top, right, bottom = (round(end) for end in box)
        return int(sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left])

    return crowd


def _is_within(box: Box, size: tuple[float, float]) -> bool:
    return box[0] >= 0 and box[1] >= 0 and box[2] <= size[0] and box[3] <= size[1]


def _overlap(one: Box, other: Box) -> bool:
    return (
        one[0] < other[2] + APART
        and other[0] < one[2] + APART
        and one[1] < other[3] + APART
        and other[1] < one[3] + APART
    )
