"""What a region of the map looks like, in the words of the backbone's own classes."""

import numpy as np
from numpy.typing import NDArray

NAMED_FROM = 0.15
"""A class names a region from this mean share on: below it, names of regions of Places and Grocery were far-fetched."""
NEAR = 24
"""Nearest neighbours of a region's picture that are asked with it."""


def look_of(shares: NDArray[np.floating], names: tuple[str, ...]) -> tuple[str | None, float]:
    """The class with the largest mean share among pictures, and that share; no name if it is below NAMED_FROM.

    `shares` (M, C) are the classifier's softmax, `names` its C classes.
    """
    mean = shares.mean(axis=0)
    best = int(mean.argmax())
    return (names[best] if mean[best] >= NAMED_FROM else None), float(mean[best])
