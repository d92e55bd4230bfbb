"""The measures of pairs by their definitions, and how answers tune the order by them: what is asked, what is told."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import rankdata

from tests.pipeline.whitened_examples import classes, with_burst
from url_viz.evidence.order_metrics import auroc
from url_viz.pipeline.confusability import confusability
from url_viz.pipeline.graph import build_graph
from url_viz.pipeline.twins import twin_representatives
from url_viz.pipeline.whitening import fit_whitening
from url_viz.review import tuned as pair_measures
from url_viz.review.tuned import (
    MIN_ANSWERS,
    PAIR_MEASURES,
    PENALTY,
    POWERS,
    PRIOR,
    PRIOR_NAMES,
    UNIFORM_FRACTION,
    PairMeasures,
    Tuned,
    _examples,
    _fitted,
    change_in_words,
    in_uniform_sample,
    moved_share,
    pairs_to_ask,
    tune,
)
from url_viz.store.decisions.answers import NO_ANSWERS, Answered
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
def test_measures_are_the_definition_in_each_space(power: float, monkeypatch: pytest.MonkeyPatch) -> None:
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


COUNT, KINDS = 600, 150
Drawings = tuple[PairMeasures, NDArray[np.int64], NDArray[np.int64]]


@pytest.fixture(scope="module")
def drawings() -> Drawings:
    """Embeddings in which a strong style hides the kind: the measures, contents by dice, and the kinds."""
    rng = np.random.default_rng(3)
    kind, style = np.arange(COUNT) % KINDS, np.arange(COUNT) // KINDS
    embeddings = 1.2 * rng.normal(size=(KINDS, 48))[kind] + 1.5 * rng.normal(size=(4, 48))[style]
    embeddings += 0.9 * rng.normal(size=(COUNT, 48)) * rng.uniform(0.3, 2, size=(COUNT, 1))
    measures, _, _ = made(embeddings.astype(np.float16))
    content = rng.integers(np.iinfo(np.int64).min, np.iinfo(np.int64).max, COUNT)
    return measures, content, kind


def answered(content: NDArray[np.int64], pairs: NDArray[np.int64], same: NDArray[np.bool_]) -> Answered:
    return Answered(np.sort(content[pairs], axis=1), same)


def oracle(drawings: Drawings, count: int, seed: int = 0) -> Answered:
    measures, content, kind = drawings
    pairs = pairs_to_ask(measures, content, NO_ANSWERS, count=count, seed=seed)
    return answered(content, pairs, kind[pairs[:, 0]] == kind[pairs[:, 1]])


class TestTuned:
    """What the answers make of the order."""

    def test_answers_make_the_order_truer(self, drawings: Drawings) -> None:
        measures, content, kind = drawings
        is_wrong = kind[measures.rows] != kind[measures.nearest]
        prior = measures.ranks[:, [PAIR_MEASURES.index(name) for name in PRIOR_NAMES]].sum(axis=1)
        found = [tune(measures, content, oracle(drawings, 100, seed)) for seed in range(2)]
        gained = [auroc(one.values[measures.rows], is_wrong) - auroc(prior, is_wrong) for one in found if one]
        assert len(gained) == 2
        assert np.mean(gained) > 0.03

    def test_fewer_than_ten_or_of_one_kind_tune_nothing(self, drawings: Drawings) -> None:
        measures, content, _ = drawings
        full = oracle(drawings, 40)
        assert not full.is_same.all()
        assert full.is_same.any()
        one_kind = Answered(full.pairs[full.is_same], full.is_same[full.is_same])
        assert tune(measures, content, one_kind) is None
        both = np.r_[np.flatnonzero(full.is_same)[: MIN_ANSWERS - 2], np.flatnonzero(~full.is_same)[:2]]
        assert tune(measures, content, Answered(full.pairs[both], full.is_same[both])) is not None
        assert tune(measures, content, Answered(full.pairs[both[1:]], full.is_same[both[1:]])) is None

    def test_the_fit_is_the_minimum_of_its_loss(self, drawings: Drawings) -> None:
        """By Newton's steps on the same loss, written out."""
        measures, content, _ = drawings
        examples = _examples(measures, content, oracle(drawings, 40))
        found = _fitted(examples)
        prior = np.zeros(1 + len(PAIR_MEASURES))
        prior[[1 + PAIR_MEASURES.index(name) for name in PRIOR_NAMES]] = PRIOR
        pull = np.diag([PENALTY / 300, *[PENALTY] * len(PAIR_MEASURES)])
        rows, wrong = np.insert(examples.ranks, 0, 1, axis=1), examples.is_other[examples.answer]
        theta = prior.copy()
        for _ in range(120):
            share = 1 / (1 + np.exp(-rows @ theta))
            slope = rows.T @ (examples.weight * (share - wrong)) + pull @ (theta - prior)
            curve = (rows * (examples.weight * share * (1 - share))[:, None]).T @ rows + pull
            theta -= 0.3 * np.linalg.solve(curve, slope)
        assert [found.constant, *found.weights] == pytest.approx(theta, abs=2e-3)

    def test_without_a_word_against_it_the_prior_stays(self) -> None:
        """Answers that say just what confusability says leave its order almost as it was."""
        measures, _, _ = made(classes(COUNT, of=30)[0])
        content = np.arange(COUNT) * 97
        prior = measures.ranks[:, [PAIR_MEASURES.index(name) for name in PRIOR_NAMES]].sum(axis=1)
        pairs = np.stack([measures.rows, measures.nearest], axis=1)
        few = np.random.default_rng(0).choice(len(pairs), 12, replace=False)
        found = tune(measures, content, answered(content, pairs[few], prior[few] < np.median(prior)))
        assert found is not None
        assert pd.Series(found.values[measures.rows]).corr(pd.Series(prior), method="spearman") > 0.97

    def test_answered_pictures_have_no_value_of_their_own(self, drawings: Drawings) -> None:
        """Two with equal ranks stand together, whatever was said of one."""
        measures, content, _ = drawings
        examples = _examples(measures, content, oracle(drawings, 60))
        odds = _fitted(examples)(measures.ranks)
        found = tune(measures, content, oracle(drawings, 60))
        assert found is not None
        assert np.array_equal(np.argsort(found.values[measures.rows], kind="stable"), np.argsort(odds, kind="stable"))
        assert found.values[measures.rows].min() == pytest.approx(0.5 / len(measures.rows))
        assert found.values.dtype == np.float32

    def test_twins_share_their_value_and_their_answers(self) -> None:
        measures, _, _ = made(with_burst(80, 9))
        content = np.arange(88) * 31
        burst = [0, *range(80, 88)]
        pairs = np.stack([measures.rows, measures.nearest], axis=1)[:30]
        told = answered(content, pairs, np.arange(30) % 2 == 0)
        other = np.array(burst)[~np.isin(burst, pairs.ravel())][0]  # the same words on another of the burst
        moved = np.where(np.isin(pairs, burst), other, pairs)
        again = answered(content, moved, np.arange(30) % 2 == 0)
        first, second = tune(measures, content, told), tune(measures, content, again)
        assert first is not None
        assert second is not None
        assert len(set(first.values[burst].tolist())) == 1
        assert first.values == pytest.approx(second.values, abs=1e-6)


