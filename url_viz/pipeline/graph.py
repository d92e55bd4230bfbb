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
from url_viz.pipeline.nearest import NONE, Exclude, Floats, Nearest, Places, closed_up, itself, top_k_within
from url_viz.pipeline.twins import is_representative, pair_matrix, source_groups, twin_groups, twins_among, twins_of
from url_viz.store.tables.embedding_rows import WhitenedRows
from url_viz.store.tables.reader import Raw, RawRows
from url_viz.store.tables.tables import Graph, Twins, positions_of

SPARE = 32
"""Additional candidates, because twins are left out of the lists."""
LISTS = 4
"""The number of lists, in multiples of the square root of the number of rows."""
FEWEST_IN_LIST = 40
"""The average number of rows that a centre is learnt from; with fewer rows there are fewer lists."""
FEWEST_CODED = 1000
PROBED = 128
REFINED = 4
"""Candidates ranked in float16, in multiples of those that are returned."""
ROWS_AT_ONCE = 16_384
LEAST_LENGTH = 1e-12

Report = Callable[[int], None]


def find_candidates(
    rows: NDArray[np.floating],
    k: int,
    *,
    among: NDArray[np.int64] | None = None,
    probed: int = PROBED,
    report: Report = lambda _: None,
) -> Nearest:
    """At least `k` candidates for each row (N, A) among those numbered `among`, itself left out, with exact cosines.

    Rows are of about length one, as whitened ones are, in half precision: what ranks the candidates is exact then.
    """
    among = np.arange(len(rows)) if among is None else among
    search = _index(rows, among, probed=probed)
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


