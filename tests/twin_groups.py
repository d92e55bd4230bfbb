"""Pairs of twins made by hand, and columns of groups as an image set has them: a number, or none for those alone."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.store.tables.tables import Twins


def twin_column(numbers: Sequence[int] | NDArray[np.integer]) -> pd.arrays.IntegerArray:
    """Groups by number (N,), in which a number that stands once becomes missing."""
    values = np.asarray(numbers, np.int64)
    _, group, size = np.unique(values, return_inverse=True, return_counts=True)
    return pd.arrays.IntegerArray(values, size[group] == 1)


def twins_of(rows: int, *pairs: tuple[int, int, float], views: int = 0, is_thinned: bool = False) -> Twins:
    """Pairs of rows with their cosines, all of them copies but the last `views`."""
    pair = np.array([pair[:2] for pair in pairs], np.int32).reshape(-1, 2)
    cosine = np.array([pair[2] for pair in pairs], np.float32)
    return Twins(rows, pair, cosine, np.arange(len(pairs)) < len(pairs) - views, is_thinned)


def copies_of(rows: int, pairs: Iterable[tuple[int, int]], *, cosine: float = 0.97) -> Twins:
    """Pairs of rows that are copies, in order, and all as alike."""
    return twins_of(rows, *((*pair, cosine) for pair in sorted(pairs)))
