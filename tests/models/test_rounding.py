"""Values have the digits that they are worth, in the same order; and a picture the same value in every batch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import dice_head
from url_viz.models.head import BITS, rounded
from url_viz.models.runtime import Outputs

SIZE = 1280


@given(st.lists(st.floats(2.0**-60, 2.0**60, width=32), min_size=2, max_size=9))
def test_a_value_is_kept_to_its_digits_and_the_order_stays(values: list[float]) -> None:
    array = np.array(values, np.float32)
    kept = rounded(array)
    assert kept == pytest.approx(array, rel=2.0**-BITS, abs=0)
    assert (np.diff(rounded(np.sort(array))) >= 0).all()
    assert np.array_equal(rounded(kept), kept)
    digits = kept / 2.0 ** np.floor(np.log2(kept.astype(np.float64)) + 1e-9) * 2 ** (BITS - 1)
    assert (digits % 1 == 0).all(), "no digit beyond is left"


def test_what_is_no_finite_number_or_zero_stays() -> None:
    values = np.array([0, -np.inf, np.inf, np.nan, -1.00001], np.float32)
    assert np.array_equal(rounded(values), np.array([0, -np.inf, np.inf, np.nan, -1], np.float32), equal_nan=True)


@pytest.mark.parametrize("batch", [1, 2, 7, 10, 33])
def test_a_picture_has_one_value_wherever_it_stands_in_a_batch(batch: int) -> None:
    """Libraries add up the last rows of a matrix in another order."""
    rng = np.random.default_rng(batch)
    head, picture = dice_head(), rng.normal(size=SIZE).astype(np.float16)
    [alone] = head(picture[None])
    assert (head(np.tile(picture, (batch, 1))) == alone).all()
    logits = rng.normal(size=(1, 1000)).astype(np.float32) + rng.normal(0, 1e-6, (batch, 1000)).astype(np.float32)
    outputs = Outputs(logits, np.zeros((batch, 1), np.float32))
    assert len(np.unique(outputs.entropy)) == 1
