"""Which pictures to name first agrees with a plain greedy search, and finds more classes than chance."""

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from tests.pipeline.whitened_examples import classes, graph_of, with_burst
from url_viz.evidence.choice import NEIGHBOURS, cover_first
from url_viz.pipeline.twins import twin_representatives
from url_viz.review.naming import can_order, suggestions_in
from url_viz.store.tables.tables import Graph


def naive(graph: Graph, representative: NDArray[np.int64], named: list[int], count: int) -> list[int]:
    """Every gain worked out anew before each choice."""
    size = len(graph)
    covers = np.zeros((size, size))
    for row in range(size):
        if representative[row] != row:
            continue
        covers[row, row] = 1
        for near, similarity in zip(graph.position[row, :NEIGHBOURS], graph.similarity[row, :NEIGHBOURS], strict=True):
            if near >= 0:
                value = max(float(similarity), 0)
                covers[row, near] = max(covers[row, near], value)
                covers[near, row] = max(covers[near, row], value)
    best = covers[:, named].max(axis=1) if named else np.zeros(size)
    chosen: list[int] = []
    while len(chosen) < count:
        gains = {
            one: np.maximum(covers[:, one] - best, 0).sum()
            for one in range(size)
            if representative[one] == one and one not in chosen and one not in named
        }
        if not gains:
            break
        chosen.append(max(gains, key=lambda one: (round(gains[one], 9), -one)))
        best = np.maximum(best, covers[:, chosen[-1]])
    return chosen


def of(graph: Graph) -> NDArray[np.int64]:
    return twin_representatives(graph.twins).astype(np.int64)


@pytest.mark.parametrize("named", [[], [3, 40, 41]])
def test_is_the_greedy_cover(named: list[int]) -> None:
    graph, _ = graph_of(classes(90, of=7)[0])
    is_named = np.isin(np.arange(90), named)
    found = cover_first(graph, representative=of(graph), is_covered=is_named, count=25)
    assert found.tolist() == naive(graph, of(graph), named, 25)


def test_the_beginning_is_as_good_whatever_the_count_and_all_come_in_the_end() -> None:
    graph, _ = graph_of(classes(120)[0])
    none = np.zeros(120, bool)
    every = cover_first(graph, representative=of(graph), is_covered=none, count=1000)
    assert sorted(every.tolist()) == list(range(120))
    assert cover_first(graph, representative=of(graph), is_covered=none, count=9).tolist() == every[:9].tolist()
    first = np.isin(np.arange(120), every[:9])
    assert cover_first(graph, representative=of(graph), is_covered=first, count=5).tolist() == every[9:14].tolist()


def test_finds_more_classes_than_chance() -> None:
    embeddings, kind = classes(600, of=60, spread=1.2)
    graph, _ = graph_of(embeddings)
    found = cover_first(graph, representative=of(graph), is_covered=np.zeros(600, bool), count=60)
    drawn = [len(set(kind[np.random.default_rng(seed).choice(600, 60, replace=False)])) for seed in range(20)]
    assert len(set(kind[found])) > max(drawn)


def test_of_twins_one_is_asked_and_none_once_another_has_a_name() -> None:
    graph, _ = graph_of(with_burst(60, 12))
    burst = {0, *range(60, 71)}
    every = cover_first(graph, representative=of(graph), is_covered=np.zeros(71, bool), count=71)
    assert len(every) == 60
    assert len(burst & set(every.tolist())) == 1
    named = np.isin(np.arange(71), [65])
    assert not burst & set(cover_first(graph, representative=of(graph), is_covered=named, count=71).tolist())
    among = np.isin(np.arange(71), [5, 9, 65])
    asked = cover_first(graph, representative=of(graph), is_covered=np.zeros(71, bool), count=71, among=among)
    assert {int(of(graph)[one]) for one in (5, 9, 65)} == set(asked.tolist())


def test_two_names_of_three_pictures_each_can_order() -> None:
    names = pd.Series(["a", None, "a", "b", "b", "b", "a", None], dtype=object)
    assert can_order(names)
    assert not can_order(names.replace("b", "a"))
    assert not can_order(names.iloc[:5])


def test_suggestions_are_of_pictures_without_a_name_the_surest_first() -> None:
    table = pd.DataFrame(
        {
            "id": [1, 2, 3, 4],
            "path": ["a", "b", "c", "d"],
            "label": ["kiwi", None, None, None],
            "first_class": ["kiwi", "kiwi", "pear", None],
            "first_share": [1.0, 0.4, 0.9, np.nan],
        }
    )
    found = suggestions_in(table)
    assert found.to_dict("list") == {"id": [3, 2], "path": ["c", "b"], "name": ["pear", "kiwi"], "share": [0.9, 0.4]}
