"""Streaming reads of the embedding table, which need no second array of its size."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from url_viz.store.checksums import ChecksumError, columns_to_read, verified
from url_viz.store.tables import Embeddings, matrix

ROWS_AT_ONCE = 16_384
_VERIFIED = ("content", "embedding")

Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]


def size_of(table: Any) -> int:
    """The embedding size D."""
    return int(table.schema.field("embedding").type.list_size)


def parts_of(table: Any, contents: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], Embeddings]]:
    """The embeddings of `contents` (M,), which may repeat, in parts: rows of `contents`, and their embeddings.

    The entropy is not verified here but in `Store.embedded`: that needs two more columns. Raises
    ChecksumError if rows are missing or damaged.
    """
    order = np.argsort(contents, kind="stable")
    count = table.count_rows()
    columns = [*columns_to_read(table.schema, _VERIFIED), "entropy"]
    for batch in table.search().select(columns).limit(max(1, count)).to_batches(batch_size=ROWS_AT_ONCE):
        read = pa.Table.from_batches([batch])
        data = verified(read, _VERIFIED)
        count -= len(data)
        content = np.asarray(data["content"].to_numpy())
        entropy = np.asarray(read["entropy"].to_numpy())
        part = Embeddings(content, matrix(data["embedding"]).astype(np.float16, copy=False), entropy)
        positions, rows = _rows_with(content, contents, order)
        yield rows, part if np.array_equal(positions, np.arange(len(part))) else part.rows_at(positions)
    if count:
        raise ChecksumError(f"{count:,} rows are missing")


def read_embeddings(table: Any, contents: NDArray[np.int64]) -> Embeddings:
    """The embeddings of `contents` in their order; contents without one are left out."""
    embedding = np.zeros((len(contents), size_of(table)), np.float16)
    entropy, is_there = np.zeros(len(contents), np.float32), np.zeros(len(contents), bool)
    for rows, part in parts_of(table, contents):
        embedding[rows], entropy[rows], is_there[rows] = part.embedding, part.entropy, True
    embeddings = Embeddings(contents, embedding, entropy)
    return embeddings if is_there.all() else embeddings.rows_at(np.flatnonzero(is_there))


def _rows_with(part: NDArray[np.int64], contents: NDArray[np.int64], order: NDArray[np.int64]) -> Pairs:
    """The equal pairs between `part` (P,) and `contents` (M,): positions in `part`, and rows of `contents`.

    `order` sorts `contents`.
    """
    first = np.searchsorted(contents, part, "left", sorter=order)
    count = np.searchsorted(contents, part, "right", sorter=order) - first
    start = first - (np.cumsum(count) - count)
    return np.repeat(np.arange(len(part)), count), order[np.repeat(start, count) + np.arange(count.sum())]
