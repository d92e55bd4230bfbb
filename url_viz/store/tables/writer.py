"""Writing the tables of an image set, under the set's lock."""

import datetime
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from url_viz.base.errors import WorkspaceError
from url_viz.base.files import remove_leftovers
from url_viz.base.workspace import SetPaths
from url_viz.imaging.encoding import ENCODINGS, Encoding
from url_viz.imaging.quality import QUALITIES, Hashes, Quality
from url_viz.imaging.scan import Scan
from url_viz.models.model import EmbeddingSpace
from url_viz.store.about import LANCE_ERRORS, About, find_disk_error, raising_disk_errors, was_written, write_about
from url_viz.store.tables import versions
from url_viz.store.tables.embedding_rows import ROWS_AT_ONCE, WhitenedRows
from url_viz.store.tables.reader import ENCODING_TABLE, HASH_TABLE, QUALITY_TABLE, Store
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
    embeddings_schema,
    fixed_lists,
    graph_schema,
    twin_cells,
    whitened_schema,
    whitening_schema,
)

KEEP_VERSIONS = datetime.timedelta(minutes=10)
"""Older versions are removed after a run; readers that opened the set within this time can go on."""
CLEANED_UP_WITHIN = datetime.timedelta(seconds=10)
"""The longest time that LanceDB takes to look at how old versions are."""
PATIENCE_S = 0.25
"""How long a writer waits for the lock: `is_being_written` holds it for a moment."""
MOST_EXTENSIONS = 500
SPACE_TABLES = ("embeddings", "scores", "whitening", "whitened", "graph", "coordinates")
"""The tables whose names go on with the key of their space."""


