"""The neighbour graph of an image set, exact or approximate; extended when pictures change."""

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from url_viz.base.rows import EXACT_ROWS, l2_normalize
from url_viz.pipeline.near_copies import Pixels
from url_viz.pipeline.nearest import NONE, SPARE, Exclude, Floats, Nearest, Places, top_k, top_k_of_all
from url_viz.pipeline.twins import is_representative, pair_matrix, source_groups, twin_groups, twins_among, twins_of
from url_viz.store.tables.embedding_rows import WhitenedRows
from url_viz.store.tables.reader import Raw, RawRows
from url_viz.store.tables.tables import Graph, Twins, no_twins, positions_of

LISTS = 4
"""The number of lists, in multiples of the square root of the number of rows."""
FEWEST_IN_LIST = 40
"""The average number of rows that a centre is learnt from; with fewer rows there are fewer lists."""
FEWEST_CODED = 1000
PROBED = 128
REFINED = 4
"""How many times as many candidates are ranked in float16 as are kept."""
ROWS_AT_ONCE = 16_384
LEAST_LENGTH = 1e-12

Done = Callable[[int], None]


def find_candidates(
    rows: NDArray[np.floating],
    k: int,
    *,
    which: NDArray[np.int64] | None = None,
    probed: int = PROBED,
    report: Done = lambda _: None,
) -> Nearest:
    """At least `k` candidates for each row (N, A) among those of `which` (M,), itself left out, with exact cosines.

    Rows are of about length one, as whitened ones are, in half precision: what ranks the candidates is exact then.
    """
    among = np.arange(len(rows)) if which is None else which
    search = _Index(rows, among, probed=probed)
    length = np.concatenate([np.linalg.norm(rows[part].astype(np.float32), axis=1) for part in _parts(len(rows))])
    length = np.maximum(length, LEAST_LENGTH)
    width = min(k + SPARE, len(among))
    position, similarity = np.full((len(rows), width), NONE, np.int32), np.full((len(rows), width), NONE, np.float32)
    for part in _parts(len(rows)):
        own = np.arange(len(rows))[part]
        candidate, product = search(l2_normalize(rows[part]), min(width + 1, len(among)))
        cosines = np.where((candidate == NONE) | (candidate == own[:, None]), NONE, product / length[candidate])
        best = np.argsort(-cosines, axis=1, kind="stable")[:, :width]
        similarity[part] = np.take_along_axis(cosines, best, 1)
        position[part] = np.where(similarity[part] > NONE, np.take_along_axis(candidate, best, 1), NONE)
        report(int(own[-1]) + 1)
    return Nearest(position, similarity)


