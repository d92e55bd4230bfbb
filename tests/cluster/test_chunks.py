"""Every file has one outcome whoever dies, with threads as workers that die when the test says so."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
import pytest

from url_viz.base.errors import ClusterError
from url_viz.imaging.scan import ScannedFile
from url_viz.pipeline.cluster.chunks import (
    FEWEST_FILES,
    MOST_FILES,
    Died,
    Done,
    Ready,
    chunk_size,
    embed_on_workers,
    without_duplicates,
)
from url_viz.pipeline.cluster.on_ray import Allocation, OnRay, allocate
from url_viz.pipeline.embedded import EmbeddedFiles, Row
from url_viz.store.tables.tables import Embeddings

BY_ITSELF = "was read without a worker"


def files(count: int) -> list[ScannedFile]:
    return [ScannedFile(b"%05d.jpg" % number, 1, 1) for number in range(count)]


def row(file: ScannedFile, failure: str | None = None) -> Row:
    return Row(file.id, file.path, file.size_bytes, file.mtime_ns, failure=failure)


def without_model(file: ScannedFile) -> EmbeddedFiles:
    return EmbeddedFiles((row(file, BY_ITSELF),), (None,))


class Threads:
    """A pool of threads; `dies` says of a worker's number and its files, None at its start, whether it dies there."""

    def __init__(self, dies: Callable[[int, Sequence[ScannedFile] | None], bool]) -> None:
        self._dies = dies
        self._event: SimpleQueue[Ready | Done | Died] = SimpleQueue()
        self._inbox: dict[int, SimpleQueue[Sequence[ScannedFile]]] = {}
        self.deaths = 0

    @property
    def started(self) -> int:
        return len(self._inbox)

    def start(self) -> None:
        number = len(self._inbox)
        self._inbox[number] = SimpleQueue()
        threading.Thread(target=self._work, args=(number,), daemon=True).start()

    def give(self, worker: int, files: Sequence[ScannedFile]) -> None:
        self._inbox[worker].put(files)

    def next(self, within_s: float) -> Ready | Done | Died | None:
        try:
            return self._event.get(timeout=within_s)
        except Empty:
            return None

    def _work(self, number: int) -> None:
        if not self._dies(number, None):
            self._event.put(Ready(number))
            while not self._dies(number, given := self._inbox[number].get()):
                self._event.put(Done(number, EmbeddedFiles(tuple(map(row, given)), (None,))))
        self.deaths += 1
        self._event.put(Died(number, f"worker {number} fell over"))


def outcomes(pool: Threads, found: list[ScannedFile], *, workers: int) -> Counter[int]:
    """How many outcomes each file has, by id."""
    arriving = embed_on_workers(pool, found, workers=workers, without_model=without_model)
    return Counter(one.id for done in arriving for one in done.rows)


def once(found: list[ScannedFile]) -> Counter[int]:
    return Counter(file.id for file in found)


@pytest.mark.parametrize(("count", "workers"), [(0, 1), (1, 3), (15, 2), (16, 2), (1000, 3), (5000, 1)])
def test_every_file_is_read_once(count: int, workers: int) -> None:
    found = files(count)
    pool = Threads(lambda number, given: False)
    assert outcomes(pool, found, workers=workers) == once(found)
    assert pool.started <= workers


@pytest.mark.parametrize("seed", [*range(5), *(pytest.param(n, marks=pytest.mark.torture) for n in range(5, 20))])
def test_every_file_is_read_once_whoever_dies(seed: int) -> None:
    found, dice = files(5000), random.Random(seed)
    left = {0: 1, **{number: dice.randrange(4) for number in range(1, 8)}}
    """How many chunks, its start counted, each of the first workers lives through; the others live on."""

    def dies(number: int, given: Sequence[ScannedFile] | None) -> bool:
        left[number] = left.get(number, 1000) - 1
        return left[number] < 0

    pool = Threads(dies)
    assert outcomes(pool, found, workers=3) == once(found)
    assert pool.deaths


def test_a_file_at_which_workers_die_is_the_only_one_that_fails() -> None:
    found = files(4096)
    bad = {found[7].id, found[8].id, found[3000].id}
    pool = Threads(lambda number, given: given is not None and not bad.isdisjoint(file.id for file in given))
    arriving = embed_on_workers(pool, found, workers=2, without_model=without_model)
    rows = [one for done in arriving for one in done.rows]
    assert Counter(one.id for one in rows) == once(found)
    assert {one.id for one in rows if one.failure == BY_ITSELF} == bad


