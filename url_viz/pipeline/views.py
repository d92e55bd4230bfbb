"""Views: the same thing seen again, another frame, exposure or moment: pictures exceptionally near within their set.

In a set of tiles any two are alike, and so no bound of raw cosine tells views. In the set's own whitened space what all
share counts for little; here it is whitened fully, so that it counts for nothing.
"""

import numpy as np
from numpy.typing import NDArray

from url_viz.rows import l2_normalize
from url_viz.store.tables.whitened_rows import POWER, Whitening

VIEW_COSINE = 0.6
"""Cosine in the fully whitened space from which two pictures are views. docs/findings.md has what it finds."""
RAW_COSINE = 0.85
"""The least raw cosine: where each class is of one style, all of a class are near in the whitened space."""
BY_CHANCE = 5.0
"""Where there are few axes, cosines by chance are wide: from so many of their deviations, 1 / √axes, two are views."""
LEAST_COSINE = 0.4
"""Pairs below this in the whitened space, which is whitened by half, are not views."""
FEWEST = 50
"""In smaller sets whitening knows little, and there are no views."""
AXES_SHARE = 2 / 3
"""At most so many axes for each picture: with fewer, textures and other sets without structure are full of views."""
RIDGE = 1e-4
"""Of the largest variance, added to each."""
ROWS_AT_ONCE = 2048
COUNTED_AT_ONCE = 512

Floats = NDArray[np.float32]
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
