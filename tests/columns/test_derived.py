"""Derived columns: made once, again when what they are of changes, read from disk, and of nothing that is not said."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_viz.columns.engine import MOST_RESULTS, Column, ColumnSource, Derived, DiskCache, Lazy, OnDisk, column
from url_viz.store.tables.stored_arrow import write_cached


def source(name: str, read: Callable[[], Any], fingerprint: Callable[[], str] | None = None) -> ColumnSource[Any]:
    return ColumnSource(
        name, lambda _: read(), lambda _: str(read()) if fingerprint is None else fingerprint(), is_live=True
    )


class Counted:
    """A small set of columns over two sources that change, which counts what is made."""

    def __init__(self, folder: Path | None = None, *, version: int = 1, size: int = 10) -> None:
        self.values = {"pictures": 3, "labels": 1}
        self.made: list[str] = []
        sources = [source(name, lambda name=name: self.values[name]) for name in self.values]
        stored = OnDisk(lambda v: pa.table({"v": [v]}), lambda table: int(table["v"][0].as_py()), only_large=True)

        @column(version=version, on_disk=stored)
        def squares(pictures: int) -> int:
            self.made.append("squares")
            return pictures**2

        @column(digest=lambda value: bytes([value]))
        def parity(labels: int) -> int:
            self.made.append("parity")
            return labels % 2

        @column()
        def shares(squares: int, parity: int) -> tuple[int, int]:
            self.made.append("shares")
            return squares, parity

        self.squares, self.shares = squares, shares
        disk = None if folder is None else DiskCache(folder, "space", lambda: size, large_from=5)
        self.derived = Derived([shares, squares, parity], sources, disk=disk)


def test_a_column_is_made_once_and_again_only_when_what_it_is_of_changes() -> None:
    known = Counted()
    first = known.derived.get(known.shares)
    assert first == (9, 1)
    assert known.derived.get(known.shares) is first
    assert known.made == ["parity", "squares", "shares"]
    known.values["pictures"] = 4
    assert known.derived.get(known.shares) == (16, 1)
    assert known.made[3:] == ["squares", "shares"]


def test_a_column_with_a_digest_stops_what_changes_nothing() -> None:
    known = Counted()
    first = known.derived.get(known.shares)
    known.values["labels"] = 3  # as odd as before
    assert known.derived.get(known.shares) is first
    assert known.made == ["parity", "squares", "shares", "parity"]
    known.values["labels"] = 4
    assert known.derived.get(known.shares) == (9, 0)


def squared(counted: Counted) -> int:
    return counted.derived.get(counted.squares)


def test_what_was_cached_on_disk_is_read_by_the_next_snapshot(tmp_path: Path) -> None:
    assert squared(Counted(tmp_path)) == 9
    later = Counted(tmp_path)
    assert squared(later) == 9
    assert later.made == []


@pytest.mark.parametrize("change", ["pictures", "version", "damage", "another kind"])
def test_what_is_on_disk_is_made_again(tmp_path: Path, change: str) -> None:
    squared(Counted(tmp_path))
    files = list(tmp_path.rglob("*.arrow"))
    assert len(files) == 1
    later = Counted(tmp_path, version=2 if change == "version" else 1)
    if change == "pictures":
        later.values["pictures"] = 4
    if change == "damage":
        files[0].write_bytes(files[0].read_bytes()[:-9] + b"x" * 9)
    if change == "another kind":
        write_cached(
            tmp_path / "squares", "space", later.derived.fingerprint(later.squares), pa.table({"other": ["text"]})
        )
    assert squared(later) == (16 if change == "pictures" else 9)
    assert later.made == ["squares"]


def test_a_small_set_leaves_nothing_on_disk(tmp_path: Path) -> None:
    assert squared(Counted(tmp_path, size=4)) == 9
    assert not list(tmp_path.rglob("*.arrow"))


def test_what_is_not_needed_is_not_made() -> None:
    made: list[str] = []

    @column()
    def costly(labels: int) -> int:
        made.append("costly")
        return labels

    @column()
    def seldom(labels: int, costly: Lazy[int]) -> int:
        return costly() if labels > 5 else 0

    values = {"labels": 1}
    derived = Derived([seldom, costly], [source("labels", lambda: values["labels"])])
    assert (derived.get(seldom), made) == (0, [])
    values["labels"] = 6
    assert (derived.get(seldom), made) == (6, ["costly"])


def test_a_variant_is_the_same_function_of_other_inputs() -> None:
    @column()
    def doubled(labels: int) -> int:
        return 2 * labels

    of_names = doubled.variant("of_names", labels="names")
    derived = Derived([doubled, of_names], [source("labels", lambda: 3), source("names", lambda: 5)])
    assert (derived.get(doubled), derived.get(of_names), of_names(labels=1)) == (6, 10, 2)


def test_no_circle_no_name_twice_and_no_unknown_input_can_be_declared() -> None:
    known = source("labels", lambda: 1)
    a, b = (Column(name, lambda **_: 1, renamed={other: other}) for name, other in (("a", "b"), ("b", "a")))
    with pytest.raises(ValueError, match="cycle"):
        Derived([a, b], [known])
    with pytest.raises(ValueError, match="'a', which b is made of, is neither"):
        Derived([b], [known])
    with pytest.raises(ValueError, match="declared twice"):
        Derived([Column("labels", lambda: 1)], [known])


def test_each_source_is_asked_once_a_look_and_a_fixed_one_only_once() -> None:
    asked: list[str] = []
    live = [ColumnSource(name, lambda _: 1, partial(_noted, asked), is_live=True) for name in ("labels", "names")]
    live[1] = replace(live[1], fingerprint=live[0].fingerprint)
    fixed = ColumnSource("table", lambda _: 1, lambda _: asked.append("fixed") or "1")  # type: ignore[func-returns-value]
    columns = [
        Column(f"c{n}", lambda **_: 0, renamed={name: name for name in ("labels", "names", "table")}) for n in range(5)
    ]
    every = Column("all", lambda **_: 0, renamed={each.name: each.name for each in columns})
    derived = Derived([*columns, every], [*live, fixed])
    derived.get(every)
    assert asked == ["fixed", "live"]
    derived.get(every)
    assert asked == ["fixed", "live", "live"]


def _noted(asked: list[str], _: object) -> str:
    asked.append("live")
    return "1"


def test_a_result_is_made_once_for_each_key_until_its_column_changes() -> None:
    known = Counted()
    made: list[int] = []
    ask = lambda key: known.derived.result(known.squares, key, lambda v: made.append(v) or [v, key])  # type: ignore[func-returns-value]  # noqa: E731
    first = ask("a")
    assert ask("a") is first
    assert ask("b") == [9, "b"]
    known.values["pictures"] = 4
    assert ask("a") == [16, "a"]
    assert made == [9, 9, 16]


def test_of_too_many_results_the_one_made_first_goes() -> None:
    one = Column("one", lambda: 1)
    derived = Derived([one], [])
    made = [derived.result(one, key, lambda value, key=key: [key]) for key in range(MOST_RESULTS + 1)]
    assert derived.result(one, MOST_RESULTS, repr) is made[-1]
    assert derived.result(one, 1, repr) is made[1]
    assert derived.result(one, 0, lambda value: None) is None


def test_one_thread_makes_a_result_while_others_wait_and_an_error_is_made_again() -> None:
    one, made, given = Column("one", lambda: 1), list[int](), list[Any]()
    derived, at_once = Derived([one], []), threading.Barrier(4)

    def slow(value: int) -> list[int]:
        made.append(value)
        time.sleep(0.2)
        return [derived.result(one, "inner", lambda value: value + 1)]

    def ask() -> None:
        at_once.wait(60)
        given.append(derived.result(one, "outer", slow))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (made, given) == ([1], [[2]] * 4)
    assert all(each is given[0] for each in given)
    with pytest.raises(ZeroDivisionError):
        derived.result(one, "wrong", lambda value: value / 0)
    assert derived.result(one, "wrong", lambda value: value) == 1


def test_one_thread_makes_a_column_while_others_wait() -> None:
    begun, go_on = threading.Event(), threading.Event()
    made: list[int] = []

    @column()
    def slow() -> int:
        made.append(1)
        begun.set()
        assert go_on.wait(60)
        return 7

    quick = Column("quick", lambda: 1)
    derived = Derived([slow, quick], [])
    values: list[int] = []
    threads = [threading.Thread(target=lambda: values.append(derived.get(slow))) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert begun.wait(60)
    assert derived.get(quick) == 1  # another column is not held up
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
        assert known.derived.get(known.shares) == fresh.derived.get(fresh.shares)
        assert known.derived.fingerprint(known.shares) == fresh.derived.fingerprint(fresh.shares)


def test_an_array_that_is_none_is_not_cached(tmp_path: Path) -> None:
    none = Column("none", lambda: None, on_disk=OnDisk(lambda v: pa.table({"v": v}), lambda table: table["v"]))
    derived = Derived([none], [], disk=DiskCache(tmp_path, "space", lambda: 9))
    assert derived.get(none) is None
    assert not list(tmp_path.rglob("*.arrow"))
