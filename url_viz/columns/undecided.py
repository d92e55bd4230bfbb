"""Which pictures nobody has decided on yet, and the queue in which a review asks about them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.columns.engine import column
from url_viz.columns.filters import OneOf, ReviewSpec, passes_all, scoped
from url_viz.columns.ranking import ends, first_of_each_class, with_percentile
from url_viz.columns.twin_groups import first_of_each
from url_viz.store.columns.source_columns import VERDICTS

Ids = NDArray[np.int64]
Bools = NDArray[np.bool_]

MOST = 10_000
"""A queue is never longer: more pictures than that are not looked at one by one."""
_QUEUE_COLUMNS = ("id", "label", "twin_group", "decision", "label_checked", "tags", "rank_percentile")
"""The columns that a queue is made of, with its measure."""


def make_queue(table: pd.DataFrame, spec: ReviewSpec, listed: pd.DataFrame | None = None) -> Ids:
    """The ids of a review's pictures in their order, at most MOST; of twins one.

    `table` is `ImageSet.table()`, `listed` the pictures (id) of the review of a list. Decided and checked pictures
    are left out, unless the scope asks for decisions; pictures without the measure come last.
    """
    rows = with_percentile(table, spec.by, within_class=spec.within_class) if spec.by in table else table
    rows = scoped(rows, spec.scope)
    rows = rows.filter(list(dict.fromkeys([*_QUEUE_COLUMNS, spec.by])))  # all columns would be most of the work
    rows = rows if spec.includes_decided else rows[~is_resolved(rows)]
    if listed is None:
        by = "rank_percentile" if spec.within_class else spec.by
        first = ends(rows, by=by, collapse_twins=False).ambiguous
        rows = pd.concat([first, rows[~rows["id"].isin(first["id"])]])
    else:
        place = rows["id"].map(pd.Series(np.arange(len(listed)), index=listed["id"]))
        rows = rows.assign(position=place)[place.notna()].sort_values("position")
    rows = first_of_each(rows)
    rows = rows if spec.per_class is None else first_of_each_class(rows, spec.per_class)
    return rows["id"].to_numpy(np.int64)[: min(spec.most or MOST, MOST)]


def open_groups(table: pd.DataFrame, spec: ReviewSpec, groups: Sequence[Ids]) -> Ids:
    """Ids of the first of each group (rows of pictures) that has a picture in scope and is not resolved."""
    is_wanted, resolved = table["id"].isin(scoped(table, spec.scope)["id"]).to_numpy(), is_resolved(table)
    wanted = [group for group in groups if is_wanted[group].any()]
    still_open = [group for group in wanted if spec.includes_decided or not resolved[group].all()]
    leads = [group[0] for group in sorted(still_open, key=len, reverse=True)]
    return table["id"].to_numpy(np.int64)[leads][: min(spec.most or MOST, MOST)]


def left_to_ask(rows: pd.DataFrame, spec: ReviewSpec) -> int:
    """How many of some rows of the table their review asks about: of twins one, and as a rule nothing decided."""
    return len(first_of_each(rows if spec.includes_decided else rows[~is_resolved(rows)]))


def is_resolved(table: pd.DataFrame) -> Bools:
    """Whether each picture (N,) was decided on, its label given or confirmed, or a verdict given on its box."""
    resolved: Bools = (table["decision"].notna() | table["label_checked"].notna()).to_numpy(dtype=bool)
    return resolved | passes_all(table, [OneOf("tags", VERDICTS)]) if "tags" in table else resolved


@column()
def undropped(table: pd.DataFrame) -> pd.DataFrame:
    """The table without dropped pictures; `is_open` where nothing is decided yet."""
    return table.assign(is_open=~is_resolved(table))[(table["decision"] != "drop").to_numpy(bool)]
