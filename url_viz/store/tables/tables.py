"""Schemas of the tables of an image set, the records they are read into, and the import of LanceDB."""

import importlib.util
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from url_viz.base.processes import Latest
from url_viz.imaging.encoding import ENCODINGS
from url_viz.imaging.quality import QUALITIES, WORDS


def _required(**kinds: pa.DataType) -> list[pa.Field]:
    return [pa.field(name, kind, nullable=False) for name, kind in kinds.items()]


_CONTENT = _required(content=pa.int64())
IMAGES = pa.schema(
    [
        *_required(id=pa.int64(), path=pa.binary(), size_bytes=pa.int64(), mtime_ns=pa.int64()),
        ("content", pa.int64()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("thumbnail", pa.binary()),
        ("failure", pa.string()),
    ]
)
"""One row per file: `content` is null and `failure` set if it cannot be read as a picture."""
SCORES = pa.schema([*_CONTENT, ("uncertainty", pa.float32())])
QUALITY = pa.schema([*_CONTENT, *((name, pa.float32()) for name in QUALITIES)])
"""One row per distinct content: the fields of `url_viz.imaging.quality.Quality`."""
HASHES = pa.schema([*_CONTENT, *_required(hash=pa.list_(pa.int64(), WORDS))])
"""One row per distinct content: the words of `url_viz.imaging.quality`, as signed numbers."""
_ENCODED = {"format": pa.string(), "quality": pa.float32(), "camera": pa.string(), "taken": pa.float64()}
ENCODING = pa.schema([*_CONTENT, *((name, _ENCODED[name]) for name in ENCODINGS)])
"""One row per distinct content of a whole file: the fields of `url_viz.imaging.encoding.Encoding`."""
COORDINATES = pa.schema([*_CONTENT, *_required(x=pa.float32(), y=pa.float32(), method=pa.int8())])


def embeddings_schema(size: int) -> pa.Schema:
    """One row per distinct content: embedding (D,) float16, its length, and the entropy of its softmax in nats."""
    required = _required(embedding=pa.list_(pa.float16(), size), norm=pa.float32())
    return pa.schema([*_CONTENT, *required, ("entropy", pa.float32())])


def graph_schema(k: int) -> pa.Schema:
    """One row per distinct content; positions are rows of this very table.

    `position` and `similarity` are its K nearest (`Graph`); `twins` its twins in later rows, as bytes (`Twins`);
    `whitening` is the key of the space. The other columns follow from these, and are stored so that a table is joined
    without reading lists.
    """
    return pa.schema(
        [
            *_CONTENT,
            *_required(position=pa.list_(pa.int32(), k), similarity=pa.list_(pa.float32(), k)),
            ("twins", pa.binary()),
            *_required(is_thinned=pa.bool_(), nearest=pa.int32()),
            ("nearest_similarity", pa.float32()),
            ("confusability", pa.float32()),
            *_required(twin_group=pa.int32(), whitening=pa.int64(), is_approximate=pa.bool_(), copy_group=pa.int32()),
        ]
    )


def whitening_schema(size: int) -> pa.Schema:
    """The mean of the whitened space in the first row, then a row per axis with its scale; `key` names the space."""
    direction, number = pa.list_(pa.float32(), size), pa.int64()
    fields = _required(key=number, direction=direction, scale=pa.float32(), fitted_on=number, version=pa.int32())
    return pa.schema(fields)


def whitened_schema(size: int) -> pa.Schema:
    """One row per distinct content: its row (A,) float16 in the whitened space `key`."""
    return pa.schema([*_CONTENT, *_required(whitened=pa.list_(pa.float16(), size), key=pa.int64())])


@dataclass(frozen=True)
class Embeddings:
    """Stored embeddings of M distinct contents: `content` (M,) int64, `embedding` (M, D) float16, `entropy` (M,)."""

    content: NDArray[np.int64]
    embedding: NDArray[np.float16]
    entropy: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.content)

    def rows_at(self, positions: NDArray[np.integer] | slice) -> "Embeddings":
        return Embeddings(self.content[positions], self.embedding[positions], self.entropy[positions])

    @classmethod
    def joined(cls, parts: Iterable["Embeddings"]) -> "Embeddings":
        """The rows of all parts, one after the other; there is at least one part."""
        columns = zip(*((part.content, part.embedding, part.entropy) for part in parts), strict=True)
        return cls(*map(np.concatenate, columns))


