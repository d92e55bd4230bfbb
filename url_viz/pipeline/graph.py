"""The neighbour graph of an image set: nearest in the whitened space, twins apart; extended when pictures change."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from url_viz.pipeline.nearest import NONE, Exclude, Floats, Nearest, Places, top_k
from url_viz.pipeline.twins import Twins, twin_pairs

K = 64
REBUILD_SHARE = 0.3
"""From this share of rows on that must be searched again, all are."""


@dataclass(frozen=True)
class Graph:
    """The `k` nearest of each row that are no twins of it, and the twins.

    `position` (N, k) int32 and `similarity` (N, k) float32, cosines in the whitened space, best first, −1 where there
    are fewer; `twins`, pairs by raw cosine.
    """

    position: Places
    similarity: Floats
    twins: Twins

    def __post_init__(self) -> None:
        assert self.position.shape == self.similarity.shape
        assert len(self.position) == self.twins.rows

    def __len__(self) -> int:
        return len(self.position)


def build_graph(whitened: NDArray[np.floating], embeddings: NDArray[np.floating], *, k: int = K) -> Graph:
    """The exact graph of rows (N, A) in the whitened space whose raw embeddings are (N, D).

    Twins are found first, all of them, and left out of the search: a list is full however long a burst is.
    """
    _assert_same_rows(whitened, embeddings)
    twins = twin_pairs(embeddings)
    exclude = _not_of_own_group(twins) if twins.is_thinned else _not_neighbours(twins).__getitem__
    found = top_k(whitened, whitened, k, exclude=exclude)
    return Graph(found.position, found.similarity, twins)


def extended(
    graph: Graph, came_from: NDArray[np.integer], whitened: NDArray[np.floating], embeddings: NDArray[np.floating]
) -> Graph:
    """The graph of a set that has changed, as `build_graph` would make it, in the time that the change asks for.

    `came_from` (N,) is the row that each row had in `graph`, −1 for a new one; rows that nobody came from are gone.
    The whitened space must be the one that `graph` was made in. New rows are matched against all; an old row takes a
    new one in where it is nearer, and is searched for again where its list lost somebody.
    """
    _assert_same_rows(whitened, embeddings)
    k = graph.position.shape[1]
    is_known = came_from >= 0
    place = np.full(len(graph) + 1, NONE, np.int32)  # where each old row stands now; the last for "none"
    place[came_from[is_known]] = np.flatnonzero(is_known)
    position, similarity, has_lost = _carried(graph, came_from, place)
    fresh, again = np.flatnonzero(~is_known), np.flatnonzero(~is_known | has_lost)
    twins = _twins_now(graph.twins, place, embeddings, fresh)
    if twins is None or len(again) > REBUILD_SHARE * len(came_from):
        return build_graph(whitened, embeddings, k=k)
    blocked = _not_neighbours(twins)
    rest = np.flatnonzero(is_known & ~has_lost)
    new = top_k(whitened[rest], whitened[fresh], k, exclude=blocked[rest][:, fresh].__getitem__)
    position[rest], similarity[rest] = _merged(Nearest(position[rest], similarity[rest]), new, fresh)
    found = top_k(whitened[again], whitened, k, exclude=blocked[again].__getitem__)
    position[again], similarity[again] = found.position, found.similarity
    return Graph(position, similarity, twins)


def _assert_same_rows(whitened: NDArray[np.floating], embeddings: NDArray[np.floating]) -> None:
    if len(whitened) != len(embeddings):
        raise ValueError(f"{len(whitened)} whitened rows and {len(embeddings)} embeddings are not of one set.")


def _not_neighbours(twins: Twins) -> scipy.sparse.csr_array:
    """(N, N), symmetric: an entry for each row with itself and with its twins."""
    own = np.arange(twins.rows, dtype=np.int32)
    one, other = twins.pair.T
    places = np.concatenate([own, one, other]), np.concatenate([own, other, one])
    return scipy.sparse.coo_array((np.ones(len(places[0]), bool), places), shape=(twins.rows, twins.rows)).tocsr()


def _not_of_own_group(twins: Twins) -> Exclude:
    """Each row with all of its group, worked out for the rows asked for: all such pairs at once may be billions."""
    group = twins.groups()
    places = np.arange(twins.rows, dtype=np.int32), group
    member = scipy.sparse.coo_array((np.ones(twins.rows, bool), places)).tocsr()
    return lambda rows: member[rows] @ member.T


def _carried(graph: Graph, came_from: NDArray[np.integer], place: Places) -> tuple[Places, Floats, NDArray[np.bool_]]:
    """The old lists in the new rows and numbers, empty for new rows; and which lists lost somebody (N,)."""
    is_known = came_from >= 0
    shape = len(came_from), graph.position.shape[1]
    position, similarity = np.full(shape, NONE, np.int32), np.full(shape, NONE, np.float32)
    had = graph.position[came_from[is_known]]
    position[is_known], similarity[is_known] = place[had], graph.similarity[came_from[is_known]]
    has_lost = np.zeros(len(came_from), bool)
    has_lost[is_known] = ((had != NONE) & (place[had] == NONE)).any(axis=1)
    return position, similarity, has_lost


def _twins_now(twins: Twins, place: Places, embeddings: NDArray[np.floating], fresh: NDArray[np.int64]) -> Twins | None:
    """The pairs that are left and those of new rows; None where thinned pairs do not tell which are left."""
    new = twin_pairs(embeddings, of=fresh)
    if twins.is_thinned or new.is_thinned:
        return None
    pair = place[twins.pair]
    is_left = (pair != NONE).all(axis=1)
    pairs = np.concatenate([np.sort(pair[is_left], axis=1), new.pair])
    return Twins(len(embeddings), pairs, np.concatenate([twins.cosine[is_left], new.cosine]))


def _merged(had: Nearest, new: Nearest, fresh: NDArray[np.int64]) -> tuple[Places, Floats]:
    """The best of both lists, whose second numbers the rows of `fresh`."""
    k = had.position.shape[1]
    numbered = np.where(new.position == NONE, NONE, np.append(fresh, NONE)[new.position])
    position = np.concatenate([had.position, numbered.astype(np.int32)], axis=1)
    similarity = np.concatenate([had.similarity, new.similarity], axis=1)
    order = np.lexsort((position, -np.where(position == NONE, -np.inf, similarity)), axis=1)[:, :k]
    return np.take_along_axis(position, order, 1), np.take_along_axis(similarity, order, 1)
