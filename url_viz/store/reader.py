"""Read access to the LanceDB tables of an image set."""

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from url_viz.imaging.quality import VERSION as QUALITY_VERSION
from url_viz.store import versions
from url_viz.store.about import About, read_about
from url_viz.store.checksums import ChecksumError, columns_to_read, verified
from url_viz.store.damage import raising_damage_errors, was_written
from url_viz.store.embedding_table import ROWS_AT_ONCE, parts_of, read_embeddings, read_whitened, size_of
from url_viz.store.lance import connect
from url_viz.store.recent_rows import RecentRows
from url_viz.store.tables import (
    COORDINATES,
    IMAGES,
    QUALITY,
    SCORES,
    Coordinates,
    Embeddings,
    Graph,
    GraphColumns,
    embeddings_schema,
    graph_schema,
    matrix,
    numbers_of,
    twins_of_cells,
    whitened_schema,
    whitening_schema,
)
from url_viz.store.watch import Watch
from url_viz.store.whitening import WhitenedRows, Whitening
from url_viz.workspace import SetPaths

QUALITY_TABLE = f"measures-{QUALITY_VERSION}"
_recent = RecentRows()


@dataclass(frozen=True)
class EmbeddedContents:
    """M distinct contents with an embedding: `content` (M,), `entropy` (M,) in nats, `norm` (M,) of the embedding."""

    content: NDArray[np.int64]
    entropy: NDArray[np.float32]
    norm: NDArray[np.float32]


def shown_tables(space_key: str, head_digest: str | None) -> list[str]:
    """The names of the tables that what is shown of a space is read from."""
    of_space = [f"{kind}-{space_key}" for kind in ("embeddings", "graph", "coordinates")]
    return ["images", QUALITY_TABLE, *of_space, *([f"scores-{space_key}-{head_digest}"] if head_digest else [])]


