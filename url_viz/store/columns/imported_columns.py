"""User columns stored with an image set, one Parquet file an import, and the choice of the label.

A value belongs to a picture's id (from its path) and content: a moved or renamed file keeps its values, and a copy next
to the original gets none.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from url_viz.base.errors import ImageSetError
from url_viz.base.records import RecordFile
from url_viz.base.wording import command
from url_viz.base.workspace import SetPaths
from url_viz.store.about import set_record
from url_viz.store.columns.user_files import Kind, Values, cleaned
from url_viz.store.tables.stored_arrow import RecordParquet
from url_viz.store.tables.tables import positions_of

FOLDERS, TAGS, NAMES = "folders", "tags", "names"
"""Choices of the label: a picture's class folder (the default), its first tag, its name."""
LONGEST_IMPORT_NAME = 60
Column = NDArray[np.generic] | pd.Series
"""float64, or objects."""
_ABOUT = b"url-viz columns"
_ENDING = ".parquet"


@dataclass(frozen=True)
class Import:
    """One imported file: `ids` and `contents` (M,) int64 of M pictures, and columns (M,) by name.

    `uncertainties` are the columns that the user marked as uncertainty: higher = more ambiguous.
    """

    name: str
    file: str
    ids: NDArray[np.int64]
    contents: NDArray[np.int64]
    columns: Mapping[str, Values]
    uncertainties: frozenset[str] = field(default_factory=frozenset)

    def __post_init__(self) -> None:
        assert all(len(values.values) == len(self.ids) == len(self.contents) for values in self.columns.values())

    def rows_of(
        self, ids: NDArray[np.int64], contents: NDArray[np.int64], *, present: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """The row (N,) of each picture in this import, −1 for none: by id, else by the content of a file that is gone.

        `present` are the ids of all files of the folder.
        """
        row = positions_of(ids, self.ids)
        gone = np.flatnonzero(positions_of(self.ids, present) < 0)
        without = row < 0
        if len(gone) and without.any():
            position = positions_of(contents[without], self.contents[gone])
            row[without] = np.where(position >= 0, gone[position], -1)
        return row


def import_name(text: str) -> str:
    """A name that every system accepts for a file: at most 60 letters, digits, `-`, `_`, `.` and spaces."""
    plain = re.sub(r"[^\w. -]", "_", cleaned(text)).strip(" .")[:LONGEST_IMPORT_NAME]
    return plain or "columns"


def columns_version(paths: SetPaths) -> str:
    """A short text that changes with every import and choice of labels; "" if there is neither. Cheap."""
    statuses = []
    for path in (paths.labels, *paths.columns.glob(f"*{_ENDING}")):
        with suppress(FileNotFoundError):  # never written, or removed since it was listed
            status = path.stat()
            statuses.append((path.name, status.st_mtime_ns, status.st_size, status.st_ino))
    return hashlib.blake2b(repr(sorted(statuses)).encode(), digest_size=6).hexdigest() if statuses else ""


def imported_names(paths: SetPaths) -> list[str]:
    """The names of an image set's imports, without hidden and half-written files."""
    files = paths.columns.glob(f"*{_ENDING}") if paths.columns.is_dir() else ()
    return sorted(path.stem for path in files if not path.name.startswith("."))


def read_imports(paths: SetPaths) -> tuple[Import, ...]:
    """All imports, sorted by name. Raises DamageError if one is damaged."""
    return tuple(read_import(paths, name) for name in imported_names(paths))


def read_import(paths: SetPaths, name: str) -> Import:
    """The import of this name. Raises DamageError if it is missing or damaged."""

    def made(about: _AboutImport, table: pa.Table) -> Import:
        columns = {}
        for number, (column, kind, _) in enumerate(about.columns):
            is_text, cells = kind == "categorical", table[str(number)]
            array = np.array(cells.to_pylist(), object) if is_text else np.asarray(cells.to_numpy(), np.float64)
            columns[column] = Values(kind, array)
        ids, contents = (np.asarray(table[key].to_numpy(), np.int64) for key in ("id", "content"))
        uncertainties = frozenset(name for name, _, is_uncertainty in about.columns if is_uncertainty)
        imported = Import(name, about.file, ids, contents, columns, uncertainties)
        if about.values != _digest(imported):
            raise ValueError("its values are not as they were written")
        return imported

    return import_file(paths, name).read(made)


@dataclass(frozen=True)
class _AboutImport:
    """The columns of an import by number: name, kind, whether it is an uncertainty; and the digest of their values."""

    file: str
    columns: tuple[tuple[str, Kind, bool], ...]
    values: str


def import_file(paths: SetPaths, name: str) -> RecordParquet[_AboutImport]:
    """The file that holds an import."""
    advice = f"Remove these columns and add them again: `{command('columns', 'remove', 'FOLDER', name)}`."
    return RecordParquet(paths.columns / f"{name}{_ENDING}", _AboutImport, _ABOUT, advice)


def write_import(paths: SetPaths, imported: Import) -> None:
    """Store an import; it replaces an earlier one of the same name."""
    columns = [(name, values.kind, name in imported.uncertainties) for name, values in imported.columns.items()]
    arrays = {"id": pa.array(imported.ids), "content": pa.array(imported.contents)}
    for number, values in enumerate(imported.columns.values()):  # by number: a name may be anything, `id` as well
        is_text = values.kind == "categorical"
        arrays[str(number)] = pa.array(values.values, pa.string() if is_text else pa.float64(), from_pandas=True)
    about = _AboutImport(imported.file, tuple(columns), _digest(imported))
    import_file(paths, imported.name).write(about, pa.table(arrays))


def _digest(imported: Import) -> str:
    """The digest of an import's values: page checksums do not cover the layout of the file."""
    state = hashlib.blake2b(imported.ids.tobytes() + imported.contents.tobytes(), digest_size=8)
    for values in imported.columns.values():
        if values.kind == "numeric":
            numbers = np.asarray(values.values, np.float64)
            state.update(np.where(np.isnan(numbers), np.nan, numbers).tobytes())
        else:
            state.update(json.dumps([None if pd.isna(text) else text for text in values.values]).encode())
    return state.hexdigest()


def remove_import(paths: SetPaths, name: str) -> None:
    """Remove an import. Raises ImageSetError, with the known names, if it does not exist."""
    names = imported_names(paths)
    if name not in names:
        there = ", ".join(map(repr, names)) or "none"
        raise ImageSetError(f"There are no columns {name!r} in this image set. There are: {there}.")
    import_file(paths, name).path.unlink(missing_ok=True)


@dataclass(frozen=True)
class LabelChoice:
    """What the label of a set is, and what its pictures are kept `apart` by, where not by twins alone.

    The label is FOLDERS, TAGS, NAMES, a level, a user column, or None for none; `apart` is a user column, a level, a
    part of the name, or None.
    """

    label: str | None
    apart: str | None = None


def label_choice(paths: SetPaths) -> RecordFile[LabelChoice]:
    """The record of the choice."""
    advice = "Choose the labels again: `url-viz labels use FOLDER folders`."
    return set_record(paths, paths.labels, LabelChoice, advice, default=LabelChoice(FOLDERS))


def write_label_choice(paths: SetPaths, chosen: str | None) -> None:
    """Store the choice of the label; that of what is kept apart stays, unless the file is damaged."""
    label_choice(paths).change(lambda before: replace(before, label=chosen), anew=True)


def write_apart(paths: SetPaths, chosen: str | None) -> None:
    """Store what pictures are kept apart by. Raises DamageError for a damaged file."""
    label_choice(paths).change(lambda before: replace(before, apart=chosen))


def column_names(imports: Iterable[Import]) -> set[str]:
    """The names of all columns of these imports."""
    return {name for imported in imports for name in imported.columns}


def values_at(values: Values, row: NDArray[np.int64]) -> Column:
    """A column at the rows (N,) of an import, missing if the row is −1."""
    is_number = values.kind == "numeric"
    column = np.full(len(row), np.nan if is_number else None, float if is_number else object)
    column[row >= 0] = values.values[row[row >= 0]]
    return column if is_number else pd.Series(column, dtype=object)
