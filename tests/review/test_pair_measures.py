"""The measures of pairs agree with their definitions, worked out pair by pair."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import rankdata

from tests.pipeline.whitened_examples import classes, with_burst
from url_viz.pipeline.confusability import confusability
from url_viz.pipeline.graph import build_graph
from url_viz.pipeline.twins import twin_representatives
from url_viz.pipeline.whitening import fit_whitening
from url_viz.review import tuned as pair_measures
from url_viz.review.tuned import PAIR_MEASURES, POWERS, PRIOR_NAMES, PairMeasures
from url_viz.store.tables.embedding_rows import WhitenedRows
from url_viz.store.tables.tables import Graph


def made(embeddings: NDArray[np.float16], k: int = 64) -> tuple[PairMeasures, Graph, WhitenedRows]:
    whitening = fit_whitening(embeddings)
    rows = WhitenedRows(whitening, np.arange(len(embeddings)), whitening.transform(embeddings))
    graph = build_graph(rows, embeddings, k=k)
    alone = np.random.default_rng(7).random((len(embeddings), 2)).astype(np.float32)
    return (
        PairMeasures(graph, rows, alone, representative=twin_representatives(graph.twins).astype(np.int64)),
        graph,
        rows,
    )


def naive(graph: Graph, rows: WhitenedRows, power: float, pairs: list[tuple[int, int]]) -> NDArray[np.float64]:
    """The nine measures of some pairs in one space, by loops."""
    scales = rows.whitening.scales.astype(np.float64)
    space = rows.rows.astype(np.float64) * np.where(scales > 0, np.maximum(scales, 1e-12) ** (2 * power - 1), 0)
    space /= np.maximum(np.linalg.norm(space, axis=1, keepdims=True), 1e-12)
    lists = []
    for row, near in enumerate(graph.position):
        members = [int(one) for one in near if one >= 0]
        lists.append(sorted(members, key=lambda one: -float(space[row] @ space[one])))
    gaps = [float(space[i] @ space[near[0]] - space[i] @ space[near[10]]) for i, near in enumerate(lists)]
    scale = float(np.median(gaps)) / 3
    degree = [sum(row in near[:10] for near in lists) for row in range(len(lists))]
    found = []
    for i, j in pairs:
        cosine = float(space[i] @ space[j])
        near, theirs = lists[i], lists[j]
        similar = [float(space[i] @ space[one]) for one in near]
        share = {k: len(set(near[:k]) & set(theirs[:k])) / k for k in (3, 5, 10, 20, 40)}
        found.append(
            [
                -cosine,
                -(share[3] + share[5] + share[10]) / 3,
                -(share[20] + share[40]) / 2,
                sum(np.exp((s - cosine) / scale) for s in similar),
                theirs.index(i) if i in theirs else graph.position.shape[1],
                similar[10] - cosine,
                degree[j],
                -degree[i],
                -similar[31],
            ]
        )
    return np.array(found)


@pytest.mark.parametrize("power", POWERS)
def test_is_the_definition_in_each_space(power: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pair_measures, "BLOCK", 37)
    measures, graph, rows = made(classes(160)[0])
    pairs = [*zip(measures.rows.tolist()[:40], measures.nearest.tolist()[:40], strict=True), (0, 150), (3, 77)]
    first, second = np.array(pairs).T
    start = 9 * POWERS.index(power)
    raw = measures._raw(first, second)[:, start : start + 9]
    wanted = naive(graph, rows, power, pairs)
    assert raw == pytest.approx(wanted, rel=2e-3, abs=2e-3)


def test_ranks_are_mid_ranks_within_the_set_and_other_pairs_stand_among_them() -> None:
    measures, _, _ = made(classes(120)[0])
    raw = measures._raw(measures.rows, measures.nearest)
    for k in range(len(PAIR_MEASURES)):
        assert measures.ranks[:, k] == pytest.approx((rankdata(raw[:, k]) - 0.5) / len(raw))
    assert measures.measure(measures.rows, measures.nearest) == pytest.approx(measures.ranks)
    others = measures.measure(np.array([0, 5]), np.array([100, 60]))
    assert ((others >= 0) & (others <= 1)).all()


def test_the_prior_is_confusability() -> None:
    measures, graph, _ = made(classes(300)[0])
    prior = measures.ranks[:, [PAIR_MEASURES.index(name) for name in PRIOR_NAMES]].sum(axis=1)
    known = confusability(graph.position, graph.similarity, representative=measures.representative)[0][measures.rows]
    assert np.corrcoef(rankdata(prior), rankdata(known))[0, 1] > 0.995


def test_of_a_burst_one_counts_and_few_pictures_have_short_lists() -> None:
    measures, _, _ = made(with_burst(60, 12))
    assert len(measures.rows) == 60
    assert len(set(measures.representative[[0, *range(60, 71)]])) == 1
    for count in (2, 3, 12):
        few, _, _ = made(classes(count, of=2)[0])
        assert len(few.rows) == count
        assert np.isfinite(few.ranks).all()
    alone, _, _ = made(classes(1, of=1)[0])
    assert alone.ranks.shape == (0, len(PAIR_MEASURES))
