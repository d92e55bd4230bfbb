"""Twins: pairs of pictures so alike that they count as one (bursts, copies, re-saved files), found exactly.

Either of two witnesses is enough: raw embeddings with a cosine of at least TWIN_COSINE; or, at a lower cosine,
perceptual hashes that are nearly the same (`near_copies`), which see the copies that embeddings take for other
pictures. Without hashes only the first is used. Four things follow, which are defined here and nowhere else;
docs/architecture.md says who goes by which:

- a *pair*: two pictures that are twins (`are_twins`, `pair_matrix`); copies of one file are one content, and a pair;
- a *group*: pictures that a chain of pairs joins (`twin_groups`), whose ends need not be alike: what is shown as one;
- a *representative*: of pictures that are pairs of one, the one that counts (`twin_representatives`);
- a *source group*: pictures that are no witnesses for each other, nor parted by a split: twins, joined with what the
  user keeps apart (a patient, a video; `source_groups`).
"""

from collections.abc import Iterable, Iterator

import numpy as np
import scipy.linalg
import scipy.sparse
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

from url_viz.imaging.perceptual_hash import Hashes
from url_viz.pipeline.near_copies import COPY_COSINE, VIEW_COSINE, are_copies, are_views, copies
from url_viz.rows import l2_normalize
from url_viz.store.raw_rows import Raw
from url_viz.store.tables import Twins

TWIN_COSINE = 0.96
"""Raw cosine from which two embeddings count as one picture."""
MOST_PAIRS = 8_000_000
"""Pairs kept one by one; a set with more (a camera that never moves) keeps only what holds its groups together."""
SKETCH = 63
"""Directions by which pairs are ruled out before their cosines are worked out."""
SKETCH_SAMPLE = 4_000
SKETCH_CELLS = 100_000_000
"""Up to this many pairs, computing all cosines is as fast."""
ROUNDING = 1e-5
TILE = 1024, 2048
ROWS_AT_ONCE = 8192
ROWS_IN_MEMORY = 75_000
"""Pairs are processed whenever they name more rows than this."""
PRODUCTS = 256
"""Pairs that are multiplied at a time: their rows fit in the cache."""
DENSE = 0.02
"""From this share of a tile on, one product of all its rows is faster than its pairs one by one."""

Floats = NDArray[np.float32]
Ids = NDArray[np.int32]


def are_twins(
    cosine: NDArray[np.floating],
    hashes: Hashes | None,
    left: NDArray[np.integer],
    right: NDArray[np.integer],
    *,
    bound: float = TWIN_COSINE,
) -> NDArray[np.bool_]:
    """Which pairs of rows (P,) are twins, by their raw cosines (P,) and the `hashes` (N, WORDS) of all rows."""
    is_twin: NDArray[np.bool_] = cosine >= bound
    if hashes is not None:
        for least, below, are_alike in ((VIEW_COSINE, bound, are_views), (COPY_COSINE, VIEW_COSINE, are_copies)):
            some = np.flatnonzero((cosine >= least) & (cosine < below))
            is_twin[some] |= are_alike(hashes, left[some], right[some])
    return is_twin


def twin_pairs(
    embeddings: NDArray[np.floating],
    *,
    of: NDArray[np.integer] | None = None,
    among: int = 0,
    hashes: Hashes | None = None,
    bound: float = TWIN_COSINE,
    tile: tuple[int, int] = TILE,
    sketch_cells: int = SKETCH_CELLS,
) -> Twins:
    """All pairs of raw embeddings (N, D) with a cosine of at least `bound`; with `of`, those with one of these rows.

    The other is of the rows from `among` on. With `hashes` (N, WORDS) those of the second witness too. Exact. A unit
    vector u has a part p along some directions and a rest of length r, and the cosine of two is at most p·p' + r·r';
    only pairs for which that reaches the bound have their cosines worked out.
    """
    count = len(embeddings)
    queries = np.arange(count) if of is None else np.unique(of)
    sketch = _sketch(embeddings) if len(queries) * (count - among) > sketch_cells else None
    found = _Found(count)
    rank = np.full(count, count)  # a column that is a query too is met twice, and counts once
    rank[queries] = queries
    for start in range(0, len(queries), tile[0]):
        rows = queries[start : start + tile[0]]
        for first in range(int(rows[0]) if of is None else among, count, tile[1]):
            columns = np.arange(first, min(first + tile[1], count))
            left, right, cosine = _in_tile(embeddings, sketch, hashes, rows, columns, bound)
            is_first = left < rank[right]
            found.add(left[is_first], right[is_first], cosine[is_first])
    if hashes is not None:
        alike = (pairs[pairs.max(axis=1) >= among] for pairs in copies(hashes, of=of))
        _add_twins(found, embeddings, alike, hashes, bound)
    return found.twins()


