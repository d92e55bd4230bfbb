"""The map exists for any number of pictures, is the same each time, and keeps what was placed where it was."""

import numpy as np
import pytest

from tests.pipeline.examples import dice, embeddings_of
from url_viz.pipeline.neighbours import build_graph
from url_viz.pipeline.projection import (
    FEWEST_FOR_UMAP,
    fit_map,
    fit_pca,
    pca_coordinates,
    place,
    project_alone,
)
from url_viz.rows import l2_normalize
from url_viz.store.tables import PCA, PLACED, UMAP, Coordinates, Embeddings, Graph


def blobs(count: int, *, seed: int = 0) -> Embeddings:
    """Three heaps of pictures, row i in heap i mod 3."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(3, 16)) * 4
    return embeddings_of(centres[np.arange(count) % 3] + rng.normal(size=(count, 16)))


class TestPca:
    """The preview."""

    @pytest.mark.parametrize("count", range(6))
    @pytest.mark.parametrize("size", [2, 5, 1280])
    def test_any_number_of_rows_has_finite_coordinates(self, count: int, size: int) -> None:
        found = pca_coordinates(dice(count, size=size))
        assert found.xy.shape == (count, 2)
        assert np.isfinite(found.xy).all()
        assert (found.method == PCA).all()

    @pytest.mark.parametrize("count", [30, 3])
    def test_keeps_the_two_directions_of_largest_variance(self, count: int) -> None:
        rows = dice(count, size=7).embedding
        z = l2_normalize(rows).astype(np.float64)
        scales = np.linalg.svd(z - z.mean(axis=0), compute_uv=False)[:2]
        xy = fit_pca(rows)(rows)
        assert np.linalg.norm(xy, axis=0) == pytest.approx(scales, rel=1e-3)
        assert abs(float(xy[:, 0] @ xy[:, 1])) < 1e-4
        assert xy.mean(axis=0) == pytest.approx([0, 0], abs=1e-5)

    def test_the_sign_is_fixed(self) -> None:
        rows = dice(20).embedding
        flipped = fit_pca(rows[::-1])(rows)
        assert flipped == pytest.approx(fit_pca(rows)(rows), abs=1e-4)

    def test_equal_rows_lie_on_one_point(self) -> None:
        xy = pca_coordinates(embeddings_of(np.ones((5, 4)))).xy
        assert np.ptp(xy, axis=0).max() < 1e-3


@pytest.mark.parametrize("count", range(FEWEST_FOR_UMAP))
def test_a_handful_is_mapped_by_pca(count: int) -> None:
    embeddings = dice(count)
    found = fit_map(embeddings, build_graph(embeddings))
    assert np.array_equal(found.xy, pca_coordinates(embeddings).xy)


@pytest.mark.slow
@pytest.mark.parametrize("count", [15, 16, 17, 60])
def test_umap_is_finite_and_the_same_each_time(count: int) -> None:
    embeddings = blobs(count)
    graph = build_graph(embeddings)
    found, again = fit_map(embeddings, graph), fit_map(embeddings, graph)
    assert np.isfinite(found.xy).all()
    assert np.array_equal(found.xy, again.xy)
    assert (found.method == UMAP).all()


@pytest.mark.slow
def test_umap_keeps_heaps_together() -> None:
    embeddings = blobs(90)
    xy = fit_map(embeddings, build_graph(embeddings)).xy
    centres = np.stack([xy[heap::3].mean(axis=0) for heap in range(3)])
    nearest = np.linalg.norm(xy[:, None] - centres, axis=2).argmin(axis=1)
    assert (nearest == np.arange(90) % 3).mean() > 0.95


@pytest.mark.slow
def test_umap_stands_copies_and_rows_without_direction() -> None:
    vectors = np.concatenate([np.ones((8, 4)), np.zeros((9, 4))])
    embeddings = embeddings_of(vectors)
    assert np.isfinite(fit_map(embeddings, build_graph(embeddings)).xy).all()


@pytest.mark.slow
def test_beyond_the_bound_a_sample_is_fitted_and_the_rest_placed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("url_viz.pipeline.projection.SAMPLE_ROWS", 40)
    embeddings = blobs(90)
    found = fit_map(embeddings, build_graph(embeddings))
    assert (found.method == UMAP).sum() == 40
    assert (found.method == PLACED).sum() == 50
    centres = np.stack([found.xy[heap::3].mean(axis=0) for heap in range(3)])
    nearest = np.linalg.norm(found.xy[:, None] - centres, axis=2).argmin(axis=1)
    assert (nearest == np.arange(90) % 3).mean() > 0.95


@pytest.mark.parametrize("count", [0, 1, 2, FEWEST_FOR_UMAP - 1])
def test_a_few_alone_are_mapped_by_pca(count: int) -> None:
    embeddings = dice(count)
    assert np.array_equal(project_alone(embeddings, None).xy, pca_coordinates(embeddings).xy)


@pytest.mark.slow
def test_a_selection_alone_is_mapped_by_its_own_neighbours_the_same_each_time() -> None:
    embeddings = blobs(60)
    some = embeddings.rows_at(np.arange(0, 60, 2))
    found, again = project_alone(some, build_graph(embeddings)), project_alone(some, None)
    assert np.array_equal(found.content, some.content)
    assert np.array_equal(found.xy, again.xy)
    assert (found.method == UMAP).all()
    assert np.isfinite(found.xy).all()


@pytest.mark.slow
def test_of_a_large_selection_a_sample_is_fitted_and_the_rest_placed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("url_viz.pipeline.projection.MOST_ALONE", 40)
    embeddings = blobs(120)
    whole = build_graph(embeddings)
    some = embeddings.rows_at(np.arange(10, 110))
    found = project_alone(some, whole)
    assert np.array_equal(found.content, some.content)
    assert [(found.method == how).sum() for how in (UMAP, PLACED)] == [40, 60]
    centres = np.stack([found.xy[(heap - 10) % 3 :: 3].mean(axis=0) for heap in range(3)])
    nearest = np.linalg.norm(found.xy[:, None] - centres, axis=2).argmin(axis=1)
    assert (nearest == np.arange(10, 110) % 3).mean() > 0.95
    stale = project_alone(some, Graph(whole.content[:60], whole.position[:60].clip(-1, 59), whole.similarity[:60]))
    assert np.isfinite(stale.xy).all()


class TestPlace:
    """Pictures that come later go to their neighbours, and nobody else moves."""

    def known_part(self, embeddings: Embeddings, count: int) -> Coordinates:
        """Coordinates of the first `count` rows, listed in another order than the graph's."""
        xy = np.random.default_rng(1).normal(size=(count, 2)).astype(np.float32) * 5
        return Coordinates(embeddings.content[:count][::-1], xy, np.full(count, UMAP, np.int8))

    def test_known_points_stay_and_new_ones_lie_among_their_neighbours(self) -> None:
        embeddings = blobs(50)
        graph, known = build_graph(embeddings), self.known_part(embeddings, 40)
        found = place(graph, known)
        assert np.array_equal(found.content, graph.content)
        assert np.array_equal(found.xy[:40], known.xy[::-1])
        assert found.method.tolist() == [UMAP] * 40 + [PLACED] * 10
        for row in range(40, 50):
            near = [p for p in graph.position[row] if 0 <= p < 40][:5]
            low, high = found.xy[near].min(axis=0), found.xy[near].max(axis=0)
            assert ((low - 1e-4 <= found.xy[row]) & (found.xy[row] <= high + 1e-4)).all()

    def test_a_copy_of_a_known_picture_lies_on_it(self) -> None:
        vectors = np.random.default_rng(0).normal(size=(30, 16))
        embeddings = embeddings_of(np.concatenate([vectors, vectors[:1]]))
        found = place(build_graph(embeddings), self.known_part(embeddings, 30))
        assert found.xy[30] == pytest.approx(found.xy[0], abs=1e-3)

    def test_a_burst_of_new_copies_goes_to_what_it_resembles_and_not_to_the_origin(self) -> None:
        """Their nearest are each other, which have no place yet; the nearest that have one are far less alike."""
        far = np.eye(4)[:2] * 3
        burst = np.array([[0.2, 0.2, 4, 4], [0.2, 0.2, 4, 4.01], [0.2, 0.2, 4, 4.02]])
        graph = build_graph(embeddings_of(np.concatenate([far, burst])))
        known = Coordinates(graph.content[:2], np.array([[100, 50], [102, 50]], np.float32), np.zeros(2, np.int8))
        found = place(graph, known)
        assert (np.abs(found.xy[2:] - [101, 50]) <= [1.01, 0.01]).all()

    def test_what_no_known_picture_is_near_goes_by_those_placed_before_it(self) -> None:
        position = np.array([[1, -1], [0, -1], [1, -1], [2, -1], [-1, -1]], np.int32)
        graph = Graph(np.arange(5), position, np.where(position >= 0, 0.5, -1).astype(np.float32))
        known = Coordinates(np.array([0, 1]), np.array([[0, 0], [4, 8]], np.float32), np.full(2, PCA, np.int8))
        found = place(graph, known)
        assert found.xy.tolist() == [[0, 0], [4, 8], [4, 8], [4, 8], [2, 4]]
        assert found.method.tolist() == [PCA, PCA, PLACED, PLACED, PLACED]

    def test_an_empty_map_and_an_empty_graph(self) -> None:
        nothing = Coordinates(np.zeros(0, np.int64), np.zeros((0, 2), np.float32), np.zeros(0, np.int8))
        assert np.array_equal(place(build_graph(dice(3)), nothing).xy, np.zeros((3, 2)))
        assert len(place(build_graph(dice(0)), nothing)) == 0
        assert len(place(build_graph(dice(0)), self.known_part(dice(4), 4))) == 0
