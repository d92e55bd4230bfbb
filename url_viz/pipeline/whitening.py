"""The whitened space of an image set, and views: pictures exceptionally near in it."""

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from url_viz.base.rows import l2_normalize
from url_viz.store.tables.embedding_rows import BLOCK, POWER, Floats, WhitenedRows, Whitening
from url_viz.store.tables.reader import Raw, Store, in_parts
from url_viz.store.tables.tables import positions_of

VIEW_COSINE = 0.6
"""Cosine in the fully whitened space from which two pictures are views. docs/findings.md has what it finds."""
RAW_COSINE = 0.85
"""The least raw cosine: where each class is of one style, all of a class are near in the whitened space."""
BY_CHANCE = 5.0
"""Where there are few axes, cosines by chance are wide: two are views from this many deviations, 1 / √axes, on."""
LEAST_COSINE = 0.4
"""Pairs below this in the whitened space, which is whitened by half, are not views."""
FEWEST = 50
"""In smaller sets whitening knows little, and there are no views."""
AXES_SHARE = 2 / 3
"""The most axes for each picture: with more, textures and other sets without structure are full of views."""
RIDGE = 1e-4
"""Of the largest variance, added to each."""
ROWS_AT_ONCE = 2048
COUNTED_AT_ONCE = 512

Part = tuple[NDArray[np.floating], NDArray[np.integer]]
"""Whitened rows (N, A), and the places (P,) among them that are compared."""


class ViewSpace:
    """The fully whitened space that a whitened space becomes; empty, without views, for sets of too few pictures."""

    def __init__(self, whitening: Whitening) -> None:
        has_spread = whitening.scales > 0
        count = 0 if whitening.fitted_on < FEWEST else min(int(has_spread.sum()), int(AXES_SHARE * whitening.fitted_on))
        scales = whitening.scales[has_spread][:count].astype(np.float64)
        variance = scales ** (-2 / POWER)
        self._bound = max(VIEW_COSINE, BY_CHANCE / max(count, 1) ** 0.5)
        self._factors = (1 / scales / np.sqrt(variance + RIDGE * variance.max(initial=0))).astype(np.float32)

    def rows(self, whitened: NDArray[np.floating]) -> Floats:
        """Rows (N, A) of the whitened space as rows of length one in this one."""
        return l2_normalize(whitened[:, : len(self._factors)].astype(np.float32) * self._factors)

    def are_views(self, left: Part, right: Part) -> NDArray[np.bool_]:
        """Which pairs (P,) are near enough: of whitened rows (N, A), at places (P,), each."""
        is_view = np.zeros(len(left[1]), bool)
        for start in range(0, len(is_view) if len(self._factors) else 0, ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            own, place = np.unique(left[1][part], return_inverse=True)  # one row has many candidates
            first, second = self.rows(left[0][own])[place], self.rows(right[0][right[1][part]])
            is_view[part] = np.einsum("pa,pa->p", first, second) >= self._bound
        return is_view

    def counted_once(self, whitened: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Which rows (N, A) of the whitened space are no views of an earlier one that counts. Exact."""
        rows, counts = self.rows(whitened), np.ones(len(whitened), bool)
        for start in range(0, len(rows) if len(self._factors) else 0, COUNTED_AT_ONCE):
            part = slice(start, start + COUNTED_AT_ONCE)
            for earlier in range(0, start, ROWS_AT_ONCE):
                before = slice(earlier, min(earlier + ROWS_AT_ONCE, start))
                counts[part] &= ~(rows[part] @ rows[before][counts[before]].T >= self._bound).any(axis=1)
            near = np.triu(rows[part] @ rows[part].T >= self._bound, 1)
            for row in np.flatnonzero(near.any(axis=1)):
                if counts[start + row]:
                    counts[part] &= ~near[row]
        return counts


AXES = 256
SAMPLE = 50_000
VERSION = 4
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
    count = len(embeddings)
    drawn = np.arange(count)
    if count > sample:
        drawn = np.sort(np.random.default_rng(0).choice(count, sample, replace=False))
    unit = l2_normalize(embeddings[drawn])
    unit = unit[unit.any(axis=1)]
    first = fitted(unit, count, axes)
    counts = ViewSpace(first).counted_once(first.transform(unit))
    return first if counts.all() else fitted(unit[counts], count, axes)


def fitted(unit: Floats, count: int, axes: int = AXES) -> Whitening:
    """Fit on rows (S, D) of length one, from a set of `count`."""
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
    """Raw embeddings (M, D) of the contents (M,) in the set's whitened space; only rows that `stored` lacks are made.

    The space is fitted anew without `stored`, for another version of it, and once the set has doubled.
    """
    space = None if stored is None else stored.whitening
    if stored is None or space is None or space.version != VERSION or should_refit(space.fitted_on, len(content)):
        whitening = fit_whitening(embeddings)
        rows = np.zeros((len(embeddings), len(whitening.scales)), np.float16)
        for places, part in in_parts(embeddings):
            rows[places] = whitening.transform(part)
        return WhitenedRows(whitening, content, rows)
    row = positions_of(content, stored.content)
    rows = np.zeros((len(content), stored.rows.shape[1]), np.float16)
    rows[row >= 0] = stored.rows[row[row >= 0]]
    rows[row < 0] = stored.whitening.transform(embeddings[np.flatnonzero(row < 0)])
    return WhitenedRows(stored.whitening, content, rows)


def whitened_for(store: Store, space_key: str, content: NDArray[np.int64]) -> WhitenedRows:
    """Contents (N,), which may repeat, in the whitened space of a set: read from disk, else computed.

    A set that is being read has none, or not all rows, on disk.
    """
    stored = store.whitened(space_key, content)
    if stored is not None:
        return stored
    distinct, number = np.unique(content, return_inverse=True)
    embedding = store.embeddings(space_key, distinct).embedding
    made = whitened_rows(distinct, embedding, stored=store.whitened(space_key))
    return WhitenedRows(made.whitening, content, made.rows[number])


def should_refit(fitted_on: int, now: int) -> bool:
    """Whether a set of `now` rows has doubled since its space was fitted on `fitted_on`; few rows are refitted soon."""
    return now >= 2 * max(1, fitted_on)


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
