"""Twins: copies by pixels, views by nearness, and twins among objects, by what surrounds them."""

from collections.abc import Hashable, Mapping

import numpy as np
import pandas as pd
import scipy.sparse
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

from url_viz.base.rows import l2_normalize
from url_viz.pipeline.near_copies import NEVER, CopyCandidates, Pixels, bits_apart, copies_among, similar_hashes
from url_viz.pipeline.nearest import NONE, Nearest, top_k, top_k_within
from url_viz.pipeline.overlaps import overlapping, overlaps
from url_viz.pipeline.whitening import LEAST_COSINE, RAW_COSINE, ViewSpace, whitened_rows
from url_viz.store.columns.source_columns import Boxes
from url_viz.store.tables.embedding_rows import WhitenedRows
from url_viz.store.tables.reader import Raw
from url_viz.store.tables.tables import Twins

MOST_PAIRS = 8_000_000
"""The most pairs held one by one; of more (a camera that never moves) only those that hold groups together stay."""
LINKED = 0.5
"""Two groups become one while this share of the pairs between them is there: no chain joins far ends."""
LISTED = 96
"""How many of the nearest are looked at for twins."""
ROWS_AT_ONCE = 4096
PRODUCTS = 256
"""Pairs that are multiplied at a time: their rows fit in the cache."""

Floats = NDArray[np.float32]
Ids = NDArray[np.int32]


