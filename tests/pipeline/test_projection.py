"""The map exists for any number of pictures, is the same each time, and keeps what was placed where it was."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import cdist, pdist
from sklearn.manifold import trustworthiness

from tests.pipeline.examples import as_whitened, dice, embeddings_of, graph_of
from tests.pipeline.whitened_examples import cosines, with_burst
from tests.pipeline.whitened_examples import graph_of as whitened_graph_of
from url_viz.base.rows import l2_normalize
from url_viz.pipeline.nearest import itself, top_k_within
from url_viz.pipeline.projection import (
    FEWEST_FOR_UMAP,
    GAP,
    UMAP_NEIGHBOURS,
    _with_twins,
    fit_map,
    fit_pca,
    fit_tsne,
    packed,
    pca_coordinates,
    place,
    project_selection,
    tsne_coordinates,
)
from url_viz.pipeline.whitening import whitened_rows
from url_viz.store.tables.embedding_rows import WhitenedRows
from url_viz.store.tables.tables import PCA, PLACED, TSNE, UMAP, Coordinates, Embeddings, Graph, Twins, no_twins


def blobs(count: int, *, seed: int = 0) -> WhitenedRows:
    """Three heaps of pictures, row i in heap i mod 3."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(3, 16)) * 4
    return as_whitened(embeddings_of(centres[np.arange(count) % 3] + rng.normal(size=(count, 16))))


def rows_of(whitened: WhitenedRows, rows: np.ndarray) -> WhitenedRows:
    return WhitenedRows(whitened.whitening, whitened.content[rows], whitened.rows[rows])


def share_in_own_heap(xy: np.ndarray, label: np.ndarray) -> float:
    """Of how many points the middle that is nearest is that of their label."""
    middle = np.stack([xy[label == one].mean(axis=0) for one in range(label.max() + 1)])
    nearest = np.linalg.norm(xy[:, None] - middle, axis=2).argmin(axis=1)
    return float((nearest == label).mean())


class TestPca:
    """The preview."""

    @pytest.mark.parametrize("count", range(6))
    @pytest.mark.parametrize("size", [2, 5, 1280])
    def test_any_number_of_rows_has_finite_coordinates(self, count: int, size: int) -> None:
        found = pca_coordinates(as_whitened(dice(count, size=size)))
        assert found.xy.shape == (count, 2)
        assert np.isfinite(found.xy).all()
        assert (found.method == PCA).all()

    @pytest.mark.parametrize(("count", "size"), [(30, 7), (3, 7), (3, 60), (60, 40), (40, 60)])
    def test_keeps_the_two_directions_of_largest_variance(self, count: int, size: int) -> None:
        rows = dice(count, size=size).embedding
        z = l2_normalize(rows).astype(np.float64)
        scales = np.linalg.svd(z - z.mean(axis=0), compute_uv=False)[:2]
        xy = fit_pca(rows)(rows)
        assert np.linalg.norm(xy, axis=0) == pytest.approx(scales, rel=1e-3)
        assert abs(float(xy[:, 0] @ xy[:, 1])) < 1e-4
        assert xy.mean(axis=0) == pytest.approx([0, 0], abs=1e-5)

    def test_the_sign_is_fixed_and_equal_rows_lie_on_one_point(self) -> None:
        rows = dice(20).embedding
        flipped = fit_pca(rows[::-1])(rows)
        assert flipped == pytest.approx(fit_pca(rows)(rows), abs=1e-4)
        for shape in ((5, 4), (60, 40)):
            xy = pca_coordinates(as_whitened(embeddings_of(np.ones(shape)))).xy
            assert np.ptp(xy, axis=0).max() < 1e-3


@pytest.mark.parametrize("count", [0, 1, 2, FEWEST_FOR_UMAP - 1])
def test_a_handful_is_mapped_by_pca(count: int) -> None:
    embeddings = as_whitened(dice(count))
    for found in (fit_map(embeddings, graph_of(embeddings)), project_selection(embeddings, None)):
        assert np.array_equal(found.xy, pca_coordinates(embeddings).xy)


