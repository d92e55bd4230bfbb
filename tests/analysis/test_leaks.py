"""Leaks by hand, by a naive loop, and by what must hold: without them no split has a twin of another."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pipeline.whitened_examples import classes
from tests.twin_groups import twin_column
from url_viz.analysis.leaks import MOST_SPLITS, Splits, find_splits, leaked, leaks_between_sets, leaks_between_splits
from url_viz.analysis.votes import NONE
from url_viz.pipeline.twins import twins_across
from url_viz.store.tables import Twins, no_twins


def twins_of(rows: int, *pairs: tuple[int, int, float], is_thinned: bool = False) -> Twins:
    pair = np.array([pair[:2] for pair in pairs], np.int32).reshape(-1, 2)
    return Twins(rows, pair, np.array([pair[2] for pair in pairs], np.float32), is_thinned)


def column(**columns: list[object]) -> pd.DataFrame:
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


def plain(codes: list[int], key: list[int], twins: Twins) -> dict[int, tuple[float, set[int]]]:
    """By row, the highest cosine to a picture of a larger split, and who has it; by a loop over all pairs."""
    cosine = {(a, b): float(c) for (a, b), c in zip(twins.pair.tolist(), twins.cosine, strict=True)}
    found: dict[int, tuple[float, set[int]]] = {}
    for one in range(len(codes)):
        for other in range(len(codes)):
            if codes[one] == NONE or codes[other] == NONE or codes[other] >= codes[one]:
                continue
            ends = min(key[one], key[other]), max(key[one], key[other])
            value = np.inf if ends[0] == ends[1] else cosine.get(ends)
            if value is not None and value >= found.get(one, (-1.0, set()))[0]:
                same = found[one][1] if one in found and found[one][0] == value else set()
                found[one] = value, same | {other}
    return found


class TestLeaked:
    """Which pictures, and which twin stands for each."""

    def test_copies_and_pictures_in_no_split(self) -> None:
        codes = np.array([0, 1, 1, NONE], np.int32)
        found = leaked(codes, np.array([0, 0, 1, 1]), no_twins(2))
        assert (found.row.tolist(), found.twin.tolist()) == ([1], [0])
        assert np.isinf(found.cosine[0])
        assert len(leaked(np.zeros(0, np.int32), np.zeros(0, np.int64), no_twins(0)).row) == 0

    @pytest.mark.slow
    @given(st.data())
    def test_is_what_a_loop_gives_and_leaves_no_leak(self, data: st.DataObject) -> None:
        contents = data.draw(st.integers(1, 6))
        count = data.draw(st.integers(1, 10))
        codes = data.draw(st.lists(st.integers(-1, 2), min_size=count, max_size=count))
        key = data.draw(st.lists(st.integers(0, contents - 1), min_size=count, max_size=count))
        every = [(a, b) for a in range(contents) for b in range(a + 1, contents)]
        chosen = data.draw(st.lists(st.sampled_from(every), unique=True)) if every else []
        cosines = st.sampled_from([0.96, 0.97, 0.98])
        twins = twins_of(contents, *((a, b, data.draw(cosines)) for a, b in chosen))
        found = leaked(np.array(codes, np.int32), np.array(key), twins)
        expected = plain(codes, key, twins)
        assert set(found.row.tolist()) == set(expected)
        for row, twin, cosine in zip(found.row.tolist(), found.twin.tolist(), found.cosine.tolist(), strict=True):
            assert cosine == pytest.approx(expected[row][0])
            assert twin in expected[row][1]
        left = [NONE if row in expected else code for row, code in enumerate(codes)]
        assert not plain(left, key, twins)


def pictures(split: list[str], **columns: list[object]) -> tuple[pd.DataFrame, Splits]:
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
    table["twin_group"] = twin_column(table["twin_group"])
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
        assert set(found["kind"]) == {"near"}

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
        assert found["kind"].tolist() == ["near"]

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
            (pictures(["train", *["test"] * (len(rows) - 1)])[0], 100 * place + np.arange(len(rows)),
             np.full(len(rows), name, object))
            for place, (rows, name) in enumerate(((mine, "mine"), (others, "other")))
        ]  # fmt: skip
        found = leaks_between_sets(sides[0], sides[1], twins, (np.arange(60), 60 + np.arange(40)))
        unit = [rows / np.linalg.norm(rows.astype(float), axis=1, keepdims=True) for rows in (mine, others)]
        cosine = unit[0] @ unit[1].T
        assert set(found["id"]) == set((10 + np.flatnonzero((cosine >= 0.96).any(axis=1))).tolist())
        assert (found["split"] == "mine").all()
        row = found.set_index("id").loc[60]
        assert (row["twin_id"], row["twin_split"]) == (17, "other")
        assert found["cosine"].to_numpy() == pytest.approx(cosine[found["id"] - 10].max(axis=1), abs=1e-3)
