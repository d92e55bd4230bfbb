"""Confusability is the definition's mean of three ranks, for a set and for what is put beside it."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import rankdata

from tests.pipeline.whitened_examples import classes, cosines, graph_of, with_burst
from url_viz.pipeline import confusability as module
from url_viz.pipeline.confusability import (
    Lists,
    confusability,
    confusability_of_new,
    crowd_scale,
)
from url_viz.pipeline.twins import twin_representatives
from url_viz.store.tables.tables import Graph


def naive(position: NDArray[np.int32], similarity: NDArray[np.float32]) -> NDArray[np.float64]:
    """The definition, picture by picture, for lists that are full."""
    count = len(position)
    shared = []
    for k in (3, 5, 10):
        common = [len(set(position[i, :k]) & set(position[position[i, 0], :k])) / k for i in range(count)]
        shared.append(rankdata([-share for share in common]))
    scale = np.median([s[0] - s[10] for s in similarity.astype(float)]) / 3
    crowd = [sum(np.exp((s - row[0]) / scale) for s in row) for row in similarity.astype(float)]
    three = [rankdata(np.mean(shared, axis=0)), rankdata(crowd), rankdata(-similarity[:, 0])]
    return (rankdata(np.mean(three, axis=0)) - 0.5) / count


@pytest.mark.parametrize("count", [70, 400])
def test_is_the_definition(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 37)
    graph, _ = graph_of(classes(count)[0])
    values, _ = confusability(graph.position, graph.similarity)
    assert values.dtype == np.float32
    # two crowds may differ by rounding alone and so change places
    assert values == pytest.approx(naive(graph.position, graph.similarity), abs=1.5 / count)
    assert np.mean(np.abs(values - naive(graph.position, graph.similarity)) > 1e-6) < 0.05


def test_six_points_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three on one side, two on another, one alone; lists of three."""
    monkeypatch.setattr(module, "FEWEST_RANKED", 1)
    position = np.array([[1, 2, 3], [0, 2, 3], [1, 0, 4], [4, 2, 1], [3, 2, 5], [4, 3, 2]])
    similarity = np.array(
        [[0.9, 0.8, 0.3], [0.9, 0.7, 0.3], [0.8, 0.72, 0.2], [0.6, 0.3, 0.3], [0.6, 0.2, 0.1], [0.1, 0, -0.2]]
    )
    # In common with the nearest's list: {2,3} {2,3} {0} {2} {2} {2,3}, so the ranks of few are 2 2 5 5 5 2.
    # Gaps to the last: .6 .6 .6 .3 .5 .3, median .55.
    assert crowd_scale(position, similarity) == pytest.approx(0.55 / 3)
    # Crowds 1 + e^(−.1/τ) + e^(−.6/τ) and so on: 1.62 1.37 1.68 1.39 1.18 1.77, ranks 4 2 5 3 1 6.
    # Far: ranks 1.5 1.5 3 4.5 4.5 6.
    # Sums: 7.5 5.5 13 12.5 10.5 14.
    values, reference = confusability(position, similarity.astype(np.float32))
    assert values == pytest.approx((np.array([2, 1, 5, 4, 3, 6]) - 0.5) / 6)
    assert reference.models[0].crowd == pytest.approx([1.18, 1.37, 1.39, 1.62, 1.68, 1.77], abs=0.005)
    assert reference.models[0].shared.tolist() == [[-2, -2, -2, -1, -1, -1]] * 3


@pytest.mark.parametrize("count", [3, 4, 11, 12, 49, 50, 51, 65, 100])
def test_small_sets(count: int) -> None:
    graph, _ = graph_of(classes(count, of=3)[0])
    values, _ = confusability(graph.position, graph.similarity)
    assert ((values > 0) & (values < 1)).all()
    if count < 50:
        assert values == pytest.approx((rankdata(-graph.similarity[:, 0]) - 0.5) / count)
    assert values.mean() == pytest.approx(0.5)


@pytest.mark.parametrize("count", [0, 1])
def test_nobody_beside(count: int) -> None:
    graph, _ = graph_of(classes(count)[0])
    values, reference = confusability(graph.position, graph.similarity)
    assert np.isnan(values).all()
    assert np.isnan(confusability_of_new(np.full((2, 64), -1), np.full((2, 64), -1.0), reference)).all()