@pytest.mark.slow
@pytest.mark.parametrize("count", [15, 60])
def test_umap_is_finite_and_the_same_each_time_and_keeps_heaps_together(count: int) -> None:
    embeddings = blobs(count)
    graph = graph_of(embeddings)
    found, again = fit_map(embeddings, graph), fit_map(embeddings, graph)
    assert np.isfinite(found.xy).all()
    assert np.array_equal(found.xy, again.xy)
    assert (found.method == UMAP).all()
    assert count < 60 or share_in_own_heap(found.xy, np.arange(count) % 3) > 0.95


def test_twins_stand_at_the_head_of_the_map_graphs_lists() -> None:
    """The map is drawn with them, nearest first by their raw cosine, the list's own after them."""
    pair, cosine = np.array([[0, 2], [0, 3], [1, 2]], np.int32), np.array([0.97, 0.99, 0.98], np.float32)
    position = np.array([[1, -1], [0, 3], [3, -1], [1, 2]], np.int32)
    similarity = np.where(position >= 0, 0.5, -1).astype(np.float32)
    whole = _with_twins(Graph(np.arange(4), position, similarity, Twins(4, pair, cosine, np.zeros(3, bool))))
    assert whole.position.tolist() == [[3, 2, 1, -1], [2, 0, 3, -1], [1, 0, 3, -1], [0, 1, 2, -1]]
    assert whole.similarity[0] == pytest.approx([0.99, 0.97, 0.5, -1])
    assert whole.similarity[2] == pytest.approx([0.98, 0.97, 0.5, -1])
    alone = Graph(np.arange(4), position, similarity, no_twins(4))
    assert _with_twins(alone) is alone


def test_of_a_long_burst_as_many_twins_as_the_map_looks_at() -> None:
    graph = whitened_graph_of(with_burst(60, 40))[0]
    whole = _with_twins(graph)
    frames = [0, *range(60, 99)]
    assert np.isin(whole.position[frames, :UMAP_NEIGHBOURS], frames).all()
    assert not np.isin(whole.position[frames, UMAP_NEIGHBOURS:], frames).any()
    assert np.array_equal(whole.position[1:60, : graph.position.shape[1]], graph.position[1:60])
    raw = cosines(with_burst(60, 40))
    for row in frames:
        own = np.delete(raw[row, frames], frames.index(row))
        assert whole.similarity[row, :UMAP_NEIGHBOURS] == pytest.approx(np.sort(own)[::-1][:UMAP_NEIGHBOURS], abs=1e-4)


@pytest.mark.slow
def test_a_burst_lies_together_on_the_map() -> None:
    embeddings = with_burst(120, 40)
    whitened = whitened_rows(np.arange(159), embeddings)
    xy = fit_map(whitened, whitened_graph_of(embeddings)[0]).xy
    frames = [0, *range(120, 159)]
    assert np.ptp(xy[frames], axis=0).max() < 0.3 * np.ptp(xy, axis=0).max()


@pytest.mark.slow
def test_umap_stands_copies_and_rows_without_direction() -> None:
    vectors = np.concatenate([np.ones((8, 4)), np.zeros((9, 4))])
    embeddings = as_whitened(embeddings_of(vectors))
    assert np.isfinite(fit_map(embeddings, graph_of(embeddings)).xy).all()


@pytest.mark.slow
def test_beyond_the_bound_a_sample_is_fitted_and_the_rest_placed() -> None:
    embeddings = blobs(90)
    found = fit_map(embeddings, graph_of(embeddings), most=40)
    assert (found.method == UMAP).sum() == 40
    assert (found.method == PLACED).sum() == 50
    assert share_in_own_heap(found.xy, np.arange(90) % 3) > 0.95


@pytest.mark.slow
def test_a_selection_alone_is_mapped_by_its_own_neighbours_the_same_each_time() -> None:
    embeddings = blobs(60)
    some = rows_of(embeddings, np.arange(0, 60, 2))
    found, again = project_selection(some, graph_of(embeddings)), project_selection(some, None)
    assert np.array_equal(found.content, some.content)
    assert np.array_equal(found.xy, again.xy)
    assert (found.method == UMAP).all()
    assert np.isfinite(found.xy).all()


