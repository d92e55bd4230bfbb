"""Arrow tables in files that are verified as they are read: Parquet with a record, and cached columns."""

import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from url_viz.base.errors import DamageError
from url_viz.base.files import replaced
from url_viz.base.records import Record, read_sealed, sealed_text
from url_viz.store.tables.tables import fixed_lists, matrix, numbers_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


UNREADABLE = (pa.ArrowException, OSError, ValueError, KeyError, TypeError, IndexError, OverflowError)
Made = TypeVar("Made")


@dataclass(frozen=True)
class RecordParquet(Generic[Record]):
    """A table in a file, with a record of `kind` under the name `key` of its metadata; written whole or not at all.

    `advice` is the next step for whoever meets a damaged file, in a sentence. A file that claims to hold more than
    `most_unpacked` times its bytes counts as damaged; 0 for no bound.
    """

    path: Path
    kind: type[Record]
    key: bytes
    advice: str
    most_unpacked: int = 0

    def find(self) -> Record | None:
        """The record, without the rows; None if there is no file. Raises DamageError if it is not as it was written."""
        try:
            return self._reading(lambda: self._record_in(pq.read_schema(self.path)))
        except DamageError:
            if not self.path.exists():
                return None
            raise

    def read(self, made: Callable[[Record, pa.Table], Made], *, columns: Sequence[str] | None = None) -> Made:
        """The result of `made` for record and rows, of which `columns` alone are read, if given.

        Raises DamageError, also where `made` refuses the rows.
        """

        def read() -> Made:
            if self.most_unpacked:
                metadata = pq.read_metadata(self.path)
                unpacked = sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))
                if unpacked > self.most_unpacked * self.path.stat().st_size:
                    raise ValueError("it says that it holds more than its bytes can")
            only = None if columns is None else [*columns]
            rows = pq.read_table(self.path, columns=only, partitioning=None, page_checksum_verification=True)
            return made(self._record_in(rows.schema), rows)

        return self._reading(read)

    def write(self, record: Record, rows: pa.Table, *, is_new: bool = False, **options: Any) -> None:
        """Write record and rows, with `options` of `pyarrow.parquet.write_table`.

        With `is_new` raises FileExistsError, and leaves the file as it is, if there is one.
        """
        with replaced(self.path, is_new=is_new) as temporary:
            pq.write_table(
                rows.replace_schema_metadata({self.key: sealed_text(record).encode()}),
                temporary,
                write_page_checksum=True,
                **options,
            )

    def _record_in(self, schema: pa.Schema) -> Record:
        return read_sealed(self.kind, (schema.metadata or {})[self.key])

    def _reading(self, read: Callable[[], Made]) -> Made:
        try:
            return read()
        except UNREADABLE as error:
            why = "it is gone" if isinstance(error, FileNotFoundError) else str(error).partition("\n")[0][:200]
            raise DamageError(f"{self.path} is damaged ({why}). {self.advice}") from error


MOST_CACHED = 4
"""Files of one space and column: with another choice of labels, or another second model, the oldest goes."""
_END = struct.Struct("<Iq")
"""Behind the table in a cached file: its checksum, and its length."""
_ROWS = "rows"

Columns = dict[str, NDArray[np.generic]]
_UNUSABLE = (
    *(OSError, pa.ArrowException, LookupError, TypeError, ValueError, AttributeError, ArithmeticError),
    *(MemoryError, RecursionError, struct.error),
)
"""What Arrow, and readers of its tables, raise for damaged or foreign files."""


def read_cached(folder: Path, space_key: str, key: str, make: Callable[[pa.Table], Made]) -> Made | None:
    """The result of `make` for the table cached under `key`; None if it is missing or damaged, or `make` refuses it.

    The file is an Arrow table in one piece, its checksum and its length. It is read in one go, and its numbers are
    those of the file, without a copy. Whoever alters a file can alter its checksum too, so `make` checks the rest.
    """
    try:
        file = memoryview((folder / f"{space_key}-{key}.arrow").read_bytes())
        data = file[: -_END.size]
        if not len(data) or file[-_END.size :] != _END.pack(zlib.crc32(data), len(data)):
            return None
        table = pa.ipc.open_file(pa.py_buffer(data)).read_all()
        table.validate(full=True)  # Arrow believes the number of rows in a file, and would read past the columns' end
        return make(table)
    except _UNUSABLE:
        return None


def write_cached(folder: Path, space_key: str, key: str, table: pa.Table, *, most: int = MOST_CACHED) -> None:
    """Cache a table under `key`, and keep `most` of its space; on a full or read-only disk it is made again instead."""
    with suppress(OSError):
        write_table(folder, space_key, key, table, most=most)


def write_table(folder: Path, space_key: str, key: str, table: pa.Table, *, most: int = MOST_CACHED) -> None:
    """As `write_cached`, but raises OSError for a full or read-only disk."""
    with replaced(folder / f"{space_key}-{key}.arrow", is_flushed=False) as temporary:
        with pa.ipc.new_file(str(temporary), table.schema) as sink:
            sink.write_table(table.combine_chunks())
        written = np.memmap(temporary, mode="r").data
        with temporary.open("ab") as file:
            file.write(_END.pack(zlib.crc32(written), len(written)))
    files = sorted(folder.glob(f"{space_key}-*"), key=lambda path: path.stat().st_mtime)
    for path in files[:-most]:
        path.unlink()


def table_of(*records: "DataclassInstance") -> pa.Table:
    """Dataclasses whose fields are arrays (M,), as one table."""
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
