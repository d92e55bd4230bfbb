"""Derived columns: made once, again when what they are of changes, read from disk, and of nothing that is not said."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_viz.analysis.derived import MOST_RESULTS, Column, Derived, DiskCache, Get, Input, OnDisk
from url_viz.store.tables.derived_cache import write_cached


class Counted:
    """A small set of columns over two sources that change, which counts what is made."""

    def __init__(self, folder: Path | None = None, *, version: int = 1, size: int = 10) -> None:
        self.values = {"pictures": 3, "labels": 1}
        self.made: list[str] = []
        sources = [
            Input(name, lambda name=name: str(self.values[name]), lambda name=name: self.values[name])  # type: ignore[misc]
            for name in self.values
        ]
        stored = OnDisk(lambda v: pa.table({"v": [v]}), lambda t, get: int(t["v"][0].as_py()), only_large=True)
        columns = [
            Column(
                "squares",
                ("pictures",),
                self.counting("squares", lambda get: get("pictures") ** 2),
                version,
                on_disk=stored,
            ),
            Column(
                "parity",
                ("labels",),
                self.counting("parity", lambda get: get("labels") % 2),
                digest=lambda v: bytes([v]),
            ),
            Column(
                "shares", ("squares", "parity"), self.counting("shares", lambda get: (get("squares"), get("parity")))
            ),
        ]
        disk = None if folder is None else DiskCache(folder, "space", lambda: size, large_from=5)
        self.derived = Derived(columns, sources, disk=disk)

    def counting(self, name: str, make: Any) -> Any:
        def made(get: Get) -> Any:
            self.made.append(name)
            return make(get)

        return made


def test_a_column_is_made_once_and_again_only_when_what_it_is_of_changes() -> None:
    known = Counted()
    first = known.derived.get("shares")
    assert first == (9, 1)
    assert known.derived.get("shares") is first
    assert known.made == ["parity", "shares", "squares"]
    known.values["pictures"] = 4
    assert known.derived.get("shares") == (16, 1)
    assert known.made[3:] == ["shares", "squares"]


def test_a_column_with_a_digest_stops_what_changes_nothing() -> None:
    known = Counted()
    first = known.derived.get("shares")
    known.values["labels"] = 3  # as odd as before
    assert known.derived.get("shares") is first
    assert known.made == ["parity", "shares", "squares", "parity"]
    known.values["labels"] = 4
    assert known.derived.get("shares") == (9, 0)


def test_what_was_cached_on_disk_is_read_by_the_next_snapshot(tmp_path: Path) -> None:
    assert Counted(tmp_path).derived.get("squares") == 9
    later = Counted(tmp_path)
    assert later.derived.get("squares") == 9
    assert later.made == []


@pytest.mark.parametrize("change", ["pictures", "version", "damage", "another kind"])
def test_what_is_on_disk_is_made_again(tmp_path: Path, change: str) -> None:
    Counted(tmp_path).derived.get("squares")
    files = list(tmp_path.rglob("*.arrow"))
    assert len(files) == 1
    later = Counted(tmp_path, version=2 if change == "version" else 1)
    if change == "pictures":
        later.values["pictures"] = 4
    if change == "damage":
        files[0].write_bytes(files[0].read_bytes()[:-9] + b"x" * 9)
    if change == "another kind":
        write_cached(tmp_path / "squares", "space", later.derived.fingerprint("squares"), pa.table({"other": ["text"]}))
    assert later.derived.get("squares") == (16 if change == "pictures" else 9)
    assert later.made == ["squares"]


def test_a_small_set_leaves_nothing_on_disk(tmp_path: Path) -> None:
    assert Counted(tmp_path, size=4).derived.get("squares") == 9
    assert not list(tmp_path.rglob("*.arrow"))


def test_a_column_reads_only_what_it_is_declared_to_be_of() -> None:
    source = Input("labels", lambda: "1", lambda: 1)
    derived = Derived([Column("bad", (), lambda get: get("labels"))], [source])
    with pytest.raises(KeyError, match="'bad' is not declared to be of 'labels'"):
        derived.get("bad")


def test_no_circle_and_no_name_twice_can_be_declared() -> None:
    source = Input("labels", lambda: "1", lambda: 1)
    with pytest.raises(ValueError, match="'b'"):
        Derived([Column("a", ("b",), lambda get: 1), Column("b", ("a",), lambda get: 1)], [source])
    with pytest.raises(ValueError, match="declared twice"):
        Derived([Column("labels", (), lambda get: 1)], [source])


def test_each_source_is_asked_once_a_look() -> None:
    asked: list[str] = []
    source = Input("labels", lambda: asked.append("") or "1", lambda: 1)  # type: ignore[func-returns-value]
    columns = [Column(f"c{n}", ("labels",), lambda get: get("labels")) for n in range(5)]
    derived = Derived([*columns, Column("all", tuple(c.name for c in columns), lambda get: 0)], [source])
    derived.get("all")
    asked.clear()
    derived.get("all")
    assert len(asked) == 1


def test_a_result_is_made_once_for_each_key_until_its_column_changes() -> None:
    known = Counted()
    made: list[int] = []
    ask = lambda key: known.derived.result("squares", key, lambda v: made.append(v) or [v, key])  # type: ignore[func-returns-value]  # noqa: E731
    first = ask("a")
    assert ask("a") is first
    assert ask("b") == [9, "b"]
    known.values["pictures"] = 4
    assert ask("a") == [16, "a"]
    assert made == [9, 9, 16]


def test_of_too_many_results_the_one_made_first_goes() -> None:
    derived = Derived([Column("one", (), lambda get: 1)], [])
    made = [derived.result("one", key, lambda value, key=key: [key]) for key in range(MOST_RESULTS + 1)]
    assert derived.result("one", MOST_RESULTS, list) is made[-1]
    assert derived.result("one", 1, list) is made[1]
    assert derived.result("one", 0, lambda value: None) is None


def test_one_thread_makes_a_column_while_others_wait() -> None:
    begun, go_on = threading.Event(), threading.Event()
    made: list[int] = []

    def slow(get: Get) -> int:
        made.append(1)
        begun.set()
        assert go_on.wait(60)
        return 7

    derived = Derived([Column("slow", (), slow), Column("quick", (), lambda get: 1)], [])
    values: list[int] = []
    threads = [threading.Thread(target=lambda: values.append(derived.get("slow"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert begun.wait(60)
    assert derived.get("quick") == 1  # another column is not held up
    go_on.set()
    for thread in threads:
        thread.join(60)
    assert values == [7] * 4
    assert made == [1]


@given(st.lists(st.tuples(st.sampled_from(["pictures", "labels"]), st.integers(0, 5)), max_size=12))
def test_whatever_changes_a_column_is_what_it_would_be_made_anew(changes: list[tuple[str, int]]) -> None:
    known = Counted()
    for name, value in changes:
        known.values[name] = value
        fresh = Counted()
        fresh.values = dict(known.values)
        assert known.derived.get("shares") == fresh.derived.get("shares")
        assert known.derived.fingerprint("shares") == fresh.derived.fingerprint("shares")


def test_an_array_that_is_none_is_not_cached(tmp_path: Path) -> None:
    stored = OnDisk(lambda v: pa.table({"v": v}), lambda t, get: np.asarray(t["v"]))
    disk = DiskCache(tmp_path, "space", lambda: 9)
    derived = Derived([Column("none", (), lambda get: None, on_disk=stored)], [], disk=disk)
    assert derived.get("none") is None
    assert not list(tmp_path.rglob("*.arrow"))
