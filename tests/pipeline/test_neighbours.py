"""The graph is what a naive loop finds, however it was made: in numpy, in torch, at once or bit by bit."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.pipeline.examples import dice, embeddings_of
from url_viz.pipeline.neighbours import _InChunks, _InNumpy, _InTorch, build_graph
from url_viz.rows import UnitRows, l2_normalize
from url_viz.store.tables import Embeddings, Graph


def cosines(embeddings: Embeddings) -> NDArray[np.float64]:
    z = embeddings.embedding.astype(np.float64)
    length = np.linalg.norm(z, axis=1, keepdims=True)
    unit = z / np.where(length > 0, length, 1)
    return unit @ unit.T


def holds(graph: Graph, embeddings: Embeddings, k: int) -> None:
    """Every row lists its K nearest others, nearest first, each once, by a loop over all pairs.

    Which of two equally near ones is listed is free, so the similarities are compared, and that each is the row's own.
    """
    every = cosines(embeddings)
    count = len(embeddings)
    assert np.array_equal(graph.content, embeddings.content)
    assert graph.position.shape == (count, k)
    for row in range(count):
        best = sorted((every[row, other] for other in range(count) if other != row), reverse=True)[:k]
        position, similarity = graph.position[row], graph.similarity[row]
        kept = len(best)
        assert (position[kept:] == -1).all()
        assert (similarity[kept:] == -1).all()
        assert similarity[:kept] == pytest.approx(best, abs=2e-6)
        assert every[row, position[:kept]] == pytest.approx(similarity[:kept], abs=2e-6)
        assert len(set(position[:kept])) == kept
        assert row not in position[:kept]
        assert (position[:kept] >= 0).all()


@pytest.mark.parametrize("count", [0, 1, 2, 3, 6, 7, 90])
@pytest.mark.parametrize("k", [1, 6, 32])
def test_the_graph_is_the_naive_one(count: int, k: int) -> None:
    holds(build_graph(dice(count), k=k), dice(count), k)


@pytest.mark.parametrize("k", [3, 8])
def test_ties_and_rows_of_zeros(k: int) -> None:
    vectors = np.random.default_rng(0).integers(-1, 2, (40, 3))
    vectors[:4] = 0
    holds(build_graph(embeddings_of(vectors), k=k), embeddings_of(vectors), k)


def test_an_empty_set_of_no_width() -> None:
    graph = build_graph(Embeddings(np.zeros(0, np.int64), np.zeros((0, 0), np.float16), np.zeros(0, np.float32)))
    assert len(graph) == 0


def test_progress_ends_with_all_rows() -> None:
    done: list[int] = []
    build_graph(dice(1500, size=4), k=2, report=done.append)
    assert done == [1024, 1500]


class TestTorch:
    """What torch finds in bf16 is what numpy finds in float32."""

    @pytest.mark.parametrize("common", [0, 3, 10])
    def test_agrees_with_numpy_also_where_all_pictures_look_alike(self, common: float) -> None:
        """`common` pulls all embeddings into one direction, up to cosines of .99, as some backbones do."""
        rng = np.random.default_rng(0)
        z = l2_normalize(rng.normal(size=(3000, 64)) + common * rng.normal(size=64))
        block = np.arange(0, 3000, 30)
        place, similarity = _InNumpy(z)(block, 32)
        ours, ours_similarity = _InTorch(z)(block, 32)
        shared = [len(set(a) & set(b)) / 32 for a, b in zip(place.tolist(), ours.tolist(), strict=True)]
        assert np.mean(shared) > 0.999
        assert (ours[:, 0] == place[:, 0]).all()
        assert ours_similarity == pytest.approx(similarity, abs=1e-4)

    @pytest.mark.parametrize("count", [2, 5, 40, 70])
    def test_few_rows(self, count: int) -> None:
        z = l2_normalize(dice(count).embedding)
        k = min(32, count - 1)
        place, similarity = _InTorch(z)(np.arange(count), k)
        expected, expected_similarity = _InNumpy(z)(np.arange(count), k)
        assert similarity == pytest.approx(expected_similarity, abs=1e-6)
        assert np.array_equal(place, expected)


def changed(before: Embeddings, keep: NDArray[np.bool_], added: Embeddings, order_seed: int) -> Embeddings:
    """`before` without what is not kept, with what was added, in a new order."""
    content = np.concatenate([before.content[keep], added.content])
    vectors = np.concatenate([before.embedding[keep], added.embedding])
    order = np.random.default_rng(order_seed).permutation(len(content))
    return Embeddings(content[order], vectors[order], np.zeros(len(content), np.float32))


class TestExtended:
    """A graph that was extended is the graph that is built anew."""

    @settings(max_examples=80, deadline=None)
    @given(
        seed=st.integers(0, 10**6),
        count=st.integers(0, 40),
        added=st.integers(0, 12),
        lost_share=st.sampled_from([0, 0.02, 0.1, 0.5, 1]),
        k=st.sampled_from([1, 4, 32]),
        is_tied=st.booleans(),
    )
    def test_after_adding_and_removing(
        self, seed: int, count: int, added: int, lost_share: float, k: int, is_tied: bool
    ) -> None:
        rng = np.random.default_rng(seed)
        size = 2 if is_tied else 8
        vectors = rng.normal(size=(count + added, size))
        if is_tied:
            vectors = np.sign(vectors)
        before = embeddings_of(vectors[:count])
        new = embeddings_of(vectors[count:], first=10_000)
        after = changed(before, rng.random(count) >= lost_share, new, seed)
        holds(build_graph(after, k=k, previous=build_graph(before, k=k)), after, k)

    def test_step_by_step_over_many_rounds(self) -> None:
        current = dice(60)
        graph = build_graph(current, k=5)
        for step in range(12):
            keep = np.random.default_rng(step).random(len(current)) > 0.05
            new = embeddings_of(np.random.default_rng(1000 + step).normal(size=(4, 16)), first=10_000 * (step + 1))
            current = changed(current, keep, new, step)
            graph = build_graph(current, k=5, previous=graph)
            holds(graph, current, 5)

    def test_only_what_changed_is_matched(self) -> None:
        before, done = dice(400), []
        new = embeddings_of(np.random.default_rng(5).normal(size=(3, 16)), first=10_000)
        after = changed(before, np.ones(400, bool), new, 0)
        graph = build_graph(after, k=4, previous=build_graph(before, k=4), report=done.append)
        assert done == [3]
        holds(graph, after, 4)

    def test_opposite_pictures_are_neighbours_too(self) -> None:
        before, new = embeddings_of(np.ones((9, 1))), embeddings_of(-np.ones((1, 1)), first=200)
        after = changed(before, np.ones(9, bool), new, 0)
        holds(build_graph(after, k=32, previous=build_graph(before, k=32)), after, 32)

    def test_another_k_starts_anew(self) -> None:
        holds(build_graph(dice(20), k=5, previous=build_graph(dice(20), k=3)), dice(20), 5)


class TestLarge:
    """Sets that memory does not hold as float32: matched a part at a time, extended exactly, marked approximate."""

    @pytest.mark.parametrize("count", [2, 33, 3000])
    def test_matching_a_part_at_a_time_finds_the_same(self, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
        embeddings = dice(count)
        expected, expected_similarity = _InNumpy(l2_normalize(embeddings.embedding))(
            np.arange(count), min(5, count - 1)
        )
        monkeypatch.setattr("url_viz.pipeline.neighbours.EXACT_ROWS", 1)
        monkeypatch.setattr("url_viz.pipeline.neighbours.CHUNK", 16)
        place, similarity = _InChunks(UnitRows(embeddings.embedding))(np.arange(count), min(5, count - 1))
        assert similarity == pytest.approx(expected_similarity, abs=1e-6)
        assert np.array_equal(place, expected)

    def test_an_approximate_graph_is_extended_and_stays_approximate(self, monkeypatch: pytest.MonkeyPatch) -> None:
        before, new = dice(60), embeddings_of(np.random.default_rng(5).normal(size=(3, 16)), first=10_000)
        graph = replace(build_graph(before, k=4), is_approximate=True)
        after = changed(before, np.ones(60, bool), new, 0)
        monkeypatch.setattr("url_viz.pipeline.neighbours.EXACT_ROWS", 20)
        grown = build_graph(after, k=4, previous=graph)
        assert grown.is_approximate
        holds(grown, after, 4)

    def test_a_set_that_became_small_gets_an_exact_graph(self) -> None:
        graph = replace(build_graph(dice(60), k=4), is_approximate=True)
        assert not build_graph(dice(60), k=4, previous=graph).is_approximate


@pytest.mark.torture  # numba compiles for half a minute
def test_the_approximate_graph_is_nearly_the_exact_one(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pynndescent")
    monkeypatch.setattr("url_viz.pipeline.neighbours.EXACT_ROWS", 1000)
    embeddings = dice(1500, size=8)
    graph = build_graph(embeddings, k=10)
    monkeypatch.undo()
    exact = build_graph(embeddings, k=10)
    shared = [len(set(a) & set(b)) / 10 for a, b in zip(graph.position.tolist(), exact.position.tolist(), strict=True)]
    assert graph.is_approximate
    assert not exact.is_approximate
    assert np.mean(shared) > 0.9
    assert not (graph.position == np.arange(1500)[:, None]).any()
    every = cosines(embeddings)
    assert np.take_along_axis(every, graph.position.astype(int), 1) == pytest.approx(graph.similarity, abs=1e-5)
