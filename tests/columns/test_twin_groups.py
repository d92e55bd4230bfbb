"""The table of twins: the worst pair by every means, which one to keep, and that one of each is left."""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pipeline.whitened_examples import pictures
from tests.twin_groups import copies_of, twin_column, twins_of
from url_viz.columns import twin_groups as twin_groups_module
from url_viz.columns.twin_groups import (
    best_first,
    count_copies,
    first_of_each,
    group_codes,
    has_copies,
    left_of_copies,
    marks_of,
    one_of_each,
    twin_table,
    with_twins,
    worst_pair,
)
from url_viz.pipeline.twins import copy_stars, joined_by
from url_viz.store.tables.tables import no_twins


def table_of(group: list[int], **columns: object) -> pd.DataFrame:
    """A table of pictures with these groups; what is not said is the same of all."""
    n = len(group)
    plain: dict[str, object] = {
        "id": np.arange(1000, 1000 + n),
        "path": [f"{i:04d}.jpg" for i in range(n)],
        "twin_group": twin_column(group),
        "copy_group": twin_column(group),
        "label": ["a"] * n,
        "width": [10] * n,
        "height": [10] * n,
        "uncertainty": [0.5] * n,
        "entropy": [1.0] * n,
        "decision": pd.Series([None] * n, dtype=object),
    }
    return pd.DataFrame(plain | columns)


def left_by(table: pd.DataFrame, pairs: list[tuple[int, int]], *, key: list[int] | None = None) -> np.ndarray:
    """What is left where these rows of contents are pairs; without `key` each picture is a content of its own."""
    keys = np.arange(len(table)) if key is None else np.array(key, np.int64)
    rows = int(keys.max(initial=-1)) + 1
    return left_of_copies(table, keys, copies_of(rows, pairs), lambda _: no_twins(rows))


def every_pair(group: list[int]) -> list[tuple[int, int]]:
    return [(i, j) for i, j in combinations(range(len(group)), 2) if group[i] == group[j]]


def decided(table: pd.DataFrame, pairs: list[tuple[int, int]]) -> Mapping[int, str | None]:
    return one_of_each(table, left_by(table, pairs))


def naive_cover(table: pd.DataFrame, pairs: set[tuple[int, int]]) -> list[int]:
    """The rows that are left, by a loop: the best of what is not covered, again and again."""
    decision, pixels = table["decision"].tolist(), (table["width"] * table["height"]).tolist()
    near = [{j for j in range(len(table)) if i == j or (i, j) in pairs or (j, i) in pairs} for i in range(len(table))]
    left = [row for row, one in enumerate(decision) if one == "keep"]
    is_open = {row for row, one in enumerate(decision) if one != "drop"} - {j for i in left for j in near[i]}
    while is_open:
        best = min(is_open, key=lambda i: (-pixels[i], -len(near[i] & is_open), table["uncertainty"][i], i))
        left.append(best)
        is_open -= near[best]
    return sorted(left)


def at_angles(degrees: np.ndarray) -> np.ndarray:
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


class TestGroups:
    @given(st.lists(st.integers(0, 9), max_size=12))
    def test_without_twins_a_picture_is_a_group_of_its_own(self, numbers: list[int]) -> None:
        table = table_of(numbers)
        assert table["twin_group"].isna().tolist() == [numbers.count(number) == 1 for number in numbers]
        codes = group_codes(table)
        assert [[one == other for other in codes] for one in codes] == [[a == b for b in numbers] for a in numbers]
        assert sorted(set(codes.tolist())) == list(range(len(set(numbers))))
        first = [row for row, number in enumerate(numbers) if number not in numbers[:row]]
        assert first_of_each(table).index.tolist() == first

    def test_of_a_part_of_a_table(self) -> None:
        """A twin whose other is not there keeps its number, and is a group of its own as well."""
        part = table_of([3, 5, 3, 7]).iloc[1:]
        assert part["twin_group"].isna().tolist() == [True, False, True]
        assert len(set(group_codes(part).tolist())) == len(first_of_each(part)) == 3


