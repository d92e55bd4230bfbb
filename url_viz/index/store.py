"""The store of an image set: LanceDB tables that many read and one writes."""

import datetime
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from itertools import count
from pathlib import Path
from typing import Any

import lancedb
import numpy as np
import pyarrow as pa
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from url_viz.errors import DamageError, ImageSetError, WorkspaceError
from url_viz.files import replaced
from url_viz.imaging.preprocess import Preprocessing
from url_viz.imaging.quality import VERSION as MEASURES_VERSION
from url_viz.index import versions
from url_viz.index.checksums import ChecksumError, columns_to_read, summed, verified, with_checksums
from url_viz.index.damage import LANCE_ERRORS, damage_is_told, full_disk_is_told, of_the_disk, was_written
from url_viz.index.embedding_table import ROWS_AT_ONCE, read_embeddings, read_unit_rows
from url_viz.index.tables import (
    COORDINATES,
    IMAGES,
    MEASURES,
    SCORES,
    Coordinates,
    Embeddings,
    Graph,
    embeddings_schema,
    fixed_lists,
    matrix,
    neighbours_schema,
)
from url_viz.models.model import EmbeddingSpace
from url_viz.sealed import sealed, unsealed
from url_viz.workspace import SetPaths, Workspace, set_id_of

KEEP_VERSIONS = datetime.timedelta(minutes=10)
"""Older versions are removed after a run; a reader that opened the set within this time is not disturbed."""

MOST_EXTENSIONS = 500
SPACE_TABLES = ("embeddings", "scores", "neighbours", "coordinates")
"""The tables whose names go on with the key of their space."""

_MEASURES = f"measures-{MEASURES_VERSION}"


@dataclass(frozen=True)
class About:
    """What is known of an image set besides its rows: where its pictures lie, and the spaces it was read in.

    `name` is what its owner called it ("" for nothing); `skipped` counts, by extension, the files of the folder that
    the last scan passed over as no pictures.
    """

    root: Path
    spaces: tuple[EmbeddingSpace, ...] = ()
    name: str = ""
    skipped: tuple[tuple[str, int], ...] = ()

    @property
    def title(self) -> str:
        """What the image set is called: by its name, else by the end of its folder's path."""
        return self.name or f"{self.root.parent.name}/{self.root.name}"

    def space(self, backbone: str, *, weights_digest: str | None = None) -> EmbeddingSpace | None:
        """The latest space of this backbone and these weights; where they are not told, of any but a user's own."""
        for space in reversed(self.spaces):
            fits = weights_digest == space.weights_digest if weights_digest else not space.is_of_own_weights
            if space.backbone == backbone and fits:
                return space
        return None


@dataclass(frozen=True)
class Embedded:
    """Of M distinct contents: `content` (M,), `entropy` (M,) in nats, `norm` (M,) the length of the embedding."""

    content: NDArray[np.int64]
    entropy: NDArray[np.float32]
    norm: NDArray[np.float32]


def find_set(root: Path, workspace: Workspace) -> str:
    """The id of the image set of the folder `root`: a known one that lies there, else the id a new one gets."""
    resolved = Path(os.path.realpath(root.expanduser()))  # which says nothing of loops and endless names
    known = dict(known_sets(workspace))
    for set_id, about in known.items():
        if about.root == resolved:
            return set_id
    # An image set whose folder was moved keeps its id, which is made from where the folder lay: that name is taken.
    return next(set_id for set_id in map(partial(set_id_of, resolved), count()) if set_id not in known)


def known_sets(workspace: Workspace) -> list[tuple[str, About]]:
    """Every image set of the workspace, by id."""
    found = []
    for folder in sorted(workspace.sets.glob("*")):
        with suppress(WorkspaceError, ImageSetError):  # a stray folder is no image set
            found.append((folder.name, read_about(workspace.set_paths(folder.name))))
    return found


def read_about(paths: SetPaths) -> About:
    """Read an image set's label, or the copy beside it where that is damaged.

    Raises ImageSetError where there is none, DamageError where both are damaged.
    """
    try:
        return _about_in(paths.about)
    except FileNotFoundError as error:
        raise ImageSetError(
            f"There is no image set {paths.folder.name!r}. `python -m url_viz sets` lists them."
        ) from error
    except DamageError:
        with suppress(DamageError, OSError):
            return _about_in(paths.about_copy)
        raise


