"""Twins are groups around a leader: bounded, without chains, and nobody is in two."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.pipeline.examples import dice, embeddings_of
from url_viz.pipeline.neighbours import build_graph
from url_viz.pipeline.twin_groups import TWIN_COSINE, twin_groups
from url_viz.store.tables import Graph


def at_angles(*degrees: float) -> Graph:
    radians = np.radians(degrees)
    return build_graph(embeddings_of(np.stack([np.cos(radians), np.sin(radians)], axis=1)))


def test_a_group_has_one_leader_and_the_lonely_lead_themselves() -> None:
    assert twin_groups(at_angles(0, 90, 1, 180, 0.5)).tolist() == [0, 1, 0, 3, 0]


def test_a_chain_of_small_steps_is_cut() -> None:
    """Each is a twin of the next; the first and the last look nothing alike."""
    degrees = np.arange(0, 90, 6)  # cos 6° is .9945, cos 12° .978
    leader = twin_groups(at_angles(*degrees), bound=0.985)
    for row, own in enumerate(leader):
        assert abs(degrees[row] - degrees[own]) <= 6
    assert len(set(leader.tolist())) >= len(degrees) / 3


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 60), max_size=40), st.sampled_from([0.9, TWIN_COSINE, 0.9999]))
def test_every_member_is_within_the_bound_of_its_leader(degrees: list[float], bound: float) -> None:
    graph = at_angles(*degrees)
    leader = twin_groups(graph, bound=bound)
    for row, own in enumerate(leader.tolist()):
        assert leader[own] == own, "a leader leads itself"
        if own != row:
            listed = graph.position[own] == row
            assert listed.any()
            assert graph.similarity[own][listed][0] >= bound


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_rows(count: int) -> None:
    assert twin_groups(build_graph(dice(count))).tolist() == list(range(count))


def test_more_copies_than_the_graph_has_places_are_several_groups_of_the_same_look() -> None:
    leader = twin_groups(build_graph(embeddings_of(np.ones((10, 3))), k=4))
    assert np.bincount(leader).max() == 5
    assert (leader[leader] == leader).all()
