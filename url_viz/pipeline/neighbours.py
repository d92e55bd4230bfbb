"""The nearest-neighbour graph of an image set: exact by cosine, extended when pictures come and go."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from url_viz.rows import EXACT_ROWS, UnitRows
from url_viz.store.tables import Embeddings, Graph, positions_of

K = 32
NUMPY_ROWS = 8_000
"""Up to this many rows float32 in numpy is done before torch would be imported."""
CANDIDATES = 64
CHUNK = 1024
REBUILD_SHARE = 0.3
SKETCH_DIRECTIONS = 128
"""The approximate graph looks for candidates among as many main directions, and ranks them by the whole embedding."""
SKETCH_SAMPLE_ROWS = 20_000

Array = NDArray[np.float32]
TopK = tuple[NDArray[np.int64], Array]


def build_graph(
    embeddings: Embeddings, *, k: int = K, previous: Graph | None = None, report: Callable[[int], None] = lambda _: None
) -> Graph:
    """The graph of all rows of `embeddings`; rows that `previous` knows are only matched against what changed.

    `report` is called with the number of rows done. A graph that is approximate stays so when it is extended; it is
    made anew once the set is small enough for an exact one.
    """
    unit = UnitRows(embeddings.embedding)
    is_large = len(unit) > EXACT_ROWS
    if previous is None or previous.position.shape[1] != k or (previous.is_approximate and not is_large):
        return _anew(embeddings.content, unit, k, report)
    return _extended(previous, embeddings.content, unit, k, report)


def _anew(content: NDArray[np.int64], unit: UnitRows, k: int, report: Callable[[int], None]) -> Graph:
    if unit.all is None:
        return Graph(content, *_approximate(unit, k), is_approximate=True)
    position, similarity = _nearest(unit, np.arange(len(unit)), k, report)
    return Graph(content, position.astype(np.int32), similarity)


def _extended(
    previous: Graph, content: NDArray[np.int64], unit: UnitRows, k: int, report: Callable[[int], None]
) -> Graph:
    old_row = positions_of(content, previous.content)
    new_place = positions_of(previous.content, content)
    is_known = old_row >= 0
    position = np.full((len(unit), k), -1, np.int64)
    similarity = np.full((len(unit), k), -1, np.float32)
    carried = previous.position[old_row[is_known]]
    moved = np.where(carried >= 0, new_place[carried], -1)
    position[is_known], similarity[is_known] = moved, previous.similarity[old_row[is_known]]
    has_lost = np.zeros(len(unit), bool)
    has_lost[is_known] = ((carried >= 0) & (moved < 0)).any(axis=1)
    again = np.flatnonzero(~is_known | has_lost)
    if len(again) > REBUILD_SHARE * len(unit):
        return _anew(content, unit, k, report)
    fresh = np.flatnonzero(~is_known)
    if len(fresh):
        _merge_new_columns(unit, fresh, position, similarity)
    position[again], similarity[again] = _nearest(unit, again, k, report)
    return Graph(content, position.astype(np.int32), similarity, is_approximate=previous.is_approximate)


def _merge_new_columns(
    unit: UnitRows, fresh: NDArray[np.int64], position: NDArray[np.int64], similarity: Array
) -> None:
    """Let every old row take the new rows into its list where they are nearer than what it has; in place."""
    k = position.shape[1]
    new = unit(fresh)
    for start in range(0, len(unit), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(unit)))
        scores = unit(rows) @ new.T
        had = np.where(position[rows] >= 0, similarity[rows], -np.inf)
        both_score = np.concatenate([had, scores], axis=1)
        both_place = np.concatenate([position[rows], np.broadcast_to(fresh, scores.shape)], axis=1)
        best = np.argsort(-both_score, axis=1, kind="stable")[:, :k]
        position[rows] = np.take_along_axis(both_place, best, 1)
        similarity[rows] = np.where(position[rows] >= 0, np.take_along_axis(both_score, best, 1), -1)


def _nearest(unit: UnitRows, rows: NDArray[np.integer], k: int, report: Callable[[int], None]) -> TopK:
    """The K nearest others of `rows` among all: positions (R, K), −1 where there are fewer, and cosines."""
    position = np.full((len(rows), k), -1, np.int64)
    similarity = np.full((len(rows), k), -1, np.float32)
    kept = min(k, len(unit) - 1)
    if kept < 1:
        return position, similarity
    search = _search_of(unit, len(rows))
    for start in range(0, len(rows), CHUNK):
        block = rows[start : start + CHUNK]
        place, score = search(block, kept)
        position[start : start + len(block), :kept] = place
        similarity[start : start + len(block), :kept] = score
        report(start + len(block))
    return position, similarity


def _search_of(unit: UnitRows, asked: int) -> "_Search":
    """The fastest way to match `asked` rows against all."""
    if unit.all is None:
        return _InChunks(unit)
    return _InNumpy(unit.all) if len(unit) <= NUMPY_ROWS or asked < CHUNK else _InTorch(unit.all)


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


class _InChunks:
    """Exact in float32, a part of all rows at a time, for sets that memory does not hold as float32."""

    def __init__(self, unit: UnitRows) -> None:
        self.unit = unit

    def __call__(self, block: NDArray[np.integer], k: int) -> TopK:
        rows = self.unit(block)
        place = np.zeros((len(block), 0), np.int64)
        score = np.zeros((len(block), 0), np.float32)
        for start in range(0, len(self.unit), 16 * CHUNK):
            columns = np.arange(start, min(start + 16 * CHUNK, len(self.unit)))
            scores = rows @ self.unit(columns).T
            scores[block[:, None] == columns] = -np.inf
            score = np.concatenate([score, scores], axis=1)
            place = np.concatenate([place, np.broadcast_to(columns, scores.shape)], axis=1)
            best = np.argpartition(-score, min(k, score.shape[1]) - 1, axis=1)[:, :k]
            place, score = np.take_along_axis(place, best, 1), np.take_along_axis(score, best, 1)
        return _sorted(place, score)


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


def _approximate(unit: UnitRows, k: int) -> tuple[NDArray[np.int32], Array]:
    """Positions and cosines (N, K): candidates by NN-descent on a sketch, ranked by their own cosines."""
    from pynndescent import NNDescent

    index = NNDescent(_sketch(unit), metric="euclidean", n_neighbors=k + k // 2 + 1, random_state=0, low_memory=True)
    candidates = index.neighbor_graph[0]
    del index
    position = np.zeros((len(unit), k), np.int32)
    similarity = np.zeros((len(unit), k), np.float32)
    step = CHUNK // 4
    for start in range(0, len(unit), step):
        rows = np.arange(start, min(start + step, len(unit)))
        place = candidates[rows]
        score = np.einsum("rd,rcd->rc", unit(rows), unit(place.ravel()).reshape(*place.shape, -1), optimize=True)
        score[place == rows[:, None]] = -np.inf
        best, cosine = _sorted(place, score)
        position[rows], similarity[rows] = best[:, :k], cosine[:, :k]
    return position, similarity


def _sketch(unit: UnitRows) -> Array:
    """The rows along their main directions, (N, at most 128) float32: nearly the same distances, in less memory."""
    sample = unit(slice(None, None, max(1, len(unit) // SKETCH_SAMPLE_ROWS)))
    directions = np.linalg.eigh(sample.T @ sample)[1][:, ::-1][:, :SKETCH_DIRECTIONS]
    starts = range(0, len(unit), 16 * CHUNK)
    return np.concatenate([unit(slice(start, start + 16 * CHUNK)) @ directions for start in starts])
