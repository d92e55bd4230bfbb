"""Accuracy of a run and the model against pictures: by hand, by loops, and what must hold whatever both say."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from url_viz.columns.filters import passes_all
from url_viz.columns.ranking import NONE
from url_viz.labels.ambiguity import ClassShares
from url_viz.runs.model_accuracy import (
    AMBIGUOUS,
    CLEAR,
    LATE,
    MODEL_SAYS,
    MODEL_STRENGTH,
    QUEUES,
    WEAK,
    WRONG,
    RunPredictions,
    accuracy_by,
    accuracy_difference,
    by_training,
    columns_to_compare,
    confusion_matrix,
    confusions,
    has_training,
    in_queue,
    right_in_both,
    tempered,
    top_two,
    two_by_two,
)

NAMES = ("cat", "cow", "dog", "pig")


def said_of(label: list[int], said: list[int], rows: list[int] | None = None) -> RunPredictions:
    at = np.arange(len(label)) if rows is None else np.array(rows)
    return RunPredictions(at, np.array(label, np.int32), np.array(said, np.int32), NAMES, True)


def test_confusions_by_hand_and_the_matrix_of_the_most_confused() -> None:
    found = said_of([0, 0, 0, 2, 2, 1, 3, 3], [2, 2, 0, 0, 2, 1, 3, 1])
    assert found.accuracy.value == 0.5
    assert confusions(found).to_numpy().tolist() == [[0, 2, 2], [2, 0, 1], [3, 1, 1]]
    two = confusion_matrix(found, most=2)
    assert two.index.tolist() == two.columns.tolist() == ["cat", "dog"]
    assert two.to_numpy().tolist() == [[1, 2], [1, 1]]
    assert confusion_matrix(found).loc["pig"].to_dict() == {"cat": 0, "cow": 1, "dog": 0, "pig": 1}
    assert confusion_matrix(said_of([0, 1], [0, 1])).empty


@given(seed=st.integers(0, 10_000))
def test_the_whole_matrix_is_a_loop_s(seed: int) -> None:
    draw = np.random.default_rng(seed)
    label, said = draw.integers(0, 4, (2, 200)).tolist()
    matrix = confusion_matrix(said_of(label, said))
    for row, name in enumerate(NAMES):
        for column, other in enumerate(NAMES):
            count = sum(a == row and b == column for a, b in zip(label, said, strict=True))
            assert matrix.loc[name, other] == count


def test_accuracy_by_a_text_column_the_surely_worst_first() -> None:
    # lab: 4 of 8 right; field: 0 of 1, whose interval reaches .79; none: 3 of 3
    place = pd.Series(["lab"] * 8 + ["field"] + [None] * 3, name="place", dtype=object)
    found = said_of([0] * 12, [0] * 4 + [1] * 5 + [0] * 3)
    table, filters = accuracy_by(found, place)
    assert table["value"].tolist() == ["lab", "field", "none"]
    assert table["wrong"].tolist() == [4, 1, 0]
    assert table["accuracy"].tolist() == [0.5, 0, 1]
    assert table["high"].to_numpy() == pytest.approx([0.7848, 0.7935, 1], abs=1e-4)
    kept = [passes_all(place.to_frame(), (rule,)).sum() for rule in filters]
    assert kept == table["pictures"].tolist() == [8, 1, 3]


@example(seed=209, steps=100_000)
@given(seed=st.integers(0, 10_000), steps=st.sampled_from([3, 40, 100_000]))
def test_tenths_are_parts_of_the_numbers_and_their_filters_are_exact(seed: int, steps: int) -> None:
    draw = np.random.default_rng(seed)
    values = draw.integers(0, steps, 300).astype(float)
    values[draw.random(300) < 0.1] = np.nan
    rows = np.flatnonzero(draw.random(300) < 0.8)
    right = draw.random(len(rows)) < 0.7
    found = RunPredictions(rows, np.zeros(len(rows), np.int32), (~right).astype(np.int32), NAMES, True)
    table, filters = accuracy_by(found, pd.Series(values, name="width"))
    assert 1 <= len(table) <= 10
    assert table["pictures"].sum() == np.isfinite(values[rows]).sum()
    shown = pd.DataFrame({"width": values[rows]})
    for row, rule in zip(table.itertuples(), filters, strict=True):
        keep = passes_all(shown, (rule,))
        assert (keep.sum(), (~right[keep]).sum()) == (row.pictures, row.wrong)
    if pd.Series(values[rows]).dropna().is_unique:  # equal numbers are never parted
        assert table["pictures"].max() - table["pictures"].min() <= 2
    nothing, none = accuracy_by(found, pd.Series(np.full(300, np.nan), name="width"))
    assert nothing.empty
    assert none == ()


def test_columns_to_compare_begin_with_the_class_and_are_not_the_model_s() -> None:
    table = pd.DataFrame(
        {"width": [1, 2, 3], "label": ["a", "b", "b"], "model_class": ["a", "a", "b"], "id": [1, 2, 3]}
    )
    assert columns_to_compare(table) == ["label", "width"]


class TestTwoRuns:
    def test_on_the_same_pictures_by_hand(self) -> None:
        one = said_of([0, 0, 0, 0], [0, 0, 1, 0], [1, 3, 5, 9])
        other = said_of([0, 0, 0], [1, 0, 0], [9, 3, 5])
        rows, first, second = right_in_both(one, other)
        assert rows.tolist() == [3, 5, 9]
        assert first.tolist() == [True, False, True]
        assert second.tolist() == [True, True, False]
        assert accuracy_difference(first, second).value == 0
        _, first, second = right_in_both(one, said_of([], [], []))
        assert np.isnan(accuracy_difference(first, second).value)

    def test_the_interval_of_agresti_and_min_by_hand(self) -> None:
        # 100 pictures, 20 right in one only, 10 in the other only: (20 - 10) / 102 ± 1.96 √(31 - 100/102) / 102
        one = np.repeat([True, False, True], [20, 10, 70])
        other = np.repeat([False, True, True], [20, 10, 70])
        found = accuracy_difference(one, other)
        assert found.value == pytest.approx(0.1)
        assert (found.interval.low, found.interval.high) == pytest.approx((-0.00724, 0.20331), abs=1e-4)
        same = accuracy_difference(one, one)
        assert (same.interval.low, same.interval.high) == pytest.approx((-0.01922, 0.01922), abs=1e-4)

    def test_it_holds_the_true_difference_about_as_often_as_it_says(self) -> None:
        draw = np.random.default_rng(0)
        cells = [(True, True), (True, False), (False, True), (False, False)]
        hits = 0
        for _ in range(1_000):
            drawn = draw.choice(4, size=60, p=[0.6, 0.2, 0.08, 0.12])
            one, other = (np.array([cells[cell][part] for cell in drawn]) for part in (0, 1))
            interval = accuracy_difference(one, other).interval
            hits += interval.low <= 0.12 <= interval.high
        assert 0.93 <= hits / 1_000 <= 0.98


def test_the_map_by_training_has_variability_across_and_confidence_up() -> None:
    table = pd.DataFrame({"x": [9.0, 9, 9], "y": [9.0, 9, 9]})
    assert not has_training(table)
    one_epoch = table.assign(variability=[0, 0, np.nan], confidence=[0.2, 0.9, np.nan])
    assert not has_training(one_epoch)
    trained = table.assign(variability=[0.1, 0, np.nan], confidence=[0.2, 0.9, np.nan])
    assert has_training(trained)
    placed = by_training(trained)
    assert placed["x"].to_numpy() == pytest.approx([0.1, 0, np.nan], nan_ok=True)
    assert placed["y"].to_numpy() == pytest.approx([0.2, 0.9, np.nan], nan_ok=True)


CAT, DOG, COW = 0, 1, 2
CASES = [
    # the model's shares, the pictures' shares, the label, the first right epoch, what it is
    ((0.1, 0.9, 0.0), (0.05, 0.9, 0.05), CAT, np.inf, WRONG),
    ((0.3, 0.6, 0.1), (0.05, 0.9, 0.05), CAT, np.inf, WRONG),
    ((0.1, 0.0, 0.9), (0.05, 0.9, 0.05), CAT, np.inf, None),
    ((0.5, 0.4, 0.1), (0.4, 0.6, 0.0), CAT, 0, AMBIGUOUS),
    ((0.5, 0.1, 0.4), (0.4, 0.6, 0.0), CAT, 0, None),
    ((0.1, 0.9, 0.0), (0.9, 0.1, 0.0), CAT, np.inf, WEAK),
    ((0.5, 0.4, 0.1), (0.9, 0.1, 0.0), CAT, 0, WEAK),
    ((0.9, 0.1, 0.0), (0.9, 0.1, 0.0), CAT, 9, LATE),
    ((0.9, 0.1, 0.0), (0.9, 0.1, 0.0), CAT, 0, None),
    ((0.5, 0.4, 0.1), (0.6, 0.4, 0.0), NONE, np.nan, AMBIGUOUS),
    ((0.1, 0.9, 0.0), (0.1, 0.9, 0.0), NONE, np.nan, None),
    ((np.nan,) * 3, (0.4, 0.6, 0.0), CAT, np.nan, None),
]


def pictures(shares: np.ndarray) -> ClassShares:
    return top_two(shares.astype(np.float32))


def said(model: np.ndarray, others: np.ndarray, label: np.ndarray, learnt: np.ndarray) -> pd.DataFrame:
    right = np.where(label == NONE, np.nan, model[np.arange(len(model)), label]).astype(np.float32)
    kind, strength = two_by_two(pictures(model), pictures(others), label.astype(np.int32), right, learnt)
    return pd.DataFrame({"kind": pd.Series(kind, dtype=object), "strength": strength})


def test_each_by_hand() -> None:
    model, others, label, learnt, expected = (np.array(part) for part in zip(*CASES, strict=True))
    many = 100  # so that the last tenth is late
    fill = [np.tile(part[8:9], (many, *[1] * (part.ndim - 1))) for part in (model, others, label, learnt)]
    parts = [
        np.concatenate([part.astype(float), extra.astype(float)])
        for part, extra in zip((model, others, label, learnt), fill, strict=True)
    ]
    found = said(parts[0], parts[1], parts[2].astype(int), parts[3])
    assert found["kind"].tolist()[: len(CASES)] == expected.tolist()
    assert found["kind"].tolist()[len(CASES) :] == [None] * many
    strength = found["strength"]
    assert strength[0] == pytest.approx(0.9 * 0.9)
    assert strength[3] == pytest.approx(min(1 - 0.1, 1 - 0.2))
    assert strength[5] == pytest.approx((1 - 0.1) * (0.9 - 0.1))
    assert strength[7] == 9


@given(seed=st.integers(0, 10_000))
def test_whatever_both_say(seed: int) -> None:
    draw = np.random.default_rng(seed)
    model, others = draw.dirichlet(np.full(4, 0.5), (2, 60))
    label, learnt = draw.integers(NONE, 4, 60), draw.integers(0, 30, 60).astype(float)
    found = said(model, others, label, learnt)
    first, seen = model.argmax(axis=1), others.argmax(axis=1)
    sorted_model, sorted_others = np.sort(model)[:, ::-1], np.sort(others)[:, ::-1]
    is_clear = 1 - (sorted_others[:, 0] - sorted_others[:, 1]) < CLEAR
    is_sure = 1 - (sorted_model[:, 0] - sorted_model[:, 1]) < CLEAR
    of = {name: (found["kind"] == name).to_numpy() for name in (WRONG, AMBIGUOUS, WEAK, LATE)}
    assert ((first == seen) & (seen != label) & (label != NONE) & is_clear)[of[WRONG]].all()
    assert (~is_clear & ~is_sure)[of[AMBIGUOUS]].all()
    assert ((seen == label) & is_clear & ~(is_sure & (first == label)))[of[WEAK]].all()
    assert ((first == label) & is_sure & (learnt >= 2))[of[LATE]].all()
    wrong = (first == seen) & (seen != label) & (label != NONE) & is_clear
    assert of[WRONG].sum() == wrong.sum(), "and all of these"


class TestTempered:
    @pytest.mark.slow
    def test_an_overconfident_model_is_as_sure_as_it_is_right(self) -> None:
        draw = np.random.default_rng(0)
        true = draw.dirichlet(np.ones(3), 20_000)
        label = np.array([draw.choice(3, p=shares) for shares in true]).astype(np.int32)
        sharp = true**4 / (true**4).sum(axis=1, keepdims=True)
        assert tempered(sharp.astype(np.float32), label) == pytest.approx(true, abs=0.03)

    def test_the_order_of_classes_stays_and_unknown_rows_do(self) -> None:
        shares = np.array([[0.7, 0.2, 0.1], [np.nan] * 3, [0.1, 0.1, 0.8]], np.float32)
        found = tempered(shares, np.array([0, 1, NONE], np.int32))
        assert found[[0, 2]].argmax(axis=1).tolist() == [0, 2]
        assert np.isnan(found[1]).all()
        assert found[[0, 2]].sum(axis=1) == pytest.approx([1, 1])
        nothing = np.full((2, 2), np.nan, np.float32)
        assert np.isnan(tempered(nothing, np.array([0, NONE], np.int32))).all()


def test_a_queue_is_of_its_kind_the_strongest_first() -> None:
    table = pd.DataFrame(
        {
            "id": [1, 2, 3, 4, 5],
            "label": ["cat", "cat", "dog", "dog", "dog"],
            "model_class": ["dog", "dog", "dog", "cat", "cat"],
            MODEL_SAYS: [WRONG, WRONG, WEAK, None, WEAK],
            MODEL_STRENGTH: [0.1, 0.5, 0.3, 0.0, 0.1],
        }
    )
    assert in_queue(WRONG, table).to_numpy().tolist() == [[2, "dog"], [1, "dog"]]
    assert in_queue(WEAK, table).to_numpy().tolist() == [[3, None], [5, "cat"]]
    assert in_queue(WEAK, table[["id", "label"]]).empty
    assert {*QUEUES} == {WRONG, AMBIGUOUS, WEAK, LATE}


@given(learnt=st.lists(st.integers(0, 6), min_size=1, max_size=80))
def test_at_most_a_tenth_was_learnt_late(learnt: list[int]) -> None:
    sure = np.tile([0.9, 0.1], (len(learnt), 1))
    label = np.full(len(learnt), CAT)
    kind = said(sure, sure, label, np.array(learnt, float))["kind"]
    assert (kind == LATE).sum() <= len(learnt) / 10
