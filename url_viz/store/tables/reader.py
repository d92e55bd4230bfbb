"""Reading the LanceDB tables of an image set; embeddings also as an array that stays on disk."""

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from url_viz.base.errors import DamageError, SupersededError
from url_viz.base.workspace import SetPaths
from url_viz.imaging.encoding import ENCODING_VERSION
from url_viz.imaging.quality import HASH_VERSION as HASH_VERSION
from url_viz.imaging.quality import QUALITY_VERSION as QUALITY_VERSION
from url_viz.imaging.quality import WORDS, Hashes
from url_viz.models.model import EmbeddingSpace
from url_viz.store.about import About, raising_damage_errors, read_about
from url_viz.store.tables import versions
from url_viz.store.tables.embedding_rows import (
    ROWS_AT_ONCE,
    WhitenedRows,
    Whitening,
    read_batches,
    read_embeddings,
    read_parts,
    read_whitened,
)
from url_viz.store.tables.tables import (
    COORDINATES,
    ENCODING,
    HASHES,
    IMAGES,
    QUALITY,
    SCORES,
    Coordinates,
    Embeddings,
    Graph,
    GraphColumns,
    connect,
    embeddings_schema,
    graph_schema,
    matrix,
    numbers_of,
    positions_of,
    twins_from_cells,
    whitened_schema,
    whitening_schema,
)

QUALITY_TABLE = f"measures-{QUALITY_VERSION}"
Made = TypeVar("Made")
HASH_TABLE = f"hashes-{HASH_VERSION}"
ENCODING_TABLE = f"encodings-{ENCODING_VERSION}"
_COLUMNS = dataclasses.fields(GraphColumns)


@dataclass(frozen=True)
class EmbeddedContents:
    """M distinct contents with an embedding: `content` (M,), `entropy` (M,) in nats, `norm` (M,) of the embedding."""

    content: NDArray[np.int64]
    entropy: NDArray[np.float32]
    norm: NDArray[np.float32]


@dataclass(frozen=True)
class _Opened:
    """A LanceDB table at the newest version of a `state`. It is never moved to another, so threads may share it."""

    name: str
    table: Any
    state: versions.State

    @cached_property
    def rows(self) -> int:
        return int(self.table.count_rows())


