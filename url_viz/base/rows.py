"""L2 normalization of embeddings, mid-ranks, and errors that name rows which are not finite."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from url_viz.base.errors import RowsError
from url_viz.base.wording import first_of

LEAVE_OUT = "Leave them out, e.g. with `result.ok` of Model.predict."


def refuse(is_bad: NDArray[np.bool_], what: str, way_out: str = LEAVE_OUT) -> None:
    """Raise RowsError if any of N rows `is_bad` (N,); `what` follows "3 of 1,000 "."""
    bad = np.flatnonzero(is_bad)
    if len(bad):
        raise RowsError(f"{len(bad):,} of {len(is_bad):,} {what} ({named(bad)}). {way_out}")


def refuse_not_finite(values: NDArray[np.generic], what: str, way_out: str = LEAVE_OUT) -> None:
    """Raise RowsError if a row of numbers (N, …) holds nan or infinity."""
    if values.dtype.kind in "fc":
        is_finite = np.isfinite(values)
        refuse(~(is_finite if values.ndim == 1 else is_finite.reshape(len(values), -1).all(axis=1)), what, way_out)


def refuse_nan(values: NDArray[np.generic], what: str) -> None:
    """Raise RowsError if a value (N,) of an order is nan; infinite values are allowed and sort to the end."""
    if values.dtype.kind in "fc":
        refuse(np.isnan(values), what)


def named(rows: NDArray[np.integer]) -> str:
    """The first few of the rows (M,) by number, counted from 0."""
    return f"row{'s' * (len(rows) > 1)} {first_of([*map(str, rows)])}"


EXACT_ROWS = 150_000
"""Beyond this many rows the exact graph takes too long on a CPU; an approximate one is made and marked as such."""
CACHED_FROM = 50_000
"""From this many pictures, joined and ordered tables are cached in files, which is faster than computing them."""

SHORTEST = 1e-12
"""Below this length the squares of float32 numbers lose digits, as they do beyond the range of float32."""

Array = NDArray[np.float32]


def l2_normalize(embedding: NDArray[np.floating]) -> Array:
    """Embeddings (N, D) scaled to length one, float32; an embedding of zeros stays zeros.

    Raises RowsError, a ValueError, if a row holds nan or infinity.
    """
    if embedding.ndim != 2:
        raise ValueError(f"Embeddings are (N, D); got the shape {embedding.shape}.")
    with np.errstate(over="ignore", invalid="ignore"):
        rows = embedding.astype(np.float32)
        lengths = np.sqrt(np.einsum("nd,nd->n", rows, rows))  # forty times as fast as numpy's norm along an axis
    odd = np.flatnonzero(~((lengths >= SHORTEST) & (lengths < np.inf)))
    if len(odd):  # scaled first, so that float32 holds their squares
        refuse_not_finite(embedding, "embeddings are not finite")
        exact = embedding[odd].astype(np.float64)
        largest = np.abs(exact).max(axis=1, initial=0)
        exact /= np.where(largest > 0, largest, 1)[:, None]
        exact_lengths = np.linalg.norm(exact, axis=1)
        rows[odd], lengths[odd] = exact, np.where(exact_lengths > 0, exact_lengths, 1)
    rows /= lengths[:, None]
    return rows


def mid_ranks(values: ArrayLike) -> NDArray[np.float64]:
    """Ranks 1 to N of (N,) values; equal values share the mean of their ranks. Raises RowsError on nan."""
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"Ranks are of one axis; got the shape {array.shape}.")
    refuse_nan(array.astype(np.float64), "values are nan, and cannot be ranked")
    _, inverse, counts = np.unique(array, return_inverse=True, return_counts=True)
    last = np.cumsum(counts).astype(np.float64)
    return np.asarray((last - (counts - 1) / 2)[inverse])
