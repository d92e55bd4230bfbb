"""From files, or a user's own embeddings, to rows and embeddings, some at a time; nothing is stored."""

import hashlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import closing, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from url_viz.base.errors import BucketError, FolderError
from url_viz.base.processes import MemoryBudget, awaited, read_ahead
from url_viz.imaging.decode import Preprocessing
from url_viz.imaging.encoding import Encoding
from url_viz.imaging.quality import Assessment
from url_viz.imaging.scan import Scan, ScannedFile
from url_viz.imaging.source import Source
from url_viz.imaging.uploaded_files import IncomingFile
from url_viz.imaging.workers import (
    DecodeResult,
    Decoders,
    Failure,
    Known,
    Picture,
    Unfetched,
    decoders,
    fetch_and_decode_isolated,
    fetch_and_decode_places,
)
from url_viz.models.head import Head
from url_viz.models.model import EXTERNAL, LARGEST, EmbeddingSpace, Model, ModelSource
from url_viz.models.runtime import CPU_BATCH
from url_viz.pipeline.stash import Stash
from url_viz.store.columns.imported_columns import import_name
from url_viz.store.columns.user_files import MOST_NUMBERS, Matrix, UserFile, opened, read_user_file
from url_viz.store.columns.user_paths import match_file
from url_viz.store.tables.tables import Embeddings

SMALL = 1e-3
"""Rows whose largest value is below this lose figures in float16."""
SCALED_LENGTH = 32.0
_EMBEDDING_NAMES = ("embed", "vector", "feature", "emb")


@dataclass(frozen=True)
class Given:
    """Embeddings (M, D) float16 of M pictures of one folder, by the ids of their paths (`row`).

    `words` are sentences about the file, for the user.
    """

    space: EmbeddingSpace
    row: Mapping[int, int]
    embedding: NDArray[np.float16]
    words: tuple[str, ...] = ()
    head: Head | None = None

    @property
    def source(self) -> ModelSource:
        """The name that opens the image set under these embeddings."""
        return ModelSource(self.space.backbone, self.space.backbone, None)


def given_embeddings(
    file: str | Path | IncomingFile,
    scan: Scan,
    *,
    paths: str | Path | IncomingFile | None = None,
    name: str | None = None,
) -> Given:
    """Read embeddings from a .npy, .npz or .parquet file and match them to the files of a folder by path.

    `paths` lists the paths of a .npy's rows. `name` (the file's by default) names the space: `own:NAME`. Embeddings
    that float16 cannot hold are scaled row by row, which leaves every cosine as it is. Raises FolderError if a value
    is not finite, or nothing matches.
    """
    source = opened(file)
    path_file = None if paths is None else opened(paths)
    table = read_user_file(source, paths=path_file, pictures=len(scan.files))
    matrix = _matrix(table)
    matched = match_file(table, [file.path for file in scan.files], root=scan.root)
    taken = np.flatnonzero(matched.row >= 0)
    embedding, scaled = in_float16(matrix[taken])
    digest = hashlib.blake2b(source.data, digest_size=8)
    if path_file is not None:  # other paths make other embeddings of the same values
        digest.update(path_file.data)
    called = import_name(name.removeprefix(EXTERNAL) if name else Path(source.name).stem)
    space = EmbeddingSpace(f"{EXTERNAL}{called}", digest.hexdigest(), Preprocessing(), "float32")
    row = {scan.files[place].id: number for number, place in enumerate(matched.row[taken])}
    sentences = matched.words(table.name, whole="folder")
    if len(scan.files) > matched.count:
        sentences.append(f"{len(scan.files) - matched.count:,} pictures have no embedding, and are not shown under it.")
    if scaled:
        sentences.append(f"{scaled:,} embeddings were scaled to fit: cosines stay, 1/norm means nothing for them.")
    return Given(space, row, embedding, tuple(sentences))


def in_float16(matrix: Matrix) -> tuple[NDArray[np.float16], int]:
    """A matrix (M, D) as float16, and how many rows were scaled for it: to one length, which changes no cosine."""
    rows = matrix.astype(np.float64)
    largest = np.abs(rows).max(axis=1)
    needs = (largest > LARGEST) | ((largest < SMALL) & (largest > 0))
    rows[needs] /= largest[needs, None]  # first, so that the squares below stay in range
    rows[needs] *= SCALED_LENGTH / np.linalg.norm(rows[needs], axis=1, keepdims=True)
    return rows.astype(np.float16), int(needs.sum())