class Store:
    """An image set's tables; each call reads the latest whole state, also while another process writes."""

    def __init__(self, paths: SetPaths) -> None:
        self.paths = paths
        self._opened: dict[str, _Opened] = {}

    @cached_property
    def _database(self) -> Any:
        self.paths.tables.mkdir(parents=True, exist_ok=True)
        return connect(self.paths.tables)

    def pinned(self) -> "Snapshot":
        """All tables as they are now, whatever is written later."""
        return Snapshot(self)

    def about(self) -> About:
        return read_about(self.paths)

    def version(self, space_key: str, head_digest: str | None) -> str:
        """A short text that changes when anything shown of this space changes."""
        tables = ["images", QUALITY_TABLE, *(f"{kind}-{space_key}" for kind in ("embeddings", "graph", "coordinates"))]
        states = map(self._state, [*tables, *([f"scores-{space_key}-{head_digest}"] if head_digest else [])])
        return ".".join("-" if state is None else str(versions.newest(state)) for state in states)

    def others_version(self, space: EmbeddingSpace) -> str:
        """A short text that changes when another model, or look, is added, removed, or reads more; "" for no model."""
        keys = [other.key for other in self.about().other_spaces(space)]
        if keys and self._state(f"graph-{space.squeezed.key}") is not None:
            keys.append(space.squeezed.key)
        others = [f"{key} {self.digest_of([f'graph-{key}'])}" for key in keys]
        return hashlib.blake2b(" ".join(others).encode(), digest_size=4).hexdigest() if others else ""

    def digest_of(self, tables: Iterable[str], *also: str) -> str:
        """A digest of the state of `tables`, which no other state of them has, and of the texts `also`."""
        digest = hashlib.blake2b("\0".join(also).encode(), digest_size=12)
        for name in tables:
            state = self._state(name)
            version = 0 if state is None else versions.newest(state)
            digest.update(f"\0{name}\0{version}\0{versions.manifest_digest(self._folder(name), version)}".encode())
        return digest.hexdigest()

    def _folder(self, name: str) -> Path:
        return self.paths.tables / f"{name}.lance"

    def count(self, name: str) -> int:
        """How many rows a table has, without reading them."""
        opened = self._open(name)
        if opened is None:
            return 0
        with self._reading(name, opened.state):
            return opened.rows

    def images(self, columns: Sequence[str]) -> pa.Table:
        """Columns of the table of files; empty if nothing was read yet."""
        return self._columns("images", columns, IMAGES)

    def embeddings(self, space_key: str, contents: NDArray[np.int64] | None = None) -> Embeddings:
        """Every stored embedding of a space, also of pictures that have left the folder.

        With `contents` (M,), which may repeat, only theirs, in that order; contents without one are left out.
        """
        opened = self._open(f"embeddings-{space_key}")
        if opened is None:
            return Embeddings(np.zeros(0, np.int64), np.zeros((0, 0), np.float16), np.zeros(0, np.float32))
        wanted = self.embedded(space_key).content if contents is None else contents
        with self._reading(opened.name, opened.state):
            return read_embeddings(opened.table, wanted)

    def embedding_parts(
        self, space_key: str, contents: NDArray[np.int64]
    ) -> Iterator[tuple[NDArray[np.int64], Embeddings]]:
        """As `embeddings`, some at a time: rows of `contents`, and their embeddings."""
        opened = self._open(f"embeddings-{space_key}")
        if opened is not None:
            with self._reading(opened.name, opened.state):
                yield from read_parts(opened.table, contents)

    def embedding_size(self, space_key: str) -> int:
        """The embedding size D; 0 if nothing was embedded yet."""
        opened = self._open(f"embeddings-{space_key}")
        return 0 if opened is None else int(opened.table.schema.field("embedding").type.list_size)

    def embedded(self, space_key: str) -> EmbeddedContents:
        """Contents with an embedding in a space, their entropy and norm, without reading the embeddings."""
        data = self._columns(f"embeddings-{space_key}", ["content", "entropy", "norm"], embeddings_schema(1))
        return EmbeddedContents(numbers_of(data["content"]), numbers_of(data["entropy"]), numbers_of(data["norm"]))

    def scores(self, space_key: str, head_digest: str) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The contents (M,) that a head has scored, and their uncertainty (M,)."""
        data = self._columns(f"scores-{space_key}-{head_digest}", ["content", "uncertainty"], SCORES)
        return numbers_of(data["content"]), numbers_of(data["uncertainty"])

    def quality(self, columns: Sequence[str] = QUALITY.names) -> pa.Table:
        """Columns of QUALITY for every content that was measured."""
        return self._columns(QUALITY_TABLE, columns, QUALITY)

    def encodings(self, columns: Sequence[str] = ENCODING.names) -> pa.Table:
        """Columns of ENCODING for every content of a whole file that was read since these are stored."""
        return self._columns(ENCODING_TABLE, columns, ENCODING)

    def hashed(self) -> NDArray[np.int64]:
        """The contents (M,) whose perceptual hash was asked for, also those that have none."""
        return numbers_of(self._columns(HASH_TABLE, ["content"], HASHES)["content"])

    def hashes(self, contents: NDArray[np.int64]) -> Hashes:
        """The perceptual hashes (M, WORDS) of contents (M,); zeros for one that has none."""
        stored = self._columns(HASH_TABLE, HASHES.names, HASHES)
        rows = matrix(stored["hash"]).astype(np.int64, copy=False).view(np.uint64)
        with_none = np.concatenate([rows, np.zeros((1, WORDS), np.uint64)])
        hashes: Hashes = with_none[positions_of(contents, numbers_of(stored["content"]))]
        return hashes

    def whitened(self, space_key: str, contents: NDArray[np.int64] | None = None) -> WhitenedRows | None:
        """The whitened space and all rows in it; None if there is none, or a writer is replacing it.

        With `contents` (M,), which may repeat, only theirs, in that order; None also if one of them has none.
        """
        whitening, opened = self.whitening(space_key), self._open(f"whitened-{space_key}")
        if whitening is None or opened is None:
            return None
        with self._reading(opened.name, opened.state):
            if contents is not None:
                rows = read_whitened(opened.table, contents, whitening.key)
                return None if rows is None else WhitenedRows(whitening, contents, rows)
            data = _whole(opened.table, whitened_schema(1).names, count=opened.rows)
            if not (numbers_of(data["key"]) == whitening.key).all():
                return None
            rows = matrix(data["whitened"]).astype(np.float16, copy=False)
            return WhitenedRows(whitening, numbers_of(data["content"]), rows)

    def whitening(self, space_key: str) -> Whitening | None:
        """The whitened space; None if there is none."""
        return self._made(f"whitening-{space_key}", whitening_schema(1).names, _whitening_from)

    def graph(self, space_key: str) -> Graph | None:
        """The neighbour graph of a space; None before it was made."""
        return self._made(f"graph-{space_key}", graph_schema(1).names, _graph_from)

    def graph_columns(self, space_key: str) -> GraphColumns | None:
        """The graph's columns for each content, without its lists; None before it was made."""
        return self._made(f"graph-{space_key}", [field.name for field in _COLUMNS], _graph_columns_from)

    def coordinates(self, space_key: str) -> Coordinates | None:
        """The map of a space; None before it was made."""

        def made(data: pa.Table) -> Coordinates:
            xy = np.stack([numbers_of(data["x"]), numbers_of(data["y"])], axis=1)
            return Coordinates(numbers_of(data["content"]), xy, numbers_of(data["method"]))

        return self._made(f"coordinates-{space_key}", COORDINATES.names, made)

    def thumbnails(self, ids: Iterable[int]) -> dict[int, bytes]:
        """Thumbnails (JPEG) by image id; ids without one are left out."""
        wanted = list(map(int, ids))
        opened = self._open("images")
        if opened is None or not wanted:
            return {}
        condition = f"id IN ({', '.join(map(str, wanted))}) AND thumbnail IS NOT NULL"
        with self._reading(opened.name, opened.state):
            rows = opened.table.search().where(condition).select(["id", "thumbnail"]).limit(len(wanted)).to_arrow()
            rows.validate(full=True)
        return dict(zip(rows["id"].to_pylist(), rows["thumbnail"].to_pylist(), strict=True))

    def _state(self, name: str) -> versions.State | None:
        return versions.table_state(self._folder(name))

    def _open(self, name: str) -> _Opened | None:
        """The table at the version that is read; None if it was never written."""
        state, opened = self._state(name), self._opened.get(name)
        if state is None:
            return None
        if opened is None or opened.state != state:
            version = versions.newest(state)
            with self._reading(name, state):
                table = self._database.open_table(name)
                if table.version != version:
                    table.checkout(version)
                versions.check(self._folder(name), version)
                self._opened[name] = opened = _Opened(name, table, state)
        return opened

    @contextmanager
    def _reading(self, name: str, state: versions.State) -> Iterator[None]:
        """Raise a DamageError if a table cannot be read, but a SupersededError if it has changed since."""
        folder = self._folder(name)
        try:
            with raising_damage_errors(folder):
                yield
        except DamageError as error:
            if versions.table_state(folder) == state:
                raise
            raise SupersededError(
                f"{folder} has changed since it was opened: it was written anew. Open the image set again "
                "(in the app, reload the page)."
            ) from error

    def _columns(self, name: str, columns: Sequence[str], schema: pa.Schema) -> pa.Table:
        """Columns of all rows of a table; no rows if it was never written."""
        data = self._made(name, columns, lambda data: data)
        return pa.schema([schema.field(c) for c in columns]).empty_table() if data is None else data

    def _made(self, name: str, columns: Sequence[str], make: Callable[[pa.Table], Made]) -> Made | None:
        """The result of `make` for columns of all rows of a table; None if it was never written."""
        opened = self._open(name)
        if opened is None:
            return None
        with self._reading(name, opened.state):
            return make(_whole(opened.table, columns, count=opened.rows))


