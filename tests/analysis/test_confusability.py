"""Confusability is the docstring's formula, by hand and by a loop, and twins take no part in it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.pipeline.examples import dice, embeddings_of
from url_viz.analysis.confusability import TEMPERATURE, confusability
from url_viz.pipeline.neighbours import build_graph
from url_viz.pipeline.twin_groups import twin_groups
from url_viz.store.tables import Graph


def one_row(*similarities: float, group: tuple[int, ...] = (), temperature: float = 0.1) -> float:
    """Row 0 with these neighbours, each alone in its group unless told."""
    count = len(similarities)
    position = np.full((count + 1, count), -1)
    position[0] = np.arange(1, count + 1)
    similarity = np.full((count + 1, count), -1.0)
    similarity[0] = similarities
    groups = np.array(group or range(count + 1))
    return float(confusability(position, similarity, groups, temperature=temperature)[0])


def naive(graph: Graph, group: NDArray[np.int32], temperature: float) -> list[float]:
    found = []
    for row in range(len(graph)):
        cosines = [
            float(s)
            for p, s in zip(graph.position[row], graph.similarity[row], strict=True)
            if p >= 0 and group[p] != group[row]
        ]
        weights = [np.exp(c / temperature) for c in cosines]
        found.append(1 - max(weights) / sum(weights) if len(cosines) >= 2 else np.nan)
    return found


class TestByHand:
    """1 − the largest share of one neighbour."""

    def test_two_equal_neighbours_share_alike(self) -> None:
        assert one_row(0.7, 0.7) == pytest.approx(1 / 2)

    def test_eight_equal_neighbours_share_alike(self) -> None:
        assert one_row(*[0.3] * 8) == pytest.approx(7 / 8)

    def test_one_temperature_of_difference_is_a_factor_of_e(self) -> None:
        assert one_row(0.6, 0.5) == pytest.approx(1 / (1 + np.e))

    def test_three_unequal_neighbours(self) -> None:
        # shares 1 : e⁻¹ : e⁻³
        assert one_row(0.9, 0.8, 0.6) == pytest.approx(1 - 1 / (1 + np.exp(-1) + np.exp(-3)))

    def test_one_that_stands_far_out_leaves_nothing(self) -> None:
        assert one_row(1.0, -1.0, temperature=0.02) == pytest.approx(0, abs=1e-12)

    def test_twins_are_not_compared_with(self) -> None:
        assert one_row(0.99, 0.6, 0.5, group=(0, 0, 2, 3)) == pytest.approx(1 / (1 + np.e))

    @pytest.mark.parametrize(
        ("similarities", "group"), [((0.5,), ()), ((0.9, 0.5), (0, 0, 2)), ((0.9, 0.9), (1, 1, 1))]
    )
    def test_fewer_than_two_others_are_no_comparison(
        self, similarities: tuple[float, ...], group: tuple[int, ...]
    ) -> None:
        assert np.isnan(one_row(*similarities, group=group))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(0, 25), k=st.integers(1, 30), temperature=st.floats(0.02, 0.5))
def test_the_loop_says_the_same_and_all_lies_between_0_and_1(seed: int, count: int, k: int, temperature: float) -> None:
    graph = build_graph(dice(count, size=3, seed=seed), k=k)
    group = twin_groups(graph, bound=0.97)
    found = confusability(graph.position, graph.similarity, group, temperature=temperature)
    assert found == pytest.approx(naive(graph, group, temperature), abs=1e-6, nan_ok=True)
    finite = found[np.isfinite(found)]
    assert ((finite >= 0) & (finite < 1)).all()


def test_a_burst_of_copies_is_as_confusable_as_one_of_them() -> None:
    """Eight twins of the first picture join the set: no picture outside the burst but those that list it changes, and
    the burst itself is judged by what else there is."""
    vectors = np.random.default_rng(0).normal(size=(30, 8))
    burst = vectors[:1] + np.random.default_rng(1).normal(scale=0.01, size=(8, 8))
    alone = build_graph(embeddings_of(vectors), k=60)
    joined = build_graph(embeddings_of(np.concatenate([vectors, burst])), k=60)
    before = confusability(alone.position, alone.similarity, twin_groups(alone))
    group = twin_groups(joined)
    after = confusability(joined.position, joined.similarity, group)
    assert len(set(group[[0, *range(30, 38)]].tolist())) == 1
    assert after[0] == pytest.approx(before[0], abs=1e-4)
    assert after[30:] == pytest.approx([before[0]] * 8, abs=0.05)


def test_the_order_of_neighbours_does_not_matter() -> None:
    graph = build_graph(dice(20), k=6)
    turned = confusability(graph.position[:, ::-1], graph.similarity[:, ::-1], np.arange(20))
    assert turned == pytest.approx(confusability(graph.position, graph.similarity, np.arange(20)), abs=1e-6)


def test_a_hotter_softmax_tells_less_apart() -> None:
    graph = build_graph(dice(20), k=6)
    cold, warm = (
        confusability(graph.position, graph.similarity, np.arange(20), temperature=t) for t in (TEMPERATURE, 1.0)
    )
    assert (warm > cold).all()
