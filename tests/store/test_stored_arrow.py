"""Kept tables come back as they were, or not at all."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from tests.processes import run_python
from url_viz.store.tables.stored_arrow import (
    numbers_from_table,
    read_cached,
    rows_from_table,
    rows_to_table,
    write_cached,
)

pytestmark = pytest.mark.slow

Numbers = dict[str, NDArray[np.generic]]


def read_numbers(folder: Path, schema: pa.Schema, rows: int, codes: dict[str, int] | None = None) -> Numbers | None:
    return read_cached(folder, "space", "key", lambda table: numbers_from_table(table, schema, rows, codes=codes))


def read_rows(folder: Path, shape: tuple[int, int]) -> NDArray[np.float16] | None:
    return read_cached(folder, "space", "key", lambda table: rows_from_table(table, shape))


def write_numbers(folder: Path, columns: Numbers) -> None:
    write_cached(folder, "space", "key", pa.table(dict(columns)))


def write_rows(folder: Path, rows: NDArray[np.float16], *, space: str = "space", key: str = "key") -> None:
    write_cached(folder, space, key, rows_to_table(rows), most=1)


def as_it_is(table: pa.Table) -> pa.Table:
    return table


@pytest.fixture
def table() -> pa.Table:
    folder = pa.array([b"a", b"b"] * 25).dictionary_encode()
    columns = {"path": [b"%d" % row for row in range(50)], "folder": folder, "value": np.arange(50, dtype=np.float32)}
    return pa.table(columns).replace_schema_metadata({"said": "ä"})


@pytest.fixture
def rows() -> NDArray[np.float16]:
    return np.random.default_rng(0).normal(size=(50, 7)).astype(np.float16)


def test_a_table_comes_back_as_it_was(tmp_path: Path, table: pa.Table) -> None:
    pieces = pa.concat_tables([table.slice(0, 20), table.slice(20)])
    for key, kept in (("whole", table), ("pieces", pieces), ("empty", table.slice(0, 0)), ("none", pa.table({}))):
        write_cached(tmp_path, "space", key, kept)
        found = read_cached(tmp_path, "space", key, as_it_is)
        assert found is not None
        assert found.equals(kept.combine_chunks(), check_metadata=True)


def test_numbers_and_rows_are_those_of_the_file_without_a_copy(tmp_path: Path, rows: NDArray[np.float16]) -> None:
    write_numbers(tmp_path, {"one": rows[:, 0], "two": np.arange(50)})
    write_rows(tmp_path / "rows", rows)
    schema = pa.schema([("one", pa.float16()), ("two", pa.int64())])
    numbers = read_numbers(tmp_path, schema, 50)
    back = read_rows(tmp_path / "rows", rows.shape)
    assert numbers is not None
    assert back is not None
    for found, kept in ((numbers["one"], rows[:, 0]), (numbers["two"], np.arange(50)), (back, rows)):
        np.testing.assert_array_equal(found, kept)
        assert found.dtype == kept.dtype
        assert not found.flags.writeable


def test_rows_make_room_for_others_of_their_space_alone(tmp_path: Path, rows: NDArray[np.float16]) -> None:
    for space, key in (("one", "a"), ("two", "a"), ("one", "b")):
        write_rows(tmp_path, rows, space=space, key=key)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["one-b.arrow", "two-a.arrow"]


def test_there_are_none_where_none_were_kept_or_can_be(tmp_path: Path, table: pa.Table) -> None:
    assert read_cached(tmp_path / "nowhere", "space", "key", as_it_is) is None
    (tmp_path / "file").write_bytes(b"")
    write_cached(tmp_path / "file", "space", "key", table)  # no folder can be made there
    assert read_cached(tmp_path / "file", "space", "key", as_it_is) is None


def test_no_damage_passes(tmp_path: Path, table: pa.Table) -> None:
    write_cached(tmp_path, "space", "key", table)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    for at in range(0, len(whole), 7):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
        assert read_cached(tmp_path, "space", "key", as_it_is) is None
    for end in (*range(20), *range(20, len(whole), 99)):
        file.write_bytes(whole[:end])
        assert read_cached(tmp_path, "space", "key", as_it_is) is None


def test_a_file_that_states_other_rows_than_it_has_is_none(tmp_path: Path, rows: NDArray[np.float16]) -> None:
    """With right checksums; in a process of its own, as what reads past the end of a column crashes."""
    write_numbers(tmp_path / "numbers", {"one": np.arange(50.0), "two": np.arange(50)})
    write_rows(tmp_path / "rows", rows)
    found = run_python("-c", READ_LIES, tmp_path)
    assert (found.returncode, found.stdout) == (0, "None None\n" * 6 + "numbers rows\n"), found.stderr


READ_LIES = """
import sys
import subprocess
import sys
from pathlib import Path
import pyarrow as pa
from tests.hostile.packed import with_rows
from tests.store.test_stored_arrow import read_numbers, read_rows
here = Path(sys.argv[1])
files = [here / name / "space-key.arrow" for name in ("numbers", "rows")]
whole = [file.read_bytes() for file in files]
schema = pa.schema([("one", pa.float64()), ("two", pa.int64())])
for count in (2**26, 2**40, 2**62, -1, 51, 49, 50):
    for file, data in zip(files, whole):
        file.write_bytes(with_rows(data, 50, count))
    numbers = read_numbers(here / "numbers", schema, 50)
    rows = read_rows(here / "rows", (50, 7))
    print(numbers and "numbers", rows if rows is None else "rows")
    if numbers is not None and rows is not None:
        assert numbers["two"].sum() + rows.sum() != 0
"""


@pytest.mark.parametrize(
    ("schema", "count", "codes"),
    [
        ([("one", pa.float64())], 50, {}),
        ([("one", pa.float32()), ("two", pa.int64())], 50, {}),
        ([("two", pa.int64()), ("one", pa.float64())], 50, {}),
        ([("one", pa.float64()), ("two", pa.int64())], 49, {}),
        ([("one", pa.float64()), ("two", pa.int64())], 50, {"two": 49}),
    ],
)
def test_what_is_not_what_it_is_read_for_is_none(
    tmp_path: Path, schema: list[tuple[str, pa.DataType]], count: int, codes: dict[str, int]
) -> None:
    whole = pa.schema([("one", pa.float64()), ("two", pa.int64())])
    write_numbers(tmp_path, {"one": np.arange(50.0), "two": np.arange(50)})
    assert read_numbers(tmp_path, whole, 50, {"two": 50}) is not None
    assert read_numbers(tmp_path, pa.schema(schema), count, codes) is None


def test_rows_of_another_shape_are_none(tmp_path: Path, rows: NDArray[np.float16]) -> None:
    write_rows(tmp_path, rows)
    for shape in ((49, 7), (50, 6), (7, 50)):
        assert read_rows(tmp_path, shape) is None
    write_numbers(tmp_path, {"others": rows[:, 0]})
    assert read_rows(tmp_path, rows.shape) is None


@pytest.mark.parametrize("error", [KeyError, TypeError, MemoryError, RecursionError, pa.ArrowInvalid, OverflowError])
def test_what_cannot_be_made_of_a_table_is_none(tmp_path: Path, table: pa.Table, error: type[Exception]) -> None:
    def refuse(table: pa.Table) -> None:
        raise error

    write_cached(tmp_path, "space", "key", table)
    assert read_cached(tmp_path, "space", "key", refuse) is None
