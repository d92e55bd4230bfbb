"""Naming pictures of a folder without classes: which to name first, and what the names suggest for the others."""

import heapq

import numpy as np
import pandas as pd
import scipy.sparse
from numpy.typing import NDArray

from url_viz.analysis.ambiguity import LEAST_OF_A_CLASS
from url_viz.analysis.derived import Get
from url_viz.pipeline.twins import twin_representatives
from url_viz.store.tables import Graph, positions_of

NEIGHBOURS = 16
"""Neighbours of each list that are used: more order no better (docs/order.md)."""
SUGGESTED_FROM = 0.9
"""The share from which suggestions are offered to be accepted together, at first: one in ten may be wrong."""

Rows = NDArray[np.int64]


def can_order(names: "pd.Series[str]") -> bool:
    """Whether pictures can be ordered by ambiguity between names: two of them, each of three pictures or more."""
    return bool((names.value_counts() >= LEAST_OF_A_CLASS).sum() >= 2)


def names_first(
    graph: Graph,
    *,
    representative: Rows,
    is_named: NDArray[np.bool_],
    count: int,
    among: NDArray[np.bool_] | None = None,
) -> Rows:
    """The rows (≤ count,) of a graph of N pictures to name next, the most informative first.

    Each next one is that which covers most of what the named ones, and those before it, do not: a picture covers
    another by their similarity, if one is in the other's list, and itself wholly (facility location, chosen greedily;
    Krause and Golovin 2014). An order, not a set: its beginning is as good whatever the count. Twins count once
    (`representative` (N,)). `is_named` and `among` (N,): which have a name, which may be asked about (all if None).
    """
    covers = _covering(graph, representative)
    named = np.unique(representative[is_named])
    best = np.zeros(len(graph))
    if len(named):
        best = np.asarray(covers[:, named].max(axis=1).todense()).ravel()
    is_open = (representative == np.arange(len(graph))) & ~np.isin(np.arange(len(graph)), named)
    if among is not None:
        is_open &= np.isin(np.arange(len(graph)), representative[among])
    return _greedy(covers, best, np.flatnonzero(is_open), count)


def _covering(graph: Graph, representative: Rows) -> scipy.sparse.csc_array:
    """How well each picture (column) covers each (row), (N, N), from 0 to 1; nothing for who is no representative."""
    near, similarity = graph.position[:, :NEIGHBOURS], graph.similarity[:, :NEIGHBOURS]
    is_counted = representative == np.arange(len(graph))
    row, slot = np.nonzero((near >= 0) & is_counted[:, None])
    value = np.maximum(similarity[row, slot].astype(np.float64), 0)
    lists = scipy.sparse.csr_array((value, (row, near[row, slot])), shape=(len(graph), len(graph)))
    itself = scipy.sparse.dia_array((is_counted.astype(float)[None], [0]), shape=lists.shape)
    return scipy.sparse.csc_array(lists.maximum(lists.T) + itself)


def _greedy(covers: scipy.sparse.csc_array, best: NDArray[np.float64], candidates: Rows, count: int) -> Rows:
    """The columns that add most to `best` (N,), one after the other; a gain is worked out again only when it is first.

    What a column adds can only shrink as others are chosen, so one whose gain of now is above the others' of before is
    the largest (Minoux 1978).
    """

    def gain(column: int) -> float:
        part = slice(covers.indptr[column], covers.indptr[column + 1])
        return float(np.maximum(covers.data[part] - best[covers.indices[part]], 0).sum())

    heap = [(-gain(column), column) for column in candidates.tolist()]
    heapq.heapify(heap)
    chosen: list[int] = []
    while heap and len(chosen) < count:
        column = heapq.heappop(heap)[1]
        now = -gain(column)
        if heap and now > heap[0][0]:
            heapq.heappush(heap, (now, column))
            continue
        chosen.append(column)
        part = slice(covers.indptr[column], covers.indptr[column + 1])
        best[covers.indices[part]] = np.maximum(best[covers.indices[part]], covers.data[part])
    return np.array(chosen, np.int64)


def suggestions_in(table: pd.DataFrame) -> pd.DataFrame:
    """What names suggest for pictures without one: id, path, name, share; the largest share first.

    `table` is that of an image set whose `label` is the name, with its class columns. All twins are listed.
    """
    rows = table[table["label"].isna() & table["first_class"].notna()]
    found = rows[["id", "path", "first_class", "first_share"]].rename(
        columns={"first_class": "name", "first_share": "share"}
    )
    return found.sort_values(["share", "path"], ascending=[False, True]).reset_index(drop=True)


class Naming:
    """The names of a snapshot's pictures: which to give next, and what they suggest."""

    def __init__(self, get: Get) -> None:
        """`get` gives the set's columns (`url_viz.analysis.columns`); there is a graph in the whitened space."""
        self._get = get

    def names(self) -> "pd.Series[str]":
        """The name of each picture (N,), None for none; the same object until one changes."""
        names: pd.Series[str] = self._get("names")
        return names

    def suggestions(self) -> pd.DataFrame:
        """What names suggest for pictures without one, as `suggestions_in`; a single picture makes a name."""
        found: pd.DataFrame = self._get("name_suggestions")
        return found

    def first(self, count: int, among: NDArray[np.bool_] | None = None) -> Rows:
        """The rows of the table to name first, at most so many of those marked (all if None); see `names_first`."""
        graph, contents = self._get("graph"), self._get("base").contents
        is_named = self.names().notna().to_numpy()
        rows = names_first(
            graph,
            representative=twin_representatives(graph.twins).astype(np.int64),
            is_named=np.isin(graph.content, contents[is_named]),
            count=count,
            among=None if among is None else np.isin(graph.content, contents[among]),
        )
        return positions_of(graph.content[rows], contents)
