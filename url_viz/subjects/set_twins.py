"""Twins of an image set: its groups of pictures that count as one, and keeping one of each."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.twin_groups import left_of_twins, one_of_each, twin_table
from url_viz.pipeline.twins import twin_stars
from url_viz.store.decisions import Action
from url_viz.store.tables import Twins, no_twins, positions_of
from url_viz.subjects.set_core import SetSubject


class SetTwins(SetSubject):
    """The twins of an image set, as `image_set.twins`."""

    def groups(self) -> pd.DataFrame:
        """Groups of twins, one row each, with the pair that is least alike and which to keep; see `twin_table`."""
        core = self._core
        return twin_table(core.frame, core.contents, lambda rows: core.unit[rows], self._left())

    def keep_one_of_each(self) -> Action:
        """Decide to keep one of each pictures that are twins, and to drop those that are a pair of one that is kept.

        Of a group in which not each is a twin of each, several stay: see `left_of_twins`.
        """
        return self._core.decisions.decide_each(one_of_each(self._core.frame, self._left()))

    def _left(self) -> NDArray[np.bool_]:
        """Which pictures (N,) are left once one of each is kept; copies alone are pairs before there is a graph."""
        core, graph = self._core, self._core.graph
        if graph is None:
            content, key = np.unique(core.contents, return_inverse=True)
            return left_of_twins(core.frame, key, no_twins(len(content)), lambda _: no_twins(len(content)))

        def stars(order: NDArray[np.int64]) -> Twins:
            raw = core.store.embeddings(core.space.key, graph.content).embedding
            return twin_stars(graph.twins, order, raw, hashes=core.store.hashes(graph.content))

        return left_of_twins(core.frame, positions_of(core.contents, graph.content), graph.twins, stars)