class TestExamples:
    """The training examples of an answer."""

    def test_in_the_directions_in_which_it_is_nearest_else_in_both(self, drawings: Drawings) -> None:
        measures, content, _ = drawings
        nearest = dict(zip(measures.rows.tolist(), measures.nearest.tolist(), strict=True))
        one_way = next((i, j) for i, j in nearest.items() if nearest[j] != i)
        mutual = next((i, j) for i, j in nearest.items() if nearest[j] == i)
        neither = next((i, j) for i in range(9) for j in range(9, 99) if nearest[i] != j and nearest[j] != i)
        pairs = np.array([one_way, mutual, neither])
        examples = _examples(measures, content, answered(content, pairs, np.array([True, True, False])))
        assert examples.is_nearest.tolist() == [True, True, False]
        assert [(examples.answer == number).sum() for number in range(3)] == [1, 2, 2]
        assert np.bincount(examples.answer, examples.weight).tolist() == [1, 1, 1]
        assert examples.ranks[examples.answer == 0] == pytest.approx(measures.measure(*np.array([one_way]).T))

    def test_one_that_is_nearest_no_more_teaches_and_leaves_the_evidence(self, drawings: Drawings) -> None:
        measures, content, _ = drawings
        full = oracle(drawings, 60)
        nearest = {(min(p), max(p)) for p in zip(measures.rows.tolist(), measures.nearest.tolist(), strict=True)}
        strangers = np.array([(i, i + 7) for i in range(100) if (i, i + 7) not in nearest][:40])
        more = answered(content, strangers, np.zeros(40, bool))
        both = Answered(np.vstack([full.pairs, more.pairs]), np.r_[full.is_same, more.is_same])
        without, with_them = tune(measures, content, full), tune(measures, content, both)
        assert without is not None
        assert with_them is not None
        assert (without.uniform_answers, without.answers) == (with_them.uniform_answers, with_them.answers - 40)
        assert not np.array_equal(without.values, with_them.values)

    def test_contents_that_are_gone_teach_nothing(self, drawings: Drawings) -> None:
        measures, content, _ = drawings
        full = oracle(drawings, 60)
        gone = Answered(np.vstack([full.pairs, [[1, 2]]]), np.r_[full.is_same, True])
        one, other = tune(measures, content, full), tune(measures, content, gone)
        assert one is not None
        assert other is not None
        assert other.answers == 60
        assert np.array_equal(one.values, other.values)


