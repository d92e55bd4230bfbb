"""Reliability of shares: by hand, by a naive loop, and on shares that are right as often as they say."""

import numpy as np
import pandas as pd
import pytest

from url_viz.labels.calibration import BINS, calibration_error, reliability


def test_the_calibration_error_by_hand() -> None:
    """Fifteen pictures are a bin each: |1 − .8| for ten of them, |0 − .8| for five."""
    is_right = np.arange(15) < 10
    assert calibration_error(np.full(15, 0.8), is_right) == pytest.approx((10 * 0.2 + 5 * 0.8) / 15)
    assert np.isnan(calibration_error(np.zeros(0), np.zeros(0, bool)))


def test_it_is_what_a_naive_loop_over_bins_gives() -> None:
    rng = np.random.default_rng(0)
    share, is_right = rng.random(302), rng.random(302) < 0.5
    pairs = sorted(zip(share.tolist(), is_right.tolist(), strict=True))
    total, start = 0.0, 0
    for number in range(BINS):
        size = 302 // BINS + (number < 302 % BINS)
        part = pairs[start : start + size]
        total += abs(sum(told for told, _ in part) - sum(right for _, right in part))
        start += size
    assert calibration_error(share, is_right) == pytest.approx(total / 302)


def table_of(count: int, *, bias: float = 0.0) -> pd.DataFrame:
    """Pictures of five classes whose first class is right as often as its share says, less a bias."""
    rng = np.random.default_rng(1)
    share = rng.uniform(0.4, 0.95, count)
    label = np.array(list("abcde"), object)[rng.integers(0, 5, count)]
    first = np.where(rng.random(count) < share + bias, label, "z")
    return pd.DataFrame({"label": label, "first_class": first, "first_share": share, "twin_group": pd.NA})


def test_shares_that_are_right_as_often_as_they_say_have_no_error() -> None:
    found = reliability(table_of(4000))
    assert found is not None
    assert found.error.value < 0.04
    assert abs(found.bias) < 0.02
    assert found.share == pytest.approx(found.right, abs=0.08)


def test_shares_that_are_too_low_are_said_to_be() -> None:
    found = reliability(table_of(4000, bias=0.1))
    assert found is not None
    assert found.bias == pytest.approx(-0.1, abs=0.02)
    assert found.error.value == pytest.approx(0.1, abs=0.02)
    assert "too low" in found.words


def test_of_few_pictures_nothing_is_said() -> None:
    assert reliability(table_of(99)) is None
