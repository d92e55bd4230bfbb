"""A snapshot reads every table as it was when it was made: while a job writes, compacts, replaces what there was."""

import shutil
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import numpy as np
import pytest

from tests.pipeline.examples import as_whitened, dice, graph_of
from tests.store.test_store import KEY, files, ids_of, put_graph
from url_viz.base.errors import DamageError, SupersededError
from url_viz.pipeline.projection import pca_coordinates
from url_viz.store.tables.reader import Store
from url_viz.store.tables.tables import IMAGES
from url_viz.store.tables.writer import Writer

ROWS, ADDED = 300, 8


@contextmanager
def growing(writer: Writer, looked_at: Store) -> Iterator[threading.Thread]:
    """A job that adds one file after the other, while another visitor looks whether there is anything new."""

    def grow() -> None:
        for number in range(ROWS + 1, ROWS + ADDED + 1):
            writer.add_images(files([number]))
            writer.put_coordinates(KEY, pca_coordinates(as_whitened(dice(10 * (number % 7 + 1)))))

    def look() -> None:
        while job.is_alive():
            looked_at.version(KEY, None)
            looked_at.thumbnails([1])

    job = threading.Thread(target=grow)
    visitor = threading.Thread(target=look)
    job.start()
    visitor.start()
    try:
        yield job
    finally:
        job.join()
        visitor.join()


@pytest.mark.slow
@pytest.mark.parametrize("is_pinned", [True, False])
def test_nobody_is_told_of_damage_while_a_job_writes(writer: Writer, *, is_pinned: bool) -> None:
    """Two visitors share what is open. A snapshot stays as it was; who asks for the latest gets whole states."""
    writer.add_images(files(list(range(1, ROWS + 1))))
    latest = Store(writer.paths)
    shared = latest.pinned() if is_pinned else latest
    counts = []
    with growing(writer, shared) as job:
        while job.is_alive():
            assert len(shared.coordinates(KEY) or ()) % 10 == 0, "never a part of a map"
            ids = sorted(shared.images(IMAGES.names)["id"].to_pylist())  # of all columns no limit is asked for
            assert ids == list(range(1, len(ids) + 1))
            counts.append(len(ids))
    assert len(counts) > 1
    assert set(counts) == {ROWS} if is_pinned else counts == sorted(counts)


def whole_set(writer: Writer, count: int) -> None:
    """So many files with their embeddings, graph and map."""
    rows = dice(count)
    writer.add_images(files(list(range(count))))
    known = Store(writer.paths).embedded(KEY).content
    writer.add_embeddings(KEY, rows.rows_at(np.flatnonzero(~np.isin(rows.content, known))))
    writer.put_whitened(KEY, as_whitened(rows))
    put_graph(writer, graph_of(rows))
    writer.put_coordinates(KEY, pca_coordinates(as_whitened(rows)))


def assert_has(store: Store, count: int) -> None:
    """Each part, by itself, is that of so many files."""
    graph, columns, whitened = store.graph(KEY), store.graph_columns(KEY), store.whitened(KEY)
    assert graph is not None
    assert columns is not None
    assert whitened is not None
    assert len(store.images(["id"])) == len(graph) == len(columns.content) == len(whitened) == count
    assert len(store.embeddings(KEY)) == len(store.coordinates(KEY) or ()) == count
    assert sum(len(part) for _, part in store.embedding_parts(KEY, graph.content)) == count
    assert len(store.thumbnails(range(100))) == count


@pytest.mark.slow
@pytest.mark.parametrize("is_read_before", [True, False])
def test_parts_that_are_read_later_are_those_of_its_time(writer: Writer, *, is_read_before: bool) -> None:
    whole_set(writer, 5)
    snapshot = Store(writer.paths).pinned()
    if is_read_before:
        assert_has(snapshot, 5)
    whole_set(writer, 9)
    writer.compact()
    assert_has(snapshot, 5)
    assert_has(Store(writer.paths), 9)
    assert snapshot.version(KEY, None) != snapshot.latest.version(KEY, None)


@pytest.mark.slow
def test_a_table_that_came_later_is_not_there(writer: Writer) -> None:
    writer.add_images(files([1]))
    snapshot = Store(writer.paths).pinned()
    put_graph(writer, graph_of(dice(5)))
    assert snapshot.graph(KEY) is None
    assert snapshot.pinned() is snapshot


@pytest.mark.slow
def test_a_version_stays_as_long_after_a_newer_one_as_readers_are_given(writer: Writer) -> None:
    """However old it is itself: a set that was read last year is opened a moment before it is read again."""
    keep = timedelta(seconds=0.2)
    writer.add_images(files([1, 2]))
    time.sleep(2 * keep.total_seconds())
    snapshot = Store(writer.paths).pinned()
    for number in range(3, 9):
        writer.add_images(files([number]))
    writer.compact(keep=keep)
    assert ids_of(snapshot) == [1, 2]


def test_what_was_opened_long_ago_is_to_be_opened_again_and_is_no_damage(writer: Writer) -> None:
    for number in range(1, 5):
        writer.add_images(files([number]))
    snapshot = Store(writer.paths).pinned()
    writer.add_images(files([5]))
    remove_all_but_the_newest(writer)
    with pytest.raises(SupersededError, match=r"written anew. Open the image set again"):
        snapshot.images(["path"])
    assert ids_of(snapshot.latest) == [1, 2, 3, 4, 5]


def remove_all_but_the_newest(writer: Writer) -> None:
    """As a job does that ends long after."""
    [table] = [one.table for one in [writer._open("images")] if one is not None]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*removes every version except the latest")  # from lancedb .40 on
        table.optimize(cleanup_older_than=timedelta(0))


@pytest.mark.parametrize("part", ["graph", "images"])
def test_a_table_that_was_dropped_is_to_be_opened_again(writer: Writer, part: str) -> None:
    whole_set(writer, 5)
    snapshot = Store(writer.paths).pinned()
    shutil.rmtree(writer.paths.tables / ("images.lance" if part == "images" else f"graph-{KEY}.lance"))
    with pytest.raises(SupersededError):
        assert_has(snapshot, 5)


def test_damage_is_told_of_a_snapshot_as_of_the_latest(writer: Writer) -> None:
    whole_set(writer, 5)
    snapshot = Store(writer.paths).pinned()
    [data] = (writer.paths.tables / f"graph-{KEY}.lance" / "data").iterdir()
    data.write_bytes(data.read_bytes()[:-100])
    for store in (snapshot, Store(writer.paths)):
        with pytest.raises(DamageError, match="sets repair FOLDER"):
            store.graph(KEY)