def twins_of(embeddings: Raw, pairs: Iterable[NDArray[np.integer]], *, hashes: Hashes | None = None) -> Twins:
    """Those of some pairs of rows, in parts (P, 2), that are twins by raw embeddings (N, D) and hashes (N, WORDS)."""
    found = _Found(len(embeddings))
    _add_twins(found, embeddings, pairs, hashes, TWIN_COSINE)
    return found.twins()


def _add_twins(
    found: "_Found", embeddings: Raw, pairs: Iterable[NDArray[np.integer]], hashes: Hashes | None, bound: float
) -> None:
    for some in _of_few_rows(map(found.new, pairs), len(embeddings)):
        left, right = some.T
        cosine = _cosines(embeddings, left, right)
        is_twin = are_twins(cosine, hashes, left, right, bound=bound)
        found.add(left[is_twin], right[is_twin], cosine[is_twin])


def _of_few_rows(pairs: Iterable[NDArray[np.integer]], rows: int) -> Iterator[NDArray[np.integer]]:
    """The same parts, joined as long as they name few rows: embeddings on disk are gone through for each of these."""
    joined: list[NDArray[np.integer]] = []
    is_named = np.zeros(rows, bool)
    for part in pairs:
        joined.append(part)
        is_named[part] = True
        if is_named.sum() > ROWS_IN_MEMORY or sum(map(len, joined)) > MOST_PAIRS:
            yield np.concatenate(joined)
            joined, is_named[:] = [], False
    if joined:
        yield np.concatenate(joined)


def twins_across(
    mine: NDArray[np.floating],
    others: NDArray[np.floating],
    *,
    hashes: Hashes | None = None,
    tile: tuple[int, int] = TILE,
) -> Twins:
    """All pairs of one of the raw embeddings (N, D) and one of the others (M, D) that are twins.

    Of N + M rows, as `hashes` are: the others stand after the first. Every row with a pair keeps one where there are
    too many.
    """
    every = np.concatenate([mine, others])
    return twin_pairs(every, of=np.arange(len(mine)), among=len(mine), hashes=hashes, tile=tile)


def pair_matrix(twins: Twins) -> scipy.sparse.csr_array:
    """(N, N), symmetric: an entry for each row with itself and with those it is a pair with."""
    own = np.arange(twins.rows, dtype=np.int32)
    one, other = twins.pair.T
    places = np.concatenate([own, one, other]), np.concatenate([own, other, one])
    return scipy.sparse.coo_array((np.ones(len(places[0]), bool), places), shape=(twins.rows, twins.rows)).tocsr()


def twin_groups(twins: Twins) -> Ids:
    """Group (N,) of each row, numbered from 0: rows that a chain of twins joins; alone if it has none."""
    ends = twins.pair[:, 0], twins.pair[:, 1]
    links = scipy.sparse.coo_array((np.ones(len(twins), bool), ends), shape=(twins.rows, twins.rows))
    group: Ids = connected_components(links, directed=False)[1]
    return group.astype(np.int32)


def source_groups(twins: Twins, apart: NDArray[np.integer] | None = None) -> Ids:
    """Source group (N,) of each row, numbered from 0: its group of twins, joined with those of one code in `apart`."""
    return joined_groups(twin_groups(twins), apart)


