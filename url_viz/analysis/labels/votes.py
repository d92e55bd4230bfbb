"""Votes of a picture's neighbours on its class."""

import numpy as np
from numpy.typing import NDArray

NONE = -1
"""The code of a picture that has no class."""
VOTERS = 20
NEARNESS = 0.1
"""A voter's weight is exp((its similarity − the nearest voter's) / NEARNESS)."""

Codes = NDArray[np.int32]
Doubles = NDArray[np.float64]


def vote_shares(
    position: NDArray[np.integer], similarity: NDArray[np.floating], voter: Codes, classes: int
) -> tuple[Doubles, NDArray[np.bool_]]:
    """Each class's share of the votes (R, C) of the nearest VOTERS with a class, and who has any voter (R,).

    `position` and `similarity` (R, K) are lists without twins, best first, −1 if there are fewer; `voter` (N,) the
    codes of all pictures of the set, NONE for one that has no vote. A row without voters is zeros.
    """
    code = np.where(position >= 0, voter[position], NONE)
    has_vote = code != NONE
    has_vote &= has_vote.cumsum(axis=1) <= VOTERS
    scaled = np.where(has_vote, similarity.astype(np.float64) / NEARNESS, -np.inf)
    has_any = has_vote.any(axis=1)
    nearest = np.where(has_any, scaled.max(axis=1, initial=-np.inf), 0)
    weight = np.exp(scaled - nearest[:, None])
    weight /= np.maximum(weight.sum(axis=1, keepdims=True), 1e-12)
    cell = np.arange(len(code))[:, None] * classes + np.maximum(code, 0)
    counted = np.bincount(cell.ravel(), weight.ravel(), minlength=len(code) * classes)
    shares: Doubles = counted.astype(np.float64).reshape(len(code), classes)  # whole numbers if there is nobody
    return shares, has_any
