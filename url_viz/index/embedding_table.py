"""Reads embeddings out of their table a part at a time: a million need one array, and none of its size beside it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from url_viz.index.tables import Embeddings, matrix
from url_viz.index.unit import normalised

ROWS_AT_ONCE = 16_384

Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]


def size_of(table: Any) -> int:
    """Numbers in an embedding."""
    return int(table.schema.field("embedding").type.list_size)


def parts_of(table: Any, contents: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], Embeddings]]:
    """The embeddings of `contents` (M,), which may repeat: rows of it, and what is stored of these; each row once."""
    order = np.argsort(contents, kind="stable")
    wanted = table.search().select(["content", "embedding", "entropy"]).limit(max(1, table.count_rows()))
    for batch in wanted.to_batches(batch_size=ROWS_AT_ONCE):
        data = pa.Table.from_batches([batch])
        content, entropy = (np.asarray(data[name].to_numpy()) for name in ("content", "entropy"))
        part = Embeddings(content, matrix(data["embedding"]).astype(np.float16, copy=False), entropy)
        places, rows = _rows_with(content, contents, order)
        yield rows, part if np.array_equal(places, np.arange(len(part))) else part.take(places)


def read_embeddings(table: Any, contents: NDArray[np.int64]) -> Embeddings:
    """The embeddings of `contents` in their order; contents without one are left out."""
    embedding = np.zeros((len(contents), size_of(table)), np.float16)
    entropy, is_there = np.zeros(len(contents), np.float32), np.zeros(len(contents), bool)
    for rows, part in parts_of(table, contents):
        embedding[rows], entropy[rows], is_there[rows] = part.embedding, part.entropy, True
    found = Embeddings(contents, embedding, entropy)
    return found if is_there.all() else found.take(np.flatnonzero(is_there))


def read_unit_rows(table: Any, contents: NDArray[np.int64]) -> NDArray[np.float32]:
    """The embeddings of `contents` (M,) at length one, (M, D) float32; zeros where there is none."""
    unit = np.zeros((len(contents), size_of(table)), np.float32)
    for rows, part in parts_of(table, contents):
        unit[rows] = normalised(part.embedding)
    return unit


def _rows_with(part: NDArray[np.int64], contents: NDArray[np.int64], order: NDArray[np.int64]) -> Pairs:
    """Where the contents of `part` (P,) stand in `contents` (M,): places in `part`, and rows of `contents`.

    `order` sorts `contents`.
    """
    first = np.searchsorted(contents, part, "left", sorter=order)
    count = np.searchsorted(contents, part, "right", sorter=order) - first
    start = first - (np.cumsum(count) - count)
    return np.repeat(np.arange(len(part)), count), order[np.repeat(start, count) + np.arange(count.sum())]
