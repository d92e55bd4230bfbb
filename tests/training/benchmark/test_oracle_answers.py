"""Answers of the oracle are N itself: what was answered has no value, and draws differ by the seed alone."""

import numpy as np
import pytest

from tests.training.benchmark.made import small_case
from training.benchmark.labelled import Case
from training.benchmark.oracle_answers import DRAWS, tuned_by_oracle
from url_viz.analysis.order_metrics import auroc


@pytest.fixture(scope="module")
def case() -> Case:
    return small_case(0, pictures=400)


def test_as_many_pictures_leave_as_were_asked_about(case: Case) -> None:
    confusable = np.linspace(0, 1, 400)
    found = tuned_by_oracle(case, confusable, seed=0)
    nearest = case.space.graph.position[:, 0]
    for name, count in (("tuned_20", 20), ("tuned_100", 100)):
        assert found[name].shape == (DRAWS, 400)
        for draw in found[name]:
            gone = np.flatnonzero(np.isnan(draw))
            # Each answer takes its picture; also its nearest, where that is nearest to it in turn; and their twins.
            pairs = {tuple(sorted((row, int(nearest[row])))) for row in gone if case.space.group[row] != 0}
            assert count - 1 <= len(pairs) <= count
            for first, second in pairs:
                is_mutual = nearest[second] == first and nearest[first] == second
                assert not is_mutual or (np.isnan(draw[first]) and np.isnan(draw[second]))
    assert (np.isnan(found["tuned_100"]) | ~np.isnan(found["tuned_20"])).all()
    assert (np.isnan(found["tuned_20"][0]) != np.isnan(found["tuned_20"][1])).any()


@pytest.mark.slow
def test_a_seed_draws_the_same(case: Case) -> None:
    confusable = np.linspace(0, 1, 400)
    one, again, other = (tuned_by_oracle(case, confusable, seed=seed)["tuned_20"] for seed in (0, 0, 9))
    assert np.array_equal(one, again, equal_nan=True)
    assert not np.array_equal(one, other, equal_nan=True)


def test_answers_order_what_they_say(case: Case) -> None:
    values = tuned_by_oracle(case, np.linspace(0, 1, 400), seed=0)["tuned_100"]
    known = ~np.isnan(values[0])
    assert auroc(values[0][known], case.outcomes.is_wrong[known]) > 0.6


def test_without_both_kinds_of_answer_the_order_is_confusability() -> None:
    case = small_case(0, classes=1, pictures=60)
    confusable = np.linspace(0, 1, 60)
    found = tuned_by_oracle(case, confusable, seed=0)["tuned_20"]
    known = ~np.isnan(found[0])
    assert known.any()
    assert (found[0][known] == confusable[known]).all()
