"""The graph is what a loop over all pairs finds, made at once or bit by bit, however long a burst is."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.pipeline.whitened_examples import classes, cosines, graph_of, listed, naive_views, pictures, with_burst
from url_viz.pipeline import twins
from url_viz.pipeline.graph import apart_graph, build_graph, extended
from url_viz.pipeline.twins import source_groups
from url_viz.pipeline.whitening import FEWEST, whitened_rows
from url_viz.store.tables.embedding_rows import WhitenedRows
from url_viz.store.tables.tables import Graph

pytestmark = pytest.mark.slow


def holds(graph: Graph, whitened: NDArray[np.floating]) -> None:
    """Every list has the nearest in the whitened space that are no twins.

    Of pictures that are twins of each other one stands in lists.
    """
    near, twin = cosines(whitened), np.eye(len(whitened), dtype=bool)
    left, right = graph.twins.pair.T
    twin[left, right] = twin[right, left] = True
    stands = twins.is_representative(graph.twins)
    assert not (twin & ~np.eye(len(near), dtype=bool))[np.ix_(stands, stands)].any()
    for row in range(len(near)):
        others = np.flatnonzero(~twin[row] & stands)
        best = np.sort(near[row, others])[::-1][: graph.position.shape[1]]
        place = graph.position[row, : len(best)]
        assert (graph.position[row, len(best) :] == -1).all()
        assert (graph.similarity[row, len(best) :] == -1).all()
        assert len(set(place)) == len(best)
        assert np.isin(place, others).all()
        assert graph.similarity[row, : len(best)] == pytest.approx(best, abs=2e-6)
        assert near[row, place] == pytest.approx(best, abs=2e-6)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 10, 65, 66, 300])
def test_the_graph_is_the_naive_one(count: int) -> None:
    embeddings, _ = classes(count, spread=0.35)
    embeddings[2::9] = embeddings[1::9][: len(embeddings[2::9])]
    graph, whitened = graph_of(embeddings)
    holds(graph, whitened)
    assert listed(graph.twins) == (naive_views(embeddings) if count >= FEWEST else set())
    assert bool(len(graph.twins)) == (count >= FEWEST)


def test_a_burst_longer_than_the_list_leaves_lists_of_others() -> None:
    embeddings = with_burst(300, 200)
    graph, whitened = graph_of(embeddings)
    holds(graph, whitened)
    frames = [0, *range(300, 499)]
    assert not np.isin(graph.position[frames], frames).any()
    assert (graph.position >= 0).all()


def test_pictures_that_are_all_copies_have_no_neighbours() -> None:
    embeddings = classes(30)[0]
    whitened = whitened_rows(np.arange(30), embeddings)
    graph = build_graph(whitened, embeddings, pixels=pictures(np.zeros(30, np.int64)))
    assert (graph.position == -1).all()
    assert len(graph.twins.copies) == 30 * 29 / 2
    holds(graph, whitened.rows)


def test_rows_of_zeros() -> None:
    embeddings = np.concatenate([classes(80)[0], np.zeros((3, 64), np.float16)])
    graph, whitened = graph_of(embeddings, k=16)
    holds(graph, whitened)


@pytest.mark.parametrize("size", [2, 12, 150])  # a list loses few, more than half of it, or nearly everybody
def test_lists_without_their_source_are_the_naive_ones(size: int) -> None:
    """The nearest representatives of other source groups, as many as there are or half of a list at least."""
    embeddings = classes(300, spread=0.4)[0]
    graph, whitened = graph_of(embeddings)
    apart = np.where(np.arange(300) % 5 == 4, -1, np.arange(300) // size).astype(np.int32)
    found, near = apart_graph(graph, whitened, apart), cosines(whitened)
    source, stands = source_groups(graph.twins, apart), twins.is_representative(graph.twins)
    assert found.apart is apart
    for row in range(300):
        others = np.flatnonzero(stands & (source != source[row]))
        place = found.position[row][found.position[row] >= 0]
        best = np.sort(near[row, others])[::-1][: len(place)]
        assert np.isin(place, others).all()
        assert len(place) >= min(32, len(others))
        assert near[row, place] == pytest.approx(best, abs=2e-6)
        assert found.similarity[row, : len(best)] == pytest.approx(best, abs=2e-6)
        assert (found.similarity[row, len(best) :] == -1).all()
    renamed = apart_graph(graph, whitened, np.where(apart < 0, -1, apart[::-1].max() - apart).astype(np.int32))
    assert np.array_equal(renamed.position, found.position)
    alone = apart_graph(graph, whitened, np.arange(300, dtype=np.int32))
    assert alone.position is graph.position


def some_of(rows: WhitenedRows, kept: NDArray[np.integer]) -> WhitenedRows:
    return replace(rows, content=rows.content[kept], rows=rows.rows[kept])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("k", [5, 64])
def test_an_extended_graph_is_the_one_made_at_once(seed: int, k: int) -> None:
    """Pictures go, come and change places, bursts and copies that only their pixels tell among them."""
    rng = np.random.default_rng(seed)
    everything = with_burst(220, 30, seed=seed)
    which = rng.integers(0, 160, len(everything))
    which[220:] = -np.arange(29) - 1
    pixels = pictures(np.where(which < 0, 1000 - which, which))
    rows = whitened_rows(np.arange(len(everything)), everything)  # once: the last bit depends on how many there are
    before = np.sort(rng.permutation(len(everything))[:200])
    after = rng.permutation(np.concatenate([before[rng.random(200) > 0.01], np.setdiff1d(np.arange(249), before)[:25]]))
    graph = build_graph(some_of(rows, before), everything[before], k=k, pixels=pixels.take(before))
    now = some_of(rows, after)
    grown = extended(graph, now, everything[after], pixels=pixels.take(after))
    holds(grown, now.rows)
    anew = build_graph(now, everything[after], k=k, pixels=pixels.take(after))
    assert listed(grown.twins) == listed(anew.twins)
    assert listed(grown.twins.copies) == listed(anew.twins.copies)
    assert len(listed(anew.twins.copies)) > 20
    assert grown.similarity == pytest.approx(anew.similarity, abs=2e-6)


@pytest.mark.parametrize("kept", [[], [0], [3, 1], list(range(40))])
def test_a_graph_loses_nearly_all_or_nobody(kept: list[int]) -> None:
    embeddings = classes(40)[0]
    rows = whitened_rows(np.arange(40), embeddings)
    some = some_of(rows, np.array(kept, np.int64))
    holds(extended(build_graph(rows, embeddings), some, embeddings[kept]), some.rows)


def test_few_new_pictures_search_for_nobody_else() -> None:
    """Old lists are merged, not made again: one whose numbers were tampered with keeps them."""
    embeddings = classes(200)[0]
    first = whitened_rows(np.arange(195), embeddings[:195])
    graph = build_graph(first, embeddings[:195])
    graph.similarity[0] = 2
    now = whitened_rows(np.arange(200), embeddings, stored=first)
    assert (extended(graph, now, embeddings).similarity[0] == 2).all()


def test_with_too_many_twins_a_group_counts_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twins, "MOST_PAIRS", 100)
    embeddings = with_burst(90, 60)
    rows = whitened_rows(np.arange(149), embeddings)
    graph = build_graph(rows, embeddings)
    assert graph.twins.is_thinned
    frames = [0, *range(90, 149)]
    assert not np.isin(graph.position[frames], frames).any()
    assert (graph.position[:, :64] >= 0).all()
    fewer = some_of(rows, np.arange(148))
    again = extended(graph, fewer, embeddings[:148])
    assert np.array_equal(again.position, build_graph(fewer, embeddings[:148]).position)


def test_rows_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(ValueError, match="3 whitened rows and 4"):
        build_graph(whitened_rows(np.arange(3), np.eye(3, 8)), np.zeros((4, 8)))
