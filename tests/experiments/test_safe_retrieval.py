"""Gains of a gate: by hand, and against what recall@1 of the same pictures says."""

import numpy as np
import pytest

from experiments.safe_retrieval import AtRandom, at_random, gains, mean_of
from tests.evidence.searched import labelled_set
from url_viz.evidence.selective_retrieval import restricted_recall


def test_a_gate_that_leaves_out_the_wrong_query_gains_what_it_cost() -> None:
    """Four pictures in two pairs; the fourth looks like the first pair and is of the other class."""
    rows = np.array([[1, 0.0], [1, 0.01], [0, 1], [1, 0.02]], np.float32)
    pictures = labelled_set(rows, ["a", "a", "b", "b"])
    kept = np.array([True, True, True, False])
    ones = np.ones(4)
    random = AtRandom(0.75 * ones, pictures.is_right, 0.75 * pictures.is_right)
    found = gains(pictures, kept, random, np.array([0, 0, 1, 1]))
    recall = pictures.is_right.mean()
    assert found["queries"].value == pytest.approx(pictures.is_right[kept].mean() - recall)
    by_hand = restricted_recall(pictures, kept)
    assert found["database"].value == pytest.approx(by_hand["database"] - recall)
    assert found["both"].value == pytest.approx(by_hand["both"] - recall)


def test_gains_are_those_of_the_study_and_none_if_the_gate_is_dice() -> None:
    random = np.random.default_rng(0)
    label = np.repeat(np.arange(12), 25)
    rows = np.eye(12, 20)[label] + random.normal(0, 0.9, (300, 20))
    pictures = labelled_set(rows, label.astype(str))
    dice = random.permutation(np.arange(300) >= 30)
    found = gains(pictures, dice, at_random(pictures, dice, None), label)
    for mode, figure in found.items():
        assert figure.interval.low < 0 < figure.interval.high, mode
    wrong = np.argsort(pictures.is_right, kind="stable")[30:]
    kept = np.isin(np.arange(300), wrong)
    best = gains(pictures, kept, at_random(pictures, kept, None), label)
    assert best["queries"].value == pytest.approx(pictures.is_right[kept].mean() - pictures.is_right.mean())
    assert best["queries"].value > 0


def test_a_mean_over_sets_says_what_other_sets_would_gain() -> None:
    """The sets' own intervals, which are of these very sets, do not count: their spread is .1, Student's t 4.303."""
    sets: list[dict[str, object]] = [{"a": [gain, gain - 0.01, gain + 0.01]} for gain in (0.1, 0.2, 0.3)]
    mean, half = mean_of(sets, ("a",)), 4.302653 * 0.1 / 3**0.5
    assert (mean.value, mean.interval.low, mean.interval.high) == pytest.approx((0.2, 0.2 - half, 0.2 + half))
