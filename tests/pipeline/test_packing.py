"""The packing of a map: groups move together, and each stays as it is."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import cdist, pdist
from sklearn.manifold import trustworthiness

from url_viz.pipeline.projection import GAP, packed

Array = NDArray[np.float32]


def _blobs(centres: list[tuple[float, float]], count: int = 60, *, seed: int = 0) -> list[Array]:
    rng = np.random.default_rng(seed)
    return [(rng.uniform(-1, 1, (count, 2)) + centre).astype(np.float32) for centre in centres]


def test_a_long_map_is_turned_into_its_square() -> None:
    line = np.stack([np.linspace(0, 10, 101), np.zeros(101)], axis=1).astype(np.float32)
    xy = packed(line)
    np.testing.assert_allclose(np.ptp(xy, axis=0), [10 / np.sqrt(2)] * 2, rtol=0.02)
    np.testing.assert_allclose(pdist(xy), pdist(line), atol=1e-5)


def test_two_points_far_apart_end_at_the_gap() -> None:
    one, other = packed(np.array([[0, 0], [100, 0]], np.float32))
    assert GAP - 1e-5 <= np.linalg.norm(other - one) < GAP + 2


def test_no_points_are_no_map() -> None:
    assert packed(np.empty((0, 2), np.float32)).shape == (0, 2)


@pytest.mark.parametrize("seed", range(5))
def test_distances_within_groups_stay_and_groups_stay_apart(seed: int) -> None:
    centres = np.random.default_rng(seed).uniform(-200, 200, (6, 2))
    groups = _blobs([(x, y) for x, y in centres], seed=seed)
    xy = packed(np.concatenate(groups))
    moved = np.split(xy, len(groups))
    for before, after in zip(groups, moved, strict=True):
        np.testing.assert_allclose(pdist(after), pdist(before), atol=1e-3)
    for number, group in enumerate(moved):
        others = np.concatenate([other for at, other in enumerate(moved) if at != number])
        assert cdist(group, others).min() > 0.5 * GAP  # outlines are of quarter cells
    assert np.ptp(xy, axis=0).max() < 15


def test_neighbours_are_as_trustworthy_as_before() -> None:
    xy = np.concatenate(_blobs([(0, 0), (40, 3), (-3, 90)]))
    assert trustworthiness(xy, packed(xy), n_neighbors=15) > 0.999


def test_an_outlier_at_any_distance_costs_no_memory() -> None:
    xy = np.concatenate([*_blobs([(0, 0)]), np.array([[1e9, -1e9]], np.float32)])
    assert np.ptp(packed(xy), axis=0).max() < 1e9
