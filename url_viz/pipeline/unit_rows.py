"""Rows of length one to search among, many of them in the half precision that they are stored in."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from url_viz.processes.cores import usable_cores
from url_viz.rows import l2_normalize

MOST_IN_FLOAT32 = 100_000
"""Up to this many rows are kept in float32 too (100 MiB): a search then takes milliseconds."""
BLOCK_NUMBERS = 2**18
"""Numbers that are converted to float32 at a time: 1 MiB, which fits in the cache of a core."""
BLOCKS_A_TASK = 64
SHORTEST = 1e-12
_FRACTION_BITS = 23 - 10
_SIGN_AND_NUMBER = np.int32(-1 << 31 | 0x7FFF << _FRACTION_BITS)
_EXPONENTS_APART = np.float32(2.0 ** (127 - 15))

Floats = NDArray[np.float32]


class UnitRows:
    """N rows (N, A) float16 of about length one; what is read of them is float32, of length one, zeros stay zeros."""

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
        return self._of_rows(lambda rows: rows @ unit) / self._lengths

    @cached_property
    def _in_float32(self) -> Floats:
        return l2_normalize(self._rows)

    @cached_property
    def _lengths(self) -> Floats:
        return np.maximum(self._of_rows(lambda rows: np.sqrt(np.einsum("ij,ij->i", rows, rows))), SHORTEST)

    def _of_rows(self, reduce: Callable[[Floats], Floats]) -> Floats:
        """`reduce` of all rows, one number (N,) for each, on all cores; it is given blocks (B, A) float32."""
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
