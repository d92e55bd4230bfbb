"""Pictures in a column of Parquet and Arrow files, as Hugging Face `datasets` and others write them."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from url_viz.errors import ImageError
from url_viz.imaging.containers.archives import read_at
from url_viz.imaging.containers.entries import (
    CLASS,
    LONGEST_CELL,
    MOST_COLUMNS,
    Columns,
    Entries,
    Entry,
    class_column,
)
from url_viz.imaging.decode import EMPTY, read_file, refuse_large

BATCH_ROWS = 64
"""Rows of a Parquet file are read so many at a time: its pages are compressed, and no row can be reached alone."""
_BATCHES = 4
_IMAGE_NAMES = ("image", "img", "picture", "photo", "jpg", "png", "bytes", "content", "data")
_UNREADABLE = (pa.ArrowException, OSError, ValueError, OverflowError, KeyError, TypeError)


class Parquet:
    """Rows of a Parquet file. The last batches stay in memory: rows of one block come after each other. Thread-safe."""

    def __init__(self, path: bytes) -> None:
        self._folder = os.path.dirname(path)
        self._lock = Lock()
        self._batches: dict[tuple[int, int], pa.Array] = {}
        self._open: tuple[int, int, Iterator[pa.RecordBatch]] | None = None
        self._starts: list[int] = []

    def entries(self, file: BinaryIO) -> Entries:
        """Every row. Raises ImageError if the file is damaged, or no column of it holds pictures."""
        try:
            parquet = _parquet(file)
            image_column(parquet.schema_arrow)
            columns = _said(parquet.schema_arrow, lambda name: parquet.read(columns=[name])[name])
            sizes = [parquet.metadata.row_group(group).num_rows for group in range(parquet.num_row_groups)]
            if any(len(values) != sum(sizes) for values in columns.values()):
                raise ValueError("its columns differ in their number of rows")
        except _UNREADABLE as error:
            raise ImageError(f"cannot be read as Parquet: {error}") from error
        entries = [
            Entry(_key(start + row), 0, start + row, (group, row // BATCH_ROWS))
            for group, (start, size) in enumerate(_spans(sizes))
            for row in range(size)
        ]
        return Entries(entries, columns)

    def read(self, file: BinaryIO, entry: Entry) -> bytes:
        try:
            with self._lock:
                value = self._value(file, entry.at)
        except _UNREADABLE as error:
            raise ImageError(f"cannot be read from its Parquet file: {error}") from error
        return _bytes_of(value, self._folder)

    def _value(self, file: BinaryIO, row: int) -> Any:
        if not self._starts:
            metadata = _parquet(file).metadata
            sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
            self._starts = [start for start, _ in _spans(sizes)]
        group = sum(start <= row for start in self._starts) - 1
        if group < 0:
            raise ImageError("is no row of its file any more")
        batch, at = divmod(row - self._starts[group], BATCH_ROWS)
        if (group, batch) not in self._batches:
            self._load(file, group, batch)
        values = self._batches[group, batch]
        if at >= len(values):
            raise ImageError("is no row of its file any more")
        return values[at].as_py()

    def _load(self, file: BinaryIO, group: int, batch: int) -> None:
        """Read on to a batch of a row group, from its start unless the last batch that was read lies before it."""
        if self._open is None or self._open[0] != group or self._open[1] > batch:
            parquet = _parquet(file)
            name = image_column(parquet.schema_arrow)
            self._open = group, 0, parquet.iter_batches(BATCH_ROWS, row_groups=[group], columns=[name])
        _, number, batches = self._open
        for record in batches:
            number += 1
            self._open = group, number, batches
            if number > batch:
                column = record.column(0)
                column.validate(full=True)
                self._batches[group, batch] = column
                while len(self._batches) > _BATCHES:
                    del self._batches[next(iter(self._batches))]
                return
        raise ImageError("is no row of its file any more")


class Arrow:
    """Rows of an Arrow file that is not compressed, stream or file: each by the place of its bytes."""

    def __init__(self, path: bytes) -> None:
        self._folder = os.path.dirname(path)

    def entries(self, file: BinaryIO) -> Entries:
        """Every row. Raises ImageError if the file is damaged, compressed, or no column of it holds pictures."""
        if not (size := os.fstat(file.fileno()).st_size):
            raise ImageError(EMPTY)
        try:
            with pa.memory_map(f"/dev/fd/{file.fileno()}") as mapped:
                start = mapped.read_buffer(size).address
                mapped.seek(0)
                table = _arrow_table(mapped)
                name = image_column(table.schema)
                entries: list[Entry] = []
                for chunk in table[name].chunks:
                    chunk.validate(full=True)
                    entries += _places(chunk, start, size, first=len(entries))
                return Entries(entries, _said(table.schema, table.column))
        except _UNREADABLE as error:
            raise ImageError(f"cannot be read as Arrow: {error}") from error

    def read(self, file: BinaryIO, entry: Entry) -> bytes:
        """The bytes of a row's picture, or of the file beside it that the row names."""
        if entry.at >= 0:
            return read_at(file, entry.at, entry.size_bytes)
        with pa.memory_map(f"/dev/fd/{file.fileno()}") as mapped:
            table = _arrow_table(mapped)
            return _bytes_of(table[image_column(table.schema)][int(entry.key)].as_py(), self._folder)


