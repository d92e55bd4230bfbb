"""The pipeline: read what is new in a folder, embed it, store it batch by batch, so that a killed run loses little."""

import time
from collections import deque
from collections.abc import Callable, Container, Iterator, Mapping, Sequence, Set
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from url_viz.errors import BucketError, ModelError
from url_viz.imaging.read import Failure, Known, Picture, Reading, Unfetched
from url_viz.imaging.scan import FoundFile, Scan
from url_viz.imaging.source import source_of
from url_viz.imaging.workers import fetched_apart
from url_viz.models.model import EmbeddingSpace, Model
from url_viz.models.runtime import CPU_BATCH, Outputs, Wait
from url_viz.pipeline.external_embeddings import Given
from url_viz.pipeline.projection import PcaBasis, fit_pca
from url_viz.progress import Clock, ProgressCallback
from url_viz.read_ahead import Room, read_ahead
from url_viz.store.tables import IMAGES, PCA, Coordinates, Embeddings, positions_of
from url_viz.store.writer import Writer

FIRST_FLUSH_PICTURES = 64
FLUSH_PICTURES = 1024
FLUSH_S = 4.0
READ_AHEAD = 96
"""Pictures that are read ahead of the forward pass, which stands still while batches are stored."""
READ_ORDER_SEED = 0
MOST_HELD_BYTES = 1 << 30
"""Bytes of files that are in memory to be decoded, where many are fetched at a time."""
MOST_UNFETCHED = 64
"""So many files in a row that their store does not give end the run."""

_KNOWN_COLUMNS = ["id", "path", "size_bytes", "mtime_ns", "content", "width", "height", "failure"]


@dataclass(frozen=True)
class Plan:
    """What a run has to do: files to read, in the order they are read, and ids that have left the folder."""

    to_read: tuple[FoundFile, ...]
    gone: tuple[int, ...]
    unchanged: int


@dataclass(frozen=True)
class Outcome:
    """What a run did: pictures read, files passed over with a reason, pictures that have left.

    `unfetched` files were not given by their store, the first for the reason `why`; they stay to be read.
    """

    read: int
    failed: int
    unchanged: int
    gone: int
    unfetched: int = 0
    why: str = ""
    is_cut_off: bool = False

    @property
    def words_of_unfetched(self) -> str:
        """Why files stay to be read, for an error; "" if none do."""
        if not self.unfetched:
            return ""
        over = "at least " if self.is_cut_off else ""
        return f"{self.why} Left to be read: {over}{self.unfetched:,} of {self.read + self.failed + self.unfetched:,}."


def make_plan(
    scan: Scan, writer: Writer, *space_keys: str, limit: int | None, wanted: Container[int] | None = None
) -> Plan:
    """Compare the folder with the store: a file is read again only if its size or time changed.

    Or if it has no embedding yet in one of the spaces. Only ids in `wanted` are read, if it is given.

    Files are read in a fixed shuffled order, so that what is read so far is a fair sample of the whole; `limit` bounds
    how many pictures the image set has in the end (those read before count).
    """
    rows = writer.images(_KNOWN_COLUMNS)
    embedded = set.intersection(*(_embedded(writer, key) for key in space_keys))
    known = {
        row["id"]: (row["size_bytes"], row["mtime_ns"], row["failure"] is not None or row["content"] in embedded)
        for row in rows.to_pylist()
    }
    files = [f for f in scan.files if wanted is None or f.id in wanted]
    new = [f for f in files if known.get(f.id) != (f.size_bytes, f.mtime_ns, True)]
    present = {f.id for f in scan.files} | _out_of_sight(rows, scan)
    order = np.random.default_rng(READ_ORDER_SEED).permutation(len(new))
    unchanged = len(files) - len(new)
    to_read = [new[i] for i in order]
    if limit is not None:
        to_read = to_read[: max(0, limit - unchanged)]
    return Plan(tuple(to_read), tuple(i for i in known if i not in present), unchanged)


def _out_of_sight(rows: pa.Table, scan: Scan) -> set[int]:
    """Known pictures in folders that cannot be listed just now: nobody can say that they are gone."""
    hidden = tuple(folder + b"/" for folder, _ in scan.unreadable_folders)
    pairs = zip(rows["id"].to_pylist(), rows["path"].to_pylist(), strict=True)
    return {i for i, path in pairs if hidden and path.startswith(hidden)}


def _embedded(writer: Writer, space_key: str) -> set[int]:
    """The contents that have an embedding in a space."""
    return set(writer.embedded(space_key).content.tolist())


