"""The column `twin_group` of a table made by hand, as an image set has it: a number for twins, none for all others."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def twin_column(numbers: Sequence[int] | NDArray[np.integer]) -> pd.arrays.IntegerArray:
    """Groups by number (N,), in which a number that stands once becomes missing."""
    values = np.asarray(numbers, np.int64)
    _, group, size = np.unique(values, return_inverse=True, return_counts=True)
    return pd.arrays.IntegerArray(values, size[group] == 1)