def test_one_death_is_no_reason_to_suspect_a_file() -> None:
    found = files(40)
    pool = Threads(lambda number, given: given is not None and number < 2)
    arriving = embed_on_workers(pool, found, workers=2, without_model=without_model)
    assert not [one for done in arriving for one in done.rows if one.failure]


def test_workers_that_never_become_ready_are_replaced() -> None:
    found = files(100)
    pool = Threads(lambda number, given: number < 5)
    assert outcomes(pool, found, workers=2) == once(found)
    assert pool.deaths == 5


def test_workers_that_do_nothing_but_die_end_the_run_with_their_reason() -> None:
    pool = Threads(lambda number, given: True)
    with pytest.raises(ClusterError, match=r"died one after the other.*worker \d+ fell over"):
        outcomes(pool, files(10), workers=2)


def test_without_a_worker_the_run_ends() -> None:
    hold = threading.Event()
    pool = Threads(lambda number, given: not hold.wait())
    with pytest.raises(ClusterError, match=r"No worker of Ray was ready for 0\.01 s"):
        list(embed_on_workers(pool, files(3), workers=1, without_model=without_model, timeout_s=0.01))
    hold.set()


def test_a_run_that_is_left_early_gives_out_no_more() -> None:
    pool = Threads(lambda number, given: False)
    arriving = embed_on_workers(pool, files(5000), workers=1, without_model=without_model)
    assert len(next(arriving).rows) == MOST_FILES
    arriving.close()
    assert not list(arriving)


def test_chunks_are_of_whole_batches_and_every_worker_has_some() -> None:
    assert chunk_size(1, 8) == FEWEST_FILES
    assert chunk_size(60, 2) == FEWEST_FILES
    assert chunk_size(1000, 2) == 128
    assert chunk_size(10_000_000, 8) == MOST_FILES


def test_a_content_that_two_workers_embedded_is_taken_once() -> None:
    def of(*contents: int) -> Embeddings:
        column = np.array(contents, np.int64)
        return Embeddings(column, column[:, None].astype(np.float16), column.astype(np.float32))

    arriving = [EmbeddedFiles((), (rows, None)) for rows in (of(1, 2), of(2, 3), of(2), of(4, 1))]
    taken = [one.embeddings for one in without_duplicates(iter(arriving), [{4}, set()])]
    contents = [None if first is None else first.content.tolist() for first, _ in taken]
    assert contents == [[1, 2], [3], None, None]
    assert taken[1][0] is not None
    assert taken[1][0].embedding.tolist() == [[3]]


GPUS = [{"CPU": 4.0}, {"CPU": 64.0, "GPU": 8.0}, {"CPU": 20.0, "GPU": 2.0}]
CPUS = [{"CPU": 8.0}, {"CPU": 4.0}, {"CPU": 0.0}]


class TestAllocation:
    """What each worker gets of the machines."""

    @pytest.mark.parametrize(
        ("nodes", "options", "workers", "cores", "gpus"),
        [
            (GPUS, {}, 10, 8, 1),
            (GPUS, {"workers": 3}, 3, 8, 1),
            (CPUS, {}, 2, 4, 0),
            (CPUS, {"workers": 5}, 5, 1, 0),
            ([{"CPU": 16.0, "GPU": 4.0}], {"device": "cpu"}, 1, 16, 0),
        ],
    )
    def test_by_hand(
        self, nodes: list[dict[str, float]], options: dict[str, Any], workers: int, cores: int, gpus: int
    ) -> None:
        assert allocate(nodes, OnRay("auto", **options)) == Allocation(workers, cores, gpus)

    @pytest.mark.parametrize("nodes", [[], [{"GPU": 0.0, "memory": 1.0}], [{"CPU": 0.5}]])
    def test_nothing_to_work_on(self, nodes: list[dict[str, float]]) -> None:
        with pytest.raises(ClusterError, match="has no CPU"):
            allocate(nodes, OnRay("auto"))

    def test_no_gpu_where_one_is_required(self) -> None:
        with pytest.raises(ClusterError, match=r"has no GPU.*leave out --device cuda"):
            allocate([{"CPU": 4.0}], OnRay("auto", device="cuda"))
