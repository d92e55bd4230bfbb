"""Ranks within the classes of a set."""

import numpy as np
from numpy.typing import NDArray

from url_viz.analysis.votes import NONE


def rank_within(values: NDArray[np.floating], label: NDArray[np.integer]) -> NDArray[np.float32]:
    """(mid-rank − ½) / n of each value (N,) among the n of its class, 0 to 1.

    `label` (N,) are codes, NONE for no class. nan where the value is, and without a class.
    """
    ranked = np.full(len(values), np.nan, np.float32)
    rows = np.flatnonzero(~np.isnan(values) & (label != NONE))
    order = rows[np.lexsort((values[rows], label[rows]))]
    of_class, value = label[order], values[order]
    begins = np.ones(len(order), bool)
    begins[1:] = of_class[1:] != of_class[:-1]
    is_new = begins.copy()
    is_new[1:] |= value[1:] != value[:-1]
    class_number, tie = np.cumsum(begins) - 1, np.cumsum(is_new) - 1
    size, start = np.bincount(class_number), np.flatnonzero(begins)
    first, tied = np.flatnonzero(is_new), np.bincount(tie)
    middle = first[tie] - start[class_number] + tied[tie] / 2
    ranked[order] = middle / size[class_number]
    return ranked
