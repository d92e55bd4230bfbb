"""Where the names of classes stand on a drawn map, so that none lies over another."""

import math
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

MOST_OF_A_CLASS = 400
"""Pictures of a class among which its middle one is sought."""
AWAY = (0.0, 3.0, 7.0, 12.0, 18.0)
"""Points between that picture and the name."""
FAR = 4.0
"""A name that is further away is joined to its picture by a line."""
DIRECTIONS = (
    *((1, 0), (-1, 0), (0, 1), (0, -1), (0.5, 1), (-0.5, 1), (0.5, -1), (-0.5, -1)),
    *((1, 1), (-1, 1), (1, -1), (-1, -1)),
)
GAP = 1.5
POINTS_PER_PICTURE = 3.5
"""How far a name goes to cover one picture less."""
MOST_COVERED = 10
"""Pictures under a name that count: in a crowd it stays at its place."""

Floats = NDArray[np.float64]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom, in points."""


Name = tuple[str, Box, tuple[float, float]]
"""A class, the box that its name fills, and the place of the picture that is named."""


def place_names(
    labels: "pd.Series[str]",
    centres: Floats,
    size: tuple[float, float],
    *,
    height: float,
    width_of: Callable[[str], float],
) -> list[Name]:
    """The names that have room in a figure of this `size`, those of the largest classes first; all in points.

    `labels` (N,) and `centres` (N, 2), y down, are those of the pictures; a name is `height` high, `width_of` it wide.
    """
    crowd, placed = _crowd(centres, size), list[Name]()
    for text, anchor in _anchors(labels, centres):
        place = float(anchor[0]), float(anchor[1])
        names: list[tuple[float, Name]] = [
            (away, (text, box, place))
            for away, box in _places(anchor, width_of(text), height)
            if min(box) >= 0
            and box[2] <= size[0]
            and box[3] <= size[1]
            and not any(_are_in_the_way((text, box, place), other) for other in placed)
        ]
        if names:
            _, best = min(names, key=lambda one: one[0] + POINTS_PER_PICTURE * min(MOST_COVERED, crowd(one[1][1])))
            placed.append(best)
    return placed


def _are_in_the_way(one: Name, other: Name) -> bool:
    """Whether one of two names lies over the other, or on its line."""
    return _overlap(one[1], other[1]) or _lies_on_line(one, other) or _lies_on_line(other, one)


def _lies_on_line(one: Name, other: Name) -> bool:
    line, (left, top, right, bottom) = leader(other), one[1]
    if line is None:
        return False
    x, y = (np.linspace(line[end], line[2 + end], 12) for end in (0, 1))
    return bool(((x > left) & (x < right) & (y > top) & (y < bottom)).any())


def leader(name: Name) -> tuple[float, float, float, float] | None:
    """The line from a name's box to its picture (x, y, x, y); None where it stands beside it."""
    _, (left, top, right, bottom), (x, y) = name
    near = min(max(x, left), right), min(max(y, top), bottom)
    return (*near, x, y) if math.dist(near, (x, y)) > FAR else None


def _anchors(labels: "pd.Series[str]", centres: Floats) -> Iterator[tuple[str, Floats]]:
    """Each class, the largest first, and the place of its picture that lies nearest to half of the others."""
    names = labels.to_numpy(dtype=object)
    for name in labels.dropna().value_counts(sort=True).index:
        own = centres[names == name]
        own = own[:: math.ceil(len(own) / MOST_OF_A_CLASS)]
        apart = np.linalg.norm(own[:, None] - own, axis=2)
        yield str(name), own[np.median(apart, axis=1).argmin()]


def _places(anchor: Floats, width: float, height: float) -> Iterator[tuple[float, Box]]:
    """Boxes about a place, and how far away each is."""
    for away in AWAY:
        for right, down in DIRECTIONS if away else ((0, 0),):
            x, y = anchor[0] + right * (width / 2 + away), anchor[1] + down * (height / 2 + away)
            yield away, (x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def _crowd(centres: Floats, size: tuple[float, float]) -> Callable[[Box], int]:
    """What counts the pictures whose centre lies under a box."""
    columns, rows = (int(side) + 2 for side in size)
    counts, _, _ = np.histogram2d(centres[:, 1], centres[:, 0], bins=(np.arange(rows + 1), np.arange(columns + 1)))
    sums = np.zeros((rows + 1, columns + 1), np.int64)
    sums[1:, 1:] = counts.cumsum(axis=0).cumsum(axis=1)

    def crowd(box: Box) -> int:
        left, top, right, bottom = (round(end) for end in box)
        return int(sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left])

    return crowd


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] + GAP and other[0] < one[2] + GAP and one[1] < other[3] + GAP and other[1] < one[3] + GAP