def image_column(schema: pa.Schema) -> str:
    """The column of pictures: bytes, or bytes with a path. Raises ImageError, which names the columns, for none."""
    declared = [name for name, feature in _features(schema).items() if feature.get("_type") == "Image"]
    fitting = [field.name for field in schema if _holds_pictures(field.type)]
    usual = [name for name in _IMAGE_NAMES for one in fitting if (name == one.casefold()) for name in [one]]
    structs = [name for name in fitting if pa.types.is_struct(schema.field(name).type)]
    for name in (*declared, *usual, *structs, *(fitting if len(fitting) == 1 else ())):
        if name in fitting:
            return str(name)
    listed = ", ".join(f"{field.name} ({str(field.type)[:40]})" for field in list(schema)[:12])
    raise ImageError(f"has no column of pictures (bytes, or a struct of bytes and path), but {listed}")


def _holds_pictures(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return bool(kind.get_field_index("bytes") >= 0 and _holds_pictures(kind.field("bytes").type))
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _features(schema: pa.Schema) -> Mapping[str, Mapping[str, Any]]:
    """What Hugging Face's `datasets` notes of the columns."""
    try:
        features = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        return {name: feature for name, feature in features.items() if isinstance(feature, dict)}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _said(schema: pa.Schema, column: Any) -> Columns:
    """The columns of text and numbers, classes by their names; `column` gives one by its name."""
    features = _features(schema)
    plain = [field.name for field in schema if _is_plain(field.type)][:MOST_COLUMNS]
    declared = (name for name in plain if features.get(name, {}).get("_type") == "ClassLabel")
    of_class = next(declared, None) or class_column(plain)
    said = {}
    for name in plain:
        names = features.get(name, {}).get("names")
        values = _cells(column(name))
        if isinstance(names, list):
            values = [str(names[at]) if isinstance(at, int) and 0 <= at < len(names) else None for at in values]
        said[CLASS if name == of_class else name] = values
    return said


def _is_plain(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_integer, pa.types.is_floating)
    return any(test(kind) for test in (*tests, pa.types.is_boolean))


def _cells(column: pa.ChunkedArray) -> list[object]:
    column.validate(full=True)  # offsets that lead out of a damaged file would end the process
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = pc.utf8_slice_codeunits(column, 0, LONGEST_CELL)
    cells: list[object] = column.to_pylist()
    return cells


def _key(row: int) -> bytes:
    return b"%07d" % row


def _spans(sizes: Iterable[int]) -> list[tuple[int, int]]:
    spans, start = [], 0
    for size in sizes:
        spans.append((start, size))
        start += size
    return spans


def _parquet(file: BinaryIO) -> pq.ParquetFile:
    """An open file, which is opened once more: what reads on in it outlives the one that was given."""
    return pq.ParquetFile(pa.OSFile(f"/dev/fd/{file.fileno()}"), pre_buffer=False, buffer_size=1 << 20)


def _arrow_table(mapped: pa.MemoryMappedFile) -> pa.Table:
    is_file = mapped.read(6) == b"ARROW1"
    mapped.seek(0)
    reader = pa.ipc.open_file(mapped) if is_file else pa.ipc.open_stream(mapped)
    return reader.read_all()


def _places(chunk: pa.Array, start: int, size: int, *, first: int) -> Iterator[Entry]:
    """Where the bytes of each picture lie in a file of that `size` which is mapped at `start`; −1 for a row without."""
    data = pc.struct_field(chunk, "bytes") if pa.types.is_struct(chunk.type) else chunk
    *_, offsets, values = data.buffers()
    width = np.int64 if pa.types.is_large_binary(data.type) else np.int32
    known = np.frombuffer(offsets, width)[data.offset : data.offset + len(data) + 1].tolist() if len(data) else []
    lies = (values.address if values else start) - start
    if not 0 <= lies <= size:
        raise ValueError("its columns are compressed. Write it without compression, or as Parquet")
    is_null = data.is_null().to_pylist()
    for row in range(len(data)):
        yield Entry(_key(first + row), known[row + 1] - known[row], -1 if is_null[row] else lies + known[row])


def _bytes_of(value: Any, folder: bytes) -> bytes:
    """The bytes of a picture, or of the file that the row names, which must lie beside its container."""
    data = value.get("bytes") if isinstance(value, dict) else value
    if data is None and isinstance(value, dict) and value.get("path"):
        return read_file(os.path.join(folder, os.fsencode(value["path"])), within=(Path(os.fsdecode(folder)),))
    if not data:
        raise ImageError(EMPTY)
    refuse_large(len(data))
    return bytes(data)
