"""Pictures in a column of Parquet and Arrow files, as Hugging Face `datasets` and others write them."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from url_viz.base.errors import ImageError
from url_viz.imaging.containers.archives import (
    CLASS,
    LONGEST_CELL,
    MOST_COLUMNS,
    Columns,
    Entries,
    class_column,
    read_at,
)
from url_viz.imaging.decode import EMPTY, read_file, refuse_large

BATCH_ROWS, BATCH_BYTES = 64, 32 << 20
"""The pictures of a Parquet file that are read together: its pages are compressed, and no row can be reached alone."""
_MOST_BATCHES = 4
_CELL_ROWS = 8192
"""The rows whose cells are read together."""
MOST_ROWS, MOST_ROWS_A_BYTE = 100_000, 8
"""A file that claims more rows, both in all and for each of its bytes, is refused."""
_IMAGE_NAMES = ("image", "img", "picture", "photo", "jpg", "png", "bytes", "content", "data")
_NO_ROW = "is no row of its file any more"


class Parquet:
    """Rows of a Parquet file. The last batches stay in memory: rows of one block are read one after the other."""

    def __init__(self, path: bytes) -> None:
        self._folder = os.path.dirname(path)
        self._batches: dict[tuple[int, int], pa.Array] = {}
        self._open: tuple[int, int, Iterator[pa.RecordBatch]] | None = None
        self._spans: list[_Span] = []

    def entries(self, file: BinaryIO) -> Entries:
        """Every row. Raises ImageError if no column holds pictures."""
        parquet, schema = _parquet(file)
        spans = _spans(parquet.metadata, image_column(schema))
        rows = sum(span.rows for span in spans)
        _refuse_rows(rows, file)
        cells = _Cells(schema)
        if names := [*cells.values]:
            for batch in parquet.iter_batches(_CELL_ROWS, columns=names, use_threads=False):
                cells.add(batch)
        if any(len(values) != rows for values in cells.columns.values()):
            raise ImageError("cannot be read: its columns differ in their number of rows")
        return Entries(
            [*map(_key, range(rows))],
            [0] * rows,
            [*range(rows)],
            [group for group, span in enumerate(spans) for _ in range(span.rows)],
            [row // span.at_once for span in spans for row in range(span.rows)],
            cells.columns,
        )

    def read(self, file: BinaryIO, position: int, size_bytes: int) -> Sequence[bytes]:
        """The bytes of a row's picture, and of those after it in its batch, up to the first that cannot be read."""
        if not self._spans:
            parquet, schema = _parquet(file)
            self._spans = _spans(parquet.metadata, image_column(schema))
        group = sum(span.start <= position for span in self._spans) - 1
        if group < 0:
            raise ImageError(_NO_ROW)
        batch, row = divmod(position - self._spans[group].start, self._spans[group].at_once)
        if (group, batch) not in self._batches:
            self._load(file, group, batch)
        values = self._batches[group, batch][row:]
        if not len(values):
            raise ImageError(_NO_ROW)
        pictures = [_bytes_of(values[0].as_py(), self._folder)]
        left = BATCH_BYTES - len(pictures[0])
        with suppress(Exception):  # read by itself, that row gives the reason
            for value in values[1:]:
                pictures.append(_bytes_of(value.as_py(), self._folder))
                if (left := left - len(pictures[-1])) < 0:
                    break
        return pictures

    def _load(self, file: BinaryIO, group: int, batch: int) -> None:
        """Read on to a batch of a row group, from the group's start unless the last batch read was an earlier one."""
        if self._open is None or self._open[0] != group or self._open[1] > batch:
            parquet, schema = _parquet(file)
            how = {"row_groups": [group], "columns": [image_column(schema)], "use_threads": False}
            self._open = group, 0, parquet.iter_batches(self._spans[group].at_once, **how)
        _, number, batches = self._open
        self._open = None  # after an error it is read from its start
        for record in batches:
            number += 1
            if number > batch:
                column = record.column(0)
                column.validate(full=True)
                self._open = group, number, batches
                self._batches[group, batch] = column
                while len(self._batches) > _MOST_BATCHES:
                    del self._batches[next(iter(self._batches))]
                return
        raise ImageError(_NO_ROW)


