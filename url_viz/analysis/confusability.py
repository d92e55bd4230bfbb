"""Confusability: how easily a picture is taken for another one of its image set, without labels or training."""

import numpy as np
from numpy.typing import NDArray

TEMPERATURE = 0.03
"""τ of the softmax over neighbours; .02 to .05 order labelled sets about equally well."""


def confusability(
    position: NDArray[np.integer],
    similarity: NDArray[np.floating],
    twin_group: NDArray[np.integer],
    *,
    temperature: float = TEMPERATURE,
) -> NDArray[np.float32]:
    """1 − the largest softmax share of one neighbour: 0 where one stands out, towards 1 where many are as near.

    `position` and `similarity` (M, K) are the neighbour graph (−1: none), `twin_group` (M,) the group of each row;
    neighbours of the row's own group do not count. nan (M,) where fewer than two neighbours are left to compare.
    """
    is_other = (position >= 0) & (twin_group[position] != twin_group[:, None])
    scaled = np.where(is_other, similarity.astype(np.float64) / temperature, -np.inf)
    highest = scaled.max(axis=1, keepdims=True) if scaled.shape[1] else np.full((len(scaled), 1), -np.inf)
    weight = np.exp(scaled - np.where(np.isfinite(highest), highest, 0))
    share = 1 / np.maximum(weight.sum(axis=1), 1)  # the nearest has weight 1
    return np.where(is_other.sum(axis=1) >= 2, 1 - share, np.nan).astype(np.float32)
