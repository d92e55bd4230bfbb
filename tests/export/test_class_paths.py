"""Paths in the folder of the corrected class: by hand, and whatever labels and names there are."""

import os
from collections.abc import Sequence

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_viz.export.folders import LONGEST_NAME, corrected_paths, folder_of
from url_viz.export.picture_files import safe_names
from url_viz.imaging.scan import display_name

Row = tuple[bytes, str | None, str | None]


def moved(*rows: Row, level: int | None = None, make_folder: bool = False) -> list[bytes]:
    """`rows` are path, label as given, and label now."""
    table = pd.DataFrame({"label_given": [row[1] for row in rows], "label": [row[2] for row in rows]}, dtype=object)
    return corrected_paths(table, [row[0] for row in rows], level=level, make_folder=make_folder)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ((b"kiwi/1.jpg", "kiwi", "kiwi"), b"kiwi/1.jpg"),
        ((b"kiwi/1.jpg", "kiwi", "onion"), b"onion/1.jpg"),
        ((b"train/kiwi/1.jpg", "kiwi", "onion"), b"train/onion/1.jpg"),
        ((b"kiwi/2024/1.jpg", "kiwi", "onion"), b"onion/2024/1.jpg"),
        ((b"kiwi/kiwi.jpg", "kiwi", "onion"), b"onion/kiwi.jpg"),
        ((b"kiwi/1.jpg", "kiwi", None), b"kiwi/1.jpg"),
        ((b"1.jpg", None, "onion"), b"1.jpg"),
        ((b"a/1.jpg", "from a column", "onion"), b"a/1.jpg"),
        ((b"caf\xff/1.jpg", "caf\\xff", "onion"), b"onion/1.jpg"),
    ],
)
def test_by_hand(row: Row, expected: bytes) -> None:
    assert moved(row) == [expected]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ((b"1.jpg", None, "onion"), b"onion/1.jpg"),
        ((b"a/b/1.jpg", "from a column", "onion"), b"onion/a/b/1.jpg"),
        ((b"a/1.jpg", "dark", "dark"), b"dark/a/1.jpg"),
        ((b"train/kiwi/1.jpg", "kiwi", "onion"), b"train/onion/1.jpg"),
        ((b"kiwi/1.jpg", "kiwi", "kiwi"), b"kiwi/1.jpg"),
    ],
)
def test_by_hand_with_a_folder_for_each_class(row: Row, expected: bytes) -> None:
    assert moved(row, make_folder=True) == [expected]


def test_the_level_of_the_label_is_the_one_that_changes() -> None:
    row = (b"citrus/citrus/1.jpg", "citrus", "kiwi")
    assert moved(row, level=2) == [b"citrus/kiwi/1.jpg"]
    assert moved(row, level=1) == [b"kiwi/citrus/1.jpg"]
    assert moved((b"1.jpg", None, "kiwi"), level=2, make_folder=True) == [b"kiwi/1.jpg"]


def test_who_stays_keeps_its_path_though_another_comes_first() -> None:
    assert moved(
        (b"apple/1.jpg", "apple", "plum"),
        (b"kiwi/1.jpg", "kiwi", "plum"),
        (b"plum/1.jpg", "plum", "plum"),
        (b"plum/1-kiwi.jpg", "plum", None),
    ) == [b"plum/1-apple.jpg", b"plum/1-kiwi-2.jpg", b"plum/1.jpg", b"plum/1-kiwi.jpg"]


def test_a_swap_needs_no_new_names() -> None:
    assert moved((b"a/1.jpg", "a", "b"), (b"b/1.jpg", "b", "a")) == [b"b/1.jpg", b"a/1.jpg"]


def test_of_two_that_move_the_second_is_named_after_its_folder() -> None:
    rows = [(b"a/1.jpg", "a", "c"), (b"x/b/1.jpg", "b", "c"), (b"b/1.jpg", "b", "c"), (b"x/a/1.jpg", "a", "c")]
    assert moved(*rows) == [b"c/1.jpg", b"x/c/1.jpg", b"c/1-b.jpg", b"x/c/1-x-a.jpg"]


def test_from_no_folder_it_is_numbered() -> None:
    rows = [(b"1.jpg", None, "c"), (b"c/1.jpg", "c", "c"), (b"c/1-2.jpg", "c", "c")]
    assert moved(*rows, make_folder=True)[0] == b"c/1-3.jpg"


def test_a_folder_whose_name_is_no_text_takes_pictures_in() -> None:
    found = moved((b"a/1.jpg", "a", "caf\\xff"), (b"caf\xff/2.jpg", "caf\\xff", "caf\\xff"))
    assert found == [b"caf\xff/1.jpg", b"caf\xff/2.jpg"]


def test_the_folder_of_a_label() -> None:
    assert [folder_of(label) for label in ("kiwi", "käse", "_..", "...")] == [b"kiwi", "käse".encode(), b"_..", b"..."]
    odd = ["", ".", "..", "a/b", "a\0b", "/", "/etc", "../..", "ä" * 200, "ä" * 201]
    names = [folder_of(label) for label in [*odd, "a_b", "_", "_.", "_.."]]
    assert len(set(names)) == len(names), "no two classes share a folder"
    assert names[odd.index("a/b")].startswith(b"a_b-")
    assert all(name.decode() for name in names)
    assert max(map(len, names)) <= LONGEST_NAME


parts = st.sampled_from(
    [b"a", b"A", b"b", b"a_b", b"a-b", b"\xff", b"\xe4", "ä".encode(), b"train", b"_..", b"...", b"b" * 200]
)
labels = st.one_of(
    st.none(),
    parts.map(display_name),
    st.sampled_from(["", ".", "..", "a/b", "/", "\0", "../../a", "c" * 300, "ä" * 200]),
    st.text(st.characters(codec="utf-8"), max_size=12),
)
files = st.sampled_from([b"1.jpg", b"1-a.jpg", b"1-a-b.jpg", b"1", b".jpg", b"\xff.jpg", "é".encode() * 120 + b".jpg"])


@st.composite
def rows_of_a_set(draw: st.DrawFn) -> list[Row]:
    """Pictures at paths of their own; the label as given is often a folder of the path."""
    paths = draw(st.lists(st.tuples(st.lists(parts, max_size=3), files), unique_by=repr, max_size=12))
    rows: list[Row] = []
    for folders, file in sorted(paths):
        given_label = draw(st.one_of(labels, st.sampled_from(folders).map(display_name)) if folders else labels)
        rows.append((b"/".join([*folders, file]), given_label, draw(st.one_of(st.just(given_label), labels))))
    return rows


@pytest.mark.slow
@given(rows_of_a_set(), st.sampled_from([None, 1, 2]), st.booleans())
def test_paths_are_different_stay_inside_and_stay_where_nothing_changed(
    rows: Sequence[Row], level: int | None, make_folder: bool
) -> None:
    found = moved(*rows, make_folder=make_folder)
    assert len(set(found)) == len(rows)
    for place, (path, given_label, label) in zip(found, rows, strict=True):
        assert not {b"", b".", b".."} & set(place.split(b"/"))
        assert b"\0" not in place
        assert max(map(len, place.split(b"/"))) <= LONGEST_NAME
        assert os.path.splitext(place)[1] == os.path.splitext(path)[1]
        if label is None or (label == given_label and not make_folder):
            assert place == path
    names = safe_names(found)
    assert len({name.casefold() for name in names}) == len(rows), "also where small and capital letters are alike"
