"""The pipeline: read what is new in a folder, embed it, store it batch by batch, so that a killed run loses little."""

import time
from collections.abc import Container, Hashable, Iterator, Mapping, Sequence, Set
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from url_viz.base.errors import ModelError
from url_viz.base.progress import Clock, ProgressCallback
from url_viz.imaging.scan import Scan, ScannedFile
from url_viz.imaging.source import Source, source_of
from url_viz.models.model import EmbeddingSpace, Model
from url_viz.pipeline.ahead import prepare_umap
from url_viz.pipeline.assessments import Assessments
from url_viz.pipeline.embedded import Embed, EmbeddedFiles, Embedding, Given, Row, embed_files
from url_viz.pipeline.projection import FEWEST_FOR_UMAP, PcaBasis, fit_pca
from url_viz.pipeline.stash import MOST_PICTURES, Stash
from url_viz.store.tables.tables import IMAGES, PCA, Coordinates, Embeddings, positions_of
from url_viz.store.tables.writer import Writer

FIRST_FLUSH_PICTURES = 64
FLUSH_PICTURES = 1024
FLUSH_S = 4.0
READ_ORDER_SEED = 0
ENOUGH_FOR_PREVIEW = 20_000
"""The preview map is fitted on about this many rows; files come in shuffled order, so more would add nothing."""

_KNOWN_COLUMNS = ["id", "path", "size_bytes", "mtime_ns", "content", "width", "height", "failure"]


@dataclass(frozen=True)
class Plan:
    """What a run has to do: files to read, in the order they are read, and ids that have left the folder.

    `stored` has the content, by id, of those files to read that have a row and lack an embedding alone.
    """

    to_read: tuple[ScannedFile, ...]
    gone: tuple[int, ...]
    unchanged: int
    stored: Mapping[int, int]


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
    """Compare the folder with the store: a file is read again if its size or time changed, or an embedding is missing.

    The embeddings are those in the spaces `space_keys`. Only ids in `wanted` are read, if it is given.

    Files are read in a fixed shuffled order, so that what is read so far is a fair sample of the whole, those that lack
    an embedding alone first; `limit` bounds how many pictures the image set has in the end (those read before count).
    """
    rows = writer.images(_KNOWN_COLUMNS)
    embedded = set.intersection(*(_embedded(writer, key) for key in space_keys))
    stored_rows = {row["id"]: row for row in rows.to_pylist()}
    files = [f for f in scan.files if wanted is None or f.id in wanted]
    stamped = ((f, stored_rows.get(f.id, {})) for f in files)
    same = {
        f.id: row for f, row in stamped if (row.get("size_bytes"), row.get("mtime_ns")) == (f.size_bytes, f.mtime_ns)
    }
    done = {i for i, row in same.items() if row["failure"] is not None or row["content"] in embedded}
    new = [f for f in files if f.id not in done]
    stored = {f.id: same[f.id]["content"] for f in new if f.id in same}
    hidden = tuple(folder + b"/" for folder, _ in scan.unreadable_folders)  # what is in these may still be there
    out_of_sight = {i for i, row in stored_rows.items() if hidden and row["path"].startswith(hidden)}
    present = {f.id for f in scan.files} | out_of_sight
    order = np.random.default_rng(READ_ORDER_SEED).permutation(len(new))
    unchanged = len(files) - len(new)

    def group_and_part(file: ScannedFile) -> tuple[Hashable, int]:
        return (file.file, 0) if file.block is None else file.block

    first = {group_and_part(new[i])[0]: rank for rank, i in reversed(list(enumerate(order)))}

    def place(file: ScannedFile) -> tuple[bool, int, int]:
        group, part = group_and_part(file)
        return file.id not in stored, first[group], part  # what is read together stays so

    to_read = sorted((new[i] for i in order), key=place)
    if limit is not None:
        to_read = to_read[: max(0, limit - unchanged)]
    return Plan(tuple(to_read), tuple(i for i in stored_rows if i not in present), unchanged, stored)


def _embedded(writer: Writer, space_key: str) -> set[int]:
    return set(writer.embedded(space_key).content.tolist())


