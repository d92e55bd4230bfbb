"""Which pictures from outside are like nothing in an image set, so that no order of the set says anything of them."""

import numpy as np
from numpy.typing import NDArray

from url_viz.rows import l2_normalize

NEAR = 5
"""The mean cosine of so many nearest pictures, by raw embeddings: whitened, strange pictures are not farther than lone
ones of the set. `experiments.unlike` has figures of ten sets."""
LOWEST = 1
"""The percentile of it among the set's own pictures below which a picture is unlike them."""
FEWEST = 50
"""A smaller set has no percentile to compare with."""
MOST, ASKED = 10_000, 1_000
"""So many pictures of a set are enough to be compared with, and for the percentile."""

Floats = NDArray[np.floating]


def unlike(embedding: Floats, own: Floats, *, counts: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of Q embeddings (Q, D) are farther from a set's `own` (M, D) than nearly all of these from each other.

    `counts` (M,) says which of its own stand for others too: copies and views would be near each other anyway.
    """
    rows = np.flatnonzero(counts)
    if len(rows) < FEWEST or not len(embedding):
        return np.zeros(len(embedding), bool)
    if len(rows) > MOST:
        rows = np.sort(np.random.default_rng(0).choice(rows, MOST, replace=False))
    own = l2_normalize(np.asarray(own[rows], np.float32))
    asked = np.linspace(0, len(own) - 1, min(ASKED, len(own))).round().astype(int)
    among = own[asked] @ own.T
    among[np.arange(len(asked)), asked] = -1
    least = np.percentile(_nearness(among), LOWEST)
    return np.asarray(_nearness(l2_normalize(embedding.astype(np.float32)) @ own.T) < least)


def _nearness(cosine: Floats) -> Floats:
    """The mean of the NEAR highest of each row (Q, M)."""
    nearest: Floats = np.partition(cosine, -NEAR, axis=1)[:, -NEAR:].mean(axis=1)
    return nearest
