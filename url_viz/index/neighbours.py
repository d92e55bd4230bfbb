"""The nearest-neighbour graph of an image set: exact by cosine, extended when pictures come and go."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from url_viz.index.tables import Embeddings, Graph, positions_of

K = 32
EXACT_ROWS = 150_000
"""Beyond this many rows the exact graph takes too long on a CPU; an approximate one is made, and marked so."""
NUMPY_ROWS = 8_000
"""Up to this many rows float32 in numpy is done before torch would be imported."""
CANDIDATES = 64
CHUNK = 1024
REBUILD_SHARE = 0.3

Array = NDArray[np.float32]
TopK = tuple[NDArray[np.int64], Array]


def normalised(embedding: NDArray[np.floating]) -> Array:
    """Rows scaled to length one, float32; rows of zeros stay zero."""
    rows = embedding.astype(np.float32)
    lengths = np.sqrt(np.einsum("nd,nd->n", rows, rows))  # forty times as fast as numpy's norm along an axis
    rows /= np.maximum(lengths, 1e-12)[:, None]
    return rows


def build_graph(
    embeddings: Embeddings, *, k: int = K, previous: Graph | None = None, report: Callable[[int], None] = lambda _: None
) -> Graph:
    """The graph of all rows of `embeddings`; rows that `previous` knows are only matched against what changed.

    `report` is called with the number of rows done.
    """
    if len(embeddings) > EXACT_ROWS:
        return _approximate(embeddings, k)
    z = normalised(embeddings.embedding)
    if previous is None or previous.is_approximate or previous.position.shape[1] != k:
        return _exact(embeddings.content, z, k, report)
    return _extended(previous, embeddings.content, z, k, report)


def _exact(content: NDArray[np.int64], z: Array, k: int, report: Callable[[int], None]) -> Graph:
    position, similarity = _nearest(z, np.arange(len(z)), k, report)
    return Graph(content, position.astype(np.int32), similarity)


def _extended(previous: Graph, content: NDArray[np.int64], z: Array, k: int, report: Callable[[int], None]) -> Graph:
    old_row = positions_of(content, previous.content)
    new_place = positions_of(previous.content, content)
    is_known = old_row >= 0
    position = np.full((len(z), k), -1, np.int64)
    similarity = np.full((len(z), k), -1, np.float32)
    carried = previous.position[old_row[is_known]]
    moved = np.where(carried >= 0, new_place[carried], -1)
    position[is_known], similarity[is_known] = moved, previous.similarity[old_row[is_known]]
    has_lost = np.zeros(len(z), bool)
    has_lost[is_known] = ((carried >= 0) & (moved < 0)).any(axis=1)
    again = np.flatnonzero(~is_known | has_lost)
    if len(again) > REBUILD_SHARE * len(z):
        return _exact(content, z, k, report)
    fresh = np.flatnonzero(~is_known)
    if len(fresh):
        _merge_new_columns(z, fresh, position, similarity)
    position[again], similarity[again] = _nearest(z, again, k, report)
    return Graph(content, position.astype(np.int32), similarity)


def _merge_new_columns(z: Array, fresh: NDArray[np.int64], position: NDArray[np.int64], similarity: Array) -> None:
    """Let every old row take the new rows into its list where they are nearer than what it has; in place."""
    k = position.shape[1]
    for start in range(0, len(z), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(z)))
        scores = z[rows] @ z[fresh].T
        had = np.where(position[rows] >= 0, similarity[rows], -np.inf)
        both_score = np.concatenate([had, scores], axis=1)
        both_place = np.concatenate([position[rows], np.broadcast_to(fresh, scores.shape)], axis=1)
        best = np.argsort(-both_score, axis=1, kind="stable")[:, :k]
        position[rows] = np.take_along_axis(both_place, best, 1)
        similarity[rows] = np.where(position[rows] >= 0, np.take_along_axis(both_score, best, 1), -1)


def _nearest(z: Array, rows: NDArray[np.integer], k: int, report: Callable[[int], None]) -> TopK:
    """The K nearest others of `rows` among all: positions (R, K), −1 where there are fewer, and cosines."""
    position = np.full((len(rows), k), -1, np.int64)
    similarity = np.full((len(rows), k), -1, np.float32)
    kept = min(k, len(z) - 1)
    if kept < 1:
        return position, similarity
    search: _Search = _InNumpy(z) if len(z) <= NUMPY_ROWS or len(rows) < CHUNK else _InTorch(z)
    for start in range(0, len(rows), CHUNK):
        block = rows[start : start + CHUNK]
        place, score = search(block, kept)
        position[start : start + len(block), :kept] = place
        similarity[start : start + len(block), :kept] = score
        report(start + len(block))
    return position, similarity


class _Search(Protocol):
    def __call__(self, block: NDArray[np.integer], k: int) -> TopK: ...


class _InNumpy:
    """Exact in float32."""

    def __init__(self, z: Array) -> None:
        self.z = z

    def __call__(self, block: NDArray[np.integer], k: int) -> TopK:
        scores = self.z[block] @ self.z.T
        scores[np.arange(len(block)), block] = -np.inf
        place = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        return _sorted(place, np.take_along_axis(scores, place, 1))


class _InTorch:
    """bf16 for the many, float32 for the best candidates: the same lists at a fraction of the time.

    Candidates are compared with the mean taken off: that shifts all scores of a row alike, so its order stays, and
    what is left is small enough for bf16's eight bits to tell apart, also where all cosines are near one.
    """

    def __init__(self, z: Array) -> None:
        import torch

        self.z = z
        self.centred = torch.from_numpy(z - z.mean(axis=0)).bfloat16()

    def __call__(self, block: NDArray[np.integer], k: int) -> TopK:
        import torch

        rows = torch.from_numpy(np.asarray(block, np.int64))
        scores = torch.from_numpy(self.z[block]).bfloat16() @ self.centred.T
        scores[torch.arange(len(rows)), rows] = -torch.inf
        candidates = scores.topk(min(max(CANDIDATES, 2 * k), len(self.z) - 1), dim=1).indices.numpy()
        exact = np.einsum("rd,rcd->rc", self.z[block], self.z[candidates], optimize=True)
        best = np.argpartition(-exact, k - 1, axis=1)[:, :k]
        return _sorted(np.take_along_axis(candidates, best, 1), np.take_along_axis(exact, best, 1))


def _sorted(place: NDArray[np.int64], score: Array) -> TopK:
    order = np.argsort(-score, axis=1, kind="stable")
    return np.take_along_axis(place, order, 1), np.take_along_axis(score, order, 1)


def _approximate(embeddings: Embeddings, k: int) -> Graph:
    from pynndescent import NNDescent

    z = normalised(embeddings.embedding)
    index = NNDescent(z, metric="dot", n_neighbors=k + 1, random_state=0, low_memory=True)
    place, distance = index.neighbor_graph
    own = place == np.arange(len(z))[:, None]
    distance = np.where(own, np.inf, distance)
    order = np.argsort(distance, axis=1, kind="stable")[:, :k]
    position = np.take_along_axis(place, order, 1).astype(np.int32)
    similarity = np.einsum("rd,rkd->rk", z, z[position]) if len(z) < CHUNK else _cosines(z, position)
    return Graph(embeddings.content, position, similarity.astype(np.float32), is_approximate=True)


def _cosines(z: Array, position: NDArray[np.int32]) -> Array:
    parts = [
        np.einsum("rd,rkd->rk", z[start : start + CHUNK], z[position[start : start + CHUNK]])
        for start in range(0, len(z), CHUNK)
    ]
    return np.concatenate(parts)
