"""The table of an image set with what is decided of each picture, always as it is now."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from url_viz.index.claims import Files
from url_viz.index.decisions import Decisions
from url_viz.index.tables import positions_of


def decisions_of(path: Path, files: pa.Table) -> Decisions:
    """The decisions in the file `path`; `files` are the columns id and content of the table of files.

    All readable files take part, also those that the present model has not read: what is decided of a file must not
    depend on the model one looks with.
    """
    readable = files.filter(files["content"].is_valid())
    ids, contents = (np.asarray(readable[name].to_numpy(), np.int64) for name in ("id", "content"))
    return Decisions(path, Files(ids, contents))


@dataclass(frozen=True)
class _Joined:
    """A table, where its pictures are among all files, and the table with decisions as they were at a version."""

    table: pd.DataFrame
    rows: NDArray[np.int64]
    version: int
    result: pd.DataFrame


class DecidedTable:
    """Joins `decision` and `tags` to a table, anew only where either has changed."""

    def __init__(self, decisions: Decisions) -> None:
        self._decisions = decisions
        self._known: _Joined | None = None

    def joined(self, table: pd.DataFrame) -> pd.DataFrame:
        """`table` (with `id`) and two more columns: decision (None, keep, drop, look-again) and tags ("a; b")."""
        now, known = self._decisions.now(), self._known
        if known is None or known.table is not table or known.version != now.version:
            if known is not None and known.table is table:
                rows = known.rows
            else:
                rows = positions_of(table["id"].to_numpy(), self._decisions.files.id)
            own = now.take(rows)
            columns = {
                name: pd.Series(values, index=table.index, dtype=object)
                for name, values in (("decision", own.decision), ("tags", own.tags))
            }
            known = self._known = _Joined(table, rows, now.version, table.assign(**columns))
        return known.result
