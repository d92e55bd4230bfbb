"""t-SNE of embeddings: the same every time, what is alike lies together, few rows and many."""

import numpy as np
import pytest

from url_viz.pipeline.graph import neighbours_among
from url_viz.pipeline.projection import fit_tsne, tsne_coordinates
from url_viz.store.tables import PLACED, TSNE, Graph, no_twins


def heaps(count: int, each: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    label = np.repeat(np.arange(count), each)
    return (5 * np.eye(count, 16)[label] + random.normal(0, 0.3, (count * each, 16))).astype(np.float32), label


@pytest.mark.slow
@pytest.mark.parametrize(("count", "each"), [(2, 8), (4, 40)])
def test_what_is_alike_lies_together_and_the_same_every_time(count: int, each: int) -> None:
    rows, label = heaps(count, each)
    xy = fit_tsne(rows)
    assert np.isfinite(xy).all()
    distance = np.linalg.norm(xy[:, None] - xy[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    assert (label[distance.argmin(axis=1)] == label).mean() > 0.95
    np.testing.assert_array_equal(xy, fit_tsne(rows))


@pytest.mark.slow
def test_of_many_a_sample_is_fitted_and_the_others_lie_among_their_neighbours() -> None:
    rows, label = heaps(3, 40)
    content = np.arange(len(rows)) * 7
    near = neighbours_among(rows / np.linalg.norm(rows, axis=1, keepdims=True), k=15)
    graph = Graph(content, near.position, near.similarity, no_twins(len(rows)))
    found = tsne_coordinates(content, rows, graph, most=60)
    assert found.content.tolist() == content.tolist()
    assert sorted(np.unique(found.method, return_counts=True)[1].tolist()) == [60, 60]
    assert set(found.method.tolist()) == {PLACED, TSNE}
    middle = np.stack([found.xy[label == one].mean(axis=0) for one in range(3)])
    nearest = np.linalg.norm(found.xy[:, None] - middle[None], axis=2).argmin(axis=1)
    assert (nearest == label).mean() > 0.95
