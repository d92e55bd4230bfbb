"""Splits that are made: by hand, by what must hold of any, and on an image set whose leaks are gone."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.given import by_turns, dice, given_set
from url_viz.base.errors import ImageSetError
from url_viz.export.folders import sort_into_folders
from url_viz.findings.made_splits import TEST, TRAIN, VALIDATION, MadeSplits, make_splits, shares_of


def made(groups: list[int], labels: Sequence[str | None], *, test: float = 0.5, validation: float = 0.0) -> MadeSplits:
    used = np.ones(len(groups), bool)
    return make_splits(np.array(groups, np.int32), labels, shares=shares_of(test, validation), is_used=used)


def test_whole_groups_and_each_class_in_both_by_hand() -> None:
    """Two classes of four pictures, each two pairs of twins: half of each class is a pair of either."""
    found = made([0, 0, 1, 1, 2, 2, 3, 3], ["cat"] * 4 + ["dog"] * 4)
    assert found.counts == {TRAIN: 4, TEST: 4}
    assert found.by_class.to_numpy().tolist() == [["cat", 4, 2, 2], ["dog", 4, 2, 2]]
    assert all(found.split[2 * pair] == found.split[2 * pair + 1] for pair in range(4))
    assert found.words == [
        "train 4 (50.0 %), test 4 (50.0 %). 4 source groups stayed whole: nothing leaks between the splits.",
        "Each class has its share in each split, within 10 %.",
    ]


def test_a_class_of_one_source_cannot_be_balanced_and_is_named() -> None:
    found = made([*range(20), 20, 20], ["cat"] * 20 + ["dog"] * 2)
    assert found.unbalanced["label"].tolist() == ["dog"]
    assert "1 class could not be balanced within 10 %: dog." in found.words


def test_what_is_in_a_split_stays_and_takes_its_group_along() -> None:
    groups, used = np.array([0, 0, 1, 2, 3, 3], np.int32), np.ones(6, bool)
    before = ["test", None, None, None, "train", "test"]
    found = make_splits(groups, ["a"] * 6, shares=shares_of(0.5, 0), is_used=used, before=before)
    assert found.split[[0, 1, 4, 5]].tolist() == ["test", "test", "train", "test"]
    assert found.mixed == 1
    assert "1 source group was in two splits already" in found.words[0]
    assert found.counts == {TRAIN: 3, TEST: 3}, "what is new goes where pictures are missing"


@pytest.mark.slow
@given(st.data())
def test_of_any_pictures_groups_are_whole_and_shares_near(data: st.DataObject) -> None:
    count = data.draw(st.integers(40, 120))
    groups = np.array(data.draw(st.lists(st.integers(0, count), min_size=count, max_size=count)), np.int32)
    groups[:20] = count + 1 + np.arange(20)  # enough groups for any splits
    labels: list[str | None] = data.draw(st.lists(st.sampled_from(["a", "b", None]), min_size=count, max_size=count))
    used = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)), bool)
    used[: count // 2] = True
    found = make_splits(groups, labels, shares=shares_of(0.2, 0.2), is_used=used, seed=data.draw(st.integers(0, 9)))
    assert [each is None for each in found.split] == (~used).tolist()
    for group in np.unique(groups[used]):
        assert len(set(found.split[used & (groups == group)])) == 1
    largest = np.bincount(groups[used]).max()
    for name, share in ((TRAIN, 0.6), (VALIDATION, 0.2), (TEST, 0.2)):
        assert abs(found.counts[name] - share * used.sum()) <= largest + 0.1 * used.sum()
        assert found.by_class[name].sum() == found.counts[name]


@pytest.mark.parametrize(("test", "validation"), [(0.0, 0.0), (0.7, 0.3), (1.0, 0.0)])
def test_shares_that_leave_nothing_are_refused(test: float, validation: float) -> None:
    with pytest.raises(ImageSetError, match="together above 0 and below 1"):
        shares_of(test, validation)


def test_fewer_groups_than_splits_are_refused() -> None:
    with pytest.raises(ImageSetError, match="too few for 2 splits"):
        made([0, 0, 0], ["cat"] * 3)


@pytest.mark.slow
def test_of_a_set_nothing_leaks_then_and_folders_are_written(tmp_path: Path) -> None:
    rows = dice(24, 12)
    rows[1::2] = rows[::2] + 1e-4  # each has a twin
    image_set = given_set(tmp_path / "set", by_turns(24), rows)
    table = image_set.table()
    image_set.decisions.decide(table["id"].iloc[:1].tolist(), "drop")
    found = image_set.splits.make(test=0.25, seed=3)
    leaks = image_set.splits.leaks()
    assert leaks is not None
    assert leaks.empty
    split = image_set.table()["split"]
    assert split.isna().sum() == 1
    assert split.value_counts().to_dict() == found.counts
    again = image_set.splits.make(test=0.25, seed=3, keep=True)
    assert again.split[1:].tolist() == found.split[1:].tolist()
    done = sort_into_folders(image_set, tmp_path / "out", by="split")
    assert done.tops == {name: count for name, count in found.counts.items() if count}
    assert {path.parts[-3] for path in (tmp_path / "out").rglob("*.*g")} == {"train", "test"}
    with pytest.raises(ImageSetError, match="There is no column 'patient'"):
        image_set.splits.make(by="patient")


@pytest.mark.parametrize("seed", range(4))
def test_a_large_group_trains_and_no_class_is_without_test_pictures(seed: int) -> None:
    """Ten classes of sixteen pictures, of one of which eleven are views of one thing: a fifth is for testing."""
    labels = [f"class {number // 16}" for number in range(160)]
    groups = np.array([0] * 11 + [*range(1, 150)], np.int32)
    shares, used = shares_of(0.2, 0), np.ones(160, bool)
    found = make_splits(groups, labels, shares=shares, is_used=used, seed=seed)
    assert set(found.split[:11]) == {TRAIN}
    assert found.unbalanced.empty
    assert 28 <= found.counts[TEST] <= 36
