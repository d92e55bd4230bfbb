"""The fusion by hand and by a naive loop; its weights follow the graph, never the labels."""

import numpy as np
import pytest

from url_viz.analysis.confusability import confusability
from url_viz.analysis.fusion import fused, mutual_nearest, worth
from url_viz.analysis.metrics import spearman
from url_viz.pipeline.neighbours import build_graph
from url_viz.pipeline.twin_groups import twin_groups
from url_viz.store.tables import Embeddings, Graph

COUNT = 80


def graph_of(nearest: list[int], second: list[int] | None = None) -> Graph:
    position = np.array([nearest] if second is None else [nearest, second], np.int32).T
    return Graph(np.arange(len(nearest)), position, np.full(position.shape, 0.5, np.float32))


@pytest.fixture
def graph() -> Graph:
    rng = np.random.default_rng(3)
    centres = np.repeat(rng.normal(size=(10, 8)), COUNT // 10, axis=0)
    embedding = (centres + rng.normal(0, 0.5, (COUNT, 8))).astype(np.float16)
    embedding[1] = embedding[0] * 1.01
    return build_graph(Embeddings(np.arange(COUNT) + 5, embedding, np.zeros(COUNT, np.float32)), k=6)


def test_mutual_nearest_by_hand() -> None:
    # 0 and 1 are each other's nearest; 2 looks at 1, which looks elsewhere; 3 has no neighbour.
    assert mutual_nearest(graph_of([1, 0, 1, -1])).tolist() == [True, True, False, False]
    assert mutual_nearest(Graph(np.arange(2), np.empty((2, 0), np.int32), np.empty((2, 0), np.float32))).sum() == 0


def test_worth_by_hand() -> None:
    # Mutual pictures at 1 and 2, others at 3 and 1.5: lower in three of four pairs, so .75 − .5.
    mutual = np.array([True, True, False, False])
    assert worth(np.array([1, 2, 3, 1.5]), mutual) == pytest.approx(0.25)
    assert worth(-np.array([1, 2, 3, 1.5]), mutual) == 0
    assert worth(np.array([1, 2, np.nan, np.nan]), mutual) == 0
    assert worth(np.array([1, 2, 3, np.nan]), mutual) == pytest.approx(0.5)


def test_fusion_by_hand() -> None:
    # Mutual: 0 and 1. Uncertainty tells them in all of four pairs (worth .5), confusability in three (.25): weight 2/3.
    found = fused(
        np.array([0.1, 0.2, 0.3, 0.4]),
        np.array([0.6, 0.1, 0.3, 0.9]),
        graph=graph_of([1, 0, 1, 0]),
        twin_group=np.arange(4),
    )
    assert found.weight == pytest.approx(2 / 3)
    ranks_u, ranks_c = np.array([0, 1, 2, 3]) / 3, np.array([2, 0, 1, 3]) / 3
    assert found.value == pytest.approx(100 * (2 / 3 * ranks_u + 1 / 3 * ranks_c), abs=1e-4)


def test_a_picture_with_a_twin_takes_the_lowest_place_by_confusability(graph: Graph) -> None:
    groups = twin_groups(graph)
    assert groups[0] == groups[1]
    without_head = fused(np.arange(COUNT)[::-1] % 2, confusability_of(graph), graph=graph, twin_group=groups)
    value = without_head.value - 100 * without_head.weight * (np.arange(COUNT)[::-1] % 2 == 1)
    has_twin = groups[graph.position[:, 0]] == groups
    assert has_twin.any()
    assert not has_twin.all()
    assert value[has_twin].max() < value[~has_twin].min()


def test_a_picture_whose_only_neighbours_are_twins_has_a_fusion_though_no_confusability() -> None:
    found = fused(
        np.array([1.0, 2, 3, 4]),
        np.array([np.nan, np.nan, np.nan, 0.5]),
        graph=graph_of([1, 0, 3, 2]),
        twin_group=np.array([0, 0, 2, 3]),
    )
    assert np.isfinite(found.value).tolist() == [True, True, False, True]


def confusability_of(graph: Graph) -> np.ndarray:
    return confusability(graph.position, graph.similarity, twin_groups(graph))


def naive(uncertainty: np.ndarray, confused: np.ndarray, graph: Graph, groups: np.ndarray) -> np.ndarray:
    """The rule as its docstring tells it, picture by picture and pair by pair."""
    count = len(graph)
    nearest = [int(row[0]) for row in graph.position]
    mutual = [nearest[nearest[i]] == i for i in range(count)]

    def told(values: np.ndarray) -> float:
        pairs = [(i, j) for i in range(count) for j in range(count) if mutual[i] and not mutual[j]]
        wins = [1.0 if values[i] < values[j] else 0.5 if values[i] == values[j] else 0.0 for i, j in pairs]
        return max(0.0, sum(wins) / len(wins) - 0.5)

    def place(values: list[float]) -> list[float]:
        below = [sum(v < own for v in values) + (sum(v == own for v in values) - 1) / 2 for own in values]
        return [100 * b / (count - 1) for b in below]

    lowered = [-1.0 if groups[nearest[i]] == groups[i] else float(confused[i]) for i in range(count)]
    share = told(uncertainty) / (told(uncertainty) + told(confused))
    both = zip(place([float(u) for u in uncertainty]), place(lowered), strict=True)
    return np.array([share * u + (1 - share) * c for u, c in both])


def test_fusion_agrees_with_the_naive_loop(graph: Graph) -> None:
    rng = np.random.default_rng(4)
    uncertainty = confusability_of(graph) + rng.normal(0, 0.4, COUNT)
    groups = twin_groups(graph)
    found = fused(uncertainty, confusability_of(graph), graph=graph, twin_group=groups)
    assert 0 < found.weight < 1
    assert found.value == pytest.approx(naive(uncertainty, confusability_of(graph), graph, groups), abs=1e-3)


def test_only_the_order_of_the_parts_matters(graph: Graph) -> None:
    rng = np.random.default_rng(5)
    uncertainty, confused = rng.random(COUNT), confusability_of(graph).astype(np.float64)
    parts = {"graph": graph, "twin_group": twin_groups(graph)}
    plain, bent = fused(uncertainty, confused, **parts), fused(np.exp(9 * uncertainty), np.sqrt(confused), **parts)
    assert bent.weight == pytest.approx(plain.weight)
    assert bent.value == pytest.approx(plain.value)


def test_a_head_that_orders_the_wrong_way_has_no_say(graph: Graph) -> None:
    confused, groups = confusability_of(graph), twin_groups(graph)
    against = fused(-confused, confused, graph=graph, twin_group=groups)
    assert against.weight == 0
    alone = groups[graph.position[:, 0]] != groups
    assert spearman(against.value[alone], confused[alone]) == pytest.approx(1)


def test_without_a_head_there_is_no_fusion(graph: Graph) -> None:
    found = fused(np.full(COUNT, np.nan), confusability_of(graph), graph=graph, twin_group=twin_groups(graph))
    assert np.isnan(found.value).all()
