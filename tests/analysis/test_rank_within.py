"""Ranks within classes are the mid-ranks of each class alone."""

import numpy as np
import pytest
from scipy.stats import rankdata

from url_viz.analysis.ranking import rank_within


def test_by_hand() -> None:
    values = np.array([0.3, 0.1, 0.3, 0.9, np.nan, 0.2, 0.5])
    label = np.array([4, 4, 4, 0, 4, -1, 0])
    expected = [2 / 3, 0.5 / 3, 2 / 3, 0.75, np.nan, np.nan, 0.25]
    assert rank_within(values, label) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("seed", range(5))
def test_is_rankdata_class_by_class(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, label = rng.integers(0, 6, 200) / 7, rng.integers(-1, 5, 200)
    found = rank_within(values, label)
    assert np.isnan(found[label < 0]).all()
    for code in range(5):
        own = label == code
        assert found[own] == pytest.approx((rankdata(values[own]) - 0.5) / own.sum())


def test_nobody() -> None:
    assert len(rank_within(np.zeros(0), np.zeros(0, int))) == 0
    assert np.isnan(rank_within(np.zeros(3), np.full(3, -1))).all()