def embed(
    model: Model | Given,
    scan: Scan,
    writer: Writer,
    *,
    also: Sequence[Model] = (),
    limit: int | None,
    report: ProgressCallback,
    embed_by: Embed = embed_files,
    source: Source | None = None,
    stash: Stash | None = None,
) -> Outcome:
    """Read, embed and store what is new in the scanned folder; drop what has left it.

    Embeddings that are given are stored as they are; pictures without one are not read. The models `also` embed the
    same pictures, from the same reading of a file; a squeezed one is another look of a model: it is not recorded as one
    that read the set, and has no preview. `embed_by` may have other machines read and embed; `source` is what was
    scanned, opened anew by default. A `stash` takes crops for models that read later; with `also`, it has theirs.

    Every file has one outcome: a row with an embedding, or a row with the reason of its failure. A file that object
    storage does not give has none, and stays to be read; many of these in a row end the run (`Outcome.is_cut_off`).
    """
    models = (model, *also)
    wanted = model.row if isinstance(model, Given) else None
    plan = make_plan(scan, writer, *(each.space.key for each in models), limit=limit, wanted=wanted)
    writer.note_scan(scan)
    run = _Run(models, writer, {} if _is_rendered_anew(writer, model.space) else plan.stored)
    clock = Clock("read", total=len(plan.to_read))
    report(clock.at(0))
    if stash is not None and not also and len(plan.to_read) <= MOST_PICTURES:
        stash.begin()
    elif not also:
        stash = None
    source = source or source_of(scan.root, within=scan.within)
    embedding = Embedding(models, source, run.known, run.embedded, stash, plan.stored)
    with ExitStack() as noted:
        own = [each.space for each in models if not each.space.preprocessing.is_squeezed]
        for space in reversed(own):  # the first one last: it is the latest that the set was read with
            noted.enter_context(_noted(writer, space))
        begun = [
            model.space.key
            for model, embedded in zip(models, run.embedded, strict=True)
            if model.space in own
            and (not plan.to_read or any(plan.stored.get(file.id) not in embedded for file in plan.to_read))
        ]
        writer.note_begun(begun, plan.unchanged + len(plan.to_read))
        with closing(embed_by(embedding, plan.to_read)) as arriving:
            for files in arriving:
                run.take(files)
                report(clock.at(run.done, failures=run.failed))
                if files.is_cut_off:
                    break
        run.store()
        run.assessments.store()
        writer.drop_images(plan.gone)
    return run.outcome(plan)


def _is_rendered_anew(writer: Writer, space: EmbeddingSpace) -> bool:
    """Whether stored thumbnails may show another rendering than the space's; what was measured in one is dropped."""
    before = [space.preprocessing.rendering for space in writer.about().spaces]
    if before and before[-1] != space.preprocessing.rendering:
        writer.drop_quality_and_hashes()
    return any((*before, space.preprocessing.rendering))


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


