"""Positions are found, and lists survive Arrow."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_viz.store.tables import FEW_WANTED, fixed_lists, matrix, positions_of


@given(st.lists(st.integers(-5, 20), max_size=2 * FEW_WANTED), st.lists(st.integers(-5, 20)))
def test_positions_are_those_of_a_naive_search(wanted: list[int], among: list[int]) -> None:
    positions = positions_of(np.array(wanted, np.int64), np.array(among, np.int64))
    assert positions.tolist() == [among.index(w) if w in among else -1 for w in wanted]


def test_positions_of_keys_of_63_bits() -> None:
    among = np.array([2**63 - 1, 0, 2**62 + 1, 2**62], np.int64)
    assert positions_of(among[::-1].copy(), among).tolist() == [3, 2, 1, 0]


@pytest.mark.parametrize("shape", [(0, 4), (1, 1), (5, 3)])
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.int32])
def test_lists_survive_arrow_in_one_and_in_several_chunks(shape: tuple[int, int], kind: type[np.generic]) -> None:
    array = np.arange(np.prod(shape)).reshape(shape).astype(kind)
    single = pa.chunked_array([fixed_lists(array)])
    assert np.array_equal(matrix(single), array)
    assert matrix(single).shape == shape
    parts = pa.chunked_array([fixed_lists(array[:1]), fixed_lists(array[1:])])
    assert np.array_equal(matrix(parts), array)


def test_lists_of_a_sliced_column_are_the_slice() -> None:
    array = np.arange(12, dtype=np.float32).reshape(4, 3)
    assert np.array_equal(matrix(pa.chunked_array([fixed_lists(array)]).slice(1, 2)), array[1:3])