class Snapshot(Store):
    """Every table at the version that was the newest when this was made, whatever is written since.

    A version stays for `url_viz.store.tables.writer.KEEP_VERSIONS` after a newer one; then a writer may remove it, and
    what was not read before raises SupersededError.
    """

    def __init__(self, latest: Store) -> None:
        super().__init__(latest.paths)
        self.latest = latest
        self._opened = dict(latest._opened)
        names = sorted({path.stem for path in latest.paths.tables.glob("*.lance")} - {"images"})
        # Files are written after their embeddings, and a graph after its whitened rows: looked at the other way round,
        # each finds what it refers to.
        self._pins = {name: versions.table_state(self._folder(name)) for name in ("images", *names)}

    @property
    def _database(self) -> Any:
        return self.latest._database

    def pinned(self) -> "Snapshot":
        return self

    def _state(self, name: str) -> versions.State | None:
        return self._pins.get(name)


def verify_table(table: Any, folder: Path, *, is_newest: bool = True) -> None:
    """Read a whole stored table, and compare its files with their digests. Raises ValueError, or what LanceDB raises.

    With `is_newest` it must be at the version written last.
    """
    versions.check(folder, table.version, is_newest=is_newest, with_data=True)
    names = table.schema.names
    for _ in read_batches(table, names):
        pass
    if "twins" in names:
        data = _whole(table, names, count=table.count_rows())
        _graph_from(data)
        _graph_columns_from(data)


