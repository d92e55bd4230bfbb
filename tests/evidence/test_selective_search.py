"""Search finds the nearest that are allowed, and counts what it withheld, as a loop over all rows does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from url_viz.base.rows import l2_normalize
from url_viz.evidence.selective_retrieval import search
from url_viz.pipeline.nearest import UnitRows


@given(
    seed=st.integers(0, 10**6),
    count=st.integers(0, 30),
    k=st.integers(0, 35),
    allowed_share=st.sampled_from([0, 0.3, 0.8, 1]),
    excluded=st.integers(0, 3),
)
def test_a_loop_over_all_rows_finds_the_same(
    seed: int, count: int, k: int, allowed_share: float, excluded: int
) -> None:
    rng = np.random.default_rng(seed)
    rows = l2_normalize(rng.normal(size=(count, 5))).astype(np.float16)
    query = rng.normal(size=5) * 7
    is_allowed, exclude = rng.random(count) < allowed_share, np.arange(count) < excluded
    cosine = l2_normalize(rows).astype(np.float64) @ (query / np.linalg.norm(query))
    found = search(query, UnitRows(rows), k=k, is_allowed=is_allowed, exclude=exclude)
    order = [i for i in np.argsort(-cosine) if not exclude[i]]
    expected = [i for i in order if is_allowed[i]][:k]
    floor = cosine[expected[-1]] if len(expected) == k and expected else (np.inf if k == 0 else -np.inf)
    assert found.rows.tolist() == expected
    assert found.similarity == pytest.approx(cosine[expected], abs=1e-5)
    assert found.withheld.tolist() == [i for i in order if not is_allowed[i] and cosine[i] >= floor]


@pytest.fixture
def circle() -> NDArray[np.float32]:
    """Eight directions, 45° apart."""
    angles = np.radians(np.arange(0, 360, 45))
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_without_a_gate_nothing_is_withheld(circle: NDArray[np.float32]) -> None:
    found = search(np.array([1.0, 0.1]), UnitRows(circle.astype(np.float16)), k=3)
    assert found.rows.tolist() == [0, 1, 7]
    assert len(found.withheld) == 0


def test_equals_of_the_last_hit_are_withheld_too(circle: NDArray[np.float32]) -> None:
    twice = np.concatenate([circle, circle])
    is_allowed = np.arange(16) < 8
    found = search(np.array([1.0, 0.0]), UnitRows(twice), k=1, is_allowed=is_allowed)
    assert (found.rows.tolist(), found.withheld.tolist()) == ([0], [8])


def test_the_length_of_the_query_does_not_matter(circle: NDArray[np.float32]) -> None:
    short, long = (
        search(np.array([scale, 0.2 * scale]), UnitRows(circle.astype(np.float16)), k=4) for scale in (1e-3, 1e3)
    )
    assert short.rows.tolist() == long.rows.tolist()
    assert short.similarity == pytest.approx(long.similarity, abs=1e-6)


def test_a_query_of_zeros_is_like_nothing(circle: NDArray[np.float32]) -> None:
    assert search(np.zeros(2), UnitRows(circle.astype(np.float16)), k=2).similarity.tolist() == [0, 0]
