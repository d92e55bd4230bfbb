"""Rows of length one: what is read of them and their cosines are as by a plain definition, few or many."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_viz.pipeline import nearest as unit_rows
from url_viz.pipeline.nearest import UnitRows, widen


@pytest.mark.slow
@pytest.mark.parametrize("held", [0, 100_000], ids=["in half precision", "held in float32"])
@given(count=st.integers(0, 40), seed=st.integers(0, 10**6), scale=st.sampled_from([1e-3, 1.0, 30.0]))
def test_cosines_are_those_of_a_loop(held: int, count: int, seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    rows, query = rng.normal(size=(count, 6)).astype(np.float16), scale * rng.normal(size=6)
    rows[rng.random(count) < 0.1] = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unit_rows, "MOST_IN_FLOAT32", held)
        patch.setattr(unit_rows, "BLOCK_NUMBERS", 45)
        patch.setattr(unit_rows, "BLOCKS_A_TASK", 2)
        found = UnitRows(rows).cosines(query)
    assert found.dtype == np.float32
    exact = rows.astype(np.float64)
    lengths = [np.linalg.norm(row) * np.linalg.norm(query) for row in exact]
    expected = [row @ query / length if length else 0.0 for row, length in zip(exact, lengths, strict=True)]
    assert found == pytest.approx(expected, abs=1e-5)


def test_rows_are_read_one_and_several_at_a_time_of_length_one() -> None:
    rows = UnitRows(np.array([[3, 4], [0, 0], [0, 2]], np.float16))
    assert len(rows) == 3
    assert rows[0].tolist() == pytest.approx([0.6, 0.8])
    assert rows[np.array([2, 1])].tolist() == [[0, 1], [0, 0]]


def test_every_finite_half_is_widened_exactly() -> None:
    half = np.arange(2**16, dtype=np.uint16).view(np.float16)
    half = half[np.isfinite(half)].reshape(-1, 16)
    wide = np.empty(half.shape, np.float32)
    widen(half, wide)
    np.testing.assert_array_equal(wide.view(np.uint32), half.astype(np.float32).view(np.uint32))
