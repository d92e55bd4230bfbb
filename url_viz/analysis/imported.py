"""What the user's own columns give the pictures of an image set."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import chain

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from url_viz.analysis.derived import Lazy, column
from url_viz.analysis.table import Frame
from url_viz.imaging.folder_classes import COLUMN_OF
from url_viz.store.columns.imported_columns import Column, Import, values_at
from url_viz.store.columns.object_columns import OBJECTS
from url_viz.store.columns.source_columns import SOURCE
from url_viz.store.columns.user_cells import Kind
from url_viz.wording import numbered

NAME = "name"
"""The column of the names that somebody gave."""


@dataclass(frozen=True)
class UserColumn:
    """A column of the user's own as it stands in the table: how many pictures have a value, and where it is from."""

    name: str
    kind: Kind
    known: int
    source: str
    is_uncertainty: bool = False

    @property
    def is_of_source(self) -> bool:
        """Whether it comes with the pictures (what annotations say of objects, say), and from no file of the user's."""
        return self.source in (OBJECTS, SOURCE)


def free_name(name: str, source: str, taken: Collection[str]) -> str:
    """The name in the table: the column's own, with the import's in front (and a number behind) if it is taken."""
    return next(unique for unique in chain([name], numbered(f"{source}_{name}")) if unique not in taken)


@dataclass(frozen=True)
class Imported:
    """What the imports of a set give its N pictures: `columns` by their names in the table, and what each `listed` is.

    `uncertainty` (N,) float32 is the first that the user marked as one; None if there is none.
    """

    columns: Mapping[str, Column]
    listed: tuple[UserColumn, ...]

    def source_of(self, name: str) -> str | None:
        """The import that a column is from; None for no column."""
        return next((column.source for column in self.listed if column.name == name), None)

    @property
    def uncertainty(self) -> NDArray[np.float32] | None:
        name = next((column.name for column in self.listed if column.is_uncertainty), None)
        return None if name is None else np.asarray(self.columns[name], np.float32)


@column()
def imported(base: Frame, imports: tuple[Import, ...], files: Lazy[pa.Table]) -> Imported:
    """The columns of all imports for the rows of the table."""
    columns: dict[str, Column] = {}
    listed: list[UserColumn] = []
    ids = base.table["id"].to_numpy(np.int64)
    for imported_file in imports:
        present = np.asarray(files()["id"].to_numpy(), np.int64)
        row = imported_file.rows_of(ids, base.contents, present=present)
        for brought, stored in imported_file.columns.items():
            values = values_at(stored, row)
            name = free_name(brought, imported_file.name, {*base.table.columns, NAME, *columns} - {*COLUMN_OF.values()})
            columns[name], count = values, int(pd.notna(values).sum())
            listed.append(
                UserColumn(name, stored.kind, count, imported_file.name, brought in imported_file.uncertainties)
            )
    return Imported(columns, tuple(listed))


def with_user_columns(table: pd.DataFrame, imported: Imported) -> pd.DataFrame:
    """A table with the user's columns at its end; one named like a level of folders takes its place."""
    if not imported.columns:
        return table
    ours = table.drop(columns=[name for name in COLUMN_OF.values() if name in imported.columns], errors="ignore")
    return pd.concat([ours, pd.DataFrame(dict(imported.columns))], axis=1)
