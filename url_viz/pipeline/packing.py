"""Packing of a map: groups that lie far apart move together, and the whole is turned, so that it fills its canvas."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

GAP = 1.0
"""Space between groups, and the width of the cells that tell them apart, in UMAP's units (its `spread` is 1)."""
MOST_CELLS = 4_000_000
"""Beyond so large a map, cells are larger: an outlier far away must not cost memory."""
_DIRECTIONS = 32
_STEPS = 64
_ANGLES = 45

Array = NDArray[np.float32]
Array64 = NDArray[np.float64]


def packed(xy: Array) -> Array:
    """The map `xy` (N, 2), float32, with its groups moved together; distances within a group stay as they are.

    Groups are parted by at least `GAP`. The largest stays, each next one goes where the map remains most compact, at
    `GAP` from the others. Then the whole is turned to fit into the smallest square, as its canvas about is.
    """
    if not len(xy):
        return xy
    group, width = _groups_of(xy)
    sizes = np.bincount(group)
    result = xy.astype(np.float64)
    by_size = np.argsort(-sizes, kind="stable")
    placed = _outline(result[group == by_size[0]], width)
    for number in by_size[1:]:
        rows = group == number
        shift = _best_shift(_outline(result[rows], width), placed, width)
        result[rows] += shift
        placed = np.concatenate([placed, _outline(result[rows], width)])
    return _turned(result, placed).astype(np.float32)


def _turned(xy: Array64, outline: Array64) -> Array64:
    """The points `xy` (N, 2) about their middle, turned by the angle at which `outline` fits into the least square."""
    angles = np.linspace(0, np.pi / 2, _ANGLES, endpoint=False)
    turns = np.array([[[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]] for a in angles])
    best = min(turns, key=lambda turn: _side_of(outline @ turn))
    return np.asarray((xy - xy.mean(axis=0)) @ best)


def _groups_of(xy: Array) -> tuple[NDArray[np.int64], float]:
    """The number of each point's group (N,), and the width of the cells; touching cells with points are one group."""
    low, extent = xy.min(axis=0), np.ptp(xy, axis=0)
    width = max(GAP, float(np.sqrt(extent.prod() / MOST_CELLS)), float(extent.max() / MOST_CELLS))
    cell = ((xy - low) / width).astype(np.int64)
    grid = np.zeros(cell.max(axis=0) + 1, np.bool_)
    grid[cell[:, 0], cell[:, 1]] = True
    labels, _ = ndimage.label(grid, np.ones((3, 3)))
    return labels[cell[:, 0], cell[:, 1]].astype(np.int64) - 1, width


def _outline(xy: Array64, width: float) -> Array64:
    """One point for each quarter of a cell with points: few, however many points there are."""
    _, first = np.unique((xy / (width / 4)).astype(np.int64), axis=0, return_index=True)
    return xy[first]


def _best_shift(group: Array64, placed: Array64, gap: float) -> Array64:
    """The shift (2,) that brings `group` to the `gap` from what is placed, and keeps the whole most compact."""
    tree = cKDTree(placed)
    centre, middle = placed.mean(axis=0), (group.min(axis=0) + group.max(axis=0)) / 2
    reach = float(np.ptp(placed, axis=0).sum() + np.ptp(group, axis=0).sum()) + gap
    angles = np.arange(_DIRECTIONS) * 2 * np.pi / _DIRECTIONS
    before = np.arctan2(*(middle - centre)[::-1])
    outward = np.stack([np.cos(angles), np.sin(angles)], axis=1)[np.cos(angles - before) >= 0]  # it stays on its side
    near = centre - middle
    shifts = [_pulled_in(group, tree, near + reach * direction, near, gap) for direction in outward]
    return min(shifts, key=lambda shift: _side_of(np.concatenate([placed, group + shift])))


def _pulled_in(group: Array64, tree: cKDTree, far: Array64, near: Array64, gap: float) -> Array64:
    """On the way from the shift `far` to `near`, the last one before the group comes nearer than the `gap`."""
    for step in range(1, _STEPS + 1):
        shift = far + step / _STEPS * (near - far)
        if tree.query(group + shift)[0].min() < gap:
            return far + (step - 1) / _STEPS * (near - far)
    return near


def _side_of(xy: Array64) -> float:
    """The larger side of the box around the points (N, 2); of equals, that with the smaller other side."""
    extent = np.ptp(xy, axis=0)
    return float(extent.max() + 0.1 * extent.min())