def _matrix(table: UserFile) -> Matrix:
    """The only matrix of a file that can be embeddings. Raises FolderError without one, or if it is not finite."""
    named = [name for name in table.lists if any(word in name.casefold() for word in _EMBEDDING_NAMES)]
    names = named if len(named) == 1 else list(table.lists)
    if len(names) != 1:
        why = "; ".join(f"{name!r}: {reason}" for name, reason in table.left_out)
        none = f"none ({why})" if why else "none"
        raise FolderError(
            f"{table.name!r} has to hold one column of lists of numbers (embeddings), and holds "
            f"{', '.join(map(repr, names)) or none}. Give a .npy, .npz or .parquet file with one embedding a picture."
        )
    matrix = table.lists[names[0]]
    if not 2 <= matrix.shape[1] <= MOST_NUMBERS:
        raise FolderError(
            f"The embeddings in {table.name!r} have {matrix.shape[1]} numbers; 2 to {MOST_NUMBERS:,} are."
        )
    bad = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
    if len(bad):
        raise FolderError(
            f"{len(bad):,} embeddings in {table.name!r} hold values that are not finite "
            f"(first: {table.paths[bad[0]]!r}). Leave these rows out, or embed their pictures again."
        )
    return matrix


PLACES_AT_ONCE = 256
"""Objects of a picture that are cut from one decoding; those of a crowded picture are not in memory together."""
READ_AHEAD = 96
"""Pictures that are read ahead of the forward pass, which stands still while batches are stored."""
MOST_FETCHED_BYTES = 1 << 30
"""Bytes of files that are in memory to be decoded, where many are fetched at a time."""
MOST_UNFETCHED = 64
"""Reading ends after this many consecutive files that object storage does not deliver."""


@dataclass(frozen=True)
class Row:
    """One row of the table of files; see IMAGES. A row with a content and no width has a content that was known.

    `assessment` is of the thumbnail, `encoding` of the file; both are kept in tables of their own.
    """

    id: int
    path: bytes
    size_bytes: int
    mtime_ns: int
    content: int | None = None
    width: int | None = None
    height: int | None = None
    thumbnail: bytes | None = None
    failure: str | None = None
    assessment: Assessment | None = None
    encoding: Encoding | None = None

    @property
    def is_known(self) -> bool:
        """Whether the file was not decoded, because its content was known."""
        return self.content is not None and self.width is None


@dataclass(frozen=True)
class EmbeddedFiles:
    """The outcome of some files: a row for each, and each model's embeddings of contents that it had not embedded yet.

    `unfetched` are the reasons why others have no row: object storage did not deliver them. `is_cut_off` is set after
    many of these in a row: no more files are read.
    """

    rows: tuple[Row, ...]
    embeddings: tuple[Embeddings | None, ...]
    unfetched: tuple[str, ...] = ()
    is_cut_off: bool = False

    @property
    def failed(self) -> int:
        """How many files could not be read as a picture."""
        return sum(row.failure is not None for row in self.rows)


@dataclass(frozen=True)
class Embedding:
    """What embedding files takes: models, where the files are, and what need not be done again.

    Contents in `known` are not decoded; those in `embedded`, a growing set for each model, are not embedded. Where one
    model reads, a `stash` takes crops for others that read later; where several do, it has those for all but the first.
    `contents` are those of files that were read before, by their ids.
    """

    models: Sequence[Model | Given]
    source: Source
    known: Set[int]
    embedded: Sequence[set[int]]
    stash: Stash | None = None
    contents: Mapping[int, int] = field(default_factory=dict)

    @property
    def is_for_later(self) -> bool:
        """Whether crops are cut for models that read later."""
        return self.stash is not None and len(self.models) == 1


_Begun = Callable[[], EmbeddedFiles]
Embed = Callable[[Embedding, Sequence[ScannedFile]], Generator[EmbeddedFiles, None, None]]
"""A way to embed files: `embed_files` on this machine, or one that has others do it."""


