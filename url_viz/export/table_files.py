"""CSV and Parquet tables that are safe to open in other programs."""

from pathlib import Path

import pandas as pd

from url_viz.errors import FolderError
from url_viz.files import replaced, require_parent
from url_viz.formulas import with_apostrophe

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