def _whole(table: Any, columns: Sequence[str], *, count: int) -> pa.Table:
    """Columns of all `count` rows of a table. Raises ValueError if rows are missing, or Arrow finds them damaged."""
    is_whole = set(columns) == set(table.schema.names)  # then to_arrow is faster
    query = table if is_whole else table.search().select(list(columns)).limit(max(1, count))
    data = query.to_arrow().select(list(columns))
    if len(data) != count:
        raise ValueError(f"{len(data):,} of {count:,} rows are there")
    data.validate(full=True)
    return data


def _graph_columns_from(data: pa.Table) -> GraphColumns:
    graph = GraphColumns(**{field.name: numbers_of(data[field.name]) for field in _COLUMNS})
    _require_rows(graph.nearest, graph.twin_group, graph.copy_group, count=len(data))
    return graph


def _require_rows(*positions: NDArray[np.integer], count: int) -> None:
    for rows in positions:
        if rows.size and not (rows.min() >= -1 and rows.max() < count):
            raise ValueError("positions that are of no row")


def _graph_from(data: pa.Table) -> Graph:
    position = matrix(data["position"]).astype(np.int32, copy=False)
    twins = twins_from_cells(data["twins"], is_thinned=bool(numbers_of(data["is_thinned"]).any()))
    _require_rows(position, twins.pair, count=len(position))
    return Graph(
        numbers_of(data["content"]),
        position,
        matrix(data["similarity"]).astype(np.float32, copy=False),
        twins,
        int(data["whitening"][0].as_py()) if len(data) else 0,
        is_approximate=bool(numbers_of(data["is_approximate"]).any()),
    )


def _whitening_from(data: pa.Table) -> Whitening:
    """The first row is the mean."""
    direction, scale = matrix(data["direction"]).astype(np.float32), numbers_of(data["scale"])
    fitted_on, version = (int(data[name][0].as_py()) for name in ("fitted_on", "version"))
    return Whitening(direction[0], np.ascontiguousarray(direction[1:].T), scale[1:], fitted_on, version)


class RawRows:
    """Raw embeddings (N, D) float16 of N distinct contents that all have one, taken by position as from an array.

    Each time the whole table is read, in parts.
    """

    def __init__(self, store: Store, space_key: str, content: NDArray[np.int64]) -> None:
        self._store, self._space_key, self._content = store, space_key, content
        self.shape = len(content), store.embedding_size(space_key)

    def __len__(self) -> int:
        return len(self._content)

    def __getitem__(self, rows: NDArray[np.integer] | slice) -> NDArray[np.float16]:
        return self._store.embeddings(self._space_key, self._content[rows]).embedding

    def parts(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float16]]]:
        """As `in_parts`."""
        for rows, part in self._store.embedding_parts(self._space_key, self._content):
            yield rows, part.embedding


Raw = NDArray[np.floating] | RawRows
"""Raw embeddings (N, D), in memory or on disk."""


def in_parts(embeddings: Raw) -> Iterator[tuple[NDArray[np.int64], NDArray[np.floating]]]:
    """All rows, some at a time: their positions (P,), and their embeddings (P, D)."""
    if isinstance(embeddings, RawRows):
        yield from embeddings.parts()
        return
    for start in range(0, len(embeddings), ROWS_AT_ONCE):
        part = embeddings[start : start + ROWS_AT_ONCE]
        yield np.arange(start, start + len(part)), part