class Writer(Store):
    """The one writer of an image set; use it as a context manager, which holds the set's lock.

    Raises WorkspaceError for a full or read-only disk. If an error ends the first run before a picture was stored,
    the image set is removed.
    """

    def __init__(self, paths: SetPaths, root: Path) -> None:
        super().__init__(paths)
        self._root = root.expanduser().resolve()
        self._lock = FileLock(paths.lock)
        self._is_new = False

    def __enter__(self) -> "Writer":
        with raising_disk_errors(self.paths):
            self._is_new = not self.paths.folder.exists()
            try:
                while True:
                    self.paths.folder.mkdir(parents=True, exist_ok=True)
                    self._lock.acquire(timeout=PATIENCE_S)
                    if self.paths.lock.exists():
                        break
                    self._lock.release()  # the folder was forgotten meanwhile
            except Timeout as error:
                raise WorkspaceError(
                    f"Another process is reading {str(self._root)!r} into the workspace "
                    f"{self.paths.folder.parent.parent}. Wait until it is done, or stop it first."
                ) from error
            try:
                if not self.paths.about.exists():
                    write_about(self.paths, About(self._root, ()))
            except BaseException:  # of a full disk, in whatever words, or Ctrl-C: the lock must not stay
                self._leave(is_failed=True)
                raise
        return self

    def __exit__(self, _: object = None, error: BaseException | None = None, __: object = None) -> None:
        self._leave(is_failed=error is not None)
        disk_error = None if error is None else find_disk_error(error, self.paths)
        if disk_error is not None:
            raise disk_error from error

    def _leave(self, *, is_failed: bool) -> None:
        if is_failed and self._is_new:
            try:
                opened = self._open("images")
                has_pictures = opened is not None and opened.table.count_rows("failure IS NULL") > 0
            except (WorkspaceError, *LANCE_ERRORS):  # an unreadable table is repaired by `mend`
                has_pictures = was_written(self.paths.tables / "images.lance")
            if not has_pictures:
                shutil.rmtree(self.paths.folder, ignore_errors=True)  # leftovers do no harm
        self._lock.release()

    def _change_about(self, **changes: Any) -> None:
        about = self.about()
        changed = replace(about, **changes)
        if changed != about:
            write_about(self.paths, changed)

    def add_space(self, space: EmbeddingSpace) -> None:
        """Record that the set is embedded in the `space` of a model; the latest comes last."""
        others = (other for other in self.about().spaces if other.key != space.key)
        self._change_about(spaces=(*others, space))

    def note_scan(self, scan: Scan) -> None:
        """Record the remarks of a scan, and how many files it ignored by extension: the most frequent ones singly."""
        rest = sum(number for _, number in scan.other[MOST_EXTENSIONS:])
        skipped = (*scan.other[:MOST_EXTENSIONS], *((("other extensions", rest),) if rest else ()))
        self._change_about(skipped=skipped, remarks=scan.remarks)

    def note_objects(self, base: Path, *, without: int, classes: tuple[str, ...]) -> None:
        """Record that this is a set of objects of these `classes`, whose paths are relative to `base`.

        `without` is how many pictures hold none.
        """
        self._change_about(objects_in=str(base), without_objects=without, classes=classes)

    def note_begun(self, space_keys: Sequence[str], files: int) -> None:
        """Record that a reading in these spaces has begun, which leaves the set with `files` files."""
        self._change_about(begun=(*self._other_begun(space_keys), *((key, files) for key in space_keys)))

    def note_ended(self, space_keys: Sequence[str]) -> None:
        """Record that the reading in these spaces has finished now."""
        self._change_about(begun=self._other_begun(space_keys), read_at=time.time())

    def _other_begun(self, space_keys: Sequence[str]) -> tuple[tuple[str, int], ...]:
        return tuple((key, files) for key, files in self.about().begun if key not in space_keys)

    def drop_space(self, space: EmbeddingSpace) -> None:
        """Remove all data of one space. set.json changes first, so that a stopped run leaves only unnamed tables."""
        spaces = tuple(other for other in self.about().spaces if other.key != space.key)
        self._change_about(spaces=spaces, begun=self._other_begun([space.key]))
        self.drop_unnamed_spaces()

    def drop_unnamed_spaces(self) -> None:
        """Remove tables of spaces that set.json does not name, and columns derived from them."""
        named = self.about().space_keys
        for folder in self.paths.tables.glob("*.lance"):
            kind, _, rest = folder.stem.partition("-")
            if kind in SPACE_TABLES and rest.partition("-")[0] not in named:
                shutil.rmtree(folder)
        for file in self.paths.derived.rglob("*.arrow"):
            if file.name.partition("-")[0] not in named:
                file.unlink()

    def add_images(self, rows: pa.Table) -> None:
        """Add files (IMAGES columns); they replace rows with the same id."""
        table = self._table("images", IMAGES)
        ids = ", ".join(map(str, rows["id"].to_pylist()))
        if not ids or not table.count_rows(f"id IN ({ids})"):
            table.add(rows)
        else:
            # One step for readers. Two handles merging at once would duplicate rows: the set's lock prevents that.
            table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all().execute(rows)
        self._note("images")

    def drop_images(self, ids: Sequence[int]) -> None:
        """Remove files that have left the folder; their embeddings stay, for when they come back."""
        opened = self._open("images")
        if opened is None:
            return
        for start in range(0, len(ids), 1000):
            opened.table.delete(f"id IN ({', '.join(str(i) for i in ids[start : start + 1000])})")
            self._note("images")

    def add_embeddings(self, space_key: str, rows: Embeddings) -> None:
        """Add embeddings of contents that have none yet in this space."""
        schema = embeddings_schema(rows.embedding.shape[1])
        norm = np.linalg.norm(rows.embedding.astype(np.float32), axis=1)
        self._add(f"embeddings-{space_key}", _rows(schema, rows.content, rows.embedding, norm, rows.entropy))

    def add_scores(
        self, space_key: str, head_digest: str, content: NDArray[np.int64], uncertainty: NDArray[np.float32]
    ) -> None:
        """Add uncertainties of contents that this head has not scored yet."""
        self._add(f"scores-{space_key}-{head_digest}", _rows(SCORES, content, uncertainty))

    def add_quality(self, content: NDArray[np.int64], quality: Sequence[Quality]) -> None:
        """Add the quality of contents (M,) that have none yet."""
        values = np.array(list(map(attrgetter(*QUALITIES), quality)), np.float32)
        self._add(QUALITY_TABLE, _rows(QUALITY, content, *values.T))

    def add_hashes(self, content: NDArray[np.int64], hashes: Sequence[Hashes]) -> None:
        """Add the perceptual hashes, each (WORDS,), of contents (M,) that have none yet."""
        self._add(HASH_TABLE, _rows(HASHES, content, np.stack(hashes).view(np.int64)))

    def add_encodings(self, content: NDArray[np.int64], encodings: Sequence[Encoding]) -> None:
        """Add the encodings of contents (M,) that have none yet."""
        kinds = {name: ENCODING.field(name).type for name in ENCODINGS}
        values = (pa.array([getattr(each, name) for each in encodings], kind) for name, kind in kinds.items())
        self._add(ENCODING_TABLE, _rows(ENCODING, content, *values))

    def drop_quality_and_hashes(self) -> None:
        """Remove what follows from thumbnails, where pictures are to be rendered in another way."""
        for name in (QUALITY_TABLE, HASH_TABLE):
            opened = self._open(name)
            if opened is not None:
                opened.table.delete("content IS NOT NULL")
                self._note(name)

    def drop_older_quality(self) -> None:
        """Remove qualities by older formulas, once those by this one are there."""
        for table in self.paths.tables.glob(f"{QUALITY_TABLE.partition('-')[0]}-*.lance"):
            if table.stem != QUALITY_TABLE:
                shutil.rmtree(table, ignore_errors=True)

    def put_whitened(self, space_key: str, whitened: WhitenedRows) -> None:
        """Replace the whitened space and the rows in it; a reader between the two writes finds none."""
        whitening = whitened.whitening
        directions = np.concatenate([whitening.mean[None], whitening.axes.T])
        scales = np.concatenate([[0], whitening.scales]).astype(np.float32)
        columns = np.full(len(directions), whitening.key), directions, scales, whitening.fitted_on
        schema = whitening_schema(directions.shape[1])
        self._put(f"whitening-{space_key}", _rows(schema, *columns, np.int32(whitening.version)))
        schema = whitened_schema(whitened.rows.shape[1])
        self._put(f"whitened-{space_key}", _rows(schema, whitened.content, whitened.rows, whitening.key))

    def put_graph(self, space_key: str, graph: Graph, columns: GraphColumns) -> None:
        """Replace the neighbour graph, with its `columns`."""
        rows = _rows(
            graph_schema(graph.position.shape[1]),
            *(graph.content, graph.position, graph.similarity, twin_cells(graph.twins), graph.twins.is_thinned),
            *(columns.nearest, columns.nearest_similarity, columns.confusability, columns.twin_group),
            *(graph.whitening, graph.is_approximate, columns.copy_group),
        )
        self._put(f"graph-{space_key}", rows)

    def put_coordinates(self, space_key: str, coordinates: Coordinates) -> None:
        rows = _rows(COORDINATES, coordinates.content, *coordinates.xy.T.astype(np.float32), coordinates.method)
        self._put(f"coordinates-{space_key}", rows)

    def compact(self, *, keep: datetime.timedelta = KEEP_VERSIONS) -> None:
        """Merge the fragments of many small writes, and remove what no reader needs any more: versions, leftovers."""
        remove_leftovers(self.paths.folder)
        for folder in sorted(self.paths.tables.glob("*.lance")):
            stored_versions, files = (len(list((folder / part).glob("*"))) for part in ("_versions", "data"))
            is_compact = stored_versions <= 2 and files <= 1  # as created and filled
            opened = None if is_compact else self._open(folder.stem)
            if opened is not None:
                with self._reading(opened.name, opened.state):  # what is merged is written down as whole
                    versions.check(folder, opened.table.version, with_data=True)
                opened.table.optimize(cleanup_older_than=_needed_for(opened.table, keep))
                self._note(folder.stem)

    def _table(self, name: str, schema: pa.Schema) -> Any:
        """The LanceDB table, created if it is new."""
        opened = self._open(name)
        return self._database.create_table(name, schema=schema, exist_ok=True) if opened is None else opened.table

    def _add(self, name: str, rows: pa.Table) -> None:
        self._table(name, rows.schema).add(rows)
        self._note(name)

    def _put(self, name: str, data: pa.Table) -> None:
        mode = "create" if self._open(name) is None else "overwrite"
        batches = data.to_reader(max_chunksize=ROWS_AT_ONCE)  # of a whole table Lance makes four copies
        self._database.create_table(name, data=batches, mode=mode)
        self._note(name)

    def _note(self, name: str) -> None:
        """Record the files of a table that was just written; what was opened of it is out of date."""
        self._opened.pop(name, None)
        versions.note(self._folder(name))


def _rows(schema: pa.Schema, *columns: Any) -> pa.Table:
    """Rows from columns in the order of the schema, arrays (N,) or (N, K), or a value that all rows have."""

    def column(values: Any) -> pa.Array:
        if isinstance(values, pa.Array):
            return values
        return fixed_lists(values) if np.ndim(values) == 2 else pa.array(np.broadcast_to(values, len(columns[0])))

    return pa.table(list(map(column, columns)), schema=schema)


def _needed_for(table: Any, keep: datetime.timedelta) -> datetime.timedelta:
    """The age up to which versions may be in use: that of the oldest one that was the newest within `keep`."""
    now = datetime.datetime.now(datetime.UTC)
    ages = [now - version["timestamp"].astimezone() for version in table.list_versions()]  # given in local time
    return min((age for age in ages if age >= keep), default=keep) + CLEANED_UP_WITHIN


def is_being_written(paths: SetPaths) -> bool:
    """Whether a process holds an image set's lock now."""
    if not paths.lock.exists():
        return False
    lock = FileLock(paths.lock)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False