class Arrow:
    """Rows of an Arrow file or stream that is not compressed, each by the place of its bytes.

    A row without bytes, which may name a file, has a position below 0.
    """

    def __init__(self, path: bytes) -> None:
        self._folder = os.path.dirname(path)
        self._named: pa.ChunkedArray | None = None

    def entries(self, file: BinaryIO) -> Entries:
        """Every row. Raises ImageError if the file is compressed, or no column of it holds pictures."""
        if not (size := os.fstat(file.fileno()).st_size):
            raise ImageError(EMPTY)
        with pa.memory_map(f"/dev/fd/{file.fileno()}") as mapped:
            start = mapped.read_buffer(size).address
            mapped.seek(0)
            schema, batches = _arrow_batches(mapped)
            name, cells = image_column(schema), _Cells(schema)
            places: list[tuple[int, int]] = []
            for batch in batches:
                _refuse_rows(len(places) + batch.num_rows, file)
                chunk = batch.column(name)
                chunk.validate(full=True)
                places += _places(chunk, start, size, first=len(places))
                cells.add(batch)
        keys = [*map(_key, range(len(places)))]
        return Entries(
            keys, [length for length, _ in places], [position for _, position in places], columns=cells.columns
        )

    def read(self, file: BinaryIO, position: int, size_bytes: int) -> Sequence[bytes]:
        """The bytes of a row's picture, or of the file beside it that the row names."""
        if position >= 0:
            return (read_at(file, position, size_bytes),)
        if self._named is None:
            schema, batches = _arrow_batches(pa.memory_map(f"/dev/fd/{file.fileno()}"))
            self._named = pa.Table.from_batches(batches, schema)[image_column(schema)]
            self._named.validate(full=True)
        return (_bytes_of(self._named[-1 - position].as_py(), self._folder),)


def _refuse_rows(rows: int, file: BinaryIO) -> None:
    size_bytes = os.fstat(file.fileno()).st_size
    if rows > max(MOST_ROWS, MOST_ROWS_A_BYTE * size_bytes):
        raise ImageError(f"says that it has {rows:,} rows, and cannot in {size_bytes:,} bytes")


def image_column(schema: pa.Schema) -> str:
    """The column of pictures: bytes, or bytes with a path. Raises ImageError, which lists the columns, without one."""
    declared = [name for name, feature in _features(schema).items() if feature.get("_type") == "Image"]
    fitting = [field.name for field in schema if _holds_pictures(field.type)]
    usual = [column for name in _IMAGE_NAMES for column in fitting if column.casefold() == name]
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
    try:
        features = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        return {name: feature for name, feature in features.items() if isinstance(feature, dict)}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