class TestTable:
    def test_by_hand(self) -> None:
        table = table_of([0, 1, 0, 3, 1, 0])
        contents = np.array([7, 8, 9, 10, 8, 11])
        vectors = at_angles(np.array([0, 90, 10, 45, 90, 4]))
        is_left = np.array([False, True, True, True, False, True])
        found = twin_table(table, contents, lambda rows: vectors[rows], is_left)
        assert found.drop(columns="cosine").to_numpy().tolist() == [
            [0, 3, "copies", 1, 1000, 1002, True, 2, 1002, "0002.jpg"],
            [1, 2, "exact", 1, 1001, 1004, True, 1, 1001, "0001.jpg"],
        ]
        assert found["cosine"].tolist() == pytest.approx([np.cos(np.radians(10)), 1.0], abs=1e-6)

    def test_of_views_says_so_and_how_many_classes_there_are(self) -> None:
        table = table_of([0, 0, 0], copy_group=twin_column([0, 0, 2]), label=["a", "b", None])
        [row] = twin_table(table, np.arange(3), lambda rows: np.ones((len(rows), 2)), np.ones(3, bool)).itertuples()
        assert (row.kind, row.classes, row.left) == ("views", 2, 3)

    @pytest.mark.parametrize("group", [[], [0], [0, 1]])
    def test_no_twins_no_rows(self, group: list[int]) -> None:
        found = twin_table(
            table_of(group), np.arange(len(group)), lambda rows: rows[:, None].astype(float), np.ones(len(group), bool)
        )
        assert list(found.columns)[:3] == ["group", "size", "kind"]
        assert len(found) == 0


class TestWorstPair:
    @given(st.integers(2, 12), st.integers(0, 10**6))
    def test_is_that_of_a_loop_over_all_pairs(self, count: int, seed: int) -> None:
        unit = np.random.default_rng(seed).normal(size=(count, 4)).astype(np.float32)
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
        found = worst_pair(unit)
        pairs = {(i, j): float(unit[i] @ unit[j]) for i in range(count) for j in range(i + 1, count)}
        assert found.cosine == pytest.approx(min(pairs.values()), abs=1e-6)
        assert pairs[found.first, found.second] == pytest.approx(found.cosine, abs=1e-6)

    def test_of_a_huge_group_is_found_by_sweeps_and_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(twin_groups_module, "LARGEST_COMPARED", 8)
        degrees = np.random.default_rng(0).uniform(20, 40, 500)
        degrees[[123, 321]] = 10, 55
        found = worst_pair(at_angles(degrees))
        assert (found.first, found.second, found.is_exact) == (123, 321, False)
        assert found.cosine == pytest.approx(np.cos(np.radians(45)), abs=1e-6)
        assert worst_pair(np.ones((20, 1), np.float32)).cosine == 1


