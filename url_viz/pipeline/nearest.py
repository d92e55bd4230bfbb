"""The exact nearest rows by cosine, among rows of length one."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from url_viz.base.processes import usable_cores
from url_viz.base.rows import l2_normalize

NONE = -1
"""The position, and the similarity, where a list has no more entries."""
CELLS = 1 << 25
"""Similarities in memory at once (128 MiB of float32)."""

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
    count = min(k, len(among))
    step = max(1, CELLS // max(1, len(among)))
    buffer = np.empty((min(step, len(unit)), len(among)), np.float32)  # new memory would cost a quarter
    for start in range(0, len(unit) if count else 0, step):
        block = np.arange(start, min(start + step, len(unit)))
        scores = np.matmul(unit[block], among.T, out=buffer[: len(block)])
        if exclude is not None:
            part = exclude(block)
            scores[np.repeat(np.arange(len(block)), np.diff(part.indptr)), part.indices] = -np.inf
        place = _largest(scores, count)
        score = np.take_along_axis(scores, place, 1)
        order = np.lexsort((place, -score), axis=1)
        place, score = np.take_along_axis(place, order, 1), np.take_along_axis(score, order, 1)
        is_found = np.isfinite(score)
        position[block, :count], similarity[block, :count] = (
            np.where(is_found, values, NONE) for values in (place, score)
        )
        report(start + len(block))
    return Nearest(position, similarity)


def top_k_within(
    rows: NDArray[np.floating],
    k: int,
    *,
    queries: NDArray[np.integer] | None = None,
    among: NDArray[np.integer] | None = None,
    exclude: Exclude | None = None,
    report: Callable[[int], None] = lambda _: None,
) -> Nearest:
    """The `k` nearest of the rows numbered `queries` (Q,) among those numbered `among`, both of one matrix (N, A).

    Both are all rows by default. Exact. Positions are row numbers, and `exclude` takes and gives such.
    """
    is_all = among is None or len(among) == len(rows)
    asked = np.arange(len(rows)) if queries is None else queries.astype(np.int64, copy=False)

    def excluded(part: NDArray[np.int64]) -> scipy.sparse.csr_array:
        assert exclude is not None
        return exclude(asked[part]) if is_all else exclude(asked[part])[:, among]

    nearest = top_k(
        rows if queries is None else rows[queries],
        rows if among is None else rows[among],
        k,
        exclude=None if exclude is None else excluded,
        report=report,
    )
    if among is None:
        return nearest
    return Nearest(np.append(among, NONE)[nearest.position].astype(np.int32), nearest.similarity)


def itself(count: int) -> Exclude:
    """Excludes each of `count` rows from its own list."""
    own = scipy.sparse.eye_array(count, format="csr")
    return lambda rows: own[rows]


def closed_up(position: NDArray[np.integer], similarity: NDArray[np.floating]) -> Nearest:
    """Lists (Q, K) with their empty places moved to the end; the order of the others stays."""
    order = np.argsort(position == NONE, axis=1, kind="stable")
    position, similarity = np.take_along_axis(position, order, 1), np.take_along_axis(similarity, order, 1)
    return Nearest(position.astype(np.int32, copy=False), similarity.astype(np.float32, copy=False))


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


MOST_IN_FLOAT32 = 100_000
"""Up to this many rows are kept in float32 too (100 MiB): a search then takes milliseconds."""
BLOCK_NUMBERS = 2**18
"""Numbers that are converted to float32 at a time: 1 MiB, which fits in the cache of a core."""
BLOCKS_A_TASK = 64
SHORTEST = 1e-12
_FRACTION_BITS = 23 - 10
_SIGN_AND_NUMBER = np.int32(-1 << 31 | 0x7FFF << _FRACTION_BITS)
_EXPONENTS_APART = np.float32(2.0 ** (127 - 15))


class UnitRows:
    """Rows (N, A) float16 of about length one, read as float32 of exactly length one; rows of zeros stay zeros."""

    def __init__(self, rows: NDArray[np.float16]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, which: int | NDArray[np.integer]) -> Floats:
        """One row (A,), or those at numbers (R,) as (R, A)."""
        rows = np.atleast_1d(np.asarray(which))
        unit = l2_normalize(self._rows[rows])
        return unit[0] if np.ndim(which) == 0 else unit

    def cosines(self, query: NDArray[np.floating]) -> Floats:
        """The cosine (N,) of each row with a query (A,)."""
        unit = query.astype(np.float32) / max(float(np.linalg.norm(query.astype(np.float32))), SHORTEST)
        if len(self) <= MOST_IN_FLOAT32:
            return np.asarray(self._in_float32 @ unit, np.float32)
        return self._reduced(lambda rows: rows @ unit) / self._lengths

    @cached_property
    def _in_float32(self) -> Floats:
        return l2_normalize(self._rows)

    @cached_property
    def _lengths(self) -> Floats:
        return np.maximum(self._reduced(lambda rows: np.sqrt(np.einsum("ij,ij->i", rows, rows))), SHORTEST)

    def _reduced(self, reduce: Callable[[Floats], Floats]) -> Floats:
        """One number (N,) for each row, on all cores: `reduce` takes blocks (B, A) float32 and gives (B,)."""
        block_rows = max(1, BLOCK_NUMBERS // self._rows.shape[1])
        values, at_a_time = np.empty(len(self), np.float32), block_rows * BLOCKS_A_TASK

        def fill(first: int) -> None:
            block = np.empty((block_rows, self._rows.shape[1]), np.float32)
            for start in range(first, min(first + at_a_time, len(self)), block_rows):
                half = self._rows[start : start + block_rows]
                widen(half, block[: len(half)])
                values[start : start + block_rows] = reduce(block[: len(half)])

        with ThreadPoolExecutor(usable_cores()) as pool:
            deque(pool.map(fill, range(0, len(self), at_a_time)), maxlen=0)
        return values


def widen(half: NDArray[np.float16], into: Floats) -> None:
    """Write finite numbers (R, A) as float32, bit by bit: exact, where NumPy's conversion takes most of a search.

    Sign, exponent and fraction are moved to their places in float32, whose exponents count from another number.
    """
    bits = into.view(np.int32)
    np.copyto(bits, half.view(np.int16))  # the sign fills what is before it
    np.left_shift(bits, _FRACTION_BITS, out=bits)
    np.bitwise_and(bits, _SIGN_AND_NUMBER, out=bits)
    np.multiply(into, _EXPONENTS_APART, out=into)
