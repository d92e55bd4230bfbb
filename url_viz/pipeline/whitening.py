"""Whitening of an image set: its own mean taken off, rotated to its own axes, scaled; fitted on a sample."""

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from url_viz.pipeline.views import ViewSpace
from url_viz.rows import l2_normalize
from url_viz.store.tables.raw_rows import Raw, in_parts
from url_viz.store.tables.reader import Store
from url_viz.store.tables.tables import positions_of
from url_viz.store.tables.whitened_rows import BLOCK, POWER, Floats, WhitenedRows, Whitening

AXES = 256
SAMPLE = 50_000
VERSION = 3
"""Of the definition below, and of what copies and views are: a stored whitening of another version is fitted again."""

LEAST_VARIANCE = 1e-9
"""An axis along which unit vectors vary less is rounding, and is left out."""


def fit_whitening(embeddings: Raw, *, axes: int = AXES, sample: int = SAMPLE) -> Whitening:
    """Fit on raw embeddings (N, D), float16 or float32, finite; on `sample` rows drawn at random if there are more.

    Views in a first space count once in the one that is given, so that a burst does not weigh. Rows of zeros are left
    out. At most `axes` are kept, and at most as many as rows less one; scales are the standard deviations along them to
    the power −`POWER`. Without any spread (no rows, one, all equal) one axis of scale 0 is kept, and all rows whiten to
    zeros.
    """
    unit = l2_normalize(embeddings[_drawn(len(embeddings), sample)])
    unit = unit[unit.any(axis=1)]
    first = fitted(unit, len(embeddings), axes)
    counts = ViewSpace(first).counted_once(first.transform(unit))
    return first if counts.all() else fitted(unit[counts], len(embeddings), axes)


def fitted(unit: Floats, count: int, axes: int = AXES) -> Whitening:
    """By rows of length one (S, D), of a set of `count`."""
    mean = unit.mean(axis=0, dtype=np.float64) if len(unit) else np.zeros(unit.shape[1])
    unit = unit - mean.astype(np.float32)
    variance, directions = _principal(unit, min(axes, len(unit) - 1, unit.shape[1]))
    is_spread = variance > LEAST_VARIANCE
    scales = np.where(is_spread, np.maximum(variance, LEAST_VARIANCE) ** (-POWER / 2), 0)
    leading = slice(0, max(1, int(is_spread.sum())))
    return Whitening(
        mean.astype(np.float32),
        np.ascontiguousarray(directions[:, leading], np.float32),
        scales[leading].astype(np.float32),
        count,
        VERSION,
    )


def whitened_rows(
    content: NDArray[np.int64],
    embeddings: Raw,
    *,
    stored: WhitenedRows | None = None,
) -> WhitenedRows:
    """Raw embeddings (M, D) of the contents (M,) in the set's whitened space, a new one if `stored` serves no more.

    Of `stored` rows only those are transformed that it has not.
    """
    if stored is None or not serves(stored, len(content)):
        whitening = fit_whitening(embeddings)
        return WhitenedRows(whitening, content, _transformed(whitening, embeddings))
    row = positions_of(content, stored.content)
    rows = np.zeros((len(content), stored.rows.shape[1]), np.float16)
    rows[row >= 0] = stored.rows[row[row >= 0]]
    rows[row < 0] = stored.whitening.transform(embeddings[np.flatnonzero(row < 0)])
    return WhitenedRows(stored.whitening, content, rows)


def _transformed(whitening: Whitening, embeddings: Raw) -> NDArray[np.float16]:
    whitened = np.zeros((len(embeddings), len(whitening.scales)), np.float16)
    for rows, part in in_parts(embeddings):
        whitened[rows] = whitening.transform(part)
    return whitened


def serves(stored: WhitenedRows, count: int) -> bool:
    """Whether a space serves a set of `count` rows: by its definition, and as the set has not doubled."""
    return stored.whitening.version == VERSION and not should_refit(stored.whitening.fitted_on, count)


def whitened_for(store: Store, space_key: str, content: NDArray[np.int64]) -> WhitenedRows:
    """Contents (N,), which may repeat, in the whitened space of a set: as it is kept, else made for now.

    A set that is being read has none, or not all rows, on disk.
    """
    stored = store.whitened_of(space_key, content)
    if stored is not None:
        return stored
    distinct, number = np.unique(content, return_inverse=True)
    embedding = store.embeddings(space_key, distinct).embedding
    made = whitened_rows(distinct, embedding, stored=store.whitened(space_key))
    return WhitenedRows(made.whitening, content, made.rows[number])


def should_refit(fitted_on: int, now: int) -> bool:
    """Whether a set of `now` rows has doubled since its space was fitted on `fitted_on`; few rows are refitted soon."""
    return now >= 2 * max(1, fitted_on)


def _drawn(rows: int, sample: int) -> NDArray[np.integer]:
    if rows <= sample:
        return np.arange(rows)
    return np.sort(np.random.default_rng(0).choice(rows, sample, replace=False))


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
