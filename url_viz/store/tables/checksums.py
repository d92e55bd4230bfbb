"""Checksums of table rows, stored in columns of the table and verified when rows are read.

A checksum is a sum, modulo 2^64, over a row: each 64-bit word (or smaller number) times an odd constant of its column
and position, whether a value is present, and the CRC of bytes and texts. An odd constant has an inverse, so no flip
of a single bit leaves the sum as it was; larger damage passes once in 2^64 (2^32 within one text). It travels with its
row through merging, compacting and packing, which a checksum of files would not: those write damage down as new.

The column `checksum` covers all columns except those with a separate one, such as `thumbnail` in
`thumbnail_checksum`: a large column is verified only when it is read. Tables without such columns, and rows in which
they are null, come from older versions and are accepted.
"""

import zlib
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from url_viz.store.tables.tables import matrix

CHECKSUM = "checksum"
_OWN = "_checksum"
_NEVER = ("size_bytes", "mtime_ns")
"""Columns without a checksum: they decide only whether a file is read again."""
_MASK = (1 << 64) - 1


class ChecksumError(ValueError):
    """Rows that are not as they were written."""


def with_checksums(schema: pa.Schema, *, apart: Sequence[str] = ()) -> pa.Schema:
    """The schema with a column for the checksum, and a separate one for each column in `apart`."""
    names = [CHECKSUM, *(name + _OWN for name in apart)]
    return pa.schema([*schema, *(pa.field(name, pa.int64()) for name in names)])


def covered(names: Sequence[str]) -> dict[str, list[str]]:
    """The columns that each checksum column covers, for a table with the columns `names`; the key comes first.

    A column with a separate checksum is summed together with the key, so that cells moved to another row are detected.
    """
    apart = {name + _OWN: name for name in names if name + _OWN in names}
    plain = [name for name in names if name not in (CHECKSUM, *apart, *_NEVER)]
    columns = {own: [plain[0], name] for own, name in apart.items()}
    if CHECKSUM in names:
        columns[CHECKSUM] = [name for name in plain if name not in apart.values()]
    return columns


def columns_to_read(schema: pa.Schema, wanted: Sequence[str]) -> list[str]:
    """The columns to read from a stored table so that those `wanted` can be verified."""
    checksums = covered(schema.names)
    chosen = [own for own, (_, *others) in checksums.items() if any(name in wanted for name in others)]
    if not chosen and CHECKSUM in checksums:  # the key alone
        chosen = [CHECKSUM]
    needed = [*wanted, *(name for own in chosen for name in (*checksums[own], own))]
    return list(dict.fromkeys(needed))


def summed(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Rows with the checksums that a stored table of `schema` has columns for."""
    for own, columns in covered(schema.names).items():
        rows = rows.append_column(own, pa.array(_sums(rows, columns)))
    return rows.select(schema.names).cast(schema)


def verified(rows: pa.Table, wanted: Sequence[str]) -> pa.Table:
    """The columns `wanted` of rows read with `columns_to_read`. Raises ChecksumError if a row is damaged."""
    for own, columns in covered(rows.schema.names).items():
        stored = rows[own]
        differ = np.asarray(stored.fill_null(0).to_numpy()) != _sums(rows, columns)
        if stored.null_count:
            differ &= np.asarray(stored.is_valid().to_numpy())
        if differ.any():
            raise ChecksumError(f"{differ.sum():,} of {len(rows):,} rows are not as they were written")
    return rows.select(list(wanted))


def _sums(rows: pa.Table, columns: Sequence[str]) -> NDArray[np.int64]:
    """The checksum (M,) of M rows over these columns."""
    total = np.full(len(rows), _constants(CHECKSUM, 1)[0], np.uint64)
    for name in columns:
        total += _of_column(rows[name], name)
    return total.view(np.int64)


def _of_column(column: pa.ChunkedArray, name: str) -> NDArray[np.uint64]:
    words = _words(column)
    constants = _constants(name, words.shape[1] + 1)
    is_there = np.asarray(column.is_valid().to_numpy()) if column.null_count else np.ones(1, bool)
    sums: NDArray[np.uint64] = np.einsum("mw,w->m", words, constants[:-1])
    sums += is_there * constants[-1]
    return sums


def _words(column: pa.ChunkedArray) -> NDArray[np.uint64]:
    """The values of a column as unsigned words (M, W), 0 for null."""
    kind = column.type
    if pa.types.is_fixed_size_list(kind):
        return _as_words(matrix(column))
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        if column.null_count == len(column):
            return np.zeros((len(column), 1), np.uint64)
        return np.fromiter(map(zlib.crc32, _bytes_of(column)), np.uint64, len(column))[:, None]
    plain = column.cast(pa.uint8()) if pa.types.is_boolean(kind) else column
    values = plain.fill_null(0) if column.null_count else plain
    return _as_words(np.asarray(values.to_numpy())[:, None])


def _bytes_of(column: pa.ChunkedArray) -> Iterator[memoryview]:
    """The bytes of each cell, empty for null; views, since thumbnails are the largest part of a set."""
    for chunk in column.cast(pa.large_binary()).fill_null(b"").chunks:
        _, offsets, data = chunk.buffers()
        ends = np.frombuffer(offsets, np.int64)[chunk.offset : chunk.offset + len(chunk) + 1].tolist()
        cells = memoryview(data) if data is not None else memoryview(b"")
        yield from (cells[start:end] for start, end in pairwise(ends))


def _as_words(array: NDArray[np.generic]) -> NDArray[np.uint64]:
    """The bits of the rows of an array (M, K), eight bytes per word if they fit, else one number per word."""
    rows = np.ascontiguousarray(array)
    size = 8 if rows.shape[1] * rows.itemsize % 8 == 0 else rows.itemsize
    return rows.view(f"u{size}").astype(np.uint64, copy=False)


@cache
def _constants(name: str, count: int) -> NDArray[np.uint64]:
    """Odd constants (count,) of a column: SplitMix64 seeded with the CRC of its name, the same in every version."""
    start = zlib.crc32(name.encode()) << 32
    return np.array([_mixed(start + position) | 1 for position in range(count)], np.uint64)


def _mixed(number: int) -> int:
    number = (number + 1) * 0x9E3779B97F4A7C15 & _MASK
    number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    number = (number ^ number >> 27) * 0x94D049BB133111EB & _MASK
    return number ^ number >> 31
