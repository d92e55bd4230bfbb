"""Which pictures cover most of a set: the order in which to name, or to choose, a part of it."""

import heapq
from bisect import bisect_right
from dataclasses import dataclass

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from url_viz.store.tables import Graph

NEIGHBOURS = 16
"""Neighbours of each list that are used: more order no better (docs/order.md)."""

Rows = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Quota:
    """How many may come of each of G groups: `room` (G,), and one more of each that `takes_more`, `extra` in all.

    `group` (N,) is each picture's, from 0.
    """

    group: Rows
    room: Rows
    takes_more: Bools
    extra: int


def equal_quota(group: Rows, *, count: int, is_open: Bools, is_chosen: Bools, most: Rows) -> Quota:
    """The quota by which `count` pictures in all, the chosen among them, are as evenly spread over groups as can be.

    `group` (N,) from 0; `is_open` and `is_chosen` (N,): which may be chosen, which are already; `most` (G,) bounds each
    group, negative for no bound. What a small group cannot give goes to the others; what is left over, less than one a
    group, goes to those that cover most.
    """
    chosen, size = (np.bincount(group[rows], minlength=len(most)) for rows in (is_chosen, is_open | is_chosen))
    size = np.where(most >= 0, np.clip(most, chosen, size), size)
    levels = range(1, int(size.max(initial=0)) + 1)
    level = bisect_right(levels, count, key=lambda level: int(np.clip(level, chosen, size).sum()))
    filled = np.clip(level, chosen, size)
    return Quota(group, filled - chosen, (filled == level) & (size > level), count - int(filled.sum()))


def cover_first(
    graph: Graph,
    *,
    representative: Rows,
    is_covered: Bools,
    count: int,
    among: Bools | None = None,
    quota: Quota | None = None,
) -> Rows:
    """The rows (≤ count,) of a graph of N pictures that cover most of it, the one that covers most first.

    Each next one is that which covers most of what the chosen ones, and those before it, do not: a picture covers
    another by their similarity, if one is in the other's list, and itself wholly (facility location, chosen greedily;
    Krause and Golovin 2014). An order, not a set: without a quota its beginning is as good whatever the count. With
    a quota a picture covers those of its own group alone: what lies near in another class does not stand for it. Twins
    count once (`representative` (N,)). `is_covered` and `among` (N,): which are chosen already, which may be (all if
    None).
    """
    covers = _covering(graph, representative, None if quota is None else quota.group)
    chosen = np.unique(representative[is_covered])
    best = np.zeros(len(graph))
    if len(chosen):
        best = np.asarray(covers[:, chosen].max(axis=1).todense()).ravel()
    is_open = (representative == np.arange(len(graph))) & ~np.isin(np.arange(len(graph)), chosen)
    if among is not None:
        is_open &= np.isin(np.arange(len(graph)), representative[among])
    if quota is None:
        quota = Quota(np.zeros(len(graph), np.int64), np.array([len(graph)]), np.array([False]), 0)
    return _greedy(covers, best, np.flatnonzero(is_open), count, quota)


def _covering(graph: Graph, representative: Rows, group: Rows | None) -> scipy.sparse.csc_array:
    """How well each picture (column) covers each (row), (N, N), from 0 to 1; nothing for who is no representative."""
    near, similarity = graph.position[:, :NEIGHBOURS], graph.similarity[:, :NEIGHBOURS]
    is_counted = representative == np.arange(len(graph))
    is_covered = (near >= 0) & is_counted[:, None]
    if group is not None:
        is_covered &= group[near] == group[:, None]
    row, slot = np.nonzero(is_covered)
    value = np.maximum(similarity[row, slot].astype(np.float64), 0)
    lists = scipy.sparse.csr_array((value, (row, near[row, slot])), shape=(len(graph), len(graph)))
    itself = scipy.sparse.dia_array((is_counted.astype(float)[None], [0]), shape=lists.shape)
    return scipy.sparse.csc_array(lists.maximum(lists.T) + itself)


def _greedy(
    covers: scipy.sparse.csc_array, best: NDArray[np.float64], candidates: Rows, count: int, quota: Quota
) -> Rows:
    """The columns that add most to `best` (N,), one after the other; a gain is worked out again only when it is first.

    What a column adds can only shrink as others are chosen, so one whose gain of now is above the others' of before is
    the largest (Minoux 1978).
    """

    def gain(column: int) -> float:
        part = slice(covers.indptr[column], covers.indptr[column + 1])
        return float(np.maximum(covers.data[part] - best[covers.indices[part]], 0).sum())

    room, extra = quota.room.copy(), quota.extra
    heap = [(-gain(column), column) for column in candidates.tolist()]
    heapq.heapify(heap)
    chosen: list[int] = []
    while heap and len(chosen) < count:
        column = heapq.heappop(heap)[1]
        group = quota.group[column]
        left = room[group]
        if left <= 0 and not (left == 0 and extra and quota.takes_more[group]):
            continue
        now = -gain(column)
        if heap and now > heap[0][0]:
            heapq.heappush(heap, (now, column))
            continue
        chosen.append(column)
        room[group] -= 1
        extra -= int(left == 0)
        part = slice(covers.indptr[column], covers.indptr[column + 1])
        best[covers.indices[part]] = np.maximum(best[covers.indices[part]], covers.data[part])
    return np.array(chosen, np.int64)