@dataclass(frozen=True)
class Twins:
    """Pairs of `rows` rows that are copies or views (`pipeline.twins`): `pair` (P, 2) int32, raw `cosine` (P,) float32.

    `is_copy` (P,) says which are copies; the others are views. The lower row comes first, and no pair is repeated. If
    `is_thinned`, there were too many: only enough are here to hold groups together, and all rows of a group count as
    each other's twins.
    """

    rows: int
    pair: NDArray[np.int32]
    cosine: NDArray[np.float32]
    is_copy: NDArray[np.bool_]
    is_thinned: bool = False

    def __len__(self) -> int:
        return len(self.cosine)

    def take(self, which: NDArray[np.bool_] | NDArray[np.integer]) -> "Twins":
        """Some of the pairs, by a mask (P,) or their numbers."""
        return replace(self, pair=self.pair[which], cosine=self.cosine[which], is_copy=self.is_copy[which])

    @property
    def copies(self) -> "Twins":
        return self.take(self.is_copy)

    def with_pairs(self, other: "Twins") -> "Twins":
        """These pairs and others of the same rows; one that is in both is a copy if it is in either."""
        pair, cosine, is_copy = (
            np.concatenate([getattr(each, name) for each in (self, other)]) for name in ("pair", "cosine", "is_copy")
        )
        order = np.lexsort((~is_copy, pair[:, 1], pair[:, 0]))
        pair = pair[order]
        is_first = np.diff(pair, axis=0, prepend=np.full((1, 2), -1, np.int32)).any(axis=1)
        is_thinned = self.is_thinned or other.is_thinned
        return Twins(self.rows, pair[is_first], cosine[order][is_first], is_copy[order][is_first], is_thinned)


def no_twins(rows: int) -> Twins:
    """`rows` rows without twins."""
    return Twins(rows, np.zeros((0, 2), np.int32), np.zeros(0, np.float32), np.zeros(0, bool))


@dataclass(frozen=True)
class Graph:
    """The nearest-neighbour graph of M distinct contents in the whitened space, twins left out.

    `position` (M, K) int32 are rows of this graph, nearest first, never the row itself nor its twins, −1 if there are
    fewer than K others; `similarity` (M, K) float32 their cosines (−1 there). `whitening` is the key of the space. A
    graph that `is_approximate` may miss some. With `apart`, codes (M,) of what the user keeps apart, NONE for no value,
    lists hold no row of the same source group (`graph.apart_graph`).
    """

    content: NDArray[np.int64]
    position: NDArray[np.int32]
    similarity: NDArray[np.float32]
    twins: Twins
    whitening: int = 0
    is_approximate: bool = False
    apart: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return len(self.content)


@dataclass(frozen=True)
class GraphColumns:
    """A graph's columns for M distinct contents, all (M,): see `graph_schema`.

    `nearest` is a row, −1 for none; similarity and confusability are nan then.
    """

    content: NDArray[np.int64]
    nearest: NDArray[np.int32]
    nearest_similarity: NDArray[np.float32]
    confusability: NDArray[np.float32]
    twin_group: NDArray[np.int32]
    copy_group: NDArray[np.int32]

    def rows_of(self, contents: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row of each of `contents` (N,), −1 if it is missing; cached for the last array."""
        return self._rows.get(contents, lambda: positions_of(contents, self.content))

    @cached_property
    def _rows(self) -> Latest[NDArray[np.int64]]:
        return Latest()


PCA, UMAP, PLACED, TSNE = 0, 1, 2, 3
"""The source of a point's coordinates: PCA, the UMAP fit, placement among its neighbours afterwards, or t-SNE."""


@dataclass(frozen=True)
class Coordinates:
    """Map coordinates of M distinct contents: `content` (M,), `xy` (M, 2) float32, `method` (M,) int8."""

    content: NDArray[np.int64]
    xy: NDArray[np.float32]
    method: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.content)


_TWIN = np.dtype([("row", "<i4"), ("cosine", "<f4"), ("is_copy", "?")])


def twin_cells(twins: Twins) -> pa.Array:
    """A cell of bytes for each row: its twins in later rows, with cosine and kind; null for none."""
    order = np.lexsort((twins.pair[:, 1], twins.pair[:, 0]))
    pairs = np.zeros(len(twins), _TWIN)
    pairs["row"], pairs["cosine"], pairs["is_copy"] = twins.pair[order, 1], twins.cosine[order], twins.is_copy[order]
    ends = np.cumsum(np.bincount(twins.pair[:, 0], minlength=twins.rows)) * _TWIN.itemsize
    offsets = np.concatenate([[0], ends]).astype(np.int32)
    cells = pa.Array.from_buffers(
        pa.binary(), twins.rows, [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(pairs.tobytes())]
    )
    return pc.if_else(pc.equal(pc.binary_length(cells), 0), pa.scalar(None, pa.binary()), cells)


