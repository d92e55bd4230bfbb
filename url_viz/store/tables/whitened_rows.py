"""The stored whitened space of an image set: the transform of embeddings into it, and the rows of a set."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from url_viz.rows import l2_normalize

LEAST_LENGTH = 1e-5
"""A whitened row shorter than this is the mean itself up to rounding, and has no direction."""
BLOCK = 4096
POWER = 0.5
"""Scales are variances to the power −POWER / 2: by half of what would make all axes equal."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Whitening:
    """The transform of raw embeddings into the whitened space of one image set.

    `mean` (D,) of the unit embeddings, `axes` (D, A) orthonormal columns, `scales` (A,), 0 for an axis without spread,
    all float32; `fitted_on`, how many rows the set had when it was fitted; `version` of the definition.
    """

    mean: Floats
    axes: Floats
    scales: Floats
    fitted_on: int
    version: int

    @cached_property
    def key(self) -> int:
        """A number of 63 bits that names this space."""
        digest = hashlib.blake2b(digest_size=8)
        for array in (self.mean, self.axes, self.scales):
            digest.update(np.ascontiguousarray(array).tobytes())
        if self.version > 1:  # the keys of the first are without it
            digest.update(self.version.to_bytes(4, "little"))
        return int.from_bytes(digest.digest(), "little") >> 1

    def transform(self, embeddings: NDArray[np.floating]) -> NDArray[np.float16]:
        """Raw embeddings (N, D) as rows of length one (N, A); a row of zeros for zeros and for the mean itself."""
        if embeddings.ndim != 2 or embeddings.shape[1] != len(self.mean):
            raise ValueError(f"This space is of embeddings (N, {len(self.mean)}); got the shape {embeddings.shape}.")
        whitened = np.zeros((len(embeddings), len(self.scales)), np.float16)
        matrix = self.axes * self.scales
        for start in range(0, len(embeddings), BLOCK):
            unit = l2_normalize(embeddings[start : start + BLOCK])
            rows = (unit - self.mean) @ matrix
            length = np.linalg.norm(rows, axis=1)
            rows[(length < LEAST_LENGTH) | ~unit.any(axis=1)] = 0
            whitened[start : start + BLOCK] = rows / np.maximum(length, LEAST_LENGTH)[:, None]
        return whitened


@dataclass(frozen=True)
class WhitenedRows:
    """M distinct contents in a whitened space: `content` (M,) int64 keys, `rows` (M, A) float16."""

    whitening: Whitening
    content: NDArray[np.int64]
    rows: NDArray[np.float16]

    def __len__(self) -> int:
        return len(self.content)
