"""Tables for other programs: CSV and Parquet that are safe to open, and JSON records, null for nan and infinity."""

import json
import math
import re
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd

from url_viz.errors import FolderError
from url_viz.escaping import with_apostrophe
from url_viz.files import replaced, require_parent
from url_viz.wording import numbered

KINDS = (".csv", ".parquet")


def write_table(table: pd.DataFrame, path: Path) -> Path:
    """Write `table` to a .csv or .parquet file, atomically. Raises FolderError for another extension."""
    if path.suffix.lower() not in KINDS:
        raise FolderError(f"{path.name!r} ends neither in .csv nor in .parquet. Give the file one of these endings.")
    return write_bytes(table_bytes(table, path.suffix.lower()), path)


def write_bytes(data: bytes, path: Path) -> Path:
    """Write a file atomically. Raises FolderError if it cannot be written, or its folder is not there."""
    require_parent(path)
    try:
        with replaced(path.expanduser().absolute()) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise FolderError(f"Cannot write {str(path)!r}: {error.strerror}. Choose another path.") from error
    return path


def table_bytes(table: pd.DataFrame, kind: str) -> bytes:
    """The bytes of `table` as a file of `kind` (".csv" or ".parquet")."""
    plain = table.copy()
    plain.attrs = {}
    if kind == ".parquet":
        return bytes(plain.to_parquet(index=False))
    return without_formulas(plain).to_csv(index=False).encode("utf-8")


def without_formulas(table: pd.DataFrame) -> pd.DataFrame:
    """The table with an apostrophe before text cells and column names that a spreadsheet would run as a formula."""
    safe = table.rename(columns=_inert)
    for column, kind in enumerate(safe.dtypes):
        if isinstance(kind, pd.CategoricalDtype) or not pd.api.types.is_numeric_dtype(kind):
            safe.isetitem(column, [_inert(value) for value in safe.iloc[:, column]])
    return safe


def _inert(value: object) -> object:
    return with_apostrophe(value) if isinstance(value, str) else value


def known_columns(table: pd.DataFrame) -> pd.DataFrame:
    """The columns in which at least one picture has a value: a loader cannot infer the type of the others."""
    keep = [name for name in table.columns if any(_known(value) and value != "" for value in table[name])]
    return table[keep]


def column_names(columns: Collection[str], *, reserved: Collection[str]) -> dict[str, str]:
    """A name for each column: letters, digits and _, a letter first, none of `reserved`, no two the same."""
    name_of: dict[str, str] = {}
    for column in columns:
        plain = re.sub(r"\W", "_", str(column))
        wanted = plain if plain[:1].isalpha() and plain.lower() not in reserved else f"own_{plain.lstrip('_')}"
        used = {*reserved, *(name.lower() for name in name_of.values())}
        name_of[column] = next(name for name in numbered(wanted) if name.lower() not in used)
    return name_of


def plain_value(value: object) -> object:
    """A value of a table for JSON: nan, infinity and missing values are null; numpy scalars become Python's."""
    if not _known(value):
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, bool | int | str) else str(value)


def as_json(record: object, *, indent: int | None = None) -> str:
    """A record as JSON; raises ValueError for NaN and infinity, which JSON lacks."""
    return json.dumps(record, ensure_ascii=False, allow_nan=False, indent=indent)


def _known(value: object) -> bool:
    if value is None or value is pd.NA:
        return False
    return not (isinstance(value, float | np.floating) and not math.isfinite(value))
