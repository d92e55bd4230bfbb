"""Rows that are held are those of the files as they are: a change of any of these has them read and verified again."""

import os
from pathlib import Path

import pyarrow as pa
import pytest

from tests.store.test_store import files
from url_viz.errors import DamageError
from url_viz.store.reader import Store
from url_viz.store.recent_rows import MOST_BYTES, MOST_FILES, MOST_READS, RecentRows
from url_viz.store.versions import State, state_of
from url_viz.store.writer import Writer


@pytest.fixture
def writer(writer: Writer) -> Writer:
    """Of a set of three files."""
    writer.add_images(files([1, 2, 3]))
    return writer


@pytest.fixture
def table(writer: Writer) -> Path:
    return writer.paths.tables / "images.lance"


class Counting:
    """Reads rows of a size, and counts how often."""

    def __init__(self, count: int = 1) -> None:
        self.rows = pa.table({"id": pa.array(range(count), pa.int64())})
        self.times = 0

    def __call__(self) -> pa.Table:
        self.times += 1
        return self.rows


def test_two_stores_read_once_until_something_is_written(writer: Writer) -> None:
    first, second = Store(writer.paths), Store(writer.paths)
    rows = first.images(["id", "path"])
    assert second.images(["id", "path"]) is rows
    assert second.images(["id"]).column_names == ["id"]
    writer.add_images(files([4]))
    assert sorted(second.images(["id", "path"])["id"].to_pylist()) == [1, 2, 3, 4]
    writer.drop_images([1])
    assert sorted(first.images(["id", "path"])["id"].to_pylist()) == [2, 3, 4]


def test_a_table_in_the_place_of_another_is_read(writer: Writer) -> None:
    before = Store(writer.paths).images(["id", "content"])
    writer._drop("images")
    writer.add_images(files([1, 2, 3], content=100))
    after = Store(writer.paths).images(["id", "content"])
    assert before["content"].to_pylist() == [1, 2, 3]
    assert after["content"].to_pylist() == [101, 102, 103]


def test_a_bit_that_is_flipped_after_it_was_read_is_found(writer: Writer, table: Path) -> None:
    assert len(Store(writer.paths).images(["id", "content"])) == 3
    [data] = (table / "data").iterdir()
    times, whole = data.stat(), data.read_bytes()
    for place in range(0, len(whole), 7):
        data.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        os.utime(data, ns=(times.st_atime_ns, times.st_mtime_ns))
        try:
            assert Store(writer.paths).images(["id", "content"])["content"].to_pylist() == [1, 2, 3]
        except DamageError:
            return
    pytest.fail("no flipped bit was found: the rows are those that are held")


def change(name: str, table: Path) -> None:
    if name == "a manifest":
        (table / "_versions" / "00000000000000000001.manifest").write_bytes(b"")
    elif name == "a data file more":
        (table / "data" / "more.lance").write_bytes(b"")
    else:
        [data] = (table / "data").iterdir()
        os.utime(data, ns=(data.stat().st_atime_ns, data.stat().st_mtime_ns))  # nothing but the time of the change


@pytest.mark.parametrize("name", ["a manifest", "a data file more", "the data file"])
def test_any_changed_file_has_it_read_again(table: Path, name: str) -> None:
    recent, reading = RecentRows(), Counting()
    for _ in range(2):
        recent.of(table, state_of(table), ["id"], reading)
    assert reading.times == 1
    recent.of(table, state_of(table), ["id", "path"], reading)
    assert reading.times == 2
    change(name, table)
    for _ in range(2):
        recent.of(table, state_of(table), ["id"], reading)
    assert reading.times == 3


def test_what_is_large_or_of_many_files_or_of_no_known_state_is_not_held(table: Path) -> None:
    recent, large, small = RecentRows(), Counting(MOST_BYTES // 8 + 1), Counting()
    for _ in range(2):
        recent.of(table, state_of(table), ["id"], large)
    assert large.times == 2
    for _ in range(2):
        recent.of(table, None, ["id"], small)
    assert small.times == 2
    for number in range(MOST_FILES):
        (table / "data" / f"{number}.lance").write_bytes(b"")
    for _ in range(2):
        recent.of(table, state_of(table), ["id"], small)
    assert small.times == 4


def test_what_is_written_while_it_is_read_is_not_held_for_the_state_before(table: Path) -> None:
    recent, reading = RecentRows(), Counting()
    before = state_of(table)

    def reading_meanwhile() -> pa.Table:
        (table / "_versions" / "00000000000000000001.manifest").write_bytes(b"")
        return reading()

    recent.of(table, before, ["id"], reading_meanwhile)
    (table / "_versions" / "00000000000000000001.manifest").unlink()
    assert state_of(table) == before
    recent.of(table, before, ["id"], reading)
    assert reading.times == 2


def test_the_oldest_go_first(table: Path) -> None:
    recent, reading, state = RecentRows(), Counting(), state_of(table)

    def read(number: int, state: State | None = state) -> None:
        recent.of(table, state, [str(number)], reading)

    for number in range(MOST_READS):
        read(number)
    read(0)
    read(MOST_READS)
    assert reading.times == MOST_READS + 1
    read(0)
    assert reading.times == MOST_READS + 1, "it was read lately"
    read(1)
    assert reading.times == MOST_READS + 2