class TestWhichToKeep:
    """Most pixels, then the clearest, then the first path."""

    @pytest.mark.parametrize(
        ("columns", "best"),
        [
            ({"width": [10, 20, 10]}, 1),
            ({"width": [10, 20, 10], "height": [10, 4, 9]}, 0),
            ({"uncertainty": [0.5, 0.4, 0.3]}, 2),
            ({"uncertainty": [0.5, 0.4, 0.3], "sharpness": [0.3, 0.8, 0.3]}, 1),
            ({"uncertainty": [0.5, 0.4, 0.3], "sharpness": [np.nan, 0.0, np.nan]}, 2),
            ({"uncertainty": [np.nan] * 3, "entropy": [2.0, 1.0, 3.0]}, 1),
            ({"uncertainty": [np.nan, 0.9, 0.9]}, 1),
            ({}, 0),
        ],
    )
    def test_the_rule(self, columns: dict[str, list[object]], best: int) -> None:
        assert best_first(table_of([0, 0, 0], **columns))[0] == best

    def test_one_of_each_is_kept_and_those_alone_are_not_touched(self) -> None:
        """Nor is a group touched of which all are dropped."""
        group = [0, 0, 2, 3, 3, 3, 6, 6]
        decision = pd.Series([None] * 6 + ["drop"] * 2, dtype=object)
        table = table_of(group, width=[10, 30, 10, 10, 10, 20, 10, 10], decision=decision)
        expected = {1000: "drop", 1001: "keep", 1003: "drop", 1004: "drop", 1005: "keep"}
        assert decided(table, every_pair(group)) == expected

    def test_copies_are_pairs_whatever_their_content_is_a_pair_of(self) -> None:
        """Two copies of one content and a near copy, and pictures that the graph does not know yet."""
        table = table_of([0, 0, 0, 1, 1], width=[10, 10, 20, 10, 10])
        assert left_by(table, [(0, 1)], key=[0, 0, 1, -1, -1]).tolist() == [False, False, True, True, True]
        assert left_by(table, [], key=[0, 0, 1, -1, -1]).tolist() == [True, False, True, True, True]

    @given(st.data())
    def test_what_is_left_is_that_of_a_loop_and_covers_all(self, data: st.DataObject) -> None:
        count = data.draw(st.integers(0, 9))
        pairs = data.draw(st.sets(st.sampled_from(list(combinations(range(count), 2))))) if count > 1 else set()
        group = joined_by(count, np.array(sorted(pairs), np.int32).reshape(-1, 2))
        before = data.draw(st.lists(st.sampled_from([None, None, "keep", "drop"]), min_size=count, max_size=count))
        width = data.draw(st.lists(st.integers(1, 2), min_size=count, max_size=count))
        value = data.draw(st.lists(st.sampled_from([0.2, 0.4]), min_size=count, max_size=count))
        decision = pd.Series(before, dtype=object)
        table = table_of(group.tolist(), decision=decision, width=width, uncertainty=value)
        is_left = left_by(table, sorted(pairs))
        assert np.flatnonzero(is_left).tolist() == naive_cover(table, pairs)
        partners = [{j for pair in pairs if i in pair for j in pair if j != i} for i in range(count)]
        for row, one in enumerate(before):
            if not is_left[row]:
                assert one == "drop" or any(is_left[j] for j in partners[row]), "dropped for a pair that is kept"
            elif one != "keep":
                assert not any(is_left[j] for j in partners[row]), "no pair is kept that nobody asked to keep"

    def test_views_are_neither_kept_nor_dropped(self) -> None:
        table = table_of([0, 0, 0, 0], copy_group=twin_column([0, 0, 2, 3]), width=[10, 20, 30, 10])
        assert decided(table, [(0, 1)]) == {1000: "drop", 1001: "keep"}

    def test_of_thinned_pairs_all_are_looked_up(self) -> None:
        """A camera that hardly moves: what is left is as if all of its pairs were known."""
        which = np.random.default_rng(0).integers(0, 5, 40)
        group, pixels = np.zeros(40, np.int64), pictures(which)
        table = table_of(group.tolist(), width=list(range(1, 41)))
        pairs = [pair for pair in every_pair(group.tolist()) if which[pair[0]] == which[pair[1]]]
        chain = twins_of(40, *((row, row + 1, 1.0) for row in range(39)), is_thinned=True)
        found = left_of_copies(table, np.arange(40), chain, lambda order: copy_stars(chain, order, pixels))
        assert found.tolist() == left_by(table, pairs).tolist()
        assert found.sum() == 5


def test_marks_say_what_is_largest_and_sharpest_where_not_all_are() -> None:
    rows = pd.DataFrame({"width": [10, 20, 20], "height": [10, 10, 10], "sharpness": [0.78, 0.37, 0.77]})
    assert marks_of(rows) == ["sharpest", "largest", "largest, sharpest"]
    assert marks_of(rows.assign(sharpness=[0.78, 0.77, 0.77])) == [None, "largest", "largest"], "hardly sharper"
    assert marks_of(rows.assign(width=10, sharpness=np.nan)) == [None] * 3
    assert marks_of(rows.assign(width=10).drop(columns="sharpness")) == [None] * 3
    assert marks_of(rows.head(1)) == [None]


def test_how_many_copies_of_what_is_chosen_there_are() -> None:
    table = table_of([0, 0, 0, 3, 3], copy_group=twin_column([0, 0, 2, 3, 3]))
    assert has_copies(table)
    assert not has_copies(table.iloc[:1])
    assert count_copies(table, np.array([True, False, False, False, False])) == 1
    assert count_copies(table, np.array([False, False, True, True, True])) == 0


def test_what_is_chosen_takes_its_twins_along() -> None:
    table = pd.DataFrame({"twin_group": pd.array([1, None, 1, 2, None, 2], "Int64")})
    chosen = np.array([True, True, False, False, False, False])
    assert with_twins(table, chosen).tolist() == [True, True, True, False, False, False]
    assert with_twins(table, np.zeros(6, bool)).tolist() == [False] * 6