class _Run:
    """One run's state: what is known, what is done, and what waits to be stored."""

    def __init__(self, models: Sequence[Model | Given], writer: Writer, stored: Mapping[int, int]) -> None:
        self.writer = writer
        self._stored_contents = stored
        self.done = 0
        self.failed = 0
        self._unfetched: list[str] = []
        self._is_cut_off = False
        self.embedded = [_embedded(writer, model.space.key) for model in models]
        self._models = models
        self._embeddings: list[list[Embeddings]] = [[] for _ in models]
        self._previews = [_Preview(writer, model.space) for model in models]
        self._facts = _facts_by_content(writer)
        self._thumbnail_of = {holder: content for content, (_, _, holder) in self._facts.items()}
        self._rescued: dict[int, bytes] = {}
        is_external = any(isinstance(model, Given) for model in models)
        in_reach = self._facts if is_external else set.intersection(*self.embedded)  # what need not be decoded
        self.known = {content for content in in_reach if content in self._facts}
        self._waiting: list[Row] = []
        self.assessments = Assessments(writer)
        self._stored = self._done_at_store = 0
        self._last_store = time.monotonic()

    def take(self, files: EmbeddedFiles) -> None:
        """Let what became of some files wait to be stored, and store what waits, if it is time to."""
        stored = self._stored_contents
        fresh = [row for row in files.rows if row.content is None or row.content != stored.get(row.id)]
        thumbnails = self._thumbnails({row.content for row in fresh if row.content is not None and row.is_known})
        self._waiting += [self._with_facts(row, thumbnails) for row in fresh]
        for waiting, rows in zip(self._embeddings, files.embeddings, strict=True):
            if rows is not None:
                waiting.append(rows)
        self.done += len(files.rows)
        self.failed += files.failed
        self._unfetched += files.unfetched
        self._is_cut_off |= files.is_cut_off
        unstored = self.done - self._done_at_store
        is_first = self._stored == 0 and unstored >= FIRST_FLUSH_PICTURES
        if is_first or unstored >= FLUSH_PICTURES or time.monotonic() - self._last_store > FLUSH_S:
            self.store()

    def outcome(self, plan: Plan) -> Outcome:
        left = len(self._unfetched)
        is_cut_off = self._is_cut_off or (left > 0 and not self.done)
        counts = (self.done - self.failed, self.failed, plan.unchanged, len(plan.gone))
        return Outcome(*counts, left, self._unfetched[0] if left else "", is_cut_off)

    def store(self) -> None:
        """Store what waits: embeddings, then scores, then files, so that no file is there without its embedding."""
        waiting, self._waiting = self._waiting, []
        self._done_at_store, self._last_store = self.done, time.monotonic()
        self._stored += max(map(self._store_embeddings, self._models, self._embeddings, self._previews))
        if waiting:
            self._rescue_thumbnails(waiting)
            columns = [pa.array([getattr(row, f.name) for row in waiting], f.type) for f in IMAGES]
            self.writer.add_images(pa.table(columns, schema=IMAGES))
            self.assessments.take(waiting)

    def _store_embeddings(self, model: Model | Given, waiting: list[Embeddings], preview: "_Preview") -> int:
        if not waiting:
            return 0
        rows = Embeddings.joined(waiting)
        waiting.clear()
        self.writer.add_embeddings(model.space.key, rows)
        if isinstance(model, Model) and model.head is not None:
            scores = model.uncertainty(rows.embedding)
            self.writer.add_scores(model.space.key, model.head.digest, rows.content, scores)
        preview.add(rows)
        return len(rows)

    def _with_facts(self, row: Row, thumbnails: Mapping[int, bytes]) -> Row:
        if row.content is None or not row.is_known:
            return row
        width, height, _ = self._facts[row.content]
        return replace(row, width=width, height=height, thumbnail=thumbnails.get(row.content))

    def _thumbnails(self, contents: Set[int]) -> dict[int, bytes]:
        """Thumbnails of known contents: from the rows that hold them, or were rescued from those that did."""
        holders = {self._facts[content][2]: content for content in contents - self._rescued.keys()}
        thumbnails = {holders[holder]: jpeg for holder, jpeg in self.writer.thumbnails(holders).items()}
        return thumbnails | {content: self._rescued[content] for content in contents & self._rescued.keys()}

    def _rescue_thumbnails(self, rows: Sequence[Row]) -> None:
        """Keep what rows hold that are about to be replaced: where files change places, one still to come needs it."""
        replaced = [row.id for row in rows if self._thumbnail_of.get(row.id, row.content) != row.content]
        for holder, jpeg in self.writer.thumbnails(replaced).items():
            self._rescued[self._thumbnail_of.pop(holder)] = jpeg


def _facts_by_content(writer: Writer) -> dict[int, tuple[int, int, int]]:
    """Width, height and the id of one file that has it, for every content in the table of files."""
    rows = writer.images(["id", "content", "width", "height"])
    columns = (rows[name].to_pylist() for name in ("content", "width", "height", "id"))
    return {c: (w, h, i) for c, w, h, i in zip(*columns, strict=True) if c is not None}


class _Preview:
    """A PCA map of the pictures read so far, until the real one is made; refitted whenever their number doubles."""

    def __init__(self, writer: Writer, space: EmbeddingSpace) -> None:
        self._writer = writer
        self._space_key = space.key
        self._basis: PcaBasis | None = None
        self._to_fit: list[NDArray[np.float16]] = []
        self._content: list[NDArray[np.int64]] = []
        self._xy: list[NDArray[np.float32]] = []
        self._fitted_on = 0
        self._is_wanted = not space.preprocessing.is_squeezed and writer.coordinates(space.key) is None

    def add(self, rows: Embeddings) -> None:
        if not self._is_wanted:
            return
        self._content.append(rows.content)
        content = np.concatenate(self._content)
        if self._basis is None or self._fitted_on < ENOUGH_FOR_PREVIEW:
            self._to_fit.append(rows.embedding)
        if self._basis is None or (self._to_fit and len(content) >= 2 * self._fitted_on):
            self._fit(len(content))
        else:
            self._xy.append(self._basis(rows.embedding))
        xy, method = np.concatenate(self._xy), np.full(len(content), PCA, np.int8)
        self._writer.put_coordinates(self._space_key, Coordinates(content, xy, method))
        if len(content) >= FEWEST_FOR_UMAP:
            prepare_umap()

    def _fit(self, count: int) -> None:
        basis = self._basis = fit_pca(np.concatenate(self._to_fit))
        self._fitted_on = count
        self._xy = [basis(rows) for rows in self._to_fit]
        if count >= ENOUGH_FOR_PREVIEW:
            self._to_fit = []
