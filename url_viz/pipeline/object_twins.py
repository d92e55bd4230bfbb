"""Twins among objects in pictures: cells look like one another everywhere, so what surrounds them decides.

Two crops of one kind may be as alike as two copies of a picture: of 376 pairs that `pipeline.twins` finds among 4,888
blood cells in different pictures, a person calls some twenty the same cell. If two pictures overlap, though, whatever
else they show is at the same distance from both objects; copies may be resized, or mirrored left to right.
"""

from collections.abc import Hashable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.pipeline.overlaps import overlapping, overlaps
from url_viz.store.columns.object_columns import Boxes
from url_viz.store.tables.tables import Twins

SAME_BOX = 0.6
"""Intersection over union from which two boxes mark one thing."""
FEWEST_AROUND = 4
"""So many other objects, or as many as there are, must be at their place in the other picture …"""
LEAST_AROUND = 0.5
"""… and this share of those that lie where it has objects. Chosen by looking at BCCD (docs/objects.md)."""


def twins_of_objects(twins: Twins, boxes: Boxes) -> Twins:
    """Those pairs of rows that are one object: in one picture, of one place; in two, amid the same objects.

    The pairs of a picture with one object stay as they are.
    """
    groups = pd.Series(boxes.picture).groupby(boxes.picture).indices
    members = {code: np.asarray(rows, np.int64) for code, rows in groups.items()}
    is_same = np.array([_is_same(int(first), int(second), boxes, members) for first, second in twins.pair], bool)
    return twins.take(is_same)


def _is_same(first: int, second: int, boxes: Boxes, members: Mapping[Hashable, NDArray[np.int64]]) -> bool:
    mine, theirs = int(boxes.picture[first]), int(boxes.picture[second])
    if mine == theirs:
        return bool(overlaps(boxes.box[[first]], boxes.box[[second]])[0, 0] >= SAME_BOX)
    around, there = members[mine], members[theirs]
    if mine < 0 or theirs < 0 or min(len(around), len(there)) == 1:
        return True
    return _lie_alike(
        boxes.box[around[around != first]], boxes.box[there[there != second]], boxes.box[first], boxes.box[second]
    )


def _lie_alike(
    around: NDArray[np.float64], there: NDArray[np.float64], first: NDArray[np.float64], second: NDArray[np.float64]
) -> bool:
    """Whether boxes (A, 4) around `first`, moved as it must be to become `second`, meet those of its picture (B, 4)."""
    resized = np.sqrt(second[2:].prod() / first[2:].prod())
    scale = np.array([1, 1, resized, resized])[:, None, None]
    mirrored = np.array([(1, 1), (-1, 1)] * 2)[:, None]
    centre = _centres(second) + (_centres(around) - _centres(first)) * scale * mirrored  # (4, A, 2)
    low, high = there[:, :2].min(axis=0), (there[:, :2] + there[:, 2:]).max(axis=0)
    in_reach = ((centre >= low) & (centre <= high)).all(axis=2).sum(axis=1)
    size = around[:, 2:] * scale
    moved = np.concatenate([centre - size / 2, size], axis=2).reshape(-1, 4)
    is_met = np.zeros(len(moved), bool)
    pictures = np.zeros(len(moved), np.int64), np.zeros(len(there), np.int64)
    for row, _, _ in overlapping(moved, there, picture=pictures[0], other_picture=pictures[1], least=SAME_BOX):
        is_met[row] = True
    met = is_met.reshape(len(scale), -1).sum(axis=1)
    return bool(((met >= min(FEWEST_AROUND, len(around), len(there))) & (met >= LEAST_AROUND * in_reach)).any())


def _centres(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return boxes[..., :2] + boxes[..., 2:] / 2