def joined_groups(group: NDArray[np.integer], apart: NDArray[np.integer] | None) -> Ids:
    """Groups (N,), of codes from 0, joined where rows have the same code in `apart` (N,), negative for no value.

    Of one group some rows may have a code and others another, as twins of two patients: then all of these are one.
    """
    if apart is None:
        return group.astype(np.int32)
    known, groups = np.flatnonzero(apart >= 0), int(group.max(initial=-1)) + 1
    size = groups + int(apart.max(initial=-1)) + 1
    ends = group[known], groups + apart[known]
    links = scipy.sparse.coo_array((np.ones(len(known), bool), ends), shape=(size, size))
    number = connected_components(links, directed=False)[1]
    return np.unique(number[group], return_inverse=True)[1].astype(np.int32)


def twin_representatives(twins: Twins) -> Ids:
    """The representative (N,) of each row: itself, or an earlier twin that counts, the most alike.

    No two rows that count are twins, and each that does not is the twin of one that does, so that pictures that are
    alike in a chain, as all of one kind may be, do not become one. Of thinned pairs it is the first of the group.
    """
    if twins.is_thinned:
        _, first, number = np.unique(twin_groups(twins), return_index=True, return_inverse=True)
        return first[number].astype(np.int32)
    representative = np.arange(twins.rows, dtype=np.int32)
    if not len(twins):
        return representative
    order = np.lexsort((-twins.cosine, twins.pair[:, 1]))
    earlier, later = twins.pair[order].T
    rows, start = np.unique(later, return_index=True)
    for row, candidates in zip(rows, np.split(earlier, start[1:]), strict=True):
        counting = candidates[representative[candidates] == candidates]
        if len(counting):
            representative[row] = counting[0]
    return representative


def twin_stars(twins: Twins, order: NDArray[np.integer], embeddings: Raw, *, hashes: Hashes | None = None) -> Twins:
    """True pairs that cover groups whose own were thinned: all of each row in `order` that is no pair of one before.

    `embeddings` (N, D) are raw. A row that is not in `order` has no pair.
    """
    group = twin_groups(twins)[order]
    by_group = np.argsort(group, kind="stable")
    found = _Found(twins.rows)
    for members in np.split(order[by_group], np.flatnonzero(np.diff(group[by_group])) + 1):
        rest = members
        while len(rest) > 1:
            left, right = np.full(len(rest) - 1, rest[0]), rest[1:]
            cosine = _cosines(embeddings, left, right)
            is_twin = are_twins(cosine, hashes, left, right)
            found.add(left[is_twin], right[is_twin], cosine[is_twin])
            rest = right[~is_twin]
    return found.twins()


def is_representative(twins: Twins) -> NDArray[np.bool_]:
    """Which rows (N,) are representatives."""
    is_own: NDArray[np.bool_] = twin_representatives(twins) == np.arange(twins.rows)
    return is_own


