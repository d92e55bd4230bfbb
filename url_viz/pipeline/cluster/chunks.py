"""Which worker reads which files, what a worker does, and what becomes of files whose worker died."""

import importlib
import math
import socket
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from url_viz.base.errors import ClusterError, UrlVizError
from url_viz.imaging.rendering import Rendering
from url_viz.imaging.scan import ScannedFile
from url_viz.imaging.source import source_of
from url_viz.imaging.workers import Decoders
from url_viz.models.model import Model, load_model
from url_viz.models.runtime import Precision
from url_viz.pipeline.embedded import EmbeddedFiles, Embedding, embed_files, joined_files
from url_viz.store.tables.tables import Embeddings

MOST_FILES = 512
"""Files per chunk: their thumbnails and embeddings are about 10 MB to send back."""
FEWEST_FILES = 16
CHUNKS_PER_WORKER = 4
"""With few files, chunks are smaller, so that every worker gets some."""
CHUNKS_IN_FLIGHT = 2
"""Chunks that a worker has at a time, so that it never waits for the next one."""
DEATHS_TO_SUSPECT = 2
"""How many workers must die at a chunk before it is suspected; one may have died of anything."""
NO_WORKER_TIMEOUT_S = 600.0
"""How long there may be no ready worker at all."""
TICK_S = 5.0


@dataclass(frozen=True)
class Ready:
    """A worker that may be given files."""

    worker: int


@dataclass(frozen=True)
class Done:
    """The results of the first chunk that a worker has."""

    worker: int
    files: EmbeddedFiles


@dataclass(frozen=True)
class Died:
    """A worker that died, ready or not, with all its chunks; and why, as its cluster says."""

    worker: int
    why: str


class WorkerPool(Protocol):
    """Workers on some machines, by number; each does its chunks in order."""

    def start(self) -> None:
        """Request one more worker; it may come late, or never."""

    def give(self, worker: int, files: Sequence[ScannedFile]) -> None:
        """Give a worker files to read."""

    def next(self, within_s: float) -> Ready | Done | Died | None:
        """The next event; None if there is none within that time. Raises UrlVizError if a worker cannot continue."""


@dataclass(frozen=True)
class _Chunk:
    """Files that are read together, and how many workers died at them, or at a chunk that they were part of."""

    files: tuple[ScannedFile, ...]
    deaths: int = 0


def embed_on_workers(
    pool: WorkerPool,
    files: Sequence[ScannedFile],
    *,
    workers: int,
    without_model: Callable[[ScannedFile], EmbeddedFiles],
    timeout_s: float = NO_WORKER_TIMEOUT_S,
) -> Generator[EmbeddedFiles, None, None]:
    """Embed files by a pool of `workers` workers; yields results in any order, each file exactly once.

    Files whose worker died go to the others; a file at which workers repeatedly die is finally read by
    `without_model`. Raises ClusterError if workers keep dying, or if there is none for `timeout_s`.
    """
    size = chunk_size(len(files), workers)
    chunks = (tuple(files[start : start + size]) for start in range(0, len(files), size))
    scheduler = _Scheduler(pool, deque(map(_Chunk, chunks)), workers, timeout_s)
    while scheduler.has_work:
        yield from map(without_model, scheduler.take_given_up())
        done = scheduler.step()
        if done is not None:
            yield done


def chunk_size(files: int, workers: int) -> int:
    """Files per chunk: a multiple of `FEWEST_FILES`, so that batches are those of one machine."""
    even = math.ceil(files / (CHUNKS_PER_WORKER * workers))
    return min(MOST_FILES, math.ceil(max(even, 1) / FEWEST_FILES) * FEWEST_FILES)


