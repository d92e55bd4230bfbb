"""Kept tables come back as they were, or not at all."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from url_viz.store import kept_columns
from url_viz.store.kept_columns import (
    read_kept,
    read_kept_rows,
    read_kept_table,
    write_kept,
    write_kept_rows,
    write_kept_table,
)


@pytest.fixture
def table() -> pa.Table:
    folder = pa.array([b"a", b"b"] * 25).dictionary_encode()
    columns = {"path": [b"%d" % row for row in range(50)], "folder": folder, "value": np.arange(50, dtype=np.float32)}
    return pa.table(columns).replace_schema_metadata({"said": "ä"})


@pytest.fixture
def rows() -> NDArray[np.float16]:
    return np.random.default_rng(0).normal(size=(50, 7)).astype(np.float16)


@pytest.mark.parametrize("at_once", [1, 100, kept_columns.CHECKED_AT_ONCE])
def test_a_table_comes_back_as_it_was(
    tmp_path: Path, table: pa.Table, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(kept_columns, "CHECKED_AT_ONCE", at_once)
    pieces = pa.concat_tables([table.slice(0, 20), table.slice(20)])
    for key, kept in (("whole", table), ("pieces", pieces), ("empty", table.slice(0, 0)), ("none", pa.table({}))):
        write_kept_table(tmp_path, "space", key, kept)
        found = read_kept_table(tmp_path, "space", key)
        assert found is not None
        assert found.equals(kept.combine_chunks(), check_metadata=True)


def test_numbers_and_rows_are_those_of_the_file_without_a_copy(tmp_path: Path, rows: NDArray[np.float16]) -> None:
    write_kept(tmp_path, "space", "numbers", {"one": rows[:, 0], "two": np.arange(50)})
    write_kept_rows(tmp_path / "rows", "space", "rows", rows)
    numbers, back = read_kept(tmp_path, "space", "numbers"), read_kept_rows(tmp_path / "rows", "space", "rows")
    assert numbers is not None
    assert back is not None
    for found, kept in ((numbers["one"], rows[:, 0]), (numbers["two"], np.arange(50)), (back, rows)):
        np.testing.assert_array_equal(found, kept)
        assert found.dtype == kept.dtype
        assert not found.flags.writeable


def test_rows_make_room_for_others_of_their_space_alone(tmp_path: Path, rows: NDArray[np.float16]) -> None:
    for space, key in (("one", "a"), ("two", "a"), ("one", "b")):
        write_kept_rows(tmp_path, space, key, rows)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["one-b.arrow", "two-a.arrow"]


def test_there_are_none_where_none_were_kept_or_can_be(tmp_path: Path, table: pa.Table) -> None:
    assert read_kept_table(tmp_path / "nowhere", "space", "key") is None
    (tmp_path / "file").write_bytes(b"")
    write_kept_table(tmp_path / "file", "space", "key", table)  # no folder can be made there
    assert read_kept_table(tmp_path / "file", "space", "key") is None


def test_no_damage_passes(tmp_path: Path, table: pa.Table) -> None:
    write_kept_table(tmp_path, "space", "key", table)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    for at in range(0, len(whole), 7):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
        assert read_kept_table(tmp_path, "space", "key") is None
    for end in (*range(20), *range(20, len(whole), 99)):
        file.write_bytes(whole[:end])
        assert read_kept_table(tmp_path, "space", "key") is None