@pytest.mark.slow
def test_of_a_large_selection_a_sample_is_fitted_and_the_rest_placed() -> None:
    embeddings = blobs(120)
    whole = graph_of(embeddings)
    some = rows_of(embeddings, np.arange(10, 110))
    found = project_selection(some, whole, most=40)
    assert np.array_equal(found.content, some.content)
    assert [(found.method == how).sum() for how in (UMAP, PLACED)] == [40, 60]
    assert share_in_own_heap(found.xy, np.arange(10, 110) % 3) > 0.95
    older = Graph(whole.content[:60], whole.position[:60].clip(-1, 59), whole.similarity[:60], no_twins(60))
    stale = project_selection(some, older, most=40)
    assert np.isfinite(stale.xy).all()


class TestPlace:
    """Pictures that come later go to their neighbours, and nobody else moves."""

    def known_part(self, embeddings: Embeddings | WhitenedRows, count: int) -> Coordinates:
        """Coordinates of the first `count` rows, listed in another order than the graph's."""
        xy = np.random.default_rng(1).normal(size=(count, 2)).astype(np.float32) * 5
        return Coordinates(embeddings.content[:count][::-1], xy, np.full(count, UMAP, np.int8))

    def test_known_points_stay_and_new_ones_lie_among_their_neighbours(self) -> None:
        embeddings = dice(50)
        graph, known = graph_of(embeddings), self.known_part(embeddings, 40)
        assert len(graph.twins) == 0
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
        found = place(graph_of(embeddings), self.known_part(embeddings, 30))
        assert found.xy[30] == pytest.approx(found.xy[0], abs=1e-3)

    def test_a_burst_of_new_copies_goes_to_what_it_resembles_and_not_to_the_origin(self) -> None:
        """Their nearest are each other, which have no place yet; the nearest that have one are far less alike."""
        far = np.eye(4)[:2] * 3
        burst = np.array([[0.2, 0.2, 4, 4], [0.2, 0.2, 4, 4.01], [0.2, 0.2, 4, 4.02]])
        graph = graph_of(embeddings_of(np.concatenate([far, burst])))
        known = Coordinates(graph.content[:2], np.array([[100, 50], [102, 50]], np.float32), np.zeros(2, np.int8))
        found = place(graph, known)
        assert (np.abs(found.xy[2:] - [101, 50]) <= [1.01, 0.01]).all()

    def test_what_no_known_picture_is_near_goes_by_those_placed_before_it(self) -> None:
        position = np.array([[1, -1], [0, -1], [1, -1], [2, -1], [-1, -1]], np.int32)
        graph = Graph(np.arange(5), position, np.where(position >= 0, 0.5, -1).astype(np.float32), no_twins(5))
        known = Coordinates(np.array([0, 1]), np.array([[0, 0], [4, 8]], np.float32), np.full(2, PCA, np.int8))
        found = place(graph, known)
        assert found.xy.tolist() == [[0, 0], [4, 8], [4, 8], [4, 8], [2, 4]]
        assert found.method.tolist() == [PCA, PCA, PLACED, PLACED, PLACED]

    def test_an_empty_map_and_an_empty_graph(self) -> None:
        nothing = Coordinates(np.zeros(0, np.int64), np.zeros((0, 2), np.float32), np.zeros(0, np.int8))
        assert np.array_equal(place(graph_of(dice(3)), nothing).xy, np.zeros((3, 2)))
        assert len(place(graph_of(dice(0)), nothing)) == 0
        assert len(place(graph_of(dice(0)), self.known_part(dice(4), 4))) == 0


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
    near = top_k_within(rows, 15, exclude=itself(len(rows)))
    graph = Graph(content, near.position, near.similarity, no_twins(len(rows)))
    found = tsne_coordinates(content, rows, graph, most=60)
    assert found.content.tolist() == content.tolist()
    assert sorted(np.unique(found.method, return_counts=True)[1].tolist()) == [60, 60]
    assert set(found.method.tolist()) == {PLACED, TSNE}
    assert share_in_own_heap(found.xy, label) > 0.95


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