class _Cells:
    """The values of the first columns of text and numbers, added batch by batch."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        plain = [field.name for field in schema if _is_plain(field.type)]
        self.values: dict[str, list[object]] = {name: [] for name in plain[:MOST_COLUMNS]}

    def add(self, batch: pa.RecordBatch) -> None:
        for name, values in self.values.items():
            values.extend(_cells(batch.column(name)))

    @property
    def columns(self) -> Columns:
        """The columns by name, with names of classes in place of their numbers."""
        features = _features(self._schema)
        columns: dict[str, Sequence[object]] = {}
        declared = (name for name in self.values if features.get(name, {}).get("_type") == "ClassLabel")
        of_class = next(declared, None) or class_column(self.values)
        for name, values in self.values.items():
            classes = features.get(name, {}).get("names")
            named = [_class_name(code, classes) for code in values] if isinstance(classes, list) else values
            columns[CLASS if name == of_class else name] = named
        return columns


def _class_name(code: object, names: Sequence[object]) -> str | None:
    return str(names[code]) if isinstance(code, int) and 0 <= code < len(names) else None


def _is_plain(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_integer, pa.types.is_floating)
    return any(test(kind) for test in (*tests, pa.types.is_boolean))


def _cells(column: pa.Array) -> list[object]:
    """The values of a column, long text cut. A dictionary is not unfolded by Arrow: it may grow without end."""
    column.validate(full=True)  # offsets that lead out of a damaged file would end the process
    if pa.types.is_dictionary(column.type):
        words = _cells(column.dictionary)
        return [None if index is None else words[index] for index in column.indices.to_pylist()]
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = pc.utf8_slice_codeunits(column, 0, LONGEST_CELL)
    cells: list[object] = column.to_pylist()
    return cells


def _key(row: int) -> bytes:
    return b"%07d" % row


class _Span(NamedTuple):
    """A row group: its first row, its number of rows, and how many of them are read together."""

    start: int
    rows: int
    at_once: int


def _spans(metadata: pq.FileMetaData, name: str) -> list[_Span]:
    """The row groups; about `BATCH_BYTES` of the column `name` are read together."""
    spans, start = [], 0
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        columns = map(group.column, range(group.num_columns))
        unpacked = sum(chunk.total_uncompressed_size for chunk in columns if chunk.path_in_schema.split(".")[0] == name)
        fitting = BATCH_BYTES * group.num_rows // max(1, unpacked)
        spans.append(_Span(start, group.num_rows, min(max(1, fitting), BATCH_ROWS)))
        start += group.num_rows
    return spans


def parquet_sizes(data: bytes) -> dict[str, int]:
    """The rows and columns of a Parquet file, and the bytes of its values in memory, with each repeated text."""
    metadata = pq.read_metadata(pa.BufferReader(data))
    columns, unfolded = range(metadata.num_columns), 0
    schema = [metadata.schema.column(number) for number in columns]
    sizes = [max(64 if column.physical_type == "BYTE_ARRAY" else 8, int(column.length)) for column in schema]
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        chunks = map(group.column, columns)
        unfolded += sum(max(c.total_uncompressed_size, c.num_values * s) for c, s in zip(chunks, sizes, strict=True))
    return {"rows": metadata.num_rows, "columns": metadata.num_columns, "bytes": unfolded}


def _parquet(file: BinaryIO) -> tuple[pq.ParquetFile, pa.Schema]:
    """A file, opened once more to outlive the one that is given, and its schema.

    Text and bytes come as dictionaries: a small page may hold one value a million times.
    """
    opened = pa.OSFile(f"/dev/fd/{file.fileno()}")
    plain = pq.ParquetFile(opened)
    columns = map(plain.metadata.schema.column, range(plain.metadata.num_columns))
    texts = [column.path for column in columns if column.physical_type == "BYTE_ARRAY"]
    how = {"metadata": plain.metadata, "read_dictionary": texts, "pre_buffer": False, "buffer_size": 1 << 20}
    return pq.ParquetFile(opened, **how), plain.schema_arrow


def _arrow_batches(mapped: pa.MemoryMappedFile) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    is_file = mapped.read(6) == b"ARROW1"
    mapped.seek(0)
    if not is_file:
        stream = pa.ipc.open_stream(mapped)
        return stream.schema, iter(stream)
    reader = pa.ipc.open_file(mapped)
    return reader.schema, map(reader.get_batch, range(reader.num_record_batches))


def _places(chunk: pa.Array, start: int, size: int, *, first: int) -> Iterator[tuple[int, int]]:
    """The size of each picture, and its offset in a file of that `size` mapped at `start`; below 0 without bytes."""
    data = pc.struct_field(chunk, "bytes") if pa.types.is_struct(chunk.type) else chunk
    *_, offsets, values = data.buffers()
    width = np.int64 if pa.types.is_large_binary(data.type) else np.int32
    starts = np.frombuffer(offsets, width)[data.offset : data.offset + len(data) + 1].tolist() if len(data) else []
    lies = (values.address if values else start) - start
    if not 0 <= lies <= size:
        raise ImageError("cannot be read: its columns are compressed. Write it without compression, or as Parquet")
    is_null = data.is_null().to_pylist()
    for row in range(len(data)):
        yield starts[row + 1] - starts[row], -1 - first - row if is_null[row] else lies + starts[row]


def _bytes_of(value: Any, folder: bytes) -> bytes:
    """The bytes in a row, or of the file that it names, which must lie beside its container."""
    data = value.get("bytes") if isinstance(value, dict) else value
    if data is None and isinstance(value, dict) and value.get("path"):
        return read_file(os.path.join(folder, os.fsencode(value["path"])), within=(Path(os.fsdecode(folder)),))
    if not data:
        raise ImageError(EMPTY)
    refuse_large(len(data))
    return bytes(data)