def test_pictures_without_neighbours_are_not_ranked() -> None:
    graph, _ = graph_of(classes(60)[0])
    position, similarity = (
        np.concatenate([each, np.full((5, 64), -1, each.dtype)]) for each in (graph.position, graph.similarity)
    )
    values, _ = confusability(position, similarity)
    assert np.isnan(values[60:]).all()
    assert np.array_equal(values[:60], confusability(graph.position, graph.similarity)[0])


def test_all_as_near_as_the_nearest() -> None:
    """No gap to measure a crowd by: τ stays above 0, and all have the same value."""
    position = (np.arange(60)[:, None] + np.arange(1, 13)) % 60
    values, reference = confusability(position, np.full((60, 12), 0.5))
    assert reference.models[0].scale > 0
    assert values == pytest.approx(0.5)


def test_a_long_burst_does_not_become_the_most_confusable() -> None:
    """Lists full of a burst's own frames once made its pictures the most confusable of all."""
    graph, _ = graph_of(with_burst(200, 100))
    alone, _ = graph_of(with_burst(200, 1))
    values, before = (
        confusability(each.position, each.similarity, representative=twin_representatives(each.twins))[0]
        for each in (graph, alone)
    )
    frames = [0, *range(200, 299)]
    assert np.isfinite(values).all()
    assert np.ptp(values[frames]) == 0
    assert values[0] == pytest.approx(before[0], abs=0.02)


@pytest.mark.parametrize("count", [30, 300])
def test_a_picture_of_the_set_put_beside_it_has_its_own_value(count: int) -> None:
    graph, _ = graph_of(classes(count)[0])
    values, reference = confusability(graph.position, graph.similarity)
    again = confusability_of_new(graph.position, graph.similarity, reference)
    assert again == pytest.approx(values, abs=1e-6)


def test_new_pictures_lie_where_they_belong() -> None:
    graph, _ = graph_of(classes(300)[0])
    values, reference = confusability(graph.position, graph.similarity)
    clear, doubtful = values.argmin(), values.argmax()
    position = np.stack([graph.position[clear], graph.position[doubtful], np.full(64, -1)])
    similarity = np.stack([graph.similarity[clear] + 0.01, graph.similarity[doubtful] - 0.3, np.full(64, -1)])
    near, far, alone = confusability_of_new(position, similarity, reference)
    assert near < 0.1
    assert far > 0.9
    assert np.isnan(alone)


def test_three_by_hand() -> None:
    """Four pictures, of which only how far the nearest is counts: the mean of three models' ranks."""
    position = np.array([[1], [0], [1], [2]])
    first, second, third = np.array([[0.9, 0.9, 0.5, 0.4], [0.2, 0.3, 0.6, 0.4], [0.7, 0.1, 0.3, 0.3]])
    others = [Lists(position, position * 0.0, cosine) for cosine in (second, third)]
    # Ranks of far: 1.5 1.5 3 4; 4 3 1 2; 1 4 2.5 2.5. Sums: 6.5 8.5 6.5 8.5, ranks 1.5 3.5 1.5 3.5.
    values, reference = confusability(position, first[:, None], others=others)
    assert values.tolist() == [0.25, 0.75, 0.25, 0.75]
    assert reference.mean.tolist() == [6.5 / 3, 6.5 / 3, 8.5 / 3, 8.5 / 3]
    assert confusability(position, first[:, None])[0].tolist() == [0.25, 0.25, 0.625, 0.875], "by the first alone"
    assert confusability_of_new(position, first[:, None], reference, others=others).tolist() == values.tolist()


def two_graphs(count: int) -> tuple[Graph, Graph, Lists, NDArray[np.float64]]:
    """The graphs of two models of the same pictures, the second one's lists, and all its cosines (N, N)."""
    embeddings = classes(count)[0]
    other = embeddings[:, ::-1] + np.random.default_rng(3).normal(size=embeddings.shape)
    first, _ = graph_of(embeddings)
    second, whitened = graph_of(other.astype(np.float16))
    cosine = cosines(whitened)
    near = cosine[np.arange(count), first.position[:, 0]].astype(np.float32)
    return first, second, Lists(second.position, second.similarity, near), cosine