def label_is_whole(paths: SetPaths) -> bool:
    """Whether an image set's label can be read without its copy."""
    try:
        _about_in(paths.about)
    except DamageError:
        return False
    return True


def _about_in(path: Path) -> About:
    try:
        record = unsealed(path.read_bytes())
        return About(
            root=Path(record["root"]),
            spaces=tuple(_space(r) for r in record["spaces"]),
            name=str(record.get("name", "")),
            skipped=tuple((str(extension), int(number)) for extension, number in record.get("skipped", [])),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamageError(
            f"{path} is damaged ({error!r}). Run `python -m url_viz mend FOLDER` on the folder of pictures, then read "
            f"that again: pictures, decisions and columns stay as they are."
        ) from error


def _space(record: dict[str, Any]) -> EmbeddingSpace:
    sheet = record["preprocessing"] | {
        "mean": tuple(record["preprocessing"]["mean"]),
        "std": tuple(record["preprocessing"]["std"]),
    }
    return EmbeddingSpace(record["backbone"], record["weights_digest"], Preprocessing(**sheet), record["precision"])


def write_about(paths: SetPaths, about: About) -> None:
    """Write an image set's label, and its copy; only the holder of the set's lock may."""
    spaces = [
        {
            "backbone": s.backbone,
            "weights_digest": s.weights_digest,
            "preprocessing": s.preprocessing.as_record(),
            "precision": s.precision,
        }
        for s in about.spaces
    ]
    text = sealed(asdict(about) | {"root": os.fspath(about.root), "spaces": spaces})
    for path in (paths.about, paths.about_copy):
        with replaced(path) as temporary:
            temporary.write_text(text)


class Store:
    """Reads an image set's tables; each call sees the latest whole state, also while another process writes."""

    def __init__(self, paths: SetPaths) -> None:
        self.paths = paths
        self._tables: dict[str, Any] = {}
        self._checked: dict[str, int] = {}
        """The version at which the manifest of a table was last compared with its digest, by name."""

    @cached_property
    def _database(self) -> Any:
        self.paths.tables.mkdir(parents=True, exist_ok=True)
        return lancedb.connect(self.paths.tables)

    def about(self) -> About:
        """The set's label."""
        return read_about(self.paths)

    def version(self, space_key: str, head_digest: str | None) -> str:
        """A short text that changes when anything shown of this space changes."""
        names = ["images", _MEASURES, *(f"{kind}-{space_key}" for kind in ("embeddings", "neighbours", "coordinates"))]
        if head_digest:
            names.append(f"scores-{space_key}-{head_digest}")
        tables = [self._table(name) for name in names]
        return ".".join("-" if table is None else str(table.version) for table in tables)

    def images(self, columns: Sequence[str]) -> pa.Table:
        """Columns of the table of files; empty where nothing was read yet."""
        return self._columns("images", columns, IMAGES)

    def embeddings(self, space_key: str, contents: NDArray[np.int64] | None = None) -> Embeddings:
        """Every stored embedding of a space (also of pictures that have left the folder).

        With `contents` (M,), which may repeat, those rows alone and in that order; contents without one are left out.
        """
        table = self._table(f"embeddings-{space_key}")
        if table is None:
            return Embeddings(np.zeros(0, np.int64), np.zeros((0, 0), np.float16), np.zeros(0, np.float32))
        wanted = self.embedded(space_key).content if contents is None else contents
        found: Embeddings = self._read(f"embeddings-{space_key}", lambda: read_embeddings(table, wanted))
        return found

    def unit_rows(self, space_key: str, contents: NDArray[np.int64]) -> NDArray[np.float32]:
        """The embeddings of `contents` (M,) at length one, (M, D) float32; zeros where none is stored."""
        table = self._table(f"embeddings-{space_key}")
        if table is None:
            return np.zeros((len(contents), 0), np.float32)
        unit: NDArray[np.float32] = self._read(f"embeddings-{space_key}", lambda: read_unit_rows(table, contents))
        return unit

    def embedded(self, space_key: str) -> Embedded:
        """Contents that have an embedding in a space, with what is told of them without reading the embeddings."""
        data = self._columns(f"embeddings-{space_key}", ["content", "entropy", "norm"], embeddings_schema(1))
        return Embedded(_numbers(data["content"]), _numbers(data["entropy"]), _numbers(data["norm"]))

    def scores(self, space_key: str, head_digest: str) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Contents scored by a head, and their uncertainty."""
        data = self._columns(f"scores-{space_key}-{head_digest}", ["content", "uncertainty"], SCORES)
        return _numbers(data["content"]), _numbers(data["uncertainty"])

    def measures(self, columns: Sequence[str] = MEASURES.names) -> pa.Table:
        """Columns of MEASURES, of every content that was measured."""
        return self._columns(_MEASURES, columns, MEASURES)

    def graph(self, space_key: str) -> Graph | None:
        """The neighbour graph of a space, once it was made."""
        table = self._table(f"neighbours-{space_key}")
        if table is None:
            return None
        graph: Graph = self._read(
            f"neighbours-{space_key}", lambda: _graph_of(_whole(table, neighbours_schema(1).names))
        )
        return graph

    def coordinates(self, space_key: str) -> Coordinates | None:
        """The map of a space, once there is one."""
        if self._table(f"coordinates-{space_key}") is None:
            return None
        data = self._columns(f"coordinates-{space_key}", COORDINATES.names, COORDINATES)
        xy = np.stack([_numbers(data["x"]), _numbers(data["y"])], axis=1)
        return Coordinates(_numbers(data["content"]), xy, _numbers(data["method"]))

    def thumbnails(self, ids: Iterable[int]) -> dict[int, bytes]:
        """Thumbnails (JPEG) by image id; ids without one are left out."""
        wanted = [int(i) for i in ids]
        table = self._table("images")
        if table is None or not wanted:
            return {}
        condition = f"id IN ({', '.join(map(str, wanted))}) AND thumbnail IS NOT NULL"
        columns = ["id", "thumbnail"]
        found = table.search().where(condition).select(columns_to_read(table.schema, columns)).limit(len(wanted))
        rows = self._read("images", lambda: verified(found.to_arrow(), columns))
        return dict(zip(rows["id"].to_pylist(), rows["thumbnail"].to_pylist(), strict=True))

    def _table(self, name: str) -> Any:
        """The table, at its latest version; None where it was never written."""
        if not (self.paths.tables / f"{name}.lance").is_dir():  # never written, or dropped since
            self._tables.pop(name, None)
            return None
        if name not in self._tables:
            if not was_written(self.paths.tables / f"{name}.lance"):  # its first write has not ended
                return None
            self._tables[name] = self._read(name, lambda: self._database.open_table(name))
        table = self._tables[name]
        self._read(name, table.checkout_latest)
        if self._checked.get(name) != table.version:
            self._read(name, lambda: _check_version(table, self.paths.tables / f"{name}.lance"))
            self._checked[name] = table.version
        return table

    def _read(self, name: str, reading: Callable[[], Any]) -> Any:
        with damage_is_told(self.paths.tables / f"{name}.lance"):
            return reading()

    def _columns(self, name: str, columns: Sequence[str], schema: pa.Schema) -> pa.Table:
        table = self._table(name)
        if table is None:
            return pa.schema([schema.field(c) for c in columns]).empty_table()
        return self._read(name, lambda: _whole(table, columns))


class Writer(Store):
    """The one writer of an image set; use it as a context manager, which holds the set's lock.

    A full or read-only disk is a WorkspaceError. Where an error ends the first run before anything was stored, no image
    set is left behind.
    """

    def __init__(self, paths: SetPaths, root: Path) -> None:
        super().__init__(paths)
        self._root = root.expanduser().resolve()
        self._lock = FileLock(paths.lock)
        self._is_new = False

    def __enter__(self) -> "Writer":
        with full_disk_is_told(self.paths):
            self._is_new = not self.paths.folder.exists()
            self.paths.folder.mkdir(parents=True, exist_ok=True)
            self._acquire()
            try:
                if not self.paths.about.exists():
                    write_about(self.paths, About(self._root))
                elif not self.paths.about_copy.exists():  # written before there were copies
                    with suppress(DamageError):
                        write_about(self.paths, self.about())
            except OSError:
                self._leave(is_failed=True)
                raise
        return self

    def __exit__(self, _: object = None, error: BaseException | None = None, __: object = None) -> None:
        self._leave(is_failed=error is not None)
        told = None if error is None else of_the_disk(error, self.paths)
        if told is not None:
            raise told from error

    def _acquire(self) -> None:
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise WorkspaceError(
                f"Another process is reading {str(self._root)!r} into the workspace {self.paths.folder.parent.parent}. "
                "Wait until it is done, or stop it first."
            ) from error

    def _leave(self, *, is_failed: bool) -> None:
        """Let go of the lock; of a new set that failed before it had a picture, remove what there is."""
        if is_failed and self._is_new and not self._has_rows():
            shutil.rmtree(self.paths.folder, ignore_errors=True)  # what cannot be removed is no worse than before
        self._lock.release()

    def _has_rows(self) -> bool:
        try:
            table = self._table("images")
            return table is not None and table.count_rows() > 0
        except (WorkspaceError, *LANCE_ERRORS):  # what cannot be read is for `mend`
            return was_written(self.paths.tables / "images.lance")

    def add_space(self, space: EmbeddingSpace) -> None:
        """Note that the set is read in `space`; the latest comes last."""
        about = self.about()
        others = tuple(s for s in about.spaces if s.key != space.key)
        if about.spaces != (*others, space):
            write_about(self.paths, replace(about, spaces=(*others, space)))

    def note_skipped(self, skipped: Sequence[tuple[str, int]]) -> None:
        """Note what the scan passed over, by extension: the most frequent ones, and the rest as one."""
        rest = sum(number for _, number in skipped[MOST_EXTENSIONS:])
        kept = (*skipped[:MOST_EXTENSIONS], *((("other extensions", rest),) if rest else ()))
        about = self.about()
        if about.skipped != kept:
            write_about(self.paths, replace(about, skipped=kept))

    def drop_space(self, space: EmbeddingSpace) -> None:
        """Forget all that is kept of one space. The label goes first: what is left of a stopped run is litter."""
        about = self.about()
        write_about(self.paths, replace(about, spaces=tuple(s for s in about.spaces if s.key != space.key)))
        self.drop_litter()

    def drop_litter(self) -> None:
        """Remove tables of spaces that the label does not name any more."""
        named = {space.key for space in self.about().spaces}
        for folder in self.paths.tables.glob("*.lance"):
            kind, _, rest = folder.stem.partition("-")
            if kind in SPACE_TABLES and rest.partition("-")[0] not in named:
                self._tables.pop(folder.stem, None)
                shutil.rmtree(folder)

    def add_images(self, rows: pa.Table) -> None:
        """Add files (IMAGES columns); rows with the same id take the place of older ones."""
        table = self._made("images", with_checksums(IMAGES, apart=["thumbnail"]))
        stored = summed(rows, table.schema)
        if not self._has_any(table, rows["id"].to_pylist()):
            table.add(stored)
        else:
            # One step for readers. Two handles merging at once would double rows: the set's lock keeps it to one.
            table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all().execute(stored)
        self._note("images")

    def drop_images(self, ids: Sequence[int]) -> None:
        """Remove files that have left the folder; their embeddings stay, for when they come back."""
        table = self._table("images")
        for start in range(0, len(ids), 1000):
            table.delete(f"id IN ({', '.join(str(i) for i in ids[start : start + 1000])})")
            self._note("images")

    def add_embeddings(self, space_key: str, rows: Embeddings) -> None:
        """Add embeddings of contents that have none yet in this space."""
        schema = embeddings_schema(rows.embedding.shape[1])
        norm = np.linalg.norm(rows.embedding.astype(np.float32), axis=1)
        columns = [pa.array(rows.content), fixed_lists(rows.embedding), pa.array(norm), pa.array(rows.entropy)]
        self._add(f"embeddings-{space_key}", pa.table(columns, schema=schema), apart=["embedding"])

    def add_scores(
        self, space_key: str, head_digest: str, content: NDArray[np.int64], uncertainty: NDArray[np.float32]
    ) -> None:
        """Add uncertainties of contents that this head has not scored yet."""
        rows = pa.table([pa.array(content), pa.array(uncertainty)], schema=SCORES)
        self._add(f"scores-{space_key}-{head_digest}", rows)

    def add_measures(self, rows: pa.Table) -> None:
        """Add measures (MEASURES columns) of contents that have none yet."""
        self._add(_MEASURES, rows)

    def put_graph(self, space_key: str, graph: Graph) -> None:
        """Replace the neighbour graph."""
        columns = [
            pa.array(graph.content),
            fixed_lists(graph.position),
            fixed_lists(graph.similarity),
            pa.array(np.full(len(graph), graph.is_approximate)),
        ]
        self._put(f"neighbours-{space_key}", pa.table(columns, schema=neighbours_schema(graph.position.shape[1])))

    def put_coordinates(self, space_key: str, coordinates: Coordinates) -> None:
        """Replace the map."""
        x, y = coordinates.xy[:, 0].astype(np.float32), coordinates.xy[:, 1].astype(np.float32)
        columns = [pa.array(coordinates.content), pa.array(x), pa.array(y), pa.array(coordinates.method)]
        self._put(f"coordinates-{space_key}", pa.table(columns, schema=COORDINATES))

    def reopen(self) -> None:
        """Let go of open tables, whose files have changed by other ways than this."""
        self._tables.clear()
        self._checked.clear()

    def compact(self) -> None:
        """Join the fragments of many small writes, and remove versions that no reader needs any more."""
        for folder in sorted(self.paths.tables.glob("*.lance")):
            table = self._table(folder.stem)
            if table is not None:
                table.optimize(cleanup_older_than=KEEP_VERSIONS)
                self._note(folder.stem)

    def _has_any(self, table: Any, ids: Sequence[int]) -> bool:
        return bool(table.count_rows(f"id IN ({', '.join(map(str, ids))})")) if ids else False

    def _made(self, name: str, schema: pa.Schema) -> Any:
        table = self._table(name)
        if table is None:
            table = self._tables[name] = self._database.create_table(name, schema=schema, exist_ok=True)
        return table

    def _add(self, name: str, rows: pa.Table, *, apart: Sequence[str] = ()) -> None:
        """Add rows to a table, made where it is new; one of before gets no checksums, for rows must be alike."""
        table = self._made(name, with_checksums(rows.schema, apart=apart))
        table.add(summed(rows, table.schema))
        self._note(name)

    def _put(self, name: str, data: pa.Table) -> None:
        mode = "create" if self._table(name) is None else "overwrite"
        stored = summed(data, with_checksums(data.schema))
        self._tables[name] = self._database.create_table(name, data=stored, mode=mode)
        self._note(name)

    def _note(self, name: str) -> None:
        """Note the version of a table that was just written."""
        versions.note(self.paths.tables / f"{name}.lance", self._tables[name].version)


def verify_table(table: Any, folder: Path, *, is_newest: bool = True) -> None:
    """Read a stored table to its end. Raises ChecksumError, or what LanceDB raises, where it is not as it was written.

    `is_newest` says that it must be at the version that was written last.
    """
    _check_version(table, folder, is_newest=is_newest)
    count = table.count_rows()
    for batch in table.search().limit(max(1, count)).to_batches(batch_size=ROWS_AT_ONCE):
        rows = verified(pa.Table.from_batches([batch]), batch.schema.names)
        count -= len(rows)
    if count:
        raise ChecksumError(f"{count:,} rows are missing")
    if "position" in table.schema.names:
        _graph_of(_whole(table, neighbours_schema(1).names))


def _check_version(table: Any, folder: Path, *, is_newest: bool = True) -> None:
    """Raise ChecksumError where a table's newest version is lost, or its manifest is not as it was written."""
    known = versions.noted(folder)
    if is_newest and table.version < known.newest:  # another process may have written since
        table.checkout_latest()
    if is_newest and table.version < known.newest:
        raise ChecksumError(f"version {known.newest} is lost")
    versions.check(folder, table.version, known)


def _whole(table: Any, columns: Sequence[str]) -> pa.Table:
    """Columns of all rows of a stored table, verified. Raises ChecksumError where rows are missing or damaged."""
    count = table.count_rows()
    needed = columns_to_read(table.schema, columns)
    wants_all = set(needed) == set(table.schema.names)  # to_arrow is the faster then
    data = table.to_arrow() if wants_all else table.search().select(needed).limit(max(1, count)).to_arrow()
    if len(data) != count:
        raise ChecksumError(f"{len(data):,} of {count:,} rows are there")
    return verified(data, columns)


def _graph_of(data: pa.Table) -> Graph:
    """The graph in the rows of its table. Raises ChecksumError where a position is of no row."""
    position = matrix(data["position"]).astype(np.int32, copy=False)
    if position.size and not (position.min() >= -1 and position.max() < len(position)):
        raise ChecksumError("positions that are of no row")
    similarity = matrix(data["similarity"]).astype(np.float32, copy=False)
    return Graph(_numbers(data["content"]), position, similarity, bool(_numbers(data["is_approximate"]).any()))


def _numbers(column: pa.ChunkedArray) -> NDArray[Any]:
    return np.asarray(column.to_numpy())