class TestEvidence:
    """How well the order holds on the answers."""

    def test_is_near_the_truth_over_draws(self, drawings: Drawings) -> None:
        measures, content, kind = drawings
        is_wrong = kind[measures.rows] != kind[measures.nearest]
        told, true = [], []
        for seed in range(4):
            found = tune(measures, content, oracle(drawings, 100, seed))
            assert found is not None
            assert found.evidence is not None
            assert found.before is not None
            assert found.uniform_answers == round(100 * UNIFORM_FRACTION)
            told.append(found.evidence.value)
            true.append(auroc(found.values[measures.rows], is_wrong))
        assert np.mean(told) == pytest.approx(np.mean(true), abs=0.06)

    def test_is_none_without_both_kinds_among_those_drawn_alike(self, drawings: Drawings) -> None:
        measures, content, _ = drawings
        full = oracle(drawings, 100)
        kept = ~(in_uniform_sample(full.pairs) & full.is_same)
        found = tune(measures, content, Answered(full.pairs[kept], full.is_same[kept]))
        assert found is not None
        assert (found.evidence, found.before) == (None, None)


class TestPairsToAsk:
    """What is asked next."""

    def test_each_pair_once_none_that_was_answered_a_picture_and_its_nearest(self, drawings: Drawings) -> None:
        measures, content, _ = drawings
        nearest = dict(zip(measures.rows.tolist(), measures.nearest.tolist(), strict=True))
        known, seen = NO_ANSWERS, set()
        while len(pairs := pairs_to_ask(measures, content, known, count=37, seed=len(known))):
            assert all(nearest[i] == j for i, j in pairs.tolist())
            keys = {tuple(sorted(pair)) for pair in pairs.tolist()}
            assert len(keys) == len(pairs)
            assert not keys & seen
            seen |= keys
            more = answered(content, pairs, np.ones(len(pairs), bool))
            known = Answered(np.vstack([known.pairs, more.pairs]), np.r_[known.is_same, more.is_same])
        assert seen == {tuple(sorted(pair)) for pair in nearest.items()}
        assert len(pairs_to_ask(measures, content, NO_ANSWERS, count=10 * COUNT)) == len(seen)

    @given(seed=st.integers(0, 1000), count=st.integers(1, 60))
    def test_a_fair_share_is_drawn_alike(self, drawings: Drawings, seed: int, count: int) -> None:
        measures, content, _ = drawings
        pairs = pairs_to_ask(measures, content, NO_ANSWERS, count=count, seed=seed)
        is_uniform = in_uniform_sample(np.sort(content[pairs], axis=1))
        assert is_uniform.sum() == np.ceil(count * UNIFORM_FRACTION)
        assert is_uniform[0]

    def test_those_drawn_alike_are_and_the_others_are_where_measures_disagree(self, drawings: Drawings) -> None:
        measures, content, _ = drawings
        spread = dict(zip(measures.rows.tolist(), measures.ranks.std(axis=1).tolist(), strict=True))
        every = pairs_to_ask(measures, content, NO_ANSWERS, count=COUNT)
        pool = in_uniform_sample(np.sort(content[every], axis=1))
        assert 0.35 < pool.mean() < 0.65
        alike, chosen = [], []
        for seed in range(60):
            pairs = pairs_to_ask(measures, content, NO_ANSWERS, count=20, seed=seed)
            is_uniform = in_uniform_sample(np.sort(content[pairs], axis=1))
            values = np.array([spread[row] for row in pairs[:, 0].tolist()])
            alike += values[is_uniform].tolist()
            chosen += values[~is_uniform].tolist()
        means = [np.mean([spread[row] for row in every[part, 0].tolist()]) for part in (pool, ~pool)]
        assert np.mean(alike) == pytest.approx(means[0], rel=0.05)
        assert np.mean(chosen) > 1.05 * means[1]

    def test_a_seed_draws_the_same_and_only_among_those_wanted(self, drawings: Drawings) -> None:
        measures, content, _ = drawings
        first, again, other = (
            pairs_to_ask(measures, content, NO_ANSWERS, count=20, seed=seed).tolist() for seed in (1, 1, 2)
        )
        assert first == again != other
        among = np.arange(COUNT) < 50
        some = pairs_to_ask(measures, content, NO_ANSWERS, count=COUNT, among=among)
        assert len(some) > 0
        assert some[:, 0].max() < 50


