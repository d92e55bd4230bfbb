"""The neighbour graph of an image set: nearest in the whitened space, twins apart; extended when pictures change."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from url_viz.imaging.perceptual_hash import Hashes
from url_viz.pipeline.approximate_nearest import SPARE, find_candidates, nearest_candidates, twins_among_candidates
from url_viz.pipeline.nearest import NONE, Exclude, Floats, Nearest, Places, top_k, top_k_of_all
from url_viz.pipeline.twins import is_representative, pair_matrix, source_groups, twin_groups, twin_pairs
from url_viz.rows import EXACT_ROWS
from url_viz.store.raw_rows import Raw, RawRows
from url_viz.store.tables import Graph, Twins, no_twins, positions_of
from url_viz.store.whitened_rows import WhitenedRows

K = 64
MOSTLY = 0.95
"""If fewer rows than this share are representatives, candidates are searched again among those."""
REBUILD_SHARE = 0.3
"""From this share of rows on that must be searched again, all are."""

Done = Callable[[int], None]


def updated_graph(
    previous: Graph | None,
    whitened: WhitenedRows,
    embeddings: Raw,
    *,
    twins: Twins | None = None,
    hashes: Hashes | None = None,
    report: Done = lambda _: None,
) -> Graph:
    """The graph of the rows of `whitened`, whose raw embeddings are (M, D); reuses the `previous` one if possible.

    It can be reused if it is of the same whitened space, and as exact as a new one would be. `twins` of all rows are
    searched unless they are given, with `hashes` (M, WORDS) by both witnesses. The graph of embeddings on disk is
    approximate. `report` is called with the number of finished rows.
    """
    key = whitened.whitening.key
    is_large = len(whitened) > EXACT_ROWS
    if previous is None or previous.whitening != key or previous.is_approximate != is_large:
        return build_graph(
            whitened.rows, embeddings, content=whitened.content, key=key, twins=twins, hashes=hashes, report=report
        )
    came_from = positions_of(whitened.content, previous.content)
    return extended(
        previous, came_from, whitened.rows, embeddings, content=whitened.content, hashes=hashes, report=report
    )


def build_graph(
    whitened: NDArray[np.floating],
    embeddings: Raw,
    *,
    k: int = K,
    content: NDArray[np.int64] | None = None,
    key: int = 0,
    twins: Twins | None = None,
    hashes: Hashes | None = None,
    report: Done = lambda _: None,
) -> Graph:
    """The graph of rows (N, A) in the whitened space `key` whose raw embeddings are (N, D); exact to EXACT_ROWS rows.

    Twins are found first. A list holds no twin of its row, and no two that are twins of each other: it is full
    however long a burst is, and of many pictures however many bursts are near. `content` (N,) are the rows' keys,
    by default their numbers. Beyond EXACT_ROWS both are searched among candidates only (`approximate_nearest`).
    """
    _assert_same_rows(whitened, embeddings)
    keys = np.arange(len(whitened)) if content is None else content
    if len(whitened) > EXACT_ROWS or isinstance(embeddings, RawRows):
        return _approximate_graph(whitened, embeddings, k, keys, key, twins, hashes, report)
    twins = twin_pairs(embeddings, hashes=hashes) if twins is None else twins
    exclude = _not_of_own(twin_groups(twins)) if twins.is_thinned else pair_matrix(twins).__getitem__
    nearest = top_k_of_all(whitened, k, exclude=exclude, counts=is_representative(twins), report=report)
    return Graph(keys, nearest.position, nearest.similarity, twins, key)


def _approximate_graph(
    whitened: NDArray[np.floating],
    embeddings: Raw,
    k: int,
    keys: NDArray[np.int64],
    key: int,
    twins: Twins | None,
    hashes: Hashes | None,
    report: Done,
) -> Graph:
    candidates = find_candidates(whitened, k, report=report)
    if twins is None:
        twins = twins_among_candidates(np.arange(len(whitened)), candidates, embeddings, hashes=hashes)
    counts = is_representative(twins)
    if counts.mean() < MOSTLY:
        candidates = find_candidates(whitened, k, which=np.flatnonzero(counts), report=report)
    nearest = nearest_candidates(candidates, k, twins=twins, counts=counts)
    return Graph(keys, nearest.position, nearest.similarity, twins, key, is_approximate=True)


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
    whitened: NDArray[np.floating],
    embeddings: Raw,
    *,
    content: NDArray[np.int64] | None = None,
    hashes: Hashes | None = None,
    report: Done = lambda _: None,
) -> Graph:
    """The graph of a set that has changed, as `build_graph` would make it, in the time that the change asks for.

    `came_from` (N,) is the row that each row had in `graph`, −1 for a new one; other rows of `graph` are gone.
    The whitened space must be the one that `graph` was made in. New rows are matched against all; an old row takes a
    new one in if it is nearer, and is searched for again if its list lost somebody.
    """
    _assert_same_rows(whitened, embeddings)
    keys = np.arange(len(whitened)) if content is None else content
    k = graph.position.shape[1]
    is_known = came_from >= 0
    row_now = np.full(len(graph) + 1, NONE, np.int32)  # of each old row; the last for "none"
    row_now[came_from[is_known]] = np.flatnonzero(is_known)
    new = np.flatnonzero(~is_known)
    is_much = len(new) > REBUILD_SHARE * len(came_from)
    twins = None if is_much else _twins_now(graph, row_now, whitened, embeddings, hashes, new)
    if twins is None:
        return build_graph(whitened, embeddings, k=k, content=keys, key=graph.whitening, hashes=hashes, report=report)
    counted, counts = np.zeros(len(came_from), bool), is_representative(twins)
    counted[is_known] = is_representative(graph.twins)[came_from[is_known]]
    position, similarity, has_lost = _carried(graph, came_from, row_now, counts)
    again = np.flatnonzero(~is_known | has_lost)
    if len(again) > REBUILD_SHARE * len(came_from):
        return build_graph(whitened, embeddings, k=k, content=keys, key=graph.whitening, hashes=hashes, report=report)
    blocked, among = pair_matrix(twins), np.flatnonzero(counts)
    fresh, rest = np.flatnonzero(counts & ~counted), np.flatnonzero(is_known & ~has_lost)
    newest = top_k(whitened[rest], whitened[fresh], k, exclude=blocked[rest][:, fresh].__getitem__)
    position[rest], similarity[rest] = _merged(Nearest(position[rest], similarity[rest]), newest, fresh)
    nearest = top_k(whitened[again], whitened[among], k, exclude=blocked[again][:, among].__getitem__, report=report)
    position[again], similarity[again] = np.append(among, NONE)[nearest.position], nearest.similarity
    return Graph(keys, position, similarity, twins, graph.whitening, is_approximate=graph.is_approximate)


def _assert_same_rows(whitened: NDArray[np.floating], embeddings: Raw) -> None:
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


def _twins_now(
    graph: Graph,
    row_now: Places,
    whitened: NDArray[np.floating],
    embeddings: Raw,
    hashes: Hashes | None,
    fresh: NDArray[np.int64],
) -> Twins | None:
    """The pairs that are left and those of new rows; None if thinned pairs do not tell which are left."""
    twins, new = graph.twins, _twins_of_some(fresh, whitened, embeddings, hashes, k=graph.position.shape[1])
    if twins.is_thinned or new.is_thinned:
        return None
    pair = row_now[twins.pair]
    is_left = (pair != NONE).all(axis=1)
    pairs = np.concatenate([np.sort(pair[is_left], axis=1), new.pair])
    return Twins(len(embeddings), pairs, np.concatenate([twins.cosine[is_left], new.cosine]))


def _twins_of_some(
    rows: NDArray[np.int64], whitened: NDArray[np.floating], embeddings: Raw, hashes: Hashes | None, *, k: int
) -> Twins:
    """Pairs of twins with one of `rows`: exactly, but of embeddings on disk those among candidates only."""
    if not isinstance(embeddings, RawRows):
        return twin_pairs(embeddings, of=rows, hashes=hashes)
    candidates = top_k(whitened[rows], whitened, k + SPARE + 1)  # one of them is the row itself
    return twins_among_candidates(rows, candidates, embeddings, hashes=hashes)


def _merged(had: Nearest, new: Nearest, fresh: NDArray[np.int64]) -> tuple[Places, Floats]:
    """The best of both lists, whose second numbers the rows of `fresh`."""
    k = had.position.shape[1]
    numbered = np.where(new.position == NONE, NONE, np.append(fresh, NONE)[new.position])
    position = np.concatenate([had.position, numbered.astype(np.int32)], axis=1)
    similarity = np.concatenate([had.similarity, new.similarity], axis=1)
    order = np.lexsort((position, -np.where(position == NONE, -np.inf, similarity)), axis=1)[:, :k]
    return np.take_along_axis(position, order, 1), np.take_along_axis(similarity, order, 1)