class _Found:
    """The pairs so far; thinned to a spanning forest whenever they are too many."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.left, self.right = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        self.cosine = [np.zeros(0, np.float32)]
        self.group: Ids | None = None

    def new(self, pairs: NDArray[np.integer]) -> NDArray[np.integer]:
        """Those pairs (P, 2) that may add something."""
        return pairs if self.group is None else pairs[self.group[pairs[:, 0]] != self.group[pairs[:, 1]]]

    def add(self, left: NDArray[np.integer], right: NDArray[np.integer], cosine: Floats) -> None:
        if self.group is not None:
            is_new = self.group[left] != self.group[right]
            left, right, cosine = left[is_new], right[is_new], cosine[is_new]
        self.left.append(np.minimum(left, right))
        self.right.append(np.maximum(left, right))
        self.cosine.append(cosine)
        if sum(map(len, self.cosine)) > MOST_PAIRS:
            self._thin()

    def twins(self) -> Twins:
        pair = np.stack([np.concatenate(self.left), np.concatenate(self.right)], axis=1).astype(np.int32)
        _, first = np.unique(pair[:, 0].astype(np.int64) * self.rows + pair[:, 1], return_index=True)
        return Twins(self.rows, pair[first], np.concatenate(self.cosine)[first], is_thinned=self.group is not None)

    def _thin(self) -> None:
        found = self.twins()
        distance = (2 - found.cosine.astype(np.float64), (found.pair[:, 0], found.pair[:, 1]))
        forest = minimum_spanning_tree(scipy.sparse.coo_array(distance, shape=(self.rows, self.rows)).tocsr()).tocoo()
        self.left, self.right = [forest.row.astype(np.int64)], [forest.col.astype(np.int64)]
        self.cosine = [(2 - forest.data).astype(np.float32)]
        self.group = twin_groups(self.twins())


def _in_tile(
    embeddings: NDArray[np.floating],
    sketch: Floats | None,
    hashes: Hashes | None,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    bound: float,
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """The pairs of a row and a column that are twins, and their cosines; but for those that only `copies` finds."""
    least = bound if hashes is None else min(bound, VIEW_COSINE)
    left, right, cosine = _near_in_tile(embeddings, sketch, rows, columns, least)
    is_twin = are_twins(cosine, hashes, left, right, bound=bound)
    return left[is_twin], right[is_twin], cosine[is_twin]


def _near_in_tile(
    embeddings: NDArray[np.floating],
    sketch: Floats | None,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    bound: float,
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """The pairs of a row and a column with a cosine of at least `bound`, and their cosines."""
    if sketch is not None:
        left, right = _at_least(sketch[rows] @ sketch[columns].T, bound - ROUNDING)
        if len(left) <= DENSE * len(rows) * len(columns):
            cosine = _cosines(embeddings, rows[left], columns[right])
            is_twin = cosine >= bound
            return rows[left[is_twin]], columns[right[is_twin]], cosine[is_twin]
    every = l2_normalize(embeddings[rows]) @ l2_normalize(embeddings[columns]).T
    left, right = _at_least(every, bound)
    return rows[left], columns[right], every[left, right]


def _at_least(values: Floats, bound: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    if not values.size or values.max() < bound:  # as most tiles are, and quicker than to compare
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    row, column = np.divmod(np.flatnonzero(values >= bound), values.shape[1])
    return row, column


def _cosines(embeddings: Raw, left: NDArray[np.integer], right: NDArray[np.integer]) -> Floats:
    """The cosines (P,) of pairs of rows, each of which is looked up and brought to length one once."""
    rows, place = np.unique(np.concatenate([left, right]), return_inverse=True)
    unit = l2_normalize(embeddings[rows])
    one, other = place[: len(left)], place[len(left) :]
    cosine = np.zeros(len(left), np.float32)
    for start in range(0, len(left), PRODUCTS):
        part = slice(start, start + PRODUCTS)
        np.einsum("pd,pd->p", unit[one[part]], unit[other[part]], out=cosine[part])
    return cosine


def _sketch(embeddings: NDArray[np.floating]) -> Floats:
    """Parts along the main directions of a sample, and the length of the rest (N, at most 64)."""
    sample = l2_normalize(embeddings[:: max(1, len(embeddings) // SKETCH_SAMPLE)])
    width = sample.shape[1]
    top = max(0, width - SKETCH), width - 1
    directions = scipy.linalg.eigh(sample.T @ sample, subset_by_index=top)[1]
    sketch = np.zeros((len(embeddings), directions.shape[1] + 1), np.float32)
    for start in range(0, len(embeddings), ROWS_AT_ONCE):
        unit = l2_normalize(embeddings[start : start + ROWS_AT_ONCE])
        part = unit @ directions
        rest = np.einsum("nd,nd->n", unit, unit) - np.einsum("ns,ns->n", part, part)
        sketch[start : start + ROWS_AT_ONCE] = np.column_stack([part, np.sqrt(np.maximum(rest, 0))])
    return sketch
