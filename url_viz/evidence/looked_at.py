"""What people said of the pictures at both ends of an order: its precision by their word."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from url_viz.columns.ranking import with_percentile
from url_viz.columns.twin_groups import first_of_each
from url_viz.evidence.order_metrics import Figure, share_of
from url_viz.labels.label_choice import EITHER, relabelled

AMBIGUOUS_FROM, CLEAR_BELOW = 90, 50
"""The most ambiguous are the last tenth of an order, the clear ones its first half."""
FEWEST = 20
"""Nothing is said before so many of each were looked at."""


@dataclass(frozen=True)
class LookedAt:
    """Pictures whose label somebody answered, of twins one: how many at each end, and `found` not simply as labelled.

    Found are those that are rightly both of two classes, or were relabelled.
    """

    ambiguous: int
    ambiguous_found: int
    clear: int
    clear_found: int

    @property
    def precision(self) -> Figure:
        """The share found among the most ambiguous, with Wilson's 95 % interval."""
        return share_of(self.ambiguous_found, self.ambiguous)

    @property
    def by_chance(self) -> Figure:
        """The share found among the clear ones."""
        return share_of(self.clear_found, self.clear)

    @property
    def words(self) -> str:
        """For people, or "" before FEWEST of each were looked at."""
        if min(self.ambiguous, self.clear) < FEWEST:
            return ""
        ends = self.precision.interval, self.by_chance.interval
        first, clear = (f"{100 * end.low:.0f} to {100 * end.high:.0f} %" for end in ends)
        found = (
            f"Of {self.ambiguous:,} you looked at among the most ambiguous {self.ambiguous_found:,} are rightly both or"
        )
        return f"{found} relabelled ({first}); of {self.clear:,} among the clear, {self.clear_found:,} ({clear})."


def looked_at(table: pd.DataFrame, measure: str) -> LookedAt:
    """What was answered at both ends of the order by a measure of `ImageSet.table()`."""
    rows = with_percentile(table, measure)
    rows = first_of_each(rows[rows["label_checked"].notna()])
    rank, found = rows["rank_percentile"].to_numpy(float), relabelled(rows) | (rows["label_checked"] == EITHER)
    counts = [(int(each.sum()), int(np.sum(each & found))) for each in (rank >= AMBIGUOUS_FROM, rank < CLEAR_BELOW)]
    return LookedAt(*counts[0], *counts[1])
