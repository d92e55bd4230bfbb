"""UMAP's weights and steps are those of a plain loop over its formulas."""

import math

import numpy as np
import pytest
from scipy.optimize import brentq

from url_viz.pipeline.umap import A, B, _steps, memberships, umap_layout


def test_memberships_are_those_of_a_loop() -> None:
    rng = np.random.default_rng(0)
    count, k = 20, 4
    neighbour = np.array([rng.choice(np.delete(np.arange(count), row), k, replace=False) for row in range(count)])
    distance = np.sort(rng.uniform(0.1, 1, (count, k)), axis=1)
    one_way = np.zeros((count, count))
    for row in range(count):
        beyond = distance[row] - distance[row, 0]
        scale = brentq(lambda s, beyond=beyond: np.exp(-beyond / s).sum() - math.log2(k + 1), 1e-3, 1e3)
        one_way[row, neighbour[row]] = np.exp(-beyond / scale)
    expected = one_way + one_way.T - one_way * one_way.T
    assert memberships(neighbour, distance).toarray() == pytest.approx(expected, abs=1e-5)


def test_a_missing_neighbour_has_no_weight_and_a_copy_the_full_one() -> None:
    neighbour = np.array([[1, 2], [0, 2], [0, -1]])
    distance = np.array([[0.0, 0.5], [0.0, 0.5], [0.5, 2.0]])
    found = memberships(neighbour, distance).toarray()
    assert found[0, 1] == found[0, 2] == 1
    assert (found == found.T).all()
    assert (np.diag(found) == 0).all()


def test_steps_are_those_of_a_loop_over_edges() -> None:
    rng = np.random.default_rng(1)
    xy = rng.normal(0, 2, (2, 6)).astype(np.float32)
    xy[:, 5] = xy[:, 4]
    head, tail = np.array([0, 1, 4, 0]), np.array([1, 2, 5, 3])
    away_from = rng.integers(0, 6, (5, 4))
    expected = np.zeros((2, 6))
    for edge, (i, j) in enumerate(zip(head, tail, strict=True)):
        gap, squared = xy[:, i] - xy[:, j], float(((xy[:, i] - xy[:, j]) ** 2).sum())
        if squared > 0:
            pull = np.clip(-2 * A * B * squared ** (B - 1) / (1 + A * squared**B) * gap, -4, 4)
            expected[:, i] += pull
            expected[:, j] -= pull
        for other in away_from[:, edge]:
            gap, squared = xy[:, i] - xy[:, other], float(((xy[:, i] - xy[:, other]) ** 2).sum())
            expected[:, i] += np.clip(2 * B / ((0.001 + squared) * (1 + A * squared**B)) * gap, -4, 4)
    assert _steps(xy, head, tail, away_from) == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_rows_without_neighbours_have_finite_places() -> None:
    start = np.zeros((20, 2), np.float32)
    nobody = np.full((20, 3), -1)
    assert np.isfinite(umap_layout(start, nobody, np.ones((20, 3)), epochs=10, seed=0)).all()
