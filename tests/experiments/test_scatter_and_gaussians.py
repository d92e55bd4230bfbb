"""The two tries divide by what they say, and their Gaussians see no picture of a row's own fold."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from experiments.scatter_and_gaussians import FLOOR, densities, gaussian_shares, inverse_root, scatter_within

RNG = np.random.default_rng(0)
LABEL = np.repeat(np.arange(4), 30)
ROWS = RNG.normal(size=(4, 3))[LABEL] * 3 + RNG.normal(size=(120, 3)) * [1, 2, 0.5]


def test_the_scatter_within_classes() -> None:
    rows = np.array([[1.0], [2], [3], [4], [5], [10], [10], [10], [10], [20], [7]])
    label = np.array([0] * 5 + [1] * 5 + [2])
    assert scatter_within(rows, label) == pytest.approx((10 + 80) / 8), "the class of one picture is left out"
    scatter = scatter_within(ROWS, LABEL)
    assert np.allclose(inverse_root(scatter, 0) @ scatter @ inverse_root(scatter, 0), np.eye(3))


@pytest.mark.parametrize("shrinkage", [np.inf, 20.0])
def test_densities_are_those_of_gaussians(shrinkage: float) -> None:
    found = densities(ROWS, LABEL, ROWS[:5], shrinkage)
    shared = scatter_within(ROWS, LABEL)
    shared += FLOOR * np.trace(shared) / 3 * np.eye(3)
    for number in range(4):
        own = ROWS[number == LABEL]
        scatter = shared if np.isinf(shrinkage) else (20 * shared + 29 * np.cov(own.T)) / 50
        known = multivariate_normal(own.mean(axis=0), scatter).logpdf(ROWS[:5])
        assert np.allclose(found[:, number], known + 1.5 * np.log(2 * np.pi))


def test_no_row_is_judged_by_its_own_label_or_its_twins() -> None:
    group = np.arange(120) // 2
    before = gaussian_shares(ROWS, LABEL, group, 20.0)
    label = LABEL.copy()
    label[:2] = 3
    after = gaussian_shares(ROWS, label, group, 20.0)
    factor = np.log(after[:2, 0] / after[:2, 3]) / np.log(before[:2, 0] / before[:2, 3])
    assert factor[0] == pytest.approx(factor[1], rel=1e-6), "only the temperature of all has changed"
    assert (before.argmax(axis=1) == LABEL).mean() > 0.8