def row_of(file: ScannedFile, reading: DecodeResult) -> Row:
    """The row of a file that was read."""
    start = (file.id, file.path, file.size_bytes, file.mtime_ns)
    if isinstance(reading, Failure):
        return Row(*start, failure=reading.reason)
    if isinstance(reading, Known):
        return Row(*start, reading.content)
    facts = reading.content, reading.width, reading.height, reading.thumbnail
    return Row(*start, *facts, assessment=reading.assessment, encoding=reading.encoding)


def embed_files(
    embedding: Embedding, files: Sequence[ScannedFile], *, by: Decoders = decoders, at_a_time: int | None = None
) -> Generator[EmbeddedFiles, None, None]:
    """Read and embed files, batch by batch, in their order.

    Every file has one outcome: a row, or a reason why its store did not give it. Decoding overlaps the forward pass, in
    processes of its own (`by`). `at_a_time` files of a folder are read at once, by default one per core.
    """
    runtimes = [model.runtime for model in embedding.models if isinstance(model, Model)]
    size = min((runtime.batch for runtime in runtimes), default=CPU_BATCH)  # what the smallest device takes
    batches = _batches(files, size)
    read, at_once = _reader(embedding, by=by), embedding.source.at_a_time or at_a_time
    models = [
        partial(_begin_embedding, *each, place)
        for place, each in enumerate(zip(embedding.models, embedding.embedded, strict=True))
    ]
    ahead = max((runtime.ahead for runtime in runtimes), default=0)
    with closing(read_ahead(batches, read, ahead=max(2, READ_AHEAD // size), at_a_time=at_once)) as arriving:
        read_files = _of_size(arriving, size)
        if embedding.stash is not None and embedding.is_for_later:
            read_files = _with_crops_stashed(read_files, embedding.stash)
        yield from awaited(_all_begun(read_files, models), ahead=ahead)


def _with_crops_stashed(batches: Iterable[list["_Read"]], stash: Stash) -> Iterator[list["_Read"]]:
    for batch in batches:
        pictures = (reading for _, reading in batch if isinstance(reading, Picture))
        stash.add({picture.content: picture.also for picture in pictures if picture.also})
        yield batch


def _all_begun(batches: Iterable[list["_Read"]], models: Sequence["_Begin"]) -> Iterator[_Begun]:
    """Begin batch after batch, until too many files in a row were not delivered: the last outcome then says so."""
    in_a_row = 0
    for batch in batches:
        yield _begun(batch, models)
        for _, reading in batch:
            if in_a_row < MOST_UNFETCHED:
                in_a_row = in_a_row + 1 if isinstance(reading, Unfetched) else 0
        if in_a_row >= MOST_UNFETCHED:
            yield lambda: EmbeddedFiles((), tuple(None for _ in models), is_cut_off=True)
            return


def read_without_model(embedding: Embedding, file: ScannedFile, *, why: str) -> EmbeddedFiles:
    """One file that must not reach a model: it is read and decoded, and fails for the reason `why` even if sound."""
    ((_, reading),) = _reader(embedding, by=decoders)([file])
    read = [(file, Failure(why) if isinstance(reading, Picture) else reading)]
    return replace(_begun(read, ())(), embeddings=tuple(None for _ in embedding.models))


def joined_files(parts: Sequence[EmbeddedFiles]) -> EmbeddedFiles:
    """What became of several files, at least one part, as one."""
    embeddings = [
        [part for part in parts if part is not None] for parts in zip(*(p.embeddings for p in parts), strict=True)
    ]
    return EmbeddedFiles(
        tuple(row for part in parts for row in part.rows),
        tuple(Embeddings.joined(part) if part else None for part in embeddings),
        tuple(why for part in parts for why in part.unfetched),
        any(part.is_cut_off for part in parts),
    )


_Read = tuple[ScannedFile, DecodeResult | Unfetched]
_Pictures = Mapping[int, tuple[ScannedFile, Picture | Known]]
"""By content."""
_Begin = Callable[[_Pictures], Callable[[], Embeddings | None]]
"""Begins to embed pictures by one model; the call that it gives waits for the end."""


def _batches(files: Sequence[ScannedFile], size: int) -> Iterator[list[list[ScannedFile]]]:
    """Batches of about `size` files in their order, in groups: up to `PLACES_AT_ONCE` places in one file."""
    batch: list[list[ScannedFile]] = []
    count = 0
    for _, group in groupby(files, key=lambda file: file.path if file.place is None else file.file):
        while part := list(islice(group, PLACES_AT_ONCE)):
            batch.append(part)
            count += len(part)
            if count >= size:
                yield batch
                batch, count = [], 0
    if batch:
        yield batch


def _of_size(arriving: Iterable[list[list[_Read]]], size: int) -> Iterator[list[_Read]]:
    """Readings in batches of at most `size`."""
    for batch in arriving:
        flat = [file for group in batch for file in group]
        yield from (flat[start : start + size] for start in range(0, len(flat), size))


def _reader(embedding: Embedding, *, by: Decoders) -> Callable[[Sequence[ScannedFile]], list[_Read]]:
    """Reads one file, or all places that are wanted in one."""
    source, budget = embedding.source, MemoryBudget(MOST_FETCHED_BYTES)
    sheet, *others = (model.space.preprocessing for model in embedding.models)

    def read(group: Sequence[ScannedFile]) -> list[_Read]:
        waiting = _from_stash(embedding, group)
        if waiting is not None:
            return waiting
        file = group[0]
        also = [*others, *_cut_for_later(embedding, group)]
        with budget.reserve(file.size_bytes) if source.at_a_time else nullcontext():
            try:
                fetch = partial(source.read, file)
                places = [file.place for file in group if file.place is not None]
                if not places:
                    reading = fetch_and_decode_isolated(
                        fetch, sheet, known=embedding.known, also=also, is_assessed=True, by=by
                    )
                    return [(file, reading)]
                sheets = (sheet, *also)
                done = fetch_and_decode_places(fetch, places, sheets, known=embedding.known, by=by)
                return list(zip(group, done, strict=True))
            except BucketError as error:
                return [(file, Unfetched(str(error))) for file in group]

    return read


def _cut_for_later(embedding: Embedding, group: Sequence[ScannedFile]) -> Sequence[Preprocessing]:
    """What is cut for models that read later: where to fetch and decode the file again takes more than its crops."""
    if embedding.stash is None or not embedding.is_for_later:
        return ()
    is_dear = embedding.source.at_a_time or group[0].size_bytes > embedding.stash.record_bytes * len(group)
    return embedding.stash.sheets if is_dear else ()


def _from_stash(embedding: Embedding, group: Sequence[ScannedFile]) -> list[_Read] | None:
    """Files that the first model has read, with their crops for the others; None if those of one do not wait."""
    if embedding.stash is None or embedding.is_for_later:
        return None
    read: list[_Read] = []
    for file in group:
        content = embedding.contents.get(file.id)
        crops = embedding.stash.crops(content) if content is not None and content in embedding.embedded[0] else None
        if content is None or crops is None:
            return None
        read.append((file, Known(content, crops)))
    return read


def _begun(batch: Sequence[_Read], models: Sequence[_Begin]) -> _Begun:
    """Begin to embed what was read; the call waits for the end."""
    read = [(file, reading) for file, reading in batch if not isinstance(reading, Unfetched)]
    pictures = {reading.content: (file, reading) for file, reading in read if not isinstance(reading, Failure)}
    waits = [begin(pictures) for begin in models]
    rows = tuple(row_of(file, reading) for file, reading in read)
    unfetched = tuple(reading.reason for _, reading in batch if isinstance(reading, Unfetched))
    return lambda: EmbeddedFiles(rows, tuple(wait() for wait in waits), unfetched)


def _begin_embedding(
    model: Model | Given, embedded: set[int], place: int, pictures: _Pictures
) -> Callable[[], Embeddings | None]:
    """Begin to embed contents that are not `embedded` yet, and add them there; `place` is the model's in a reading."""
    fresh = {content: picture for content, picture in pictures.items() if content not in embedded}
    if not fresh:
        return lambda: None
    contents = np.array(list(fresh), np.int64)
    if isinstance(model, Given):
        rows = model.embedding[[model.row[file.id] for file, _ in fresh.values()]]
        given = Embeddings(contents, rows, np.full(len(rows), np.nan, np.float32))
        embedded.update(fresh)
        return lambda: given
    crops = [
        picture.also[place - 1] if place or isinstance(picture, Known) else picture.crop
        for _, picture in fresh.values()
    ]
    wait = model.start(np.stack(crops))
    embedded.update(fresh)

    def finish() -> Embeddings:
        outputs = wait()
        return Embeddings(contents, model.as_stored(outputs.embedding), outputs.entropy)

    return finish
