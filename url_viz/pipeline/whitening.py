"""The whitened space of an image set: its own mean taken off, rotated to its own axes, scaled, of length one."""

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from url_viz.rows import l2_normalize

AXES = 256
POWER = 0.5
SAMPLE = 50_000
VERSION = 1
"""Of the definition below: a stored whitening of another version is fitted again."""

LEAST_VARIANCE = 1e-9
"""An axis along which unit vectors vary less is rounding, and is left out."""
LEAST_LENGTH = 1e-5
"""A whitened row shorter than this is the mean itself up to rounding, and has no direction."""
BLOCK = 4096

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Whitening:
    """What takes raw embeddings into the whitened space of one image set.

    `mean` (D,) of the unit embeddings, `axes` (D, A) orthonormal columns, `scales` (A,), 0 for an axis without spread,
    all float32; `fitted_on`, how many rows the set had when it was fitted (see `should_refit`); `version`.
    """

    mean: Floats
    axes: Floats
    scales: Floats
    fitted_on: int
    version: int = VERSION

    def __post_init__(self) -> None:
        assert self.axes.shape == (len(self.mean), len(self.scales))

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


def fit_whitening(
    embeddings: NDArray[np.floating], *, axes: int = AXES, power: float = POWER, sample: int = SAMPLE, seed: int = 0
) -> Whitening:
    """Fit on raw embeddings (N, D), float16 or float32, finite; on `sample` rows drawn by `seed` where there are more.

    Rows of zeros are left out. At most `axes` are kept, and at most as many as rows less one; scales are the standard
    deviations along them to the power −`power`. Without any spread (no rows, one, all equal) one axis of scale 0 is
    kept, and all rows whiten to zeros.
    """
    unit = l2_normalize(_drawn(embeddings, sample, seed))
    unit = unit[unit.any(axis=1)]
    mean = unit.mean(axis=0, dtype=np.float64) if len(unit) else np.zeros(embeddings.shape[1])
    unit -= mean.astype(np.float32)
    variance, directions = _principal(unit, min(axes, len(unit) - 1, embeddings.shape[1]))
    is_spread = variance > LEAST_VARIANCE
    scales = np.where(is_spread, np.maximum(variance, LEAST_VARIANCE) ** (-power / 2), 0)
    kept = slice(0, max(1, int(is_spread.sum())))
    return Whitening(
        mean.astype(np.float32),
        np.ascontiguousarray(directions[:, kept], np.float32),
        scales[kept].astype(np.float32),
        len(embeddings),
    )


def should_refit(fitted_on: int, now: int) -> bool:
    """Whether a set of `now` rows has doubled since its space was fitted on `fitted_on`; few rows are refitted soon."""
    return now >= 2 * max(1, fitted_on)


def _drawn(embeddings: NDArray[np.floating], sample: int, seed: int) -> NDArray[np.floating]:
    if len(embeddings) <= sample:
        return embeddings
    return embeddings[np.sort(np.random.default_rng(seed).choice(len(embeddings), sample, replace=False))]


def _principal(centred: Floats, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The largest variances, descending, and their directions (D, count), signs fixed; one empty axis for no count."""
    rows, width = centred.shape
    if count < 1:
        return np.zeros(1), np.eye(width, 1)
    is_wide = rows < width
    product = _inner(centred.T if is_wide else centred)
    size = len(product)
    values, vectors = scipy.linalg.eigh(product, subset_by_index=(size - count, size - 1))
    variance, vectors = values[::-1] / max(1, rows - 1), vectors[:, ::-1]
    if is_wide:  # from the small side's eigenvectors to the directions
        vectors = centred.T.astype(np.float64) @ vectors
        vectors /= np.maximum(np.linalg.norm(vectors, axis=0), 1e-12)
    largest = np.abs(vectors).argmax(axis=0)
    return variance, vectors * np.sign(vectors[largest, np.arange(count)])


def _inner(rows: Floats) -> NDArray[np.float64]:
    """rowsᵀ · rows in float64, a block at a time."""
    total = np.zeros((rows.shape[1], rows.shape[1]))
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK].astype(np.float64)
        total += block.T @ block
    return total
