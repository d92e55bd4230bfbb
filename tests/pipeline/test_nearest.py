"""The nearest are what a loop over all pairs finds, and of large sets most of them; rows are of length one."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.pipeline.whitened_examples import classes, cosines, listed
from url_viz.base.rows import l2_normalize
from url_viz.pipeline import graph as graph_module
from url_viz.pipeline import nearest
from url_viz.pipeline.graph import build_graph, find_candidates, nearest_candidates
from url_viz.pipeline.nearest import Exclude, Nearest, UnitRows, itself, top_k, top_k_within, widen
from url_viz.pipeline.twins import is_representative, twins_among
from url_viz.pipeline.whitening import whitened_rows
from url_viz.store.tables.tables import no_twins


def holds(
    found: Nearest, queries: NDArray[np.floating], rows: NDArray[np.floating], blocked: NDArray[np.bool_]
) -> None:
    """Each list is complete, sorted, of rows that are not blocked; which of two as near is listed is free."""
    every = cosines(np.concatenate([queries, rows]))[: len(queries), len(queries) :]
    k = found.position.shape[1]
    for row in range(len(queries)):
        best = np.sort(every[row][~blocked[row]])[::-1][:k]
        kept = len(best)
        assert (found.position[row, kept:] == -1).all()
        assert (found.similarity[row, kept:] == -1).all()
        place = found.position[row, :kept]
        assert len(set(place)) == kept
        assert not blocked[row, place].any()
        assert found.similarity[row, :kept] == pytest.approx(best, abs=2e-6)
        assert every[row, place] == pytest.approx(found.similarity[row, :kept], abs=2e-6)


def names(blocked: NDArray[np.bool_]) -> Exclude:
    return scipy.sparse.csr_array(blocked).__getitem__


@pytest.mark.parametrize("count", [1, 2, 5, 70, 1500])
@pytest.mark.parametrize("k", [1, 6, 64])
def test_any_number(count: int, k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some queries at a time."""
    monkeypatch.setattr(nearest, "CELLS", 6000)
    rows, _ = classes(count, size=12)
    queries, _ = classes(9, size=12, seed=3)
    blocked = np.random.default_rng(0).random((9, count)) < 0.1
    holds(top_k(queries, rows, k, exclude=names(blocked)), queries, rows, blocked)


def test_with_nothing_near() -> None:
    """Where all similarities are negative, or nearly all rows are excluded."""
    rng = np.random.default_rng(0)
    rows = (rng.normal(size=(800, 32)) + 5).astype(np.float32)
    queries = (rng.normal(size=(20, 32)) - 5).astype(np.float32)
    blocked = np.zeros((20, 800), bool)
    holds(top_k(queries, rows, 8, exclude=names(blocked)), queries, rows, blocked)
    blocked[:, 5:] = True
    holds(top_k(-queries, rows, 8, exclude=names(blocked)), -queries, rows, blocked)


def test_equal_similarities_stand_in_the_order_of_their_positions() -> None:
    rows = np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)
    found = top_k(np.eye(3, dtype=np.float32)[:1], rows, 6)
    assert found.position[0, :4].tolist() == [0, 1, 2, 3]
    assert found.position[0, 4] < found.position[0, 5]


def test_rows_of_zeros_are_at_zero() -> None:
    rows = np.zeros((5, 4), np.float32)
    rows[0, 0] = 1
    assert top_k(rows, rows, 5).similarity[1:].tolist() == [[0.0] * 5] * 4


def test_nobody_to_find() -> None:
    assert top_k(np.ones((2, 4)), np.zeros((0, 4)), 3).position.tolist() == [[-1] * 3] * 2
    assert len(top_k(np.zeros((0, 4)), np.ones((2, 4)), 3)) == 0


@pytest.mark.slow
@pytest.mark.parametrize("held", [0, 100_000], ids=["in half precision", "held in float32"])
@given(count=st.integers(0, 40), seed=st.integers(0, 10**6), scale=st.sampled_from([1e-3, 1.0, 30.0]))
def test_cosines_are_those_of_a_loop(held: int, count: int, seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    rows, query = rng.normal(size=(count, 6)).astype(np.float16), scale * rng.normal(size=6)
    rows[rng.random(count) < 0.1] = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nearest, "MOST_IN_FLOAT32", held)
        patch.setattr(nearest, "BLOCK_NUMBERS", 45)
        patch.setattr(nearest, "BLOCKS_A_TASK", 2)
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


pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_module, "ROWS_AT_ONCE", 500)


def of_length_one(rows: np.ndarray) -> np.ndarray:
    """As whitened rows are, up to half precision."""
    return l2_normalize(rows).astype(np.float16)


def every(count: int) -> np.ndarray:
    return np.ones(count, bool)


@pytest.mark.slow
def test_most_of_the_nearest_are_found_and_what_is_found_is_ranked_exactly() -> None:
    rows = of_length_one(classes(3000, of=30, size=32, spread=0.7)[0])
    found = nearest_candidates(find_candidates(rows, 10), 10, twins=no_twins(3000), counts=every(3000))
    exact = top_k_within(rows, 10, exclude=itself(3000))
    shared = [np.isin(one, other).mean() for one, other in zip(exact.position, found.position, strict=True)]
    assert np.mean(shared) > 0.95
    assert np.mean(exact.position[:, 0] == found.position[:, 0]) > 0.95
    unit = rows.astype(np.float32) / np.linalg.norm(rows.astype(np.float32), axis=1, keepdims=True)
    cosines = np.einsum("nka,na->nk", unit[found.position], unit)
    np.testing.assert_allclose(found.similarity, cosines, atol=1e-5)
    assert (np.diff(found.similarity, axis=1) <= 1e-6).all()


@pytest.mark.parametrize("size", [1, 2, 7, 31])
def test_rows_of_few_and_of_odd_numbers_have_full_lists(size: int) -> None:
    rows = of_length_one(np.random.default_rng(size).normal(size=(1500, size)))
    found = find_candidates(rows, 10)
    assert (found.position >= 0).all()
    assert (np.diff(found.similarity, axis=1) <= 0).all()


def test_with_all_lists_probed_and_all_rows_candidates_it_is_exact() -> None:
    rows = of_length_one(classes(180, of=6, size=24)[0])
    found = nearest_candidates(find_candidates(rows, 180, probed=10_000), 12, twins=no_twins(180), counts=every(180))
    exact = top_k_within(rows, 12, exclude=itself(180))
    np.testing.assert_allclose(found.similarity, exact.similarity, atol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 30, 300, 1200])
def test_few_rows_and_rows_without_difference_have_lists_too(count: int) -> None:
    rows = of_length_one(np.ones((count, 8)))
    found = nearest_candidates(find_candidates(rows, 5), 5, twins=no_twins(count), counts=every(count))
    has = (found.position >= 0).sum(axis=1)
    assert (has == min(5, count - 1)).all()
    assert not (found.position == np.arange(count)[:, None]).any()


def test_twins_are_those_of_the_exact_search_and_stand_in_no_list() -> None:
    rows, _ = classes(2000, of=20, size=128, spread=0.7)
    random = np.random.default_rng(3)
    copies = rows[random.choice(2000, 60, replace=False)] + random.normal(0, 1e-3, (60, 128)).astype(rows.dtype)
    rows = np.concatenate([rows, copies, rows[:1], rows[:1]])
    whitened, all_rows = whitened_rows(np.arange(len(rows)), rows), np.arange(len(rows))
    candidates = find_candidates(whitened.rows, 10)
    found = twins_among(all_rows, candidates, whitened, rows)
    pairs = listed(found)
    assert pairs == listed(build_graph(whitened, rows).twins)
    assert len(pairs) >= 63
    counts = is_representative(found)
    lists = nearest_candidates(candidates, 10, twins=found, counts=counts)
    assert counts[lists.position[lists.position >= 0]].all()
    pairs |= {(other, one) for one, other in pairs}
    assert not {(row, int(other)) for row in range(len(rows)) for other in lists.position[row]} & pairs


@pytest.mark.slow
def test_a_large_graph_is_marked_and_full_though_half_of_its_rows_are_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_module, "EXACT_ROWS", 1000)
    rows, _ = classes(1000, of=10, size=32, spread=0.7)
    both = np.concatenate([rows, rows])
    whitened = whitened_rows(np.arange(2000), both)
    graph = build_graph(whitened, both, k=20)
    assert graph.is_approximate
    assert (graph.position >= 0).all()
    assert not (is_representative(graph.twins) & is_representative(graph.twins)[::-1]).all()
    again = build_graph(whitened, both, k=20)
    np.testing.assert_array_equal(graph.position, again.position)