def embed(
    model: Model | Given,
    scan: Scan,
    writer: Writer,
    *,
    also: Sequence[Model] = (),
    limit: int | None,
    report: ProgressCallback,
) -> Outcome:
    """Read, embed and store what is new in the scanned folder; drop what has left it.

    Embeddings that are given are stored as they are; pictures without one are not read. The models `also` embed the
    same pictures, from the same reading of a file.

    Every file has one outcome: a row with an embedding, or a row with the reason of its failure. Decoding overlaps the
    forward pass, in processes of its own. A file that object storage does not give has none, and stays to be read; many
    of these in a row end the run (`Outcome.is_cut_off`).
    """
    models = (model, *also)
    for each in models:
        _refuse_unfinishable(writer, each)
    wanted = model.row if isinstance(model, Given) else None
    plan = make_plan(scan, writer, *(each.space.key for each in models), limit=limit, wanted=wanted)
    writer.note_skipped(scan.other)
    run = _Run(models, writer)
    clock = Clock("read", total=len(plan.to_read))
    report(clock.at(0))
    size = _batch_size(models)
    files = (plan.to_read[start : start + size] for start in range(0, len(plan.to_read), size))
    sheet, others = model.space.preprocessing, [each.space.preprocessing for each in also]

    source, room = source_of(scan.root), Room(MOST_HELD_BYTES)

    def read(file: FoundFile) -> tuple[FoundFile, Reading | Unfetched]:
        with room.of(file.size_bytes) if source.at_a_time else nullcontext():
            try:
                return file, fetched_apart(partial(source.read, file), sheet, known=run.known, also=others)
            except BucketError as error:
                return file, Unfetched(str(error))

    with ExitStack() as noted:
        for each in reversed(models):  # the first one last: it is the latest that the set was read with
            noted.enter_context(_noted(writer, each.space))
        writer.note_begun([each.space.key for each in models], plan.unchanged + len(plan.to_read))
        ahead = max(2, READ_AHEAD // size)
        with closing(read_ahead(files, read, ahead=ahead, at_a_time=source.at_a_time)) as batches:
            for batch in batches:
                run.take(batch)
                report(clock.at(run.done, failures=run.failed))
                if run.unfetched.is_too_many:
                    break
            run.flush()
            if run.ahead:
                report(clock.at(run.done, failures=run.failed))
        writer.drop_images(plan.gone)
    return run.outcome(plan)


@contextmanager
def _noted(writer: Writer, space: EmbeddingSpace) -> Iterator[None]:
    """Note that the set is read in `space`, unless the model is refused before anything of it was stored."""
    writer.add_space(space)
    try:
        yield
    except ModelError:
        if not len(writer.embedded(space.key).content):
            writer.drop_space(space)
        raise


def _refuse_unfinishable(writer: Writer, model: Model | Given) -> None:
    """Raise ModelError where embeddings are stored that are not finite, as earlier versions did."""
    bad = int((~np.isfinite(writer.embedded(model.space.key).norm)).sum())
    if bad:
        folder = str(writer.about().root)
        raise ModelError(
            f"{bad:,} embeddings of {folder!r} under {model.source.name!r} are not finite, and no map can be made of "
            f"them. Remove them: python -m url_viz drop-model {folder!r} {model.space.backbone!r}; or, where it was "
            f"read with nothing else, forget {folder!r}."
        )


def score_missing(writer: Writer, model: Model | Given) -> int:
    """Score stored embeddings that the model's head has not seen; returns how many."""
    if isinstance(model, Given) or model.head is None:
        return 0
    stored = writer.embedded(model.space.key).content
    scored, _ = writer.scores(model.space.key, model.head.digest)
    rest = writer.embeddings(model.space.key, stored[positions_of(stored, scored) < 0])
    if len(rest):
        writer.add_scores(model.space.key, model.head.digest, rest.content, model.uncertainty(rest.embedding))
    return len(rest)


def _batch_size(models: Sequence[Model | Given]) -> int:
    """Pictures a forward pass: what the device with the least memory takes."""
    return min((model.runtime.batch for model in models if isinstance(model, Model)), default=CPU_BATCH)


@dataclass(frozen=True)
class _Row:
    """One row of the table of files; see IMAGES."""

    id: int
    path: bytes
    size_bytes: int
    mtime_ns: int
    content: int | None = None
    width: int | None = None
    height: int | None = None
    thumbnail: bytes | None = None
    failure: str | None = None


class _Embedding:
    """What one model does in a run: which contents it has embedded, what waits to be stored, and its growing map."""

    def __init__(self, model: Model | Given, writer: Writer, *, place: int) -> None:
        """`place` is that of its crop in a reading: 0 the first model's, then those of the others."""
        self.model = model
        self.embedded = _embedded(writer, model.space.key)
        self._writer = writer
        self._place = place
        self._waiting: list[Embeddings] = []
        self._preview = _Preview(writer, model.space.key)

    def begin(self, pictures: Mapping[int, tuple[FoundFile, Picture | Known]]) -> Callable[[], None]:
        """Begin to embed those of the pictures, by content, that the model has not yet; the call waits for the end."""
        fresh = {content: one for content, one in pictures.items() if content not in self.embedded}
        if not fresh:
            return _nothing
        wait = self._started(list(fresh.values()))
        self.embedded |= set(fresh)

        def finish() -> None:
            outputs = wait()
            stored = _as_stored(self.model, outputs)
            self._waiting.append(Embeddings(np.array(list(fresh), np.int64), stored, outputs.entropy))

        return finish

    def _started(self, fresh: list[tuple[FoundFile, Picture | Known]]) -> Wait:
        """Outputs of contents that have none yet; known ones come up only if embeddings are given."""
        if isinstance(self.model, Given):
            outputs = self.model.of(file for file, _ in fresh)
            return lambda: outputs
        return self.model.start(
            np.stack([(one.crop, *one.also)[self._place] for _, one in fresh if isinstance(one, Picture)])
        )

    def flush(self) -> int:
        """Store what waits: embeddings, then scores; returns how many."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return 0
        columns = zip(*((one.content, one.embedding, one.entropy) for one in waiting), strict=True)
        rows = Embeddings(*map(np.concatenate, columns))
        self._writer.add_embeddings(self.model.space.key, rows)
        if isinstance(self.model, Model) and self.model.head is not None:
            scores = self.model.uncertainty(rows.embedding)
            self._writer.add_scores(self.model.space.key, self.model.head.digest, rows.content, scores)
        self._preview.add(rows)
        return len(rows)


def _nothing() -> None:
    """There is nothing to wait for."""


@dataclass(frozen=True)
class _UnderWay:
    """A batch whose outputs are being computed, and what waits for those of each model."""

    batch: list[tuple[FoundFile, Reading]]
    finish: list[Callable[[], None]]


class _Unfetched:
    """The files that their store did not give."""

    def __init__(self) -> None:
        self.count = 0
        self.why = ""
        self.is_too_many = False
        self._in_a_row = 0

    def without(self, batch: list[tuple[FoundFile, Reading | Unfetched]]) -> list[tuple[FoundFile, Reading]]:
        """A batch without those of its files, which are counted."""
        read: list[tuple[FoundFile, Reading]] = []
        for file, reading in batch:
            if isinstance(reading, Unfetched):
                self.count += 1
                self._in_a_row += 1
                self.why = self.why or reading.reason
                self.is_too_many |= self._in_a_row >= MOST_UNFETCHED
            else:
                self._in_a_row = 0
                read.append((file, reading))
        return read


class _Run:
    """One run's state: what is known, what is under way, and what waits to be stored."""

    def __init__(self, models: Sequence[Model | Given], writer: Writer) -> None:
        self.writer = writer
        self.done = 0
        self.failed = 0
        self.unfetched = _Unfetched()
        self._embeddings = [_Embedding(model, writer, place=place) for place, model in enumerate(models)]
        self._facts = _facts_by_content(writer)
        self._held = {holder: content for content, (_, _, holder) in self._facts.items()}
        self._rescued: dict[int, bytes] = {}
        is_given = any(isinstance(model, Given) for model in models)
        embedded = set.intersection(*(each.embedded for each in self._embeddings))
        in_reach = self._facts if is_given else embedded  # what need not be decoded
        self.known = {content for content in in_reach if content in self._facts}
        self.ahead = max((model.runtime.ahead for model in models if isinstance(model, Model)), default=0)
        self._under_way: deque[_UnderWay] = deque()
        self._waiting: list[_Row] = []
        self._stored = 0
        self._last_flush = time.monotonic()

    def take(self, arrived: list[tuple[FoundFile, Reading | Unfetched]]) -> None:
        """Begin to embed one batch, finish those before it but `ahead`, and store what waits, if it is time to."""
        batch = self.unfetched.without(arrived)
        pictures = {reading.content: (file, reading) for file, reading in batch if not isinstance(reading, Failure)}
        self._under_way.append(_UnderWay(batch, [each.begin(pictures) for each in self._embeddings]))
        while len(self._under_way) > self.ahead:
            self._finish(self._under_way.popleft())
        if self._is_time():
            self._store()

    def outcome(self, plan: Plan) -> Outcome:
        """What the run did of its plan."""
        left = self.unfetched
        is_cut_off = left.is_too_many or (left.count > 0 and not self.done)
        counts = (self.done - self.failed, self.failed, plan.unchanged, len(plan.gone))
        return Outcome(*counts, left.count, left.why, is_cut_off)

    def _finish(self, one: _UnderWay) -> None:
        """Wait for a batch's outputs; its rows then wait to be stored."""
        for finish in one.finish:
            finish()
        batch = one.batch
        thumbnails = self._thumbnails({r.content for _, r in batch if isinstance(r, Known)})
        self._waiting += [self._row(file, reading, thumbnails) for file, reading in batch]
        self.done += len(batch)
        self.failed += sum(isinstance(r, Failure) for _, r in batch)

    def flush(self) -> None:
        """Finish what is under way, and store it."""
        while self._under_way:
            self._finish(self._under_way.popleft())
        self._store()

    def _store(self) -> None:
        """Store what waits: embeddings, then scores, then files, so that no file is there without its embedding."""
        waiting, self._waiting = self._waiting, []
        self._last_flush = time.monotonic()
        self._stored += max(each.flush() for each in self._embeddings)
        if waiting:
            self._rescue_thumbnails(waiting)
            columns = [pa.array([getattr(row, f.name) for row in waiting], f.type) for f in IMAGES]
            self.writer.add_images(pa.table(columns, schema=IMAGES))

    def _is_time(self) -> bool:
        waiting = len(self._waiting)
        is_first = self._stored == 0 and waiting >= FIRST_FLUSH_PICTURES
        return is_first or waiting >= FLUSH_PICTURES or time.monotonic() - self._last_flush > FLUSH_S

    def _row(self, file: FoundFile, reading: Reading, thumbnails: Mapping[int, bytes]) -> _Row:
        start = (file.id, file.path, file.size_bytes, file.mtime_ns)
        if isinstance(reading, Failure):
            return _Row(*start, failure=reading.reason)
        if isinstance(reading, Known):
            width, height, _ = self._facts[reading.content]
            return _Row(*start, reading.content, width, height, thumbnails.get(reading.content))
        return _Row(*start, reading.content, reading.width, reading.height, reading.thumbnail)

    def _thumbnails(self, contents: Set[int]) -> dict[int, bytes]:
        """Thumbnails of known contents: from the rows that hold them, or were rescued from those that did."""
        holders = {self._facts[content][2]: content for content in contents - self._rescued.keys()}
        found = {holders[holder]: jpeg for holder, jpeg in self.writer.thumbnails(holders).items()}
        return found | {content: self._rescued[content] for content in contents & self._rescued.keys()}

    def _rescue_thumbnails(self, rows: Sequence[_Row]) -> None:
        """Keep what rows hold that are about to be replaced: where files change places, one still to come needs it."""
        replaced = [row.id for row in rows if self._held.get(row.id, row.content) != row.content]
        for holder, jpeg in self.writer.thumbnails(replaced).items():
            self._rescued[self._held.pop(holder)] = jpeg


def _as_stored(model: Model | Given, outputs: Outputs) -> NDArray[np.float16]:
    """Embeddings (B, D) as they are stored; those that were given fit already. Raises ModelError for a model's."""
    return outputs.embedding.astype(np.float16) if isinstance(model, Given) else model.as_stored(outputs.embedding)


def _facts_by_content(writer: Writer) -> dict[int, tuple[int, int, int]]:
    """Width, height and the id of one file that has it, for every content in the table of files."""
    rows = writer.images(["id", "content", "width", "height"])
    columns = (rows[name].to_pylist() for name in ("content", "width", "height", "id"))
    return {c: (w, h, i) for c, w, h, i in zip(*columns, strict=True) if c is not None}


class _Preview:
    """A map of what is read so far, by PCA, until the real one is made; fitted again as the set doubles."""

    def __init__(self, writer: Writer, space_key: str) -> None:
        self._writer = writer
        self._space_key = space_key
        self._basis: PcaBasis | None = None
        self._rows: list[Embeddings] = []
        self._fitted_on = 0
        self._is_wanted = writer.coordinates(space_key) is None

    def add(self, rows: Embeddings) -> None:
        """Put new rows on the map."""
        if not self._is_wanted:
            return
        self._rows.append(rows)
        count = sum(map(len, self._rows))
        if self._basis is None or count >= 2 * self._fitted_on:
            self._basis = fit_pca(np.concatenate([r.embedding for r in self._rows]))
            self._fitted_on = count
        xy = np.concatenate([self._basis(r.embedding) for r in self._rows])
        content = np.concatenate([r.content for r in self._rows])
        self._writer.put_coordinates(self._space_key, Coordinates(content, xy, np.full(count, PCA, np.int8)))
