"""Matching of stored decisions to the present files, also after files were moved or edited."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.store.decision_rows import Decided, undecided
from url_viz.store.tables import positions_of


@dataclass(frozen=True)
class FileKeys:
    """The keys of the present files of a folder: `id` (N,) int64, each once, and `content` (N,) int64."""

    id: NDArray[np.int64]
    content: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.id)

    def rows_of(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row of each of `ids` (M,); −1 if it is missing. Those of all files in their order cost no search."""
        return np.arange(len(ids)) if np.array_equal(ids, self.id) else positions_of(ids, self.id)


def match_decisions(files: FileKeys, stored: Decided) -> NDArray[np.int64]:
    """For each of N files the row of its decision among S stored ones, pairs of id and content; −1 for none.

    A file gets the pair with its id and content; else one with its content whose file is gone or has another content
    now (it was moved); else the latest one with its id (it was edited in place). Each pair is used at most once. Of
    several copies that moved, the first file gets the oldest pair; pairs without a decision come after the others.
    """
    matched = np.full(len(files), -1, np.int64)
    if not len(files) or not len(stored):
        return matched
    position = positions_of(stored.id, files.id)
    is_own = (position >= 0) & (files.content[position] == stored.content)
    matched[position[is_own]] = np.flatnonzero(is_own)
    free = np.flatnonzero(~is_own)
    is_decided = stored.differs_from(undecided(stored.id, stored.content))
    free = free[np.argsort(~is_decided[free], kind="stable")]
    _match_moved(matched, free, files, stored.content)
    _match_edited(matched, files, stored.id)
    return matched


def _match_moved(
    matched: NDArray[np.int64], free: NDArray[np.int64], files: FileKeys, stored_content: NDArray[np.int64]
) -> None:
    """Assign free pairs to unmatched files by content, in order if there are several."""
    waiting = np.flatnonzero(matched < 0)
    if not len(free) or not len(waiting):
        return
    position = _counted(stored_content[free]).get_indexer(_counted(files.content[waiting]))
    matched[waiting[position >= 0]] = free[position[position >= 0]]


def _counted(contents: NDArray[np.int64]) -> pd.MultiIndex:
    """Contents (N,), each with the number of equal ones before it: no two are the same."""
    return pd.MultiIndex.from_arrays([contents, pd.Series(contents).groupby(contents).cumcount()])


def _match_edited(matched: NDArray[np.int64], files: FileKeys, stored_id: NDArray[np.int64]) -> None:
    """Assign unused pairs to unmatched files by id, the latest pair first."""
    is_free = np.ones(len(stored_id), bool)
    is_free[matched[matched >= 0]] = False
    free = np.flatnonzero(is_free)[::-1]
    waiting = np.flatnonzero(matched < 0)
    position = positions_of(files.id[waiting], stored_id[free])
    matched[waiting[position >= 0]] = free[position[position >= 0]]
