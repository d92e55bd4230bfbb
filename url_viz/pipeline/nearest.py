"""The exact nearest rows by cosine: in float32, or in bf16 with a certificate where float32 would take long."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from url_viz.rows import l2_normalize

if TYPE_CHECKING:
    import torch

NONE = -1
"""The position, and the similarity, where a list has no more entries."""
TORCH_CELLS = 1_600_000_000
"""The number of similarities from which bf16 saves more time than the import of torch takes."""
CELLS = 1 << 25
"""Similarities in memory at once (128 MiB of float32)."""
CANDIDATES = 1.5
"""bf16 chooses this many times as many as are wanted, and float32 ranks them."""
PRODUCTS = 256
ROUNDING = 1e-4
"""More than float32 sums can be off, in bf16's products too."""

Floats = NDArray[np.float32]
Places = NDArray[np.int32]
Exclude = Callable[[NDArray[np.int64]], scipy.sparse.csr_array]
"""Takes the numbers of R queries and gives (R, N): an entry for each row that does not count for a query."""


@dataclass(frozen=True)
class Nearest:
    """The lists of Q queries: `position` (Q, K) int32 and `similarity` (Q, K) float32, best first.

    Both are −1 if there are fewer than K. Equal similarities stand in the order of their positions.
    """

    position: Places
    similarity: Floats

    def __len__(self) -> int:
        return len(self.position)


def top_k(
    queries: NDArray[np.floating],
    rows: NDArray[np.floating],
    k: int,
    *,
    exclude: Exclude | None = None,
    report: Callable[[int], None] = lambda _: None,
) -> Nearest:
    """The `k` rows (N, A) most cosine-similar to each query (Q, A), what `exclude` names left out. Exact.

    `report` is called with the number of queries that are done.
    """
    unit, among = l2_normalize(queries), l2_normalize(rows)
    position = np.full((len(unit), k), NONE, np.int32)
    similarity = np.full((len(unit), k), NONE, np.float32)
    kept = min(k, len(among))
    if kept and len(unit):
        again = np.arange(len(unit))
        if len(unit) * len(among) >= TORCH_CELLS and CANDIDATES * kept < len(among):
            again = _in_bf16(unit, among, exclude, position, similarity, report)
        _in_float32(unit, among, exclude, again, position, similarity)
        report(len(unit))
    return Nearest(position, similarity)


def top_k_of_all(
    rows: NDArray[np.floating],
    k: int,
    *,
    exclude: Exclude,
    counts: NDArray[np.bool_],
    report: Callable[[int], None] = lambda _: None,
) -> Nearest:
    """The `k` nearest of each row (N, A) among those of `counts` (N,), what `exclude` names left out. Exact."""
    among = np.flatnonzero(counts)
    columns = slice(None) if len(among) == len(rows) else among
    nearest = top_k(rows, rows[among], k, exclude=lambda part: exclude(part)[:, columns], report=report)
    position = np.append(among, NONE)[nearest.position].astype(np.int32)
    return Nearest(position, nearest.similarity)


