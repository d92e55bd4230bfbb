"""Embeddings and whitened rows: read from their tables in streams, and the transform between them."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from url_viz.base.rows import l2_normalize
from url_viz.store.tables.tables import Embeddings, matrix, numbers_of

ROWS_AT_ONCE = 16_384


def read_parts(table: Any, contents: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], Embeddings]]:
    """The embeddings of `contents` (M,), which may repeat, in parts: rows of `contents`, and their embeddings.

    Raises ValueError if rows are missing.
    """
    for data, found, rows in _matches(table, ["content", "embedding", "entropy"], contents):
        embedding = matrix(data["embedding"]).astype(np.float16, copy=False)
        yield rows, Embeddings(numbers_of(data["content"]), embedding, numbers_of(data["entropy"])).rows_at(found)


def read_embeddings(table: Any, contents: NDArray[np.int64]) -> Embeddings:
    """The embeddings of `contents` in their order; contents without one are left out."""
    embedding = np.zeros((len(contents), table.schema.field("embedding").type.list_size), np.float16)
    entropy, is_there = np.zeros(len(contents), np.float32), np.zeros(len(contents), bool)
    for rows, part in read_parts(table, contents):
        embedding[rows], entropy[rows], is_there[rows] = part.embedding, part.entropy, True
    embeddings = Embeddings(contents, embedding, entropy)
    return embeddings if is_there.all() else embeddings.rows_at(np.flatnonzero(is_there))


def read_whitened(table: Any, contents: NDArray[np.int64], key: int) -> NDArray[np.float16] | None:
    """The whitened rows (M, A) of `contents` (M,), which may repeat; None if one has none, or a row is not of `key`."""
    whitened = np.zeros((len(contents), table.schema.field("whitened").type.list_size), np.float16)
    is_there = np.zeros(len(contents), bool)
    for data, found, rows in _matches(table, ["content", "whitened", "key"], contents):
        if not (numbers_of(data["key"]) == key).all():
            return None
        whitened[rows], is_there[rows] = matrix(data["whitened"])[found], True
    return whitened if is_there.all() else None


def _matches(
    table: Any, columns: list[str], contents: NDArray[np.int64]
) -> Iterator[tuple[pa.Table, slice | NDArray[np.int64], NDArray[np.int64]]]:
    """Each batch with its rows that are among `contents` (M,), and the rows of `contents` that these are equal to."""
    index = pd.Index(contents)
    order = None if index.is_unique else np.argsort(contents, kind="stable")
    for data in read_batches(table, columns):
        part = numbers_of(data["content"])
        if order is None:
            rows = index.get_indexer(pd.Index(part)).astype(np.int64, copy=False)
            found = np.flatnonzero(rows >= 0)
            rows = rows[found]
        else:
            first = np.searchsorted(contents, part, "left", sorter=order)
            count = np.searchsorted(contents, part, "right", sorter=order) - first
            start = first - (np.cumsum(count) - count)
            found = np.repeat(np.arange(len(part)), count)
            rows = order[np.repeat(start, count) + np.arange(count.sum())]
        is_every_row = len(found) == len(part) and np.array_equal(found, np.arange(len(part)))
        yield data, slice(None) if is_every_row else found, rows  # a slice copies nothing


def read_batches(table: Any, columns: list[str]) -> Iterator[pa.Table]:
    """Columns of all rows, some rows at a time; raises ValueError if some are missing, or Arrow finds them damaged."""
    count = table.count_rows()
    for batch in table.search().select(columns).limit(max(1, count)).to_batches(batch_size=ROWS_AT_ONCE):
        batch.validate(full=True)
        count -= len(batch)
        yield pa.Table.from_batches([batch])
    if count:
        raise ValueError(f"{count:,} rows are missing")


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
    all float32. The set had `fitted_on` rows when it was fitted, by a `version` of the definition.
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
