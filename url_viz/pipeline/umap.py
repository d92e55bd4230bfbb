"""UMAP's layout of a graph of nearest neighbours (McInnes et al., 2018), in numpy, many edges at a time.

umap-learn moves one edge at a time, in code that numba compiles, for half a minute before a machine's first map. Here
the edges of an epoch are moved in random batches, so small that few of a batch share a point: as fast, and
neighbourhoods are kept as well (docs/performance.md).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array

A, B = 1.5769435, 0.8950609
"""How alike points at a distance d are is 1 / (1 + A d^2B): umap-learn's curve for `min_dist` .1 and `spread` 1."""
REPELLED = 5
"""Random points that each edge moves its first point away from: umap-learn's `negative_sample_rate`."""
FARTHEST_STEP = 4.0
EXTENT = 10.0
BISECTIONS = 48
SMALLEST_SCALE = 1e-3
"""A row's scale is at least this share of its mean distance."""
TINY = 1e-30
FEWEST_AT_ONCE = 64

Array = NDArray[np.float32]


def umap_layout(
    start: Array, neighbour: NDArray[np.integer], distance: NDArray[np.floating], *, epochs: int, seed: int
) -> Array:
    """Coordinates (N, 2) of rows with K neighbours each, begun at `start` (N, 2); deterministic for a seed.

    `neighbour` (N, K) are row numbers, −1 for none, and `distance` (N, K) is not negative.
    """
    rng = np.random.default_rng(seed)
    graph = memberships(neighbour, distance)
    edges = rng.permutation(np.flatnonzero(graph.data * epochs >= graph.data.max(initial=0.0)))
    head, tail = (place[edges].astype(np.int32) for place in graph.coords)
    rate = graph.data[edges] / graph.data.max(initial=0.0)
    xy = np.ascontiguousarray(_spread(start).T + rng.normal(0, 1e-4, start.T.shape), np.float32)
    at_once = max(len(start), FEWEST_AT_ONCE)
    moved = np.zeros(len(rate), np.int64)
    for epoch in range(epochs):
        due = (rate * epoch).astype(np.int64)
        active, moved = np.flatnonzero(due > moved), due
        for first in range(0, len(active), at_once):
            batch = active[first : first + at_once]
            away_from = rng.integers(0, len(start), (REPELLED, len(batch)), np.int32)
            xy += _steps(xy, head[batch], tail[batch], away_from) * np.float32(1 - epoch / epochs)
    return np.ascontiguousarray(xy.T)


def memberships(neighbour: NDArray[np.integer], distance: NDArray[np.floating]) -> coo_array:
    """How surely each two of N rows are neighbours, 0 to 1, symmetric (N, N), from K neighbours (N, K) of each.

    A row's nearest counts as 1; the others fall off by a scale at which all of them, with itself, come to log2(K + 1).
    It is by either row: a + b − ab.
    """
    count, k = neighbour.shape
    near = np.where(neighbour >= 0, distance, np.inf).astype(np.float64)
    nearest = np.where(near > 0, near, np.inf).min(axis=1, keepdims=True)
    beyond = np.maximum(near - np.where(np.isfinite(nearest), nearest, 0), 0)
    scale = _scales(beyond, float(np.log2(k + 1)))
    mean = np.ma.masked_invalid(near).mean(axis=1, keepdims=True).filled(0)
    scale = np.maximum(scale, np.maximum(SMALLEST_SCALE * mean, TINY))
    row, column = np.nonzero(neighbour >= 0)
    value = np.exp(-beyond / scale)[row, column]
    graph = coo_array((value, (row, neighbour[row, column].astype(np.int64))), shape=(count, count)).tocsr()
    other = graph.T.tocsr()
    return (graph + other - graph * other).tocoo()


def _scales(beyond: NDArray[np.float64], target: float) -> NDArray[np.float64]:
    """For each row (N, K) the scale (N, 1) at which exp(−beyond / scale) comes to `target`, by bisection."""
    low, high, scale = np.zeros((len(beyond), 1)), np.full((len(beyond), 1), np.inf), np.ones((len(beyond), 1))
    for _ in range(BISECTIONS):
        is_large = np.exp(-beyond / scale).sum(axis=1, keepdims=True) > target
        low, high = np.where(is_large, low, scale), np.where(is_large, scale, high)
        scale = np.where(np.isinf(high), 2 * scale, (low + high) / 2)
    return scale


def _spread(start: Array) -> Array:
    """The same points, each axis from 0 to EXTENT."""
    size = np.ptp(start, axis=0)
    return np.asarray(EXTENT * (start - start.min(axis=0)) / np.where(size > 0, size, 1), np.float32)


def _steps(
    xy: Array, head: NDArray[np.integer], tail: NDArray[np.integer], away_from: NDArray[np.integer]
) -> NDArray[np.float32]:
    """How edges (E,) move the points (2, N): both ends together, the head away from random points (REPELLED, E)."""
    here = xy[:, head]
    gap, squared, power = _gap(here, xy[:, tail])
    pull = _bounded(-2 * A * B * power / (squared * (A * power + 1)) * gap)
    gap, squared, power = _gap(here[:, None], xy[:, away_from])
    push = _bounded(2 * B / ((0.001 + squared) * (A * power + 1)) * gap).sum(axis=1)
    ends, steps = np.concatenate([head, tail]), np.concatenate([pull + push, -pull], axis=1)
    return np.stack([np.bincount(ends, step, xy.shape[1]) for step in steps]).astype(np.float32)


def _gap(here: Array, there: Array) -> tuple[Array, Array, Array]:
    """From there to here (2, …), its length squared (…), and that to the power of B."""
    gap = here - there
    squared = np.maximum(gap[0] * gap[0] + gap[1] * gap[1], np.float32(TINY))
    return gap, squared, np.exp(B * np.log(squared))


def _bounded(step: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.asarray(np.clip(step, -FARTHEST_STEP, FARTHEST_STEP))
