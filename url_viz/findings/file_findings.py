"""Checks of files: bursts and copies among them, and those that cannot be read."""

import numpy as np
import pandas as pd

from url_viz.base.wording import counted
from url_viz.columns.table import StoredRows
from url_viz.columns.twin_groups import COPIES, group_codes, members_of_groups
from url_viz.columns.undecided import Ids, is_resolved
from url_viz.findings.checks import Check, Listed, Said, counted_rows, has_boxes

BURST = 4
"""Twins from which on a group is a burst."""


def bursts(table: pd.DataFrame) -> list[Ids]:
    """The rows of each burst, the picture to keep first."""
    return [members for members in members_of_groups(table) if len(members) >= BURST]


def _said_of_bursts(table: pd.DataFrame, found: list[Ids]) -> Said:
    is_open, labels = ~is_resolved(table), table["label"]
    left = [members for members in found if is_open[members].any()]
    mixed = sum(labels.iloc[members].nunique() > 1 for members in left)
    words = f"{counted(len(left), 'burst')} of {BURST} or more: {counted_rows(table, sum(map(len, left)))}"
    noun = "object" if has_boxes(table) else "picture"
    return Said(len(left), words + (f", {mixed:,} of them with {noun}s of several classes" if mixed else ""))


def _copies_bound(undropped: pd.DataFrame) -> Listed:
    """All but the first by path of each group of copies that is not resolved."""
    group = group_codes(undropped, COPIES)
    first = pd.Series(undropped["path"].to_numpy(object)).groupby(group).transform("first")
    is_open = np.bincount(group, weights=undropped["is_open"], minlength=1)[group] > 0
    rows = undropped.assign(detail=("copy of " + first).to_numpy(object))
    return rows[is_open & pd.Series(group).duplicated().to_numpy()], len(rows)


def _said_of_unreadable(table: pd.DataFrame, rows: StoredRows) -> Said:
    what = ("object or file", "objects or files") if has_boxes(table) else ("file", "files")
    return Said(rows.failed, f"{counted(rows.failed, *what)} could not be read")


def _unreadable_bound(table: pd.DataFrame, failures: pd.DataFrame) -> Listed:
    return failures.rename(columns={"reason": "detail"}), len(table) + len(failures)


BURSTS = Check(
    "bursts",
    finds=bursts,
    place=140,
    says=_said_of_bursts,
    short="burst{s}",
    why="One moment, or one file, counts many times, in training and in every score.",
    title="Bursts",
    ask=None,
)
COPIED = Check(
    "copies",
    finds=lambda table: members_of_groups(table, by=COPIES),
    title="Near copies",
    ask=None,
    suggests=True,
    bound=_copies_bound,
)
UNREADABLE = Check(
    "unreadable",
    place=190,
    says=_said_of_unreadable,
    short="unreadable",
    why="They are damaged, outside their picture, or not pictures at all, and can stop a training run.",
    listed_by="export table --failures",
    bound=_unreadable_bound,
)
