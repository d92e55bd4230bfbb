"""Embeddings by dice for the tests of the index."""

import numpy as np

from url_viz.store.tables import Embeddings


def embeddings_of(vectors: np.ndarray, *, first: int = 100) -> Embeddings:
    """Rows with content keys counted from `first`."""
    count = len(vectors)
    return Embeddings(
        np.arange(first, first + count, dtype=np.int64), vectors.astype(np.float16), np.zeros(count, np.float32)
    )


def dice(count: int, *, size: int = 16, seed: int = 0) -> Embeddings:
    """`count` embeddings of `size` numbers."""
    return embeddings_of(np.random.default_rng(seed).normal(size=(count, size)))
