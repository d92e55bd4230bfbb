"""Parquet files that hold a sealed record of their rows, which is read without them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from url_viz.base.errors import DamageError
from url_viz.base.files import replaced
from url_viz.base.records import Record, read_sealed, sealed_text

UNREADABLE = (pa.ArrowException, OSError, ValueError, KeyError, TypeError, IndexError, OverflowError)
Made = TypeVar("Made")


@dataclass(frozen=True)
class RecordParquet(Generic[Record]):
    """A table in a file, with a record of `kind` under the name `key` of its metadata; written whole or not at all.

    `advice` is the next step for whoever meets a damaged file, in a sentence. A file that says it holds more than
    `most_unpacked` times its bytes is one; 0 for any.
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
        """What is `made` of record and rows; raises DamageError, also for what `made` raises of unfit rows.

        With `columns` only these are read.
        """

        def read() -> Made:
            only = None if columns is None else [*columns]
            if self.most_unpacked:
                self._refuse_inflated()
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

    def _refuse_inflated(self) -> None:
        metadata = pq.read_metadata(self.path)
        groups = map(metadata.row_group, range(metadata.num_row_groups))
        if sum(group.total_byte_size for group in groups) > self.most_unpacked * self.path.stat().st_size:
            raise ValueError("it says that it holds more than its bytes can")

    def _record_in(self, schema: pa.Schema) -> Record:
        return read_sealed(self.kind, (schema.metadata or {})[self.key])

    def _reading(self, read: Callable[[], Made]) -> Made:
        try:
            return read()
        except UNREADABLE as error:
            why = "it is gone" if isinstance(error, FileNotFoundError) else str(error).partition("\n")[0][:200]
            raise DamageError(f"{self.path} is damaged ({why}). {self.advice}") from error
