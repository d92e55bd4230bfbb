"""Derived columns on disk: tables of Arrow that are verified as they are read, and can be made again.

A file is an Arrow table of one piece, its checksum, and its length: it is read in one go, and its numbers
are those of the file, without a copy. What cannot be read, is not as it was written, or is not what it is read for, is
made again: whoever alters a file can alter its checksums too.
"""

import struct
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from url_viz.base.files import replaced
from url_viz.store.tables.tables import fixed_lists, matrix, numbers_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

MOST_CACHED = 4
"""Of one space; with another choice of labels, or another second model, the oldest goes."""
_END = struct.Struct("<Iq")
"""What stands behind a table in its file: its checksum, and its length."""
_ROWS = "rows"

Columns = dict[str, NDArray[np.generic]]
Made = TypeVar("Made")
_UNUSABLE = (
    *(OSError, pa.ArrowException, LookupError, TypeError, ValueError, AttributeError, ArithmeticError),
    *(MemoryError, RecursionError, struct.error),
)
"""What Arrow, and readers of its tables, raise for damaged or foreign files."""


def read_cached(folder: Path, space_key: str, key: str, make: Callable[[pa.Table], Made]) -> Made | None:
    """The result of `make` for the table cached under `key`; None if there is no table, or `make` refuses it."""
    try:
        data = _verified(_file(folder, space_key, key))
        return None if data is None else make(_table_in(data))
    except _UNUSABLE:
        return None


def _table_in(data: memoryview) -> pa.Table:
    """The table in a file.

    Arrow takes the number of rows that a file states as it is, and would read past the end of its columns: they are
    compared first.
    """
    table = pa.ipc.open_file(pa.py_buffer(data)).read_all()
    table.validate(full=True)
    return table


def write_cached(folder: Path, space_key: str, key: str, table: pa.Table, *, most: int = MOST_CACHED) -> None:
    """Cache a table under `key`, and keep `most` of its space; on a full or read-only disk it is made again instead."""
    with suppress(OSError):
        with replaced(_file(folder, space_key, key), is_flushed=False) as temporary:
            with pa.ipc.new_file(str(temporary), table.schema) as sink:
                sink.write_table(table.combine_chunks())
            written = np.memmap(temporary, mode="r").data
            with temporary.open("ab") as file:
                file.write(_END.pack(zlib.crc32(written), len(written)))
        files = sorted(folder.glob(f"{space_key}-*"), key=lambda path: path.stat().st_mtime)
        for path in files[:-most]:
            path.unlink()


def table_of(*records: "DataclassInstance") -> pa.Table:
    """Dataclasses whose fields are arrays (M,) as one table."""
    return pa.table({each.name: getattr(record, each.name) for record in records for each in fields(record)})


def numbers_from_table(
    table: pa.Table, schema: pa.Schema, rows: int, *, codes: Mapping[str, int] | None = None
) -> Columns:
    """Columns (M,) of numbers by name, with exactly this `schema` and number of `rows`; else raises ValueError.

    Columns in `codes` hold −1, or indices below the given counts.
    """
    require(table.schema.equals(schema), len(table) == rows, not any(column.null_count for column in table.columns))
    columns = {name: numbers_of(table[name]) for name in table.column_names}
    for name, count in (codes or {}).items():
        require_codes(columns[name], count)
    return columns


def require(*facts: bool) -> None:
    """Raise ValueError unless all these conditions hold for a cached table."""
    if not all(facts):
        raise ValueError("it is not of this set")


def require_codes(values: NDArray[np.generic], count: int) -> None:
    """Raise ValueError unless all values are −1, or indices below `count`."""
    require(not len(values) or bool(values.min() >= -1 and values.max() < count))


def rows_to_table(rows: NDArray[np.float16]) -> pa.Table:
    """Rows (N, A) as a table of one column."""
    return pa.table({_ROWS: fixed_lists(rows)})


def rows_from_table(table: pa.Table, shape: tuple[int, int]) -> NDArray[np.float16]:
    """The rows (N, A) that `rows_to_table` was given. Raises ValueError if they have another shape."""
    rows = matrix(table[_ROWS]).astype(np.float16, copy=False)
    require(rows.shape == shape)
    return rows


def _file(folder: Path, space_key: str, key: str) -> Path:
    return folder / f"{space_key}-{key}.arrow"


def _verified(path: Path) -> memoryview | None:
    """The table in a file; None if it is not as it was written."""
    data = memoryview(path.read_bytes())
    table = data[: -_END.size]
    return table if len(table) and data[-_END.size :] == _END.pack(zlib.crc32(table), len(table)) else None
