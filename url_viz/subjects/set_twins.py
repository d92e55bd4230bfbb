"""Copies and views in an image set: its groups, and keeping one of each copy."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.findings.twin_groups import left_of_copies, one_of_each, twin_table, within_pictures
from url_viz.errors import ImageSetError
from url_viz.pipeline.stored_pixels import stored_pixels
from url_viz.pipeline.twins import copy_stars
from url_viz.store.decisions.decisions import Action
from url_viz.store.tables.tables import Twins, no_twins, positions_of
from url_viz.subjects.set_core import SetSubject


class SetTwins(SetSubject):
    """The copies and views in an image set, as `image_set.twins`."""

    def groups(self) -> pd.DataFrame:
        """Groups of copies and views, one row each, with the least alike pair and which to keep; see `twin_table`."""
        core = self._core
        return twin_table(core.frame, core.contents, lambda rows: core.unit[rows], self._left())

    def keep_one_of_each(self) -> Action:
        """Decide to keep one of each pictures that are copies, and to drop those that are a copy of one that is kept.

        Views stay, and of a group in which not each is a copy of each, several: see `left_of_copies`. Of objects only
        boxes of one picture are dropped: raises ImageSetError where no picture has two of one object.
        """
        table = self._core.frame
        decided = one_of_each(table, self._left())
        if self._core.is_of_objects:
            decided = within_pictures(table, decided)
            if not decided:
                raise ImageSetError(
                    "No picture has two boxes on one object. Copies in different pictures stay: without its box, an "
                    "object would be missing from the annotations of its picture."
                )
        return self._core.decisions.decide_each(decided)

    def to_keep(self) -> NDArray[np.int64]:
        """Ids (M,) of the pictures that `keep_one_of_each` leaves, those without a copy too."""
        return self._core.ids[self._left()]

    def _left(self) -> NDArray[np.bool_]:
        """Which pictures (N,) are left once one of each is kept; copies alone are pairs before there is a graph."""
        core, graph = self._core, self._core.graph
        if graph is None:
            content, key = np.unique(core.contents, return_inverse=True)
            return left_of_copies(core.frame, key, no_twins(len(content)), lambda _: no_twins(len(content)))

        def stars(order: NDArray[np.int64]) -> Twins:
            return copy_stars(graph.twins, order, stored_pixels(core.store, graph.content))

        return left_of_copies(core.frame, positions_of(core.contents, graph.content), graph.twins.copies, stars)