def twins_among(
    own: NDArray[np.integer],
    candidates: Nearest,
    whitened: WhitenedRows,
    embeddings: Raw,
    *,
    pixels: Pixels | None = None,
    anywhere: bool = True,
) -> Twins:
    """The pairs of the rows `own` (Q,) with any of a set, whose raw embeddings are (N, D).

    Views are looked for among the `candidates` (Q, L) of each, rows of the set. With `pixels` of all rows, copies are:
    among the candidates whose hashes differ little, and, if `anywhere`, in the whole set where they hardly differ.
    """
    space, pairs, maybe = ViewSpace(whitened.whitening), _TwinPairs(len(whitened)), CopyCandidates(len(whitened))
    for start in range(0, len(own), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        ids = candidates.position[part]
        row, place = np.nonzero((ids != NONE) & (ids != own[part][:, None]))
        left, right, similarity = own[part][row], ids[row, place], candidates.similarity[part][row, place]
        near = similarity >= LEAST_COSINE
        first, second = left[near], right[near]
        is_view = space.are_views((whitened.rows, first), (whitened.rows, second))
        pairs.add(first[is_view], second[is_view], is_copy=False)
        if pixels is not None:
            bits = bits_apart(pixels.hashes, left, right)
            maybe.add(np.stack([left, right], axis=1)[bits < NEVER], bits[bits < NEVER])
    if pixels is not None:
        if anywhere:
            for some, bits in similar_hashes(pixels.hashes, queries=None if len(own) == len(whitened) else own):
                maybe.add(some, bits)
        looked_at = maybe.pairs()
        pairs.add(*looked_at[copies_among(pixels, looked_at)].T, is_copy=True)
    return pairs.twins(embeddings)


def twins_of(
    rows: NDArray[np.integer],
    whitened: WhitenedRows,
    embeddings: Raw,
    *,
    pixels: Pixels | None = None,
    also: NDArray[np.integer] | None = None,
) -> Twins:
    """The pairs of some rows (Q,) with any of a set, by the nearest of each; see `twins_among`.

    The nearest among `also` (M,) are looked at too: in a burst longer than a list, its representative may be far down.
    """
    listed = [
        top_k_within(whitened.rows, LISTED + 1, queries=rows, among=among)  # one of them may be the row itself
        for among in (None, np.zeros(0, np.int64) if also is None else also)
    ]
    position, similarity = (
        np.concatenate(part, axis=1) for part in zip(*((n.position, n.similarity) for n in listed), strict=True)
    )
    return twins_among(rows, Nearest(position, similarity), whitened, embeddings, pixels=pixels)


def view_groups(embeddings: NDArray[np.floating]) -> Ids:
    """Group (N,) of each of the raw embeddings (N, D), joined by views alone, for pictures that are not at hand."""
    every = np.arange(len(embeddings))
    return twin_groups(twins_of(every, whitened_rows(every, embeddings), embeddings))


def twins_across(mine: NDArray[np.floating], others: NDArray[np.floating], *, pixels: Pixels | None = None) -> Twins:
    """The pairs between raw embeddings (N, D) and others (M, D), as rows of both, the others after the first.

    `pixels` are those of all N + M rows; views are found in a whitened space of both together.
    """
    count, every = len(mine), np.concatenate([mine, others])
    whitened = whitened_rows(np.arange(len(every)), every)
    listed = top_k(whitened.rows[:count], whitened.rows[count:], LISTED)
    position = np.where(listed.position == NONE, NONE, listed.position + count)
    every_twin = twins_among(np.arange(count), Nearest(position, listed.similarity), whitened, every, pixels=pixels)
    return every_twin.take((every_twin.pair >= count).sum(axis=1) == 1)


def pair_matrix(twins: Twins) -> scipy.sparse.csr_array:
    """(N, N), symmetric: an entry for each row with itself and with those it is a pair with."""
    own = np.arange(twins.rows, dtype=np.int32)
    first, second = twins.pair.T
    places = np.concatenate([own, first, second]), np.concatenate([own, second, first])
    return scipy.sparse.coo_array((np.ones(len(places[0]), bool), places), shape=(twins.rows, twins.rows)).tocsr()


def pair_groups(twins: Twins) -> tuple[Ids, Ids]:
    """Group (N,) of each row by copies, and by copies and views, numbered from 0; alone if it has none.

    Groups are joined pair by pair, copies first, then the most alike, as long as LINKED of all pairs between two are
    there. So every group of copies lies in one group of both. Of thinned pairs all that a chain joins are one.
    """
    if twins.is_thinned:
        return joined_by(twins.rows, twins.copies.pair), joined_by(twins.rows, twins.pair)
    by_copies = _joined(np.arange(twins.rows, dtype=np.int32), twins.copies)
    return by_copies, _joined(by_copies, twins)


def twin_groups(twins: Twins) -> Ids:
    """Group (N,) of each row by copies and views; see `pair_groups`."""
    return pair_groups(twins)[1]


def joined_by(rows: int, pair: NDArray[np.integer]) -> Ids:
    """Group (N,) of each of `rows` rows, numbered from 0: all that a chain of pairs (P, 2) joins."""
    links = scipy.sparse.coo_array((np.ones(len(pair), bool), (pair[:, 0], pair[:, 1])), shape=(rows, rows))
    return np.asarray(connected_components(links, directed=False)[1], np.int32)


def _joined(group: Ids, twins: Twins) -> Ids:
    """Groups (N,) joined further by pairs, numbered from 0."""
    links: dict[int, dict[int, int]] = {}
    order = np.lexsort((twins.pair[:, 1], twins.pair[:, 0], -twins.cosine))
    ends = [pair for pair in group[twins.pair[order]].tolist() if pair[0] != pair[1]]
    for first, second in ends:
        for a, b in ((first, second), (second, first)):
            links.setdefault(a, {})[b] = links.setdefault(a, {}).get(b, 0) + 1
    size, parent = np.bincount(group, minlength=twins.rows).tolist(), list(range(twins.rows))
    for pair in ends:
        first, second = (_root(parent, end) for end in pair)
        if first == second or links[first][second] < LINKED * size[first] * size[second]:
            continue
        into, part = (first, second) if len(links[first]) >= len(links[second]) else (second, first)
        parent[part], size[into] = into, size[into] + size[part]
        for other, count in links.pop(part).items():
            del links[other][part]
            if other != into:
                links[into][other] = links[other][into] = links[into].get(other, 0) + count
    last = np.array([_root(parent, number) for number in range(twins.rows)], np.int64)
    return np.unique(last[group], return_inverse=True)[1].astype(np.int32)


def _root(parent: list[int], group: int) -> int:
    while parent[group] != group:
        parent[group] = parent[parent[group]]
        group = parent[group]
    return group


def source_groups(twins: Twins, apart: NDArray[np.integer] | None = None) -> Ids:
    """Source group (N,) of each row, numbered from 0: its group of twins, joined with those of one code in `apart`."""
    return joined_groups(twin_groups(twins), apart)


def joined_groups(group: NDArray[np.integer], apart: NDArray[np.integer] | None) -> Ids:
    """Groups (N,), of codes from 0, joined where rows have the same code in `apart` (N,), negative for no value.

    Of one group some rows may have a code and others another, as twins of two patients: then all of these are one.
    """
    if apart is None:
        return group.astype(np.int32)
    has_code, groups = np.flatnonzero(apart >= 0), int(group.max(initial=-1)) + 1
    pairs = np.stack([group[has_code], groups + apart[has_code]], axis=1)
    number = joined_by(groups + int(apart.max(initial=-1)) + 1, pairs)
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


def copy_stars(twins: Twins, order: NDArray[np.integer], pixels: Pixels) -> Twins:
    """Pairs of true copies that cover groups whose pairs were thinned: each row in `order` with all its copies.

    A copy of an earlier row has no pairs of its own, nor has a row that is not in `order`.
    """
    group = pair_groups(twins)[0][order]
    by_group = np.argsort(group, kind="stable")
    parts = [np.zeros((0, 2), np.int64)]
    for members in np.split(order[by_group], np.flatnonzero(np.diff(group[by_group])) + 1):
        rest = members
        while len(rest) > 1:
            pairs = np.stack([np.full(len(rest) - 1, rest[0]), rest[1:]], axis=1)
            is_copy = copies_among(pixels, pairs)
            parts.append(np.sort(pairs[is_copy], axis=1))
            rest = rest[1:][~is_copy]
    pair = np.concatenate(parts).astype(np.int32)
    return Twins(twins.rows, pair, np.ones(len(pair), np.float32), np.ones(len(pair), bool))


def is_representative(twins: Twins) -> NDArray[np.bool_]:
    """Which rows (N,) are representatives."""
    return np.asarray(twin_representatives(twins) == np.arange(twins.rows))


class _TwinPairs:
    """The pairs so far; thinned to a spanning forest, of copies first, whenever they are too many."""

    def __init__(self, rows: int) -> None:
        self.rows, self.is_thinned = rows, False
        self._key, self._is_copy = np.zeros(0, np.int64), np.zeros(0, bool)
        self._new: list[tuple[NDArray[np.int64], NDArray[np.bool_]]] = []

    def add(self, left: NDArray[np.integer], right: NDArray[np.integer], *, is_copy: bool) -> None:
        key = np.minimum(left, right).astype(np.int64) * self.rows + np.maximum(left, right)
        self._new.append((key, np.full(len(key), is_copy)))
        if sum(len(key) for key, _ in self._new) > MOST_PAIRS:
            self._take_in()

    def twins(self, embeddings: Raw) -> Twins:
        self._take_in()
        pair = np.stack(np.divmod(self._key, max(1, self.rows)), axis=1)
        cosine = cosines(embeddings, *pair.T)
        twins = Twins(self.rows, pair.astype(np.int32), cosine, self._is_copy, self.is_thinned)
        return twins.take(self._is_copy | (cosine >= RAW_COSINE))

    def _take_in(self) -> None:
        keys, kinds = zip((self._key, self._is_copy), *self._new, strict=True)
        key, kind = np.concatenate(keys), np.concatenate(kinds)
        order = np.lexsort((~kind, key))  # of a pair that is both, the copy
        self._key, first = np.unique(key[order], return_index=True)
        self._is_copy, self._new = kind[order][first], []
        if len(self._key) > MOST_PAIRS:
            ends, distance = np.divmod(self._key, self.rows), np.where(self._is_copy, 1, 2)
            row, column = (end.astype(np.int32) for end in ends)  # the tree of some versions takes no others
            links = scipy.sparse.coo_array((distance, (row, column)), shape=(self.rows, self.rows))
            forest = minimum_spanning_tree(links.tocsr()).tocoo()
            self._key = forest.row.astype(np.int64) * self.rows + forest.col
            self._is_copy, self.is_thinned = forest.data == 1, True


def cosines(embeddings: Raw, left: NDArray[np.integer], right: NDArray[np.integer]) -> Floats:
    """The raw cosines (P,) of pairs of rows, each of which is looked up and brought to length one once."""
    rows, place = np.unique(np.concatenate([left, right]), return_inverse=True)
    unit = l2_normalize(embeddings[rows])
    first, second = place[: len(left)], place[len(left) :]
    cosine = np.zeros(len(left), np.float32)
    for start in range(0, len(left), PRODUCTS):
        part = slice(start, start + PRODUCTS)
        np.einsum("pd,pd->p", unit[first[part]], unit[second[part]], out=cosine[part])
    return cosine


SAME_BOX = 0.6
"""Intersection over union from which two boxes are in one place: here, or where the other picture would have it."""
SAME_OBJECT = 0.9
"""And from which two of one picture are on one object. Below lie a pizza and its table, a person and a couch."""
FEWEST_AROUND = 4
"""At least this many other objects, or as many as there are, must be at their place in the other picture …"""
LEAST_AROUND = 0.5
"""… and this share of those that lie where it has objects. Chosen by looking at BCCD (docs/objects.md)."""


def twins_of_objects(twins: Twins, boxes: Boxes) -> Twins:
    """Those pairs of rows that are one object: in one picture, by boxes on it; in two, amid the same objects.

    The pairs of a picture with one object stay as they are.
    """
    groups = pd.Series(boxes.picture).groupby(boxes.picture).indices
    members = {code: np.asarray(rows, np.int64) for code, rows in groups.items()}
    is_same = np.array([_is_same(int(first), int(second), boxes, members) for first, second in twins.pair], bool)
    return twins.take(is_same)


def _is_same(first: int, second: int, boxes: Boxes, members: Mapping[Hashable, NDArray[np.int64]]) -> bool:
    mine, theirs = int(boxes.picture[first]), int(boxes.picture[second])
    if mine == theirs:
        return bool(overlaps(boxes.box[[first]], boxes.box[[second]])[0, 0] >= SAME_OBJECT)
    around, there = members[mine], members[theirs]
    if mine < 0 or theirs < 0 or min(len(around), len(there)) == 1:
        return True
    others = boxes.box[around[around != first]], boxes.box[there[there != second]]
    return _have_same_surroundings(boxes.box[first], boxes.box[second], *others)


def _have_same_surroundings(
    first: NDArray[np.float64], second: NDArray[np.float64], around: NDArray[np.float64], there: NDArray[np.float64]
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