class Store:
    """Reads an image set's tables; each call sees the latest whole state, also while another process writes."""

    def __init__(self, paths: SetPaths) -> None:
        self.paths = paths
        self._tables: dict[str, Any] = {}
        self._checked: dict[str, int] = {}
        """By table name, the version that it is at, whose manifest was compared with its digest.

        Asking LanceDB for it takes as long as asking whether there is a newer one.
        """
        self._states: dict[str, versions.State | None] = {}
        """By table name, in what state its folder was when it was found to be at its latest version."""

    @cached_property
    def _database(self) -> Any:
        self.paths.tables.mkdir(parents=True, exist_ok=True)
        return connect(self.paths.tables)

    def about(self) -> About:
        """The set's metadata from set.json."""
        return read_about(self.paths)

    def version(self, space_key: str, head_digest: str | None) -> str:
        """A short text that changes when anything shown of this space changes."""
        return ".".join(map(self._version_of, shown_tables(space_key, head_digest)))

    def watch(self, space_key: str, head_digest: str | None, *, others: Iterable[str] = ()) -> Watch:
        """What changes whenever `version` does, or the graph of one of the `others`, by the keys of their spaces."""
        names = [*shown_tables(space_key, head_digest), *(f"graph-{other}" for other in others)]
        folders = (versions.version_folder(self._folder(name)) for name in names)
        return Watch([*folders, self.paths.about, self.paths.second])

    def digest_of(self, tables: Iterable[str], *also: str) -> str:
        """A digest of the state of `tables`, which no other state of them has, and of what `also` is said."""
        digest = hashlib.blake2b("\0".join(also).encode(), digest_size=12)
        for name in tables:
            version = 0 if self._table(name) is None else self._checked[name]
            digest.update(f"\0{name}\0{version}\0{versions.manifest_digest(self._folder(name), version)}".encode())
        return digest.hexdigest()

    def _folder(self, name: str) -> Path:
        return self.paths.tables / f"{name}.lance"

    def _version_of(self, name: str) -> str:
        return "-" if self._table(name) is None else str(self._checked[name])

    def count(self, name: str) -> int:
        """How many rows a table has, without reading them."""
        table = self._table(name)
        return 0 if table is None else int(self._read(name, table.count_rows))

    def images(self, columns: Sequence[str]) -> pa.Table:
        """Columns of the table of files; empty if nothing was read yet."""
        return self._columns("images", columns, IMAGES)

    def embeddings(self, space_key: str, contents: NDArray[np.int64] | None = None) -> Embeddings:
        """Every stored embedding of a space (also of pictures that have left the folder).

        With `contents` (M,), which may repeat, those rows alone and in that order; contents without one are left out.
        """
        table = self._table(f"embeddings-{space_key}")
        if table is None:
            return Embeddings(np.zeros(0, np.int64), np.zeros((0, 0), np.float16), np.zeros(0, np.float32))
        wanted = self.embedded(space_key).content if contents is None else contents
        embeddings: Embeddings = self._read(f"embeddings-{space_key}", lambda: read_embeddings(table, wanted))
        return embeddings

    def embedding_parts(
        self, space_key: str, contents: NDArray[np.int64]
    ) -> Iterator[tuple[NDArray[np.int64], Embeddings]]:
        """As `embeddings`, some at a time: rows of `contents`, and their embeddings."""
        name = f"embeddings-{space_key}"
        table = self._table(name)
        if table is not None:
            with raising_damage_errors(self._folder(name)):
                yield from parts_of(table, contents)

    def embedding_size(self, space_key: str) -> int:
        """The embedding size D; 0 if nothing was embedded yet."""
        table = self._table(f"embeddings-{space_key}")
        return 0 if table is None else size_of(table)

    def embedded(self, space_key: str) -> EmbeddedContents:
        """Contents that have an embedding in a space, with entropy and norm, without reading the embeddings."""
        data = self._columns(f"embeddings-{space_key}", ["content", "entropy", "norm"], embeddings_schema(1))
        return EmbeddedContents(numbers_of(data["content"]), numbers_of(data["entropy"]), numbers_of(data["norm"]))

    def scores(self, space_key: str, head_digest: str) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Contents scored by a head, and their uncertainty."""
        data = self._columns(f"scores-{space_key}-{head_digest}", ["content", "uncertainty"], SCORES)
        return numbers_of(data["content"]), numbers_of(data["uncertainty"])

    def quality(self, columns: Sequence[str] = QUALITY.names) -> pa.Table:
        """Columns of QUALITY for every content that was measured."""
        return self._columns(QUALITY_TABLE, columns, QUALITY)

    def whitened(self, space_key: str) -> WhitenedRows | None:
        """The whitened space and the rows in it; None if there is none, or a writer is replacing it."""
        whitening, rows = self.whitening(space_key), self._table(f"whitened-{space_key}")
        if whitening is None or rows is None:
            return None
        data = self._rows(f"whitened-{space_key}", rows, whitened_schema(1).names)
        if len(data) and not (numbers_of(data["key"]) == whitening.key).all():
            return None
        whitened = matrix(data["whitened"]).astype(np.float16, copy=False)
        return WhitenedRows(whitening, numbers_of(data["content"]), whitened)

    def whitened_of(self, space_key: str, contents: NDArray[np.int64]) -> WhitenedRows | None:
        """Contents (M,), which may repeat, in the whitened space; None if one is not in it, or as for `whitened`."""
        whitening, table = self.whitening(space_key), self._table(f"whitened-{space_key}")
        if whitening is None or table is None:
            return None
        rows = self._read(f"whitened-{space_key}", lambda: read_whitened(table, contents, whitening.key))
        return None if rows is None else WhitenedRows(whitening, contents, rows)

    def whitening(self, space_key: str) -> Whitening | None:
        """The whitened space; None if there is none."""
        name, names = f"whitening-{space_key}", whitening_schema(1).names
        table = self._table(name)
        return None if table is None else self._read(name, lambda: _whitening_of(self._rows(name, table, names)))

    def graph(self, space_key: str) -> Graph | None:
        """The neighbour graph of a space, once it was made."""
        name, names = f"graph-{space_key}", graph_schema(1).names
        table = self._table(name)
        if table is None:
            return None
        graph: Graph = self._read(name, lambda: _graph_of(self._rows(name, table, names)))
        return graph

    def graph_columns(self, space_key: str) -> GraphColumns | None:
        """What the graph says of each content, without its lists; None if there is no graph yet."""
        if self._table(f"graph-{space_key}") is None:
            return None
        names = [field.name for field in dataclasses.fields(GraphColumns)]
        data = self._columns(f"graph-{space_key}", names, graph_schema(1))
        return GraphColumns(*(numbers_of(data[name]) for name in names))

    def raw_neighbours(self, space_key: str) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]] | None:
        """The graph of a set that was read before there was a whitened space: contents, positions, raw cosines."""
        table = self._table(f"neighbours-{space_key}")
        if table is None:
            return None
        data = self._rows(f"neighbours-{space_key}", table, ["content", "position", "similarity"])
        position, similarity = matrix(data["position"]), matrix(data["similarity"])
        return numbers_of(data["content"]), position.astype(np.int32), similarity.astype(np.float32)

    def coordinates(self, space_key: str) -> Coordinates | None:
        """The map of a space; None before it was made."""
        if self._table(f"coordinates-{space_key}") is None:
            return None
        data = self._columns(f"coordinates-{space_key}", COORDINATES.names, COORDINATES)
        xy = np.stack([numbers_of(data["x"]), numbers_of(data["y"])], axis=1)
        return Coordinates(numbers_of(data["content"]), xy, numbers_of(data["method"]))

    def thumbnails(self, ids: Iterable[int]) -> dict[int, bytes]:
        """Thumbnails (JPEG) by image id; ids without one are left out."""
        wanted = [int(i) for i in ids]
        table = self._table("images")
        if table is None or not wanted:
            return {}
        condition = f"id IN ({', '.join(map(str, wanted))}) AND thumbnail IS NOT NULL"
        columns = ["id", "thumbnail"]
        query = table.search().where(condition).select(columns_to_read(table.schema, columns)).limit(len(wanted))
        rows = self._read("images", lambda: verified(query.to_arrow(), columns))
        return dict(zip(rows["id"].to_pylist(), rows["thumbnail"].to_pylist(), strict=True))

    def _table(self, name: str) -> Any:
        """The table, at its latest version; None if it was never written."""
        folder, table = self._folder(name), self._tables.get(name)
        state = versions.state_of(folder)  # before it is read: what is written meanwhile is another state
        if table is not None and state is not None and self._states.get(name) == state:
            return table
        if not folder.is_dir():  # never written, or dropped since
            self._tables.pop(name, None)
            return None
        if table is not None:
            self._read(name, table.checkout_latest)
        elif was_written(folder):
            table = self._tables[name] = self._read(name, lambda: self._database.open_table(name))
        else:  # its first write is not finished
            return None
        version = table.version
        if self._checked.get(name) != version:
            self._checked[name] = self._read(name, lambda: _checked_version(table, version, folder))
        self._states[name] = state if versions.is_newest(version, state) else None
        return table

    def _read(self, name: str, reading: Callable[[], Any]) -> Any:
        with raising_damage_errors(self._folder(name)):
            return reading()

    def _columns(self, name: str, columns: Sequence[str], schema: pa.Schema) -> pa.Table:
        table = self._table(name)
        if table is None:
            return pa.schema([schema.field(c) for c in columns]).empty_table()
        return self._rows(name, table, columns)

    def _rows(self, name: str, table: Any, columns: Sequence[str]) -> pa.Table:
        """Columns of all rows of a table that is open, at its latest version."""
        reading = partial(_whole, table, columns)
        return self._read(name, lambda: _recent.of(self._folder(name), self._states.get(name), columns, reading))


def verify_table(table: Any, folder: Path, *, is_newest: bool = True) -> None:
    """Read a whole stored table. Raises ChecksumError, or what LanceDB raises, if it is not as written.

    With `is_newest` it must be at the version written last.
    """
    _checked_version(table, table.version, folder, is_newest=is_newest)
    count = table.count_rows()
    for batch in table.search().limit(max(1, count)).to_batches(batch_size=ROWS_AT_ONCE):
        rows = verified(pa.Table.from_batches([batch]), batch.schema.names)
        count -= len(rows)
    if count:
        raise ChecksumError(f"{count:,} rows are missing")
    if "twins" in table.schema.names:
        _graph_of(_whole(table, graph_schema(1).names))


def _checked_version(table: Any, version: int, folder: Path, *, is_newest: bool = True) -> int:
    """The version that a table, which is at `version`, is read at.

    Raises ChecksumError if its newest version is lost, or its manifest is not as it was written.
    """
    known = versions.noted(folder)
    if is_newest and version < known.newest:  # another process may have written since
        table.checkout_latest()
        version = table.version
    if is_newest and version < known.newest:
        raise ChecksumError(f"version {known.newest} is lost")
    versions.check(folder, version, known)
    return version


def _whole(table: Any, columns: Sequence[str]) -> pa.Table:
    """Columns of all rows of a stored table, verified. Raises ChecksumError if rows are missing or damaged."""
    count = table.count_rows()
    schema = table.schema
    needed = columns_to_read(schema, columns)
    wants_all = set(needed) == set(schema.names)  # then to_arrow is faster
    data = table.to_arrow() if wants_all else table.search().select(needed).limit(max(1, count)).to_arrow()
    if len(data) != count:
        raise ChecksumError(f"{len(data):,} of {count:,} rows are there")
    return verified(data, columns)


def _graph_of(data: pa.Table) -> Graph:
    """The graph in the rows of its table. Raises ChecksumError if a position is out of range."""
    position = matrix(data["position"]).astype(np.int32, copy=False)
    twins = twins_of_cells(data["twins"], is_thinned=bool(numbers_of(data["is_thinned"]).any()))
    for rows in (position, twins.pair):
        if rows.size and not (rows.min() >= -1 and rows.max() < len(position)):
            raise ChecksumError("positions that are of no row")
    return Graph(
        numbers_of(data["content"]),
        position,
        matrix(data["similarity"]).astype(np.float32, copy=False),
        twins,
        int(data["whitening"][0].as_py()) if len(data) else 0,
        is_approximate=bool(numbers_of(data["is_approximate"]).any()),
    )


def _whitening_of(data: pa.Table) -> Whitening:
    """The space in the rows of its table; the first is the mean."""
    direction, scale = matrix(data["direction"]).astype(np.float32), numbers_of(data["scale"])
    fitted_on, version = (int(data[name][0].as_py()) for name in ("fitted_on", "version"))
    return Whitening(direction[0], np.ascontiguousarray(direction[1:].T), scale[1:], fitted_on, version)