def _index(
    rows: NDArray[np.floating], among: NDArray[np.int64], *, probed: int
) -> Callable[[Floats, int], tuple[NDArray[np.int64], Floats]]:
    """Takes unit queries (Q, A) and a count; gives numbers of near rows (Q, count) and their inner products."""
    faiss: Any = import_module("faiss")  # only very large sets need it; its types differ from release to release
    lists = max(1, min(int(LISTS * len(among) ** 0.5), len(among) // FEWEST_IN_LIST))
    drawn = np.random.default_rng(0).permutation(len(among))[: FEWEST_IN_LIST * lists]
    sample = l2_normalize(rows[among[np.sort(drawn)]])
    width = rows.shape[1]
    # Codes of four bits for two numbers are learnt, from enough rows, and tell none of rows that are all the same.
    is_learnt = len(sample) >= FEWEST_CODED and np.ptp(sample, axis=0).any()
    codes = f"PQ{width // 2 if width % 2 == 0 else width}x4fs" if is_learnt else "SQ8"
    index = faiss.index_factory(width, f"IVF{lists},{codes},Refine(SQfp16)", faiss.METRIC_INNER_PRODUCT)
    probes = faiss.SearchParametersIVF(nprobe=min(probed, lists))
    refining = faiss.IndexRefineSearchParameters(k_factor=REFINED, base_index_params=probes)
    index.train(sample)
    for part in _parts(len(among)):
        index.add(rows[among[part]].astype(np.float32))  # not of length one: so half precision is exact
    numbers = np.append(among, NONE)

    def search(queries: Floats, count: int) -> tuple[NDArray[np.int64], Floats]:
        product, candidate = index.search(queries, count, params=refining)
        return numbers[candidate], product

    return search


def nearest_candidates(candidates: Nearest, k: int, *, twins: Twins, counts: NDArray[np.bool_]) -> Nearest:
    """The `k` nearest candidates of each row, best first: of those of `counts` (N,), and none of its twins."""
    position = np.full((len(candidates), k), NONE, np.int32)
    similarity = np.full((len(candidates), k), NONE, np.float32)
    pairs = pair_matrix(twins)
    for part in _parts(len(candidates)):
        ids, cosine = candidates.position[part], candidates.similarity[part]
        own = np.arange(len(candidates))[part]
        is_out = (ids == NONE) | ~counts[ids] | pairs[own[:, None], ids].toarray()
        left = closed_up(np.where(is_out, NONE, ids), np.where(is_out, NONE, cosine))
        width = min(k, ids.shape[1])
        position[part, :width], similarity[part, :width] = left.position[:, :width], left.similarity[:, :width]
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
    report: Report = lambda _: None,
) -> Graph:
    """The graph of the rows of `whitened`, whose raw embeddings are (M, D); reuses the `previous` one if possible.

    It can be reused if it is of the same whitened space, and as exact as a new one would be. Copies are known by the
    `pixels` of all rows; without these only views are found. Of the pairs that are found those count that `keep` keeps.
    The graph of embeddings on disk is approximate. `report` is called with the number of finished rows.
    """
    is_large = len(whitened) > EXACT_ROWS
    if previous is None or previous.whitening != whitened.whitening.key or previous.is_approximate != is_large:
        return build_graph(whitened, embeddings, pixels=pixels, keep=keep, report=report)
    return extended(previous, whitened, embeddings, pixels=pixels, keep=keep, report=report)


def build_graph(
    whitened: WhitenedRows,
    embeddings: Raw,
    *,
    k: int = K,
    pixels: Pixels | None = None,
    keep: Keep = lambda twins: twins,
    report: Report = lambda _: None,
) -> Graph:
    """The graph of M rows in their whitened space, whose raw embeddings are (M, D); see `updated_graph`.

    A list holds no twin of its row, and no two that are twins of each other: it is full however long a burst is, and of
    many pictures however many bursts are near. The nearest are exact to EXACT_ROWS rows, twins those among the nearest
    of each, and what hardly differs by its hash anywhere.
    """
    _refuse_other_rows(whitened, embeddings)
    rows, every = whitened.rows, np.arange(len(whitened))
    is_approximate = len(whitened) > EXACT_ROWS or isinstance(embeddings, RawRows)

    def look(among: NDArray[np.int64] | None = None) -> Nearest:
        if is_approximate:
            return find_candidates(rows, k, among=among, report=report)
        return top_k_within(rows, k + SPARE, among=among, exclude=itself(len(rows)), report=report)

    candidates, searched = look(), len(rows)
    twins = keep(twins_among(every, candidates, whitened, embeddings, pixels=pixels))
    counts = is_representative(twins)
    while counts.sum() < MOSTLY * searched and not twins.is_thinned:  # a burst may be longer than a list
        candidates, searched = look(np.flatnonzero(counts)), int(counts.sum())
        more = twins_among(every, candidates, whitened, embeddings, pixels=pixels, anywhere=False)
        twins = twins.with_pairs(keep(more))
        counts = is_representative(twins)
    nearest = nearest_candidates(candidates, k, twins=twins, counts=counts)
    short = np.flatnonzero(nearest.position[:, -1] == NONE)
    if len(twins) and len(short) and not is_approximate:
        exclude = _own_group(twin_groups(twins)) if twins.is_thinned else pair_matrix(twins).__getitem__
        again = top_k_within(rows, k, queries=short, among=np.flatnonzero(counts), exclude=exclude)
        nearest.position[short], nearest.similarity[short] = again.position, again.similarity
    key = whitened.whitening.key
    return Graph(whitened.content, nearest.position, nearest.similarity, twins, key, is_approximate=is_approximate)


def apart_graph(graph: Graph, whitened: NDArray[np.floating], apart: NDArray[np.int32]) -> Graph:
    """The graph whose lists hold no row of the same source group, by codes `apart` (M,), negative for no value.

    `whitened` (M, A) are its rows. A list that is left with less than half of its places is searched again, exactly.
    Where no two groups of twins are joined, lists stay.
    """
    source = source_groups(graph.twins, apart)
    if source.max(initial=-1) == twin_groups(graph.twins).max(initial=-1):
        return replace(graph, apart=apart)
    is_own = source[graph.position] == source[:, None]
    is_left = (graph.position != NONE) & ~is_own
    nearest = closed_up(np.where(is_left, graph.position, NONE), np.where(is_left, graph.similarity, NONE))
    short = np.flatnonzero(is_own.any(axis=1) & (2 * is_left.sum(axis=1) < is_left.shape[1]))
    among = np.flatnonzero(is_representative(graph.twins))
    again = top_k_within(whitened, is_left.shape[1], queries=short, among=among, exclude=_own_group(source))
    nearest.position[short], nearest.similarity[short] = again.position, again.similarity
    return replace(graph, position=nearest.position, similarity=nearest.similarity, apart=apart)


def _own_group(group: NDArray[np.integer]) -> Exclude:
    """Excludes all of a row's own group (N,), worked out for some rows at a time: all such pairs may be billions."""
    places = np.arange(len(group), dtype=np.int32), group
    member = scipy.sparse.coo_array((np.ones(len(group), bool), places)).tocsr()
    return lambda rows: member[rows] @ member.T


def extended(
    graph: Graph,
    whitened: WhitenedRows,
    embeddings: Raw,
    *,
    pixels: Pixels | None = None,
    keep: Keep = lambda twins: twins,
    report: Report = lambda _: None,
) -> Graph:
    """The graph of a set that has changed, as `build_graph` would make it, in the time that the change asks for.

    The whitened space must be the one that `graph` was made in. New rows are matched against all; an old row takes a
    new one in if it is nearer, and is searched for again if its list lost somebody.
    """
    _refuse_other_rows(whitened, embeddings)
    rows, k = whitened.rows, graph.position.shape[1]
    came_from = positions_of(whitened.content, graph.content)  # the row of each in `graph`, −1 for a new one
    is_known = came_from >= 0
    row_now = np.full(len(graph) + 1, NONE, np.int32)  # of each old row; the last for "none"
    row_now[came_from[is_known]] = np.flatnonzero(is_known)
    new, most = np.flatnonzero(~is_known), REBUILD_SHARE * len(came_from)
    known_rows = row_now[:-1][is_representative(graph.twins)]
    new_twins = None
    if len(new) <= most and not graph.twins.is_thinned:
        also = known_rows[known_rows != NONE]
        new_twins = keep(twins_of(new, whitened, embeddings, pixels=pixels, also=also))
    if new_twins is None or new_twins.is_thinned:
        return build_graph(whitened, embeddings, k=k, pixels=pixels, keep=keep, report=report)
    left = graph.twins.take((row_now[graph.twins.pair] != NONE).all(axis=1))
    left = replace(left, rows=len(came_from), pair=np.sort(row_now[left.pair], axis=1))
    twins = left.with_pairs(new_twins)
    counted, counts = np.zeros(len(came_from), bool), is_representative(twins)
    counted[is_known] = is_representative(graph.twins)[came_from[is_known]]
    position, similarity, has_lost = _carried(graph, came_from, row_now, counts)
    again = np.flatnonzero(~is_known | has_lost)
    if len(again) > most:
        return build_graph(whitened, embeddings, k=k, pixels=pixels, keep=keep, report=report)
    exclude = pair_matrix(twins).__getitem__
    fresh, rest = np.flatnonzero(counts & ~counted), np.flatnonzero(is_known & ~has_lost)
    newest = top_k_within(rows, k, queries=rest, among=fresh, exclude=exclude)
    position[rest], similarity[rest] = _merged(Nearest(position[rest], similarity[rest]), newest)
    nearest = top_k_within(rows, k, queries=again, among=np.flatnonzero(counts), exclude=exclude, report=report)
    position[again], similarity[again] = nearest.position, nearest.similarity
    return Graph(whitened.content, position, similarity, twins, graph.whitening, is_approximate=graph.is_approximate)


def _refuse_other_rows(whitened: WhitenedRows, embeddings: Raw) -> None:
    if len(whitened) != len(embeddings):
        raise ValueError(f"{len(whitened)} whitened rows and {len(embeddings)} embeddings are not of one set.")


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


def _merged(first: Nearest, second: Nearest) -> tuple[Places, Floats]:
    """The best of the lists of both, as long as the first's."""
    position = np.concatenate([first.position, second.position], axis=1)
    similarity = np.concatenate([first.similarity, second.similarity], axis=1)
    order = np.lexsort((position, -np.where(position == NONE, -np.inf, similarity)), axis=1)
    order = order[:, : first.position.shape[1]]
    return np.take_along_axis(position, order, 1), np.take_along_axis(similarity, order, 1)