def naive_second(first: Graph, second: Graph, cosine: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """The three ranks by a second model of each picture and that which is nearest to the first."""
    count = len(first)
    nearest = first.position[:, 0]
    shared = []
    for k in (3, 5, 10):
        lists = [set(row[:k].tolist()) for row in second.position]
        shared.append(rankdata([-len(lists[i] & lists[nearest[i]]) / k for i in range(count)]))
    scale = np.median([s[0] - s[10] for s in second.similarity.astype(float)]) / 3
    crowd = [
        sum(np.exp((cosine[i, j] - cosine[i, nearest[i]]) / scale) for j in second.position[i]) for i in range(count)
    ]
    return [
        rankdata(np.mean(shared, axis=0)),
        rankdata(crowd),
        rankdata([-cosine[i, nearest[i]] for i in range(count)]),
    ]


@pytest.mark.parametrize("others", [1, 2])
def test_by_several_is_the_mean_of_all_models_ranks(others: int) -> None:
    first, second, lists, cosine = two_graphs(160)
    seen, far = cosines(graph_of(classes(160, seed=8)[0])[1]), first.position[:, 0]
    third = graph_of(classes(160, seed=8)[0])[0]
    by_third = Lists(third.position, third.similarity, seen[np.arange(160), far].astype(np.float32))
    values, _ = confusability(first.position, first.similarity, others=[lists, by_third][:others])
    shared = [
        rankdata([-len(set(first.position[i, :k]) & set(first.position[first.position[i, 0], :k])) for i in range(160)])
        for k in (3, 5, 10)
    ]
    scale = crowd_scale(first.position, first.similarity)
    crowd = [sum(np.exp((s - row[0]) / scale) for s in row) for row in first.similarity.astype(float)]
    of_first = [rankdata(np.mean(shared, axis=0)), rankdata(crowd), rankdata(-first.similarity[:, 0])]
    of_others = naive_second(first, second, cosine) + naive_second(first, third, seen)
    mean = np.mean(of_first + of_others[: 3 * others], axis=0)
    assert values == pytest.approx((rankdata(mean) - 0.5) / 160, abs=3 / 160)
    assert np.mean(np.abs(values - (rankdata(mean) - 0.5) / 160) > 1e-6) < 0.1


@pytest.mark.parametrize("count", [30, 160])
def test_a_second_model_that_says_the_same_changes_nothing(count: int) -> None:
    graph, _ = graph_of(classes(count)[0])
    same = Lists(graph.position, graph.similarity, graph.similarity[:, 0])
    values, _ = confusability(graph.position, graph.similarity, others=[same])
    assert values == pytest.approx(confusability(graph.position, graph.similarity)[0], abs=1e-6)


@pytest.mark.parametrize("count", [30, 160])
def test_a_picture_put_beside_a_set_by_several_has_its_own_value(count: int) -> None:
    first, second, lists, cosine = two_graphs(count)
    third = Lists(second.position[::-1], second.similarity[::-1], cosine[:, 0].astype(np.float32))
    for others in ([lists], [lists, third]):
        values, reference = confusability(first.position, first.similarity, others=others)
        again = confusability_of_new(first.position, first.similarity, reference, others=others)
        assert again == pytest.approx(values, abs=1e-6)
    nobody = Lists(np.full((1, 64), -1), np.full((1, 64), -1.0), np.full(1, -1, np.float32))
    assert np.isnan(confusability_of_new(nobody.position, nobody.similarity, reference, others=[nobody] * 2)).all()


def test_of_a_burst_all_have_one_value_by_both() -> None:
    embeddings = with_burst(100, 30)
    first, _ = graph_of(embeddings)
    second, whitened = graph_of(embeddings[:, ::-1] + np.float16(0.25))
    near = cosines(whitened)[np.arange(len(first)), first.position[:, 0]].astype(np.float32)
    lists = Lists(second.position, second.similarity, near)
    representative = twin_representatives(first.twins)
    values, _ = confusability(first.position, first.similarity, others=[lists], representative=representative)
    assert np.isfinite(values).all()
    assert np.ptp(values[[0, *range(100, 129)]]) == 0
