"""Rows of length one to search among: of many, held in the half precision they are stored in."""

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from url_viz.rows import l2_normalize

if TYPE_CHECKING:
    import torch

HELD = 100_000
"""Up to so many rows are held in float32 too (100 MiB): a search then takes milliseconds, and no import of torch."""
BLOCK = 4096
SHORTEST = 1e-12

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
        found = l2_normalize(self._rows[rows])
        return found[0] if np.ndim(which) == 0 else found

    def cosines(self, query: NDArray[np.floating]) -> Floats:
        """The cosine (N,) of each row with a query (A,)."""
        unit = query.astype(np.float32) / max(float(np.linalg.norm(query.astype(np.float32))), SHORTEST)
        if len(self) <= HELD:
            return np.asarray(self._held @ unit, np.float32)
        return self._products(unit) / self._lengths

    @cached_property
    def _held(self) -> Floats:
        return l2_normalize(self._rows)

    @cached_property
    def _lengths(self) -> Floats:
        lengths = np.empty(len(self), np.float32)
        for part, rows in self._blocks():
            lengths[part] = rows.norm(dim=1).numpy()
        return np.maximum(lengths, SHORTEST)

    def _products(self, unit: Floats) -> Floats:
        import torch  # takes seconds, which few rows need not wait for

        query, products = torch.from_numpy(unit), np.empty(len(self), np.float32)
        for part, rows in self._blocks():
            products[part] = (rows @ query).numpy()
        return products

    def _blocks(self) -> "Iterator[tuple[slice, torch.Tensor]]":
        """The rows in float32, some at a time: torch turns half precision into it ten times as fast as numpy."""
        import torch

        half = torch.from_numpy(self._rows)
        for start in range(0, len(self), BLOCK):
            part = slice(start, min(start + BLOCK, len(self)))
            yield part, half[part].float()