def twins_from_cells(cells: pa.ChunkedArray, *, is_thinned: bool) -> Twins:
    """The pairs in a column as `twin_cells` makes it."""
    pairs = np.frombuffer(b"".join(cells.drop_null().to_pylist()), _TWIN)
    size = np.asarray(pc.fill_null(pc.binary_length(cells), 0).to_numpy()) // _TWIN.itemsize
    first = np.repeat(np.arange(len(cells)), size)
    pair = np.stack([first, pairs["row"]], axis=1).astype(np.int32)
    return Twins(len(cells), pair, pairs["cosine"], pairs["is_copy"], is_thinned)


def fixed_lists(array: NDArray[np.generic]) -> pa.FixedSizeListArray:
    """A 2-D array as an Arrow column of lists, without a copy if it is contiguous."""
    flat = pa.array(np.ascontiguousarray(array).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, array.shape[1])


def matrix(column: pa.ChunkedArray) -> NDArray[np.generic]:
    """An Arrow column of fixed-size lists as a 2-D array."""
    lists = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()  # which copies
    size = column.type.list_size
    if isinstance(lists, pa.ChunkedArray):
        parts = [matrix(pa.chunked_array([chunk])) for chunk in lists.chunks]
        return np.concatenate(parts) if parts else np.empty((0, size), column.type.value_type.to_pandas_dtype())
    return np.asarray(lists.flatten().to_numpy(zero_copy_only=False)).reshape(-1, size)


def numbers_of(column: pa.ChunkedArray) -> NDArray[Any]:
    """An Arrow column of numbers (N,), without a copy where it is in one piece and has no nulls."""
    if column.num_chunks == 1:
        return np.asarray(column.chunk(0).to_numpy(zero_copy_only=False))
    return np.asarray(column.to_numpy())


FEW_WANTED = 8
"""Up to this many keys are searched one by one, which is faster than to build an index."""


def positions_of(wanted: NDArray[np.int64], among: NDArray[np.int64]) -> NDArray[np.int64]:
    """The position in `among` of each of `wanted`, the first where it repeats; −1 if it is missing."""
    if len(wanted) <= FEW_WANTED:
        places = (np.flatnonzero(among == value) for value in wanted)
        return np.fromiter((rows[0] if len(rows) else -1 for rows in places), np.int64, len(wanted))
    index = pd.Index(among)
    if not index.is_unique:
        first = np.flatnonzero(~index.duplicated())
        return np.append(first, -1)[positions_of(wanted, among[first])]
    return index.get_indexer(pd.Index(wanted)).astype(np.int64, copy=False)  # ten times as fast as by sorting


class _Later(ModuleType):
    """A package whose own code runs when one of its names is first used; its submodules can be imported before."""

    def __getattr__(self, name: str) -> Any:
        spec = self.__spec__
        if name.startswith("__") or spec is None or spec.loader is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        self.__class__ = ModuleType  # type: ignore[assignment]
        spec.loader.exec_module(self)
        return getattr(self, name)


def import_lancedb() -> Any:
    """The module lancedb, without the client of remote namespaces, which is large and imported when it is used."""
    spec = importlib.util.find_spec("lance_namespace_urllib3_client")
    if spec is not None and spec.submodule_search_locations is not None and spec.name not in sys.modules:
        package = _Later(spec.name)
        package.__spec__, package.__path__ = spec, list(spec.submodule_search_locations)
        package.__file__ = spec.origin
        sys.modules[spec.name] = package
    import lancedb

    return lancedb


def import_lancedb_ahead() -> None:
    """Begin to import lancedb in a thread, which a process that ends waits for: within its own code it would abort."""

    def until_the_end() -> None:
        try:
            import_lancedb()
        except (
            RuntimeError
        ) as error:  # its imports register what is to run at the end, which a process that ends refuses
            if "shutdown" not in str(error):
                raise

    Thread(target=until_the_end).start()


def connect(folder: Path) -> Any:
    """The LanceDB database in a folder."""
    return import_lancedb().connect(folder)