class TestWords:
    """What is told of the answers."""

    def test_before_ten(self) -> None:
        answers = Answered(np.array([[1, 2], [1, 3], [2, 3]]), np.array([True, True, False]))
        assert change_in_words(answers, None, moved=float("nan")) == (
            "3 answers, 2 the same kind. The order adapts to 10 answers or more, of both kinds: 7 to go."
        )
        one_kind = Answered(np.stack([np.arange(12), np.arange(12) + 20], axis=1), np.ones(12, bool))
        assert change_in_words(one_kind, None, moved=float("nan")).endswith("the other kind is missing.")
        assert change_in_words(Answered(one_kind.pairs[:1], one_kind.is_same[:1]), None, moved=0).startswith(
            "1 answer, 1 the same kind."
        )

    def test_after(self, drawings: Drawings) -> None:
        measures, content, _ = drawings
        for count, few in ((20, ", from few answers."), (100, ".")):
            answers = oracle(drawings, count)
            found = tune(measures, content, answers)
            assert isinstance(found, Tuned)
            assert found.evidence is not None
            said = change_in_words(answers, found, moved=0.305)
            times = round(100 * found.evidence.value)
            assert "They replaced 30 % of the most ambiguous tenth; of two pictures, the right one ranks " in said
            assert f"higher in {times} of 100 cases, before in " in said
            assert said.endswith(few)

    def test_the_share_of_the_first_tenth_that_is_new(self) -> None:
        order = np.arange(40) / 40
        table = pd.DataFrame({"confusability": order, "tuned": np.roll(order, 2)})
        assert moved_share(table) == 0.5
        assert moved_share(table.assign(tuned=order)) == 0
        assert np.isnan(moved_share(table.assign(tuned=np.nan)))