class _Scheduler:
    """The chunks that wait, those that workers have, and the files that were given up."""

    def __init__(self, pool: WorkerPool, waiting: deque[_Chunk], workers: int, timeout_s: float) -> None:
        self._pool = pool
        self._waiting = waiting
        self._most = workers
        self._most_deaths = 3 * workers + 9  # one machine with many workers may go at once
        self._timeout_s = timeout_s
        self._in_flight: dict[int, deque[_Chunk]] = {}
        self._starting = 0
        self._given_up: list[ScannedFile] = []
        self._deaths = 0
        self._last_ready = time.monotonic()

    @property
    def has_work(self) -> bool:
        return bool(self._waiting or self._given_up or any(self._in_flight.values()))

    def take_given_up(self) -> list[ScannedFile]:
        """The files that no worker may read again; each once."""
        files, self._given_up = self._given_up, []
        return files

    def step(self) -> EmbeddedFiles | None:
        """Start workers, assign chunks, and wait for the next event."""
        if not self.has_work:
            return None
        self._scale_up()
        self._assign()
        match self._pool.next(min(TICK_S, self._timeout_s)):
            case Ready(worker):
                self._starting -= 1
                self._in_flight[worker] = deque()
            case Done(worker, files):
                self._in_flight[worker].popleft()
                self._deaths = 0
                return files
            case Died(worker, why):
                self._on_death(worker, why)
            case None:
                self._check_timeout()
        return None

    def _scale_up(self) -> None:
        """Request as many workers as there is work for, also to replace those that died."""
        chunks = len(self._waiting) + sum(map(len, self._in_flight.values()))
        while self._starting + len(self._in_flight) < min(self._most, chunks):
            self._pool.start()
            self._starting += 1

    def _assign(self) -> None:
        """Assign chunks: one to each worker, before any gets a second."""
        for chunks in range(CHUNKS_IN_FLIGHT):
            for worker, in_flight in self._in_flight.items():
                if self._waiting and len(in_flight) == chunks:
                    in_flight.append(self._waiting.popleft())
                    self._pool.give(worker, in_flight[-1].files)

    def _on_death(self, worker: int, why: str) -> None:
        """Requeue a worker's chunks; the one that it was reading goes last, as it may be the reason."""
        self._deaths += 1
        if self._deaths > self._most_deaths:
            raise ClusterError(
                f"{self._deaths} workers of Ray died one after the other. Of the last one it says: {why}"
            )
        if worker not in self._in_flight:  # it was never ready
            self._starting -= 1
            return
        chunks = self._in_flight.pop(worker)
        self._last_ready = time.monotonic()
        if not chunks:
            return
        chunk = chunks.popleft()
        self._waiting.extendleft(reversed(chunks))
        files, deaths = chunk.files, chunk.deaths + 1
        if deaths < DEATHS_TO_SUSPECT:
            self._waiting.append(_Chunk(files, deaths))
        elif len(files) > 1:
            middle = len(files) // 2
            self._waiting += _Chunk(files[:middle], deaths), _Chunk(files[middle:], deaths)
        else:
            self._given_up += files
            self._deaths = 0

    def _check_timeout(self) -> None:
        if self._in_flight:
            self._last_ready = time.monotonic()
        elif time.monotonic() - self._last_ready > self._timeout_s:
            raise ClusterError(
                f"No worker of Ray was ready for {self._timeout_s:g} s: machines are gone, or busy with other work "
                "(`ray status`). What was read is kept, and the same command goes on from here."
            )


def without_duplicates(arriving: Iterator[EmbeddedFiles], embedded: Sequence[set[int]]) -> Iterator[EmbeddedFiles]:
    """Drop embeddings of contents that are in `embedded`, one set per model, and add the others to it.

    Workers do not know of each other, so two of them may embed the same content.
    """

    def new(rows: Embeddings | None, contents: set[int]) -> Embeddings | None:
        if rows is None:
            return None
        which = np.flatnonzero([content not in contents for content in rows.content.tolist()])
        contents.update(rows.content.tolist())
        return rows.rows_at(which) if len(which) else None

    for files in arriving:
        yield replace(files, embeddings=tuple(new(*each) for each in zip(files.embeddings, embedded, strict=True)))


VERSION: str = importlib.import_module("url_viz").__version__
"""Of this machine's URL-Viz."""


@dataclass(frozen=True)
class WorkerConfig:
    """What a worker needs to start: `models` by name with the keys of their spaces, and the `root` of the pictures.

    Nothing outside the folders `within`, if given, is read. `cores` are for this worker alone. There are no secrets:
    credentials for a bucket are in each machine's environment.
    """

    models: tuple[tuple[str, str], ...]
    precision: Precision
    rendering: Rendering | None
    device: str
    workspace: Path
    root: Path
    within: Sequence[Path] | None
    cores: int
    version: str = VERSION


class Worker:
    """Runs in a separate process, perhaps on another machine. An error of ours is returned, and ends the run."""

    def open(self, config: WorkerConfig, known: NDArray[np.int64], *embedded: NDArray[np.int64]) -> UrlVizError | None:
        """Load the models; `known` contents are not decoded, `embedded` ones not embedded again, by model."""
        try:
            self._embedding = _opened(config, known, embedded)
        except UrlVizError as error:
            return ClusterError(f"A worker on {socket.gethostname()!r} cannot start: {error}")
        self._cores = config.cores
        self._decoders = Decoders(max(2, config.cores))  # two: one that hangs does not block the others
        return None

    def embed(self, files: Sequence[ScannedFile]) -> EmbeddedFiles | UrlVizError:
        """Read and embed files."""
        try:
            return joined_files(list(embed_files(self._embedding, files, by=self._decoders, at_a_time=self._cores)))
        except UrlVizError as error:
            return error


def _opened(config: WorkerConfig, known: NDArray[np.int64], embedded: Sequence[NDArray[np.int64]]) -> Embedding:
    if config.version != VERSION:
        raise ClusterError(
            f"it has URL-Viz {VERSION}, and the command is of {config.version}. Install the same on all."
        )
    by_name = {name: _loaded(name, config) for name, _ in config.models}
    models = [_with_space(by_name[name], key) for name, key in config.models]
    contents = [set(each.tolist()) for each in embedded]
    return Embedding(models, source_of(config.root, within=config.within), set(known.tolist()), contents)


def _loaded(name: str, config: WorkerConfig) -> Model:
    model = load_model(name, device=config.device, precision=config.precision, workspace=config.workspace)
    return model.seeing(config.rendering)


def _with_space(model: Model, key: str) -> Model:
    """The model, or its other look. Raises ClusterError if neither has the space of this key."""
    for each in (model, model.squeezed):
        if each.space.key == key:
            return each
    raise ClusterError(
        f"its weights of {model.name!r} are others than where the command runs. Give both the same file, or the same "
        "package of weights."
    )