def _in_float32(
    unit: Floats,
    among: Floats,
    exclude: Exclude | None,
    which: NDArray[np.int64],
    position: Places,
    similarity: Floats,
) -> None:
    """Fill the lists of the queries `which`, in place."""
    kept = min(position.shape[1], len(among))
    step = max(1, CELLS // len(among))
    buffer = np.empty((min(step, len(which)), len(among)), np.float32)
    for start in range(0, len(which), step):
        block = which[start : start + step]
        scores = np.matmul(unit[block], among.T, out=buffer[: len(block)])
        scores[_cells(exclude, block)] = -np.inf
        place = _largest(scores, kept)
        _put(block, place, np.take_along_axis(scores, place, 1), position, similarity)


def _cells(exclude: Exclude | None, block: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row within the block and column of all excluded pairs."""
    if exclude is None:
        nothing = np.zeros(0, np.int64)
        return nothing, nothing
    part = exclude(block)
    return np.repeat(np.arange(len(block)), np.diff(part.indptr)), part.indices.astype(np.int64)


def _largest(scores: Floats, k: int) -> NDArray[np.int64]:
    """The columns (R, k) of the k largest of each row, in any order.

    The k largest lie in the k groups of columns whose own maxima are largest, so that few columns need be sorted.
    """
    count = scores.shape[1]
    depth = int((count / k) ** 0.5)
    width = count // depth
    if width < 4 * k:
        return np.argpartition(scores, count - k, axis=1)[:, count - k :]
    highest = scores[:, : depth * width].reshape(len(scores), depth, width).max(axis=1)
    groups = np.argpartition(highest, width - k, axis=1)[:, width - k :]
    columns = (groups[:, None, :] + width * np.arange(depth)[:, None]).reshape(len(scores), -1)
    rest = np.broadcast_to(np.arange(depth * width, count), (len(scores), count - depth * width))
    columns = np.concatenate([columns, rest], axis=1)
    values = np.take_along_axis(scores, columns, 1)
    return np.take_along_axis(columns, np.argpartition(values, values.shape[1] - k, axis=1)[:, -k:], 1)


def _put(
    block: NDArray[np.int64], place: NDArray[np.integer], score: Floats, position: Places, similarity: Floats
) -> None:
    """Write the found in their order: similarity down, then position up."""
    up = np.argsort(place, axis=1)
    place, score = np.take_along_axis(place, up, 1), np.take_along_axis(score, up, 1)
    down = np.argsort(-score, axis=1, kind="stable")
    place, score = np.take_along_axis(place, down, 1), np.take_along_axis(score, down, 1)
    kept = place.shape[1]
    position[block, :kept] = np.where(np.isfinite(score), place, NONE)
    similarity[block, :kept] = np.where(np.isfinite(score), score, NONE)


def _in_bf16(
    unit: Floats,
    among: Floats,
    exclude: Exclude | None,
    position: Places,
    similarity: Floats,
    report: Callable[[int], None],
) -> NDArray[np.int64]:
    """Fill the lists that are proved to be right, in place; return the queries whose lists are not.

    A row that bf16 did not choose has at most the lowest score that it chose, give or take bf16's rounding, which is
    known: the lengths of what rounding took off. Where float32 finds k better than that, no row can be missing.
    """
    import torch

    columns = torch.from_numpy(among).bfloat16()
    lost = float((columns.float() - torch.from_numpy(among)).norm(dim=1).max())
    columns = columns.T.contiguous()
    k = position.shape[1]
    step = max(1, 2 * CELLS // len(among))
    buffer = torch.empty((min(step, len(unit)), len(among)), dtype=torch.bfloat16)  # new memory would cost a quarter
    unsure = []
    for start in range(0, len(unit), step):
        block = np.arange(start, min(start + step, len(unit)))
        exact_query = torch.from_numpy(unit[block])
        query = exact_query.bfloat16()
        scores = torch.mm(query, columns, out=buffer[: len(block)]).view(torch.int16)
        scores.numpy()[_cells(exclude, block)] = np.iinfo(np.int16).min
        place, lowest = _candidates(scores, int(CANDIDATES * k))
        exact = _products(unit, block, among, place)
        best = np.argpartition(exact, exact.shape[1] - k, axis=1)[:, -k:]
        exact, place = np.take_along_axis(exact, best, 1), np.take_along_axis(place, best, 1)
        off = lost + (query.float() - exact_query).norm(dim=1).numpy() + lowest / 256 + ROUNDING
        is_sure = (lowest > 0) & (exact.min(axis=1) >= lowest + off)
        _put(block, place, exact, position, similarity)
        unsure.append(block[~is_sure])
        report(len(block) + start)
    return np.concatenate(unsure)


def _products(unit: Floats, block: NDArray[np.int64], among: Floats, place: NDArray[np.int64]) -> Floats:
    """The similarities (R, C) of the queries `block` and the rows at `place` (R, C); few at a time, within caches."""
    found = np.empty(place.shape, np.float32)
    for start in range(0, len(block), PRODUCTS):
        part = slice(start, start + PRODUCTS)
        found[part] = np.einsum("rcd,rd->rc", among[place[part]], unit[block[part]])
    return found


def _candidates(scores: "torch.Tensor", count: int) -> tuple[NDArray[np.int64], Floats]:
    """The columns (R, count) of the largest of each row, found as in `_largest`, and the lowest of them (R,) float32.

    `scores` (R, N) are the bits of bf16 as int16, in which positive numbers keep their order, and which are compared
    several times as fast. Where the lowest is not above 0, too few are positive, and the columns are not to be trusted.
    """
    import torch

    total = scores.shape[1]
    depth = max(1, int((total / count) ** 0.5))
    width = total // depth
    highest = scores[:, : depth * width].reshape(len(scores), depth, width).amax(dim=1)
    groups = highest.topk(min(count, width), dim=1, sorted=False).indices
    columns = (groups[:, None, :] + width * torch.arange(depth)[:, None]).reshape(len(scores), -1)
    columns = torch.cat([columns, torch.arange(depth * width, total).expand(len(scores), -1)], dim=1)
    best = scores.gather(1, columns).topk(count, dim=1)
    lowest = best.values[:, -1].contiguous().view(torch.bfloat16).float().numpy()
    return columns.gather(1, best.indices).numpy(), lowest
