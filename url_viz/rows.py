"""Refuses rows that no figure can count, and names them: a single row of nan would spoil the figures of all others."""

import numpy as np
from numpy.typing import NDArray

from url_viz.errors import RowsError

MOST_NAMED = 3
LEAVE_OUT = "Leave them out, e.g. with `result.ok` of Model.predict."


def refuse(is_bad: NDArray[np.bool_], what: str, way_out: str = LEAVE_OUT) -> None:
    """Raise RowsError where any of the rows `is_bad` (N,); `what` says what they are, after "3 of 1,000"."""
    bad = np.flatnonzero(is_bad)
    if len(bad):
        raise RowsError(f"{len(bad):,} of {len(is_bad):,} {what} ({named(bad)}). {way_out}")


def refuse_not_finite(values: NDArray[np.generic], what: str, way_out: str = LEAVE_OUT) -> None:
    """Raise RowsError where a row of numbers (N, …) holds nan or infinity."""
    if values.dtype.kind in "fc":
        is_finite = np.isfinite(values)
        refuse(~(is_finite if values.ndim == 1 else is_finite.reshape(len(values), -1).all(axis=1)), what, way_out)


def refuse_nan(values: NDArray[np.generic], what: str) -> None:
    """Raise RowsError where a value (N,) of an order is nan; an infinite one has its place at the end."""
    if values.dtype.kind in "fc":
        refuse(np.isnan(values), what)


def named(rows: NDArray[np.integer]) -> str:
    """The first few of the rows (M,) by number, counted from 0."""
    numbers = ", ".join(map(str, rows[:MOST_NAMED].tolist()))
    return f"row {numbers}" if len(rows) == 1 else f"rows {numbers}{', …' if len(rows) > MOST_NAMED else ''}"
