"""Leaks by hand, by a naive loop, and by what must hold: without them no split has a twin of another."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pipeline.whitened_examples import classes, naive_views
from tests.twin_groups import twin_column, twins_of
from url_viz.columns.ranking import NONE
from url_viz.findings.leaks import (
    COPY,
    MOST_SPLITS,
    SAME_FILE,
    SCENE,
    Splits,
    find_splits,
    leaked,
    leaks_between_sets,
    leaks_between_splits,
)
from url_viz.pipeline.twins import twins_across
from url_viz.store.tables.tables import Twins, no_twins


def column(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})


class TestSplits:
    """Which column says it, and which split is the largest."""

    def test_the_largest_first_and_training_before_others_of_its_size(self) -> None:
        found = find_splits(column(split=["test", "train", None, "val", "train", "test"]))
        assert found is not None
        assert (found.column, found.names, found.codes.tolist()) == (
            "split",
            ("train", "test", "val"),
            [1, 0, -1, 2, 0, 1],
        )
        assert [found.name_of(row) for row in (0, 2)] == ["test", None]

    def test_a_picture_may_be_in_several(self) -> None:
        found = find_splits(column(split=["val + train", "train", None, "test", "train + val"]))
        assert found is not None
        assert found.names == ("train", "val", "test")
        assert found.is_in.astype(int).tolist() == [[1, 1, 0], [1, 0, 0], [0, 0, 0], [0, 0, 1], [1, 1, 0]]
        assert found.codes.tolist() == [0, 0, NONE, 2, 0]
        texts = ["train + val", "train", None, "test", "train + val"]
        assert (found.texts.tolist(), [found.name_of(row) for row in range(5)]) == (texts, texts)

    def test_all_pictures_may_be_in_the_same_several(self) -> None:
        found = find_splits(column(fold=["0 + 1", "0 + 1"]), ["fold"])
        assert found is not None
        assert found.names == ("fold 0", "fold 1")
        assert found.is_in.all()

    @pytest.mark.parametrize("name", ["subset", "Fold", "is_train", "test_set", "partition"])
    def test_a_column_of_the_users_by_its_name(self, name: str) -> None:
        found = find_splits(column(split=[None, None], **{name: ["a", "b"]}), ["colour", name])
        assert found is not None
        assert found.column == name

    def test_a_bare_number_is_named_by_its_column(self) -> None:
        table = pd.DataFrame({"fold": [0.0, 1.0, 1.0, np.nan], "is_test": ["True", "False", "False", "False"]})
        folds, flags = (find_splits(table, [name]) for name in ("fold", "is_test"))
        assert folds is not None
        assert folds.names == ("fold 1", "fold 0")
        assert folds.codes.tolist() == [1, 0, 0, NONE]
        assert flags is not None
        assert flags.names == ("is_test False", "is_test True")

    def test_what_is_none(self) -> None:
        assert find_splits(column(label=["a", "b"])) is None
        assert find_splits(column(split=["train", "train"])) is None
        assert find_splits(column(latest=["a", "b"], foldable=["a", "b"]), ["latest", "foldable"]) is None
        many = [f"s{number}" for number in range(MOST_SPLITS + 1)]
        assert find_splits(column(split=many)) is None


Found = dict[int, tuple[float, set[int]]]


def plain(is_in: list[set[int]], key: list[int], twins: Twins) -> Found:
    """By row, the highest cosine to a picture of a larger split, and who has it; by a loop over all pairs.

    A picture in two splits is its own.
    """
    cosine = {(a, b): float(c) for (a, b), c in zip(twins.pair.tolist(), twins.cosine, strict=True)}
    found: Found = {one: (np.inf, {one}) for one, splits in enumerate(is_in) if len(splits) > 1}
    for one in range(len(is_in)):
        for other in range(len(is_in)):
            if len(is_in[one]) != 1 or not is_in[other] or min(is_in[other]) >= min(is_in[one]):
                continue
            ends = min(key[one], key[other]), max(key[one], key[other])
            value = np.inf if ends[0] == ends[1] else cosine.get(ends)
            if value is not None and value >= found.get(one, (-1.0, set()))[0]:
                same = found[one][1] if one in found and found[one][0] == value else set()
                found[one] = value, same | {other}
    return found


def members(is_in: list[set[int]]) -> np.ndarray:
    return np.array([[code in splits for code in range(3)] for splits in is_in], bool).reshape(-1, 3)


class TestLeaked:
    """Which pictures, and which twin stands for each."""

    def test_copies_and_pictures_in_no_split(self) -> None:
        found = leaked(members([{0}, {1}, {1}, set()]), np.array([0, 0, 1, 1]), no_twins(2))
        assert (found.row.tolist(), found.twin.tolist()) == ([1], [0])
        assert np.isinf(found.cosine[0])
        assert len(leaked(members([]), np.zeros(0, np.int64), no_twins(0)).row) == 0

    def test_a_picture_in_three_splits_is_one_leak_even_without_an_embedding(self) -> None:
        found = leaked(members([{0, 1, 2}, {1, 2}]), np.array([-1, 0]), no_twins(1))
        assert found.row.tolist() == found.twin.tolist() == [0, 1]
        assert (found.split.tolist(), found.twin_split.tolist()) == ([1, 2], [0, 1])

    @pytest.mark.slow
    @given(st.data())
    def test_is_what_a_loop_gives_and_leaves_no_leak(self, data: st.DataObject) -> None:
        contents = data.draw(st.integers(1, 6))
        count = data.draw(st.integers(1, 10))
        is_in = data.draw(st.lists(st.sets(st.integers(0, 2)), min_size=count, max_size=count))
        key = data.draw(st.lists(st.integers(0, contents - 1), min_size=count, max_size=count))
        every = [(a, b) for a in range(contents) for b in range(a + 1, contents)]
        chosen = data.draw(st.lists(st.sampled_from(every), unique=True)) if every else []
        cosines = st.sampled_from([0.96, 0.97, 0.98])
        twins = twins_of(contents, *((a, b, data.draw(cosines)) for a, b in chosen))
        found = leaked(members(is_in), np.array(key), twins)
        expected = plain(is_in, key, twins)
        assert sorted(found.row.tolist()) == sorted(expected)
        columns = (found.row, found.twin, found.split, found.twin_split, found.cosine)
        for row, twin, split, twin_split, cosine in zip(*(column.tolist() for column in columns), strict=True):
            assert cosine == pytest.approx(expected[row][0])
            assert twin in expected[row][1]
            assert split in is_in[row]
            assert twin_split in is_in[twin]
            assert twin_split < split
        left = [set() if row in expected else splits for row, splits in enumerate(is_in)]
        assert not plain(left, key, twins)


def pictures(split: list[str], **columns: Any) -> tuple[pd.DataFrame, Splits]:
    count = len(split)
    base = {
        "id": np.arange(count) + 10,
        "path": [f"{name}/{number}.jpg" for number, name in enumerate(split)],
        "label": "cat",
        "decision": pd.Series([None] * count, dtype=object),
        "twin_group": np.arange(count),
        "split": split,
    }
    table = pd.DataFrame({**base, **columns})
    table["copy_group"] = twin_column(np.asarray(table.get("copy_group", np.arange(count))))
    table["twin_group"] = twin_column(table["twin_group"].to_numpy())
    found = find_splits(table)
    assert found is not None
    return table, found


class TestTable:
    """What is told of each leak."""

    def test_the_smallest_split_first_then_the_most_alike(self) -> None:
        table, splits = pictures(["train"] * 4 + ["val"] * 3 + ["test"] * 2)
        twins = twins_of(9, (0, 4, 0.97), (1, 5, 0.99), (2, 7, 0.96), (6, 8, 0.98))
        found = leaks_between_splits(table, np.arange(9), splits, np.arange(9), twins)
        assert found["path"].tolist() == ["test/8.jpg", "test/7.jpg", "val/5.jpg", "val/4.jpg"]
        assert found["twin_path"].tolist() == ["val/6.jpg", "train/2.jpg", "train/1.jpg", "train/0.jpg"]
        assert found["twin_split"].tolist() == ["val", "train", "train", "train"]
        assert found["cosine"].to_numpy() == pytest.approx([0.98, 0.96, 0.99, 0.97])
        assert set(found["kind"]) == {COPY}

    def test_a_copy_is_told_before_a_more_alike_view(self) -> None:
        table, splits = pictures(["train"] * 2 + ["val"] * 2)
        twins = twins_of(4, (0, 2, 0.8), (1, 2, 0.99), (1, 3, 0.98), views=2)
        found = leaks_between_splits(table, np.arange(4), splits, np.arange(4), twins)
        assert found[["id", "twin_id", "kind"]].to_numpy().tolist() == [[13, 11, SCENE], [12, 10, COPY]]
        assert found["cosine"].to_numpy() == pytest.approx([0.98, 0.8])

    def test_a_picture_in_two_splits_comes_with_itself_unless_it_is_dropped(self) -> None:
        decision = pd.Series(["keep", "drop", None, None], dtype=object)
        table, splits = pictures(["train + val", "train + val", "val", "train"], decision=decision)
        found = leaks_between_splits(table, np.arange(4), splits, np.arange(4), twins_of(4, (0, 2, 0.97)))
        names = ["id", "twin_id", "split", "twin_split", "kind"]
        assert found[names].to_numpy().tolist() == [
            [10, 10, "val", "train", SAME_FILE],
            [12, 10, "val", "train", COPY],
        ]

    def test_a_dropped_end_is_no_leak(self) -> None:
        decision = pd.Series([None, "drop", None, "keep"], dtype=object)
        table, splits = pictures(["train", "train", "test", "test"], decision=decision)
        twins = twins_of(4, (0, 3, 0.97), (1, 2, 0.97))
        found = leaks_between_splits(table, np.arange(4), splits, np.arange(4), twins)
        assert found["id"].tolist() == [13]

    def test_of_thinned_twins_the_group_counts(self) -> None:
        table, splits = pictures(["train", "train", "test"], twin_group=[0, 1, 0])
        found = leaks_between_splits(table, np.arange(3), splits, np.arange(3), twins_of(3, is_thinned=True))
        assert (found["id"].tolist(), found["twin_id"].tolist()) == ([12], [10])
        assert found["cosine"].isna().all()
        assert found["kind"].tolist() == [SCENE]
        table["copy_group"] = table["twin_group"]
        found = leaks_between_splits(table, np.arange(3), splits, np.arange(3), twins_of(3, is_thinned=True))
        assert found["kind"].tolist() == [COPY]

    def test_pictures_without_an_embedding_are_left_out(self) -> None:
        table, splits = pictures(["train", "test", "test", "train", "train"])
        key = np.array([0, 0, -1, -1, -1])
        found = leaks_between_splits(table, np.array([5, 5, 7, 7, 8]), splits, key, no_twins(1))
        assert found["id"].tolist() == [11]
        assert found[["cosine", "kind"]].to_numpy().tolist() == [[1.0, "exact"]]

    def test_two_sets(self) -> None:
        mine, others = classes(60, spread=0.2)[0], classes(40, spread=0.2, seed=3)[0]
        others[7] = mine[50] + 1e-3
        twins = twins_across(mine, others)
        sides = [
            (pictures(["train", *["test"] * (len(rows) - 1)])[0], 100 * place + np.arange(len(rows)))
            for place, rows in enumerate((mine, others))
        ]
        keys = np.arange(60), 60 + np.arange(40)
        found = leaks_between_sets(sides[0], sides[1], twins, keys, ("mine", "other"))
        across = [pair for pair in naive_views(np.concatenate([mine, others])) if pair[0] < 60 <= pair[1]]
        assert set(found["id"]) == {10 + one for one, _ in across}
        assert set(found["kind"]) == {SCENE}
        assert (found["split"] == "mine").all()
        row = found.set_index("id").loc[60]
        assert (row["twin_id"], row["twin_split"]) == (17, "other")
        assert row["cosine"] == pytest.approx(1, abs=1e-3)
