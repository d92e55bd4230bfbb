"""The graph is what a loop over all pairs finds, made at once or bit by bit, however long a burst is."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.pipeline.whitened_examples import classes, cosines, graph_of, with_burst
from url_viz.imaging.perceptual_hash import WORDS
from url_viz.pipeline import twins
from url_viz.pipeline.graph import apart_graph, build_graph, extended
from url_viz.pipeline.twins import source_groups
from url_viz.pipeline.whitening import fit_whitening
from url_viz.store.tables import Graph

pytestmark = pytest.mark.slow


def holds(graph: Graph, whitened: NDArray[np.floating], embeddings: NDArray[np.floating], bound: float = 0.96) -> None:
    """Every list has the nearest in the whitened space that are no twins by raw cosine; all pairs of twins are kept.

    Of pictures that are twins of each other the first stands in lists.
    """
    near, raw = cosines(whitened), cosines(embeddings)
    counting: list[int] = []
    for row in range(len(near)):
        counting += [row] if not (raw[row, counting] >= bound).any() else []
    stands = np.isin(np.arange(len(near)), counting)
    for row in range(len(near)):
        others = np.flatnonzero((raw[row] < bound) & (np.arange(len(near)) != row) & stands)
        best = np.sort(near[row, others])[::-1][: graph.position.shape[1]]
        place = graph.position[row, : len(best)]
        assert (graph.position[row, len(best) :] == -1).all()
        assert (graph.similarity[row, len(best) :] == -1).all()
        assert len(set(place)) == len(best)
        assert np.isin(place, others).all()
        assert graph.similarity[row, : len(best)] == pytest.approx(best, abs=2e-6)
        assert near[row, place] == pytest.approx(best, abs=2e-6)
    expected = np.argwhere(np.triu(raw >= bound, 1))
    assert sorted(map(tuple, graph.twins.pair)) == sorted(map(tuple, expected))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 10, 65, 66, 300])
def test_the_graph_is_the_naive_one(count: int) -> None:
    embeddings, _ = classes(count, spread=0.35)
    graph, whitened = graph_of(embeddings)
    holds(graph, whitened, embeddings)


def test_a_burst_longer_than_the_list_leaves_lists_of_others() -> None:
    embeddings = with_burst(300, 200)
    graph, whitened = graph_of(embeddings)
    holds(graph, whitened, embeddings)
    frames = [0, *range(300, 499)]
    assert not np.isin(graph.position[frames], frames).any()
    assert (graph.position >= 0).all()


def test_pictures_that_are_all_twins_have_no_neighbours() -> None:
    embeddings = with_burst(1, 100)
    graph, whitened = graph_of(embeddings)
    assert (graph.position == -1).all()
    assert len(graph.twins) == 100 * 99 / 2
    holds(graph, whitened, embeddings)


def test_rows_of_zeros() -> None:
    embeddings = np.concatenate([classes(80)[0], np.zeros((3, 64), np.float16)])
    graph, whitened = graph_of(embeddings, k=16)
    holds(graph, whitened, embeddings)


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


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("k", [5, 64])
def test_an_extended_graph_is_the_one_made_at_once(seed: int, k: int) -> None:
    """Pictures go, come and change places, bursts among them."""
    rng = np.random.default_rng(seed)
    everything = with_burst(220, 30, seed=seed)
    space = fit_whitening(everything)
    before = np.sort(rng.permutation(len(everything))[:200])
    after = rng.permutation(np.concatenate([before[rng.random(200) > 0.01], np.setdiff1d(np.arange(249), before)[:25]]))
    rows = space.transform(everything)  # once, as a set keeps them: the last bit depends on how many are transformed
    graph = build_graph(rows[before], everything[before], k=k)
    place = np.full(len(everything), -1)
    place[before] = np.arange(200)
    whitened, embeddings = rows[after], everything[after]
    holds(extended(graph, place[after], whitened, embeddings), whitened, embeddings)


@pytest.mark.parametrize("seed", range(2))
def test_a_graph_with_the_second_witness_is_extended_as_it_is_made_at_once(seed: int) -> None:
    """Near copies by their hashes come and go; lists and pairs are those of a new graph."""
    rng = np.random.default_rng(seed)
    everything, _ = classes(230, seed=seed)
    hashes = rng.integers(0, 1 << 63, (80, WORDS), dtype=np.uint64)[rng.integers(0, 80, 230)]
    rows = fit_whitening(everything).transform(everything)
    before = np.sort(rng.permutation(230)[:205])
    after = np.concatenate([before[2:], np.setdiff1d(np.arange(230), before)])
    place = np.full(230, -1)
    place[before] = np.arange(205)
    first = build_graph(rows[before], everything[before], hashes=hashes[before], k=9)
    assert len(first.twins) > len(build_graph(rows[before], everything[before], k=9).twins) + 10
    grown = extended(first, place[after], rows[after], everything[after], hashes=hashes[after])
    anew = build_graph(rows[after], everything[after], hashes=hashes[after], k=9)
    assert sorted(map(tuple, grown.twins.pair)) == sorted(map(tuple, anew.twins.pair))
    assert grown.similarity == pytest.approx(anew.similarity, abs=2e-6)
    twin = {(int(a), int(b)) for pair in anew.twins.pair for a, b in (pair, pair[::-1])}
    assert not {(row, int(one)) for row, ids in enumerate(grown.position) for one in ids} & twin


@pytest.mark.parametrize("kept", [[], [0], [3, 1], list(range(40))])
def test_a_graph_loses_nearly_all_or_nobody(kept: list[int]) -> None:
    embeddings = classes(40)[0]
    graph, whitened = graph_of(embeddings)
    came_from = np.array(kept, np.int64)
    holds(extended(graph, came_from, whitened[kept], embeddings[kept]), whitened[kept], embeddings[kept])


def test_few_new_pictures_search_for_nobody_else() -> None:
    """Old lists are merged, not made again: one whose numbers were tampered with keeps them."""
    embeddings = classes(200)[0]
    whitened = fit_whitening(embeddings[:195]).transform(embeddings)
    graph = build_graph(whitened[:195], embeddings[:195])
    graph.similarity[0] = 2
    came_from = np.where(np.arange(200) < 195, np.arange(200), -1)
    assert (extended(graph, came_from, whitened, embeddings).similarity[0] == 2).all()


def test_with_too_many_twins_a_group_counts_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twins, "MOST_PAIRS", 100)
    embeddings = with_burst(90, 60)
    graph, whitened = graph_of(embeddings)
    assert graph.twins.is_thinned
    frames = [0, *range(90, 149)]
    assert not np.isin(graph.position[frames], frames).any()
    assert (graph.position[:, :64] >= 0).all()
    fewer = np.arange(148)
    again = extended(graph, fewer, whitened[:148], embeddings[:148])
    assert np.array_equal(again.position, build_graph(whitened[:148], embeddings[:148]).position)


def test_rows_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(ValueError, match="3 whitened rows and 4"):
        build_graph(np.zeros((3, 2)), np.zeros((4, 8)))
