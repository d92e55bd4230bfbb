"""The nearest are what a loop over all pairs finds."""

import numpy as np
import pytest
import scipy.sparse
from numpy.typing import NDArray

from tests.pipeline.whitened_examples import classes, cosines
from url_viz.pipeline import nearest
from url_viz.pipeline.nearest import Exclude, Nearest, top_k


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
