"""Model against pictures: each of the four by hand, and what must hold whatever both say."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    in_queue,
    tempered,
    top_two,
    two_by_two,
)

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
