"""Schemas of the tables of an image set, and the records they are read into."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from url_viz.imaging.quality import QUALITIES

IMAGES = pa.schema(
    [
        pa.field("id", pa.int64(), nullable=False),
        pa.field("path", pa.binary(), nullable=False),
        pa.field("size_bytes", pa.int64(), nullable=False),
        pa.field("mtime_ns", pa.int64(), nullable=False),
        pa.field("content", pa.int64()),
        pa.field("width", pa.int32()),
        pa.field("height", pa.int32()),
        pa.field("thumbnail", pa.binary()),
        pa.field("failure", pa.string()),
    ]
)
"""One row per file: `content` is null and `failure` set if it cannot be read as a picture."""

SCORES = pa.schema([pa.field("content", pa.int64(), nullable=False), pa.field("uncertainty", pa.float32())])
QUALITY = pa.schema(
    [
        pa.field("content", pa.int64(), nullable=False),
        *(pa.field(name, pa.float32()) for name in QUALITIES),
    ]
)
"""One row per distinct content: the fields of `url_viz.imaging.quality.Quality`."""

COORDINATES = pa.schema(
    [
        pa.field("content", pa.int64(), nullable=False),
        pa.field("x", pa.float32(), nullable=False),
        pa.field("y", pa.float32(), nullable=False),
        pa.field("method", pa.int8(), nullable=False),
    ]
)


def embeddings_schema(size: int) -> pa.Schema:
    """One row per distinct content: embedding (D,) float16, its length, and the entropy of its softmax in nats."""
    return pa.schema(
        [
            pa.field("content", pa.int64(), nullable=False),
            pa.field("embedding", pa.list_(pa.float16(), size), nullable=False),
            pa.field("norm", pa.float32(), nullable=False),
            pa.field("entropy", pa.float32()),
        ]
    )


def neighbours_schema(k: int) -> pa.Schema:
    """One row per distinct content: positions (rows of this table) and cosine similarities of its K nearest."""
    return pa.schema(
        [
            pa.field("content", pa.int64(), nullable=False),
            pa.field("position", pa.list_(pa.int32(), k), nullable=False),
            pa.field("similarity", pa.list_(pa.float32(), k), nullable=False),
            pa.field("is_approximate", pa.bool_(), nullable=False),
        ]
    )


@dataclass(frozen=True)
class Embeddings:
    """Stored embeddings of M distinct contents: `content` (M,) int64, `embedding` (M, D) float16, `entropy` (M,)."""

    content: NDArray[np.int64]
    embedding: NDArray[np.float16]
    entropy: NDArray[np.float32]

    def __post_init__(self) -> None:
        assert len(self.content) == len(self.embedding) == len(self.entropy)

    def __len__(self) -> int:
        return len(self.content)

    def rows_at(self, positions: NDArray[np.integer]) -> "Embeddings":
        """The rows at `positions`."""
        return Embeddings(self.content[positions], self.embedding[positions], self.entropy[positions])


@dataclass(frozen=True)
class Graph:
    """The nearest-neighbour graph of M distinct contents.

    `position` (M, K) int32 are rows of this graph, nearest first, never the row itself, −1 if there are fewer than K
    others; `similarity` (M, K) float32 their cosines (−1 there). `is_approximate` marks a graph that may miss some.
    """

    content: NDArray[np.int64]
    position: NDArray[np.int32]
    similarity: NDArray[np.float32]
    is_approximate: bool = False

    def __post_init__(self) -> None:
        assert self.position.shape == self.similarity.shape
        assert len(self.content) == len(self.position)

    def __len__(self) -> int:
        return len(self.content)


PCA, UMAP, PLACED = 0, 1, 2
"""The source of a point's coordinates: PCA, the UMAP fit, or placement among its neighbours afterwards."""


@dataclass(frozen=True)
class Coordinates:
    """Map coordinates of M distinct contents: `content` (M,), `xy` (M, 2) float32, `method` (M,) int8."""

    content: NDArray[np.int64]
    xy: NDArray[np.float32]
    method: NDArray[np.int8]

    def __post_init__(self) -> None:
        assert len(self.content) == len(self.xy) == len(self.method)

    def __len__(self) -> int:
        return len(self.content)


def fixed_lists(array: NDArray[np.generic]) -> pa.FixedSizeListArray:
    """A 2-D array as an Arrow column of lists, without a copy if it is contiguous."""
    flat = pa.array(np.ascontiguousarray(array).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, array.shape[1])


def matrix(column: pa.ChunkedArray) -> NDArray[np.generic]:
    """An Arrow column of fixed-size lists as a 2-D array."""
    lists = column.combine_chunks()
    size = column.type.list_size
    if isinstance(lists, pa.ChunkedArray):
        parts = [matrix(pa.chunked_array([chunk])) for chunk in lists.chunks]
        return np.concatenate(parts) if parts else np.empty((0, size), column.type.value_type.to_pandas_dtype())
    return np.asarray(lists.flatten().to_numpy(zero_copy_only=False)).reshape(-1, size)


def positions_of(wanted: NDArray[np.int64], among: NDArray[np.int64]) -> NDArray[np.int64]:
    """The position in `among` of each of `wanted`; −1 if it is missing."""
    if len(among) == 0:
        return np.full(len(wanted), -1, np.int64)
    order = np.argsort(among, kind="stable")
    nearest = np.minimum(np.searchsorted(among, wanted, sorter=order), len(among) - 1)
    position = order[nearest]
    return np.where(among[position] == wanted, position, -1)
