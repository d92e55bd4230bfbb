"""The tables of embeddings and whitened rows, read in streams."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from url_viz.base.rows import l2_normalize
from url_viz.store.tables.tables import Embeddings, matrix

ROWS_AT_ONCE = 16_384

Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]


def size_of(table: Any) -> int:
    """The embedding size D."""
    return int(table.schema.field("embedding").type.list_size)


def parts_of(table: Any, contents: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], Embeddings]]:
    """The embeddings of `contents` (M,), which may repeat, in parts: rows of `contents`, and their embeddings.

    Raises ValueError if rows are missing.
    """
    rows_with = _finder(contents)
    for data in batches_of(table, ["content", "embedding", "entropy"]):
        content, entropy = (np.asarray(data[name].to_numpy()) for name in ("content", "entropy"))
        part = Embeddings(content, matrix(data["embedding"]).astype(np.float16, copy=False), entropy)
        positions, rows = rows_with(content)
        yield rows, part if _are_all(positions, len(part)) else part.rows_at(positions)


def read_whitened(table: Any, contents: NDArray[np.int64], key: int) -> NDArray[np.float16] | None:
    """The whitened rows (M, A) of `contents` (M,), which may repeat; None if one has none, or a row is not of `key`."""
    rows_with = _finder(contents)
    whitened = np.zeros((len(contents), table.schema.field("whitened").type.list_size), np.float16)
    is_there = np.zeros(len(contents), bool)
    for data in batches_of(table, ["content", "whitened", "key"]):
        if not (np.asarray(data["key"].to_numpy()) == key).all():
            return None
        positions, rows = rows_with(np.asarray(data["content"].to_numpy()))
        part = matrix(data["whitened"])
        whitened[rows] = part if _are_all(positions, len(part)) else part[positions]
        is_there[rows] = True
    return whitened if is_there.all() else None


def batches_of(table: Any, columns: list[str]) -> Iterator[pa.Table]:
    """Columns of all rows, some rows at a time; raises ValueError if some are missing, or Arrow finds them damaged."""
    count = table.count_rows()
    for batch in table.search().select(columns).limit(max(1, count)).to_batches(batch_size=ROWS_AT_ONCE):
        batch.validate(full=True)
        count -= len(batch)
        yield pa.Table.from_batches([batch])
    if count:
        raise ValueError(f"{count:,} rows are missing")


def read_embeddings(table: Any, contents: NDArray[np.int64]) -> Embeddings:
    """The embeddings of `contents` in their order; contents without one are left out."""
    embedding = np.zeros((len(contents), size_of(table)), np.float16)
    entropy, is_there = np.zeros(len(contents), np.float32), np.zeros(len(contents), bool)
    for rows, part in parts_of(table, contents):
        embedding[rows], entropy[rows], is_there[rows] = part.embedding, part.entropy, True
    embeddings = Embeddings(contents, embedding, entropy)
    return embeddings if is_there.all() else embeddings.rows_at(np.flatnonzero(is_there))


def _are_all(positions: NDArray[np.int64], count: int) -> bool:
    """Whether they are all of `count`, in order: what is taken at them need not be copied."""
    return len(positions) == count and np.array_equal(positions, np.arange(count))


def _finder(contents: NDArray[np.int64]) -> Callable[[NDArray[np.int64]], Pairs]:
    """Takes contents (P,) of a part and gives the equal pairs: positions in the part, and rows of `contents` (M,)."""
    index = pd.Index(contents)
    if not index.is_unique:
        order = np.argsort(contents, kind="stable")
        return lambda part: _rows_with(part, contents, order)

    def rows_with(part: NDArray[np.int64]) -> Pairs:
        rows = index.get_indexer(pd.Index(part)).astype(np.int64, copy=False)
        positions = np.flatnonzero(rows >= 0)
        return positions, rows[positions]

    return rows_with


def _rows_with(part: NDArray[np.int64], contents: NDArray[np.int64], order: NDArray[np.int64]) -> Pairs:
    """The equal pairs between `part` (P,) and `contents` (M,): positions in `part`, and rows of `contents`.

    `order` sorts `contents`.
    """
    first = np.searchsorted(contents, part, "left", sorter=order)
    count = np.searchsorted(contents, part, "right", sorter=order) - first
    start = first - (np.cumsum(count) - count)
    return np.repeat(np.arange(len(part)), count), order[np.repeat(start, count) + np.arange(count.sum())]


LEAST_LENGTH = 1e-5
"""A whitened row shorter than this is the mean itself up to rounding, and has no direction."""
BLOCK = 4096
POWER = 0.5
"""Scales are variances to the power −POWER / 2: by half of what would make all axes equal."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Whitening:
    """The transform of raw embeddings into the whitened space of one image set.

    `mean` (D,) of the unit embeddings, `axes` (D, A) orthonormal columns, `scales` (A,), 0 for an axis without spread,
    all float32; `fitted_on`, how many rows the set had when it was fitted; `version` of the definition.
    """

    mean: Floats
    axes: Floats
    scales: Floats
    fitted_on: int
    version: int

    @cached_property
    def key(self) -> int:
        """A number of 63 bits that names this space."""
        digest = hashlib.blake2b(digest_size=8)
        for array in (self.mean, self.axes, self.scales):
            digest.update(np.ascontiguousarray(array).tobytes())
        if self.version > 1:  # the keys of the first are without it
            digest.update(self.version.to_bytes(4, "little"))
        return int.from_bytes(digest.digest(), "little") >> 1

    def transform(self, embeddings: NDArray[np.floating]) -> NDArray[np.float16]:
        """Raw embeddings (N, D) as rows of length one (N, A); a row of zeros for zeros and for the mean itself."""
        if embeddings.ndim != 2 or embeddings.shape[1] != len(self.mean):
            raise ValueError(f"This space is of embeddings (N, {len(self.mean)}); got the shape {embeddings.shape}.")
        whitened = np.zeros((len(embeddings), len(self.scales)), np.float16)
        matrix = self.axes * self.scales
        for start in range(0, len(embeddings), BLOCK):
            unit = l2_normalize(embeddings[start : start + BLOCK])
            rows = (unit - self.mean) @ matrix
            length = np.linalg.norm(rows, axis=1)
            rows[(length < LEAST_LENGTH) | ~unit.any(axis=1)] = 0
            whitened[start : start + BLOCK] = rows / np.maximum(length, LEAST_LENGTH)[:, None]
        return whitened


@dataclass(frozen=True)
class WhitenedRows:
    """M distinct contents in a whitened space: `content` (M,) int64 keys, `rows` (M, A) float16."""

    whitening: Whitening
    content: NDArray[np.int64]
    rows: NDArray[np.float16]

    def __len__(self) -> int:
        return len(self.content)