class _Index:
    """Finds candidates of unit queries among rows (N, A) at `which` (M,)."""

    def __init__(self, rows: NDArray[np.floating], which: NDArray[np.int64], *, probed: int) -> None:
        faiss: Any = import_module("faiss")  # only very large sets need it; its types differ from release to release
        self._which = np.append(which, NONE)
        count = max(1, min(int(LISTS * len(which) ** 0.5), len(which) // FEWEST_IN_LIST))
        drawn = np.random.default_rng(0).permutation(len(which))[: FEWEST_IN_LIST * count]
        sample = l2_normalize(rows[which[np.sort(drawn)]])
        kind = f"IVF{count},{_codes(sample)},Refine(SQfp16)"
        self._index = faiss.index_factory(rows.shape[1], kind, faiss.METRIC_INNER_PRODUCT)
        lists = faiss.SearchParametersIVF(nprobe=min(probed, count))
        self._how = faiss.IndexRefineSearchParameters(k_factor=REFINED, base_index_params=lists)
        self._index.train(sample)
        for part in _parts(len(which)):
            self._index.add(rows[which[part]].astype(np.float32))  # not of length one: so half precision is exact

    def __call__(self, queries: Floats, count: int) -> tuple[NDArray[np.int64], Floats]:
        """Row numbers (Q, count) near each query (Q, A), NONE where there are fewer, and their inner products."""
        product, candidate = self._index.search(queries, count, params=self._how)
        return self._which[candidate], product


def _codes(sample: Floats) -> str:
    """What faiss calls the codes of rows like these (S, A): four bits for two numbers, or eight for one.

    The short ones are learnt, from enough rows, and tell none of rows that are all the same.
    """
    width = sample.shape[1]
    is_learnt = len(sample) >= FEWEST_CODED and np.ptp(sample, axis=0).any()
    return f"PQ{width // 2 if width % 2 == 0 else width}x4fs" if is_learnt else "SQ8"


def nearest_candidates(candidates: Nearest, k: int, *, twins: Twins, counts: NDArray[np.bool_]) -> Nearest:
    """The `k` nearest candidates of each row, best first: of those of `counts` (N,), and none of its twins."""
    position = np.full((len(candidates.position), k), NONE, np.int32)
    similarity = np.full((len(candidates.position), k), NONE, np.float32)
    pairs = pair_matrix(twins)
    for part in _parts(len(candidates.position)):
        ids, cosine = candidates.position[part], candidates.similarity[part]
        own = np.arange(len(candidates.position))[part]
        is_out = (ids == NONE) | ~counts[ids] | pairs[own[:, None], ids].toarray()
        first = np.argsort(is_out, axis=1, kind="stable")[:, :k]  # the order of the others stays
        ends = np.take_along_axis(is_out, first, 1)
        similarity[part, : first.shape[1]] = np.where(ends, NONE, np.take_along_axis(cosine, first, 1))
        position[part, : first.shape[1]] = np.where(ends, NONE, np.take_along_axis(ids, first, 1))
    return Nearest(position, similarity)


def _parts(count: int) -> list[slice]:
    return [slice(start, start + ROWS_AT_ONCE) for start in range(0, count, ROWS_AT_ONCE)]


K = 64
MOSTLY = 0.95
"""If fewer than this share of those that were searched are representatives, candidates are searched among these."""
REBUILD_SHARE = 0.3
"""From this share of rows on that must be searched again, all are."""

Keep = Callable[[Twins], Twins]
"""Takes the pairs that were found and gives those that count."""


def updated_graph(
    previous: Graph | None,
    whitened: WhitenedRows,
    embeddings: Raw,
    *,
    pixels: Pixels | None = None,
    keep: Keep = lambda twins: twins,
    report: Done = lambda _: None,
) -> Graph:
    """The graph of the rows of `whitened`, whose raw embeddings are (M, D); reuses the `previous` one if possible.

    It can be reused if it is of the same whitened space, and as exact as a new one would be. Copies are known by the
    `pixels` of all rows; without these only views are found. Of the pairs that are found those count that `keep` keeps.
    The graph of embeddings on disk is approximate. `report` is called with the number of finished rows.
    """
    is_large = len(whitened) > EXACT_ROWS
    if previous is None or previous.whitening != whitened.whitening.key or previous.is_approximate != is_large:
        return build_graph(whitened, embeddings, pixels=pixels, keep=keep, report=report)
    came_from = positions_of(whitened.content, previous.content)
    return extended(previous, came_from, whitened, embeddings, pixels=pixels, keep=keep, report=report)


def build_graph(
    whitened: WhitenedRows,
    embeddings: Raw,
    *,
    k: int = K,
    pixels: Pixels | None = None,
    keep: Keep = lambda twins: twins,
    report: Done = lambda _: None,
) -> Graph:
    """The graph of M rows in their whitened space, whose raw embeddings are (M, D); see `updated_graph`.

    A list holds no twin of its row, and no two that are twins of each other: it is full however long a burst is, and of
    many pictures however many bursts are near. The nearest are exact to EXACT_ROWS rows, twins those among the nearest
    of each, and what hardly differs by its hash anywhere.
    """
    _assert_same_rows(whitened, embeddings)
    rows, every = whitened.rows, np.arange(len(whitened))
    is_approximate = len(whitened) > EXACT_ROWS or isinstance(embeddings, RawRows)
    look = find_candidates if is_approximate else _nearest_others
    candidates = look(rows, k, report=report)
    twins = keep(twins_among(every, candidates, whitened, embeddings, pixels=pixels))
    counts, among = is_representative(twins), len(rows)
    while counts.sum() < MOSTLY * among and not twins.is_thinned:  # a burst may be longer than a list
        candidates, among = look(rows, k, which=np.flatnonzero(counts), report=report), int(counts.sum())
        twins = twins.with_pairs(
            keep(twins_among(every, candidates, whitened, embeddings, pixels=pixels, is_first=False))
        )
        counts = is_representative(twins)
    nearest = nearest_candidates(candidates, k, twins=twins, counts=counts)
    if not is_approximate:
        nearest = _filled(nearest, rows, twins, counts)
    key = whitened.whitening.key
    return Graph(whitened.content, nearest.position, nearest.similarity, twins, key, is_approximate=is_approximate)


def _nearest_others(
    rows: NDArray[np.floating], k: int, *, which: NDArray[np.int64] | None = None, report: Done = lambda _: None
) -> Nearest:
    """At least `k` of the nearest of each row (N, A) among those of `which` (M,), itself left out. Exact."""
    counts = np.full(len(rows), which is None)
    counts[[] if which is None else which] = True
    own = scipy.sparse.eye_array(len(rows), format="csr")
    return top_k_of_all(rows, k + SPARE, exclude=own.__getitem__, counts=counts, report=report)


def _filled(nearest: Nearest, rows: NDArray[np.floating], twins: Twins, counts: NDArray[np.bool_]) -> Nearest:
    """The same lists (N, K), those searched again that twins have left short."""
    short, among = np.flatnonzero(nearest.position[:, -1] == NONE), np.flatnonzero(counts)
    if not len(twins) or not len(short):
        return nearest
    pairs = _not_of_own(twin_groups(twins)) if twins.is_thinned else pair_matrix(twins).__getitem__
    again = top_k(
        rows[short], rows[among], nearest.position.shape[1], exclude=lambda part: pairs(short[part])[:, among]
    )
    position, similarity = nearest.position.copy(), nearest.similarity.copy()
    position[short], similarity[short] = np.append(among, NONE)[again.position], again.similarity
    return Nearest(position, similarity)


def apart_graph(graph: Graph, whitened: NDArray[np.floating], apart: NDArray[np.int32]) -> Graph:
    """The graph whose lists hold no row of the same source group, by codes `apart` (M,), negative for no value.

    `whitened` (M, A) are the rows it is of. A list that is left with less than half of its places is searched again,
    exactly. Where no two groups of twins are joined, lists stay.
    """
    source = source_groups(graph.twins, apart)
    if source.max(initial=-1) == twin_groups(graph.twins).max(initial=-1):
        return replace(graph, apart=apart)
    is_own = source[graph.position] == source[:, None]
    is_left = (graph.position != NONE) & ~is_own
    order = np.argsort(~is_left, axis=1, kind="stable")
    position = np.take_along_axis(np.where(is_left, graph.position, NONE), order, 1)
    similarity = np.take_along_axis(np.where(is_left, graph.similarity, NONE), order, 1)
    short = np.flatnonzero(is_own.any(axis=1) & (2 * is_left.sum(axis=1) < is_left.shape[1]))
    among, exclude = np.flatnonzero(is_representative(graph.twins)), _not_of_own(source)
    nearest = top_k(
        whitened[short], whitened[among], is_left.shape[1], exclude=lambda part: exclude(short[part])[:, among]
    )
    position[short], similarity[short] = np.append(among, NONE)[nearest.position], nearest.similarity
    return replace(graph, position=position, similarity=similarity, apart=apart)


def neighbours_among(whitened: NDArray[np.floating], *, k: int) -> Graph:
    """The exact graph of a few rows (N, A) by themselves, twins as good as others; for a map of their own."""
    twins = no_twins(len(whitened))
    every = np.ones(len(whitened), bool)
    nearest = top_k_of_all(whitened, k, exclude=pair_matrix(twins).__getitem__, counts=every)
    return Graph(np.arange(len(whitened)), nearest.position, nearest.similarity, twins)


def extended(
    graph: Graph,
    came_from: NDArray[np.integer],
    whitened: WhitenedRows,
    embeddings: Raw,
    *,
    pixels: Pixels | None = None,
    keep: Keep = lambda twins: twins,
    report: Done = lambda _: None,
) -> Graph:
    """The graph of a set that has changed, as `build_graph` would make it, in the time that the change asks for.

    `came_from` (N,) is the row that each row had in `graph`, −1 for a new one; other rows of `graph` are gone.
    The whitened space must be the one that `graph` was made in. New rows are matched against all; an old row takes a
    new one in if it is nearer, and is searched for again if its list lost somebody.
    """
    _assert_same_rows(whitened, embeddings)
    rows, k = whitened.rows, graph.position.shape[1]
    is_known = came_from >= 0
    row_now = np.full(len(graph) + 1, NONE, np.int32)  # of each old row; the last for "none"
    row_now[came_from[is_known]] = np.flatnonzero(is_known)
    new = np.flatnonzero(~is_known)
    is_much = len(new) > REBUILD_SHARE * len(came_from) or graph.twins.is_thinned
    known_rows = row_now[:-1][is_representative(graph.twins)]
    also = known_rows[known_rows != NONE]
    new_twins = None if is_much else keep(twins_of(new, whitened, embeddings, pixels=pixels, also=also))
    if new_twins is None or new_twins.is_thinned:
        return build_graph(whitened, embeddings, k=k, pixels=pixels, keep=keep, report=report)
    twins = _twins_now(graph.twins, row_now, new_twins)
    counted, counts = np.zeros(len(came_from), bool), is_representative(twins)
    counted[is_known] = is_representative(graph.twins)[came_from[is_known]]
    position, similarity, has_lost = _carried(graph, came_from, row_now, counts)
    again = np.flatnonzero(~is_known | has_lost)
    if len(again) > REBUILD_SHARE * len(came_from):
        return build_graph(whitened, embeddings, k=k, pixels=pixels, keep=keep, report=report)
    blocked, among = pair_matrix(twins), np.flatnonzero(counts)
    fresh, rest = np.flatnonzero(counts & ~counted), np.flatnonzero(is_known & ~has_lost)
    newest = top_k(rows[rest], rows[fresh], k, exclude=blocked[rest][:, fresh].__getitem__)
    position[rest], similarity[rest] = _merged(Nearest(position[rest], similarity[rest]), newest, fresh)
    nearest = top_k(rows[again], rows[among], k, exclude=blocked[again][:, among].__getitem__, report=report)
    position[again], similarity[again] = np.append(among, NONE)[nearest.position], nearest.similarity
    return Graph(whitened.content, position, similarity, twins, graph.whitening, is_approximate=graph.is_approximate)


def _twins_now(twins: Twins, row_now: Places, new: Twins) -> Twins:
    """The pairs of an earlier graph that are left, by new row numbers, and those of new rows."""
    left = twins.take((row_now[twins.pair] != NONE).all(axis=1))
    return replace(left, rows=new.rows, pair=np.sort(row_now[left.pair], axis=1)).with_pairs(new)


def _assert_same_rows(whitened: WhitenedRows, embeddings: Raw) -> None:
    if len(whitened) != len(embeddings):
        raise ValueError(f"{len(whitened)} whitened rows and {len(embeddings)} embeddings are not of one set.")


def _not_of_own(group: NDArray[np.integer]) -> Exclude:
    """Each row with all of its group (N,), worked out for some rows at a time: all such pairs may be billions."""
    places = np.arange(len(group), dtype=np.int32), group
    member = scipy.sparse.coo_array((np.ones(len(group), bool), places)).tocsr()
    return lambda rows: member[rows] @ member.T


def _carried(
    graph: Graph, came_from: NDArray[np.integer], row_now: Places, counts: NDArray[np.bool_]
) -> tuple[Places, Floats, NDArray[np.bool_]]:
    """The old lists by new row numbers, empty for new rows; and which lists (N,) lost a neighbour.

    A neighbour is lost if it is gone, or if it is no representative (`counts` (N,)) any more.
    """
    is_known = came_from >= 0
    shape = len(came_from), graph.position.shape[1]
    position, similarity = np.full(shape, NONE, np.int32), np.full(shape, NONE, np.float32)
    had = graph.position[came_from[is_known]]
    position[is_known], similarity[is_known] = row_now[had], graph.similarity[came_from[is_known]]
    has_lost = np.zeros(len(came_from), bool)
    is_lost = (row_now[had] == NONE) | ~counts[row_now[had]]
    has_lost[is_known] = ((had != NONE) & is_lost).any(axis=1)
    return position, similarity, has_lost


def _merged(had: Nearest, new: Nearest, fresh: NDArray[np.int64]) -> tuple[Places, Floats]:
    """The best of both lists, whose second numbers the rows of `fresh`."""
    k = had.position.shape[1]
    numbered = np.where(new.position == NONE, NONE, np.append(fresh, NONE)[new.position])
    position = np.concatenate([had.position, numbered.astype(np.int32)], axis=1)
    similarity = np.concatenate([had.similarity, new.similarity], axis=1)
    order = np.lexsort((position, -np.where(position == NONE, -np.inf, similarity)), axis=1)[:, :k]
    return np.take_along_axis(position, order, 1), np.take_along_axis(similarity, order, 1)
