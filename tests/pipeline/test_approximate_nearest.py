"""The approximate nearest: most of the exact ones, ranked exactly, no twins, and lists however the rows lie."""

import numpy as np
import pytest

from tests.pipeline.test_nearest import classes
from tests.pipeline.whitened_examples import listed
from url_viz.base.rows import l2_normalize
from url_viz.pipeline import graph as graph_module
from url_viz.pipeline.graph import build_graph, find_candidates, nearest_candidates
from url_viz.pipeline.nearest import itself, top_k_within
from url_viz.pipeline.twins import is_representative, twins_among
from url_viz.pipeline.whitening import whitened_rows
from url_viz.store.tables.tables import no_twins

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
    nearest = nearest_candidates(candidates, 10, twins=found, counts=counts)
    assert counts[nearest.position[nearest.position >= 0]].all()
    pairs |= {(other, one) for one, other in pairs}
    assert not {(row, int(other)) for row in range(len(rows)) for other in nearest.position[row]} & pairs


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
