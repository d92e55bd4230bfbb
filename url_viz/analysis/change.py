"""What another head changes: the same pictures under two orders, and which of them moved most."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from url_viz.analysis.metrics import spearman
from url_viz.analysis.ranking import percentile


@dataclass(frozen=True)
class Change:
    """Two orders of the same pictures.

    `table` has the rows of the new table that both know, with `before` and `after` (percentiles of the measure),
    `change` (after − before, in percentile points: positive = more ambiguous now) and `change_percentile`.
    `rank_correlation` is Spearman's; nan where one of the orders has no spread.
    """

    table: pd.DataFrame
    rank_correlation: float


def change(before: pd.DataFrame, after: pd.DataFrame, *, measure: str = "uncertainty") -> Change:
    """Compare a measure of two tables of one image set, matched by id; rows without a value are left out."""
    earlier = before.set_index("id")[measure].reindex(after["id"]).to_numpy(dtype=float)
    known = np.isfinite(earlier) & np.isfinite(after[measure].to_numpy(dtype=float))
    rows = after[known]
    ranks = [percentile(values) for values in (earlier[known], rows[measure].to_numpy(dtype=float))]
    moved = ranks[1] - ranks[0]
    table = rows.assign(before=ranks[0], after=ranks[1], change=moved, change_percentile=percentile(moved))
    return Change(table, spearman(earlier[known], rows[measure].to_numpy(dtype=float)))
