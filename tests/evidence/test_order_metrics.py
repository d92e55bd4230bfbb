"""The metrics by hand, by a naive loop, and by what must not change them."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_viz.base.errors import RowsError
from url_viz.base.rows import l2_normalize, mid_ranks
from url_viz.evidence.order_metrics import (
    Figure,
    Influenced,
    Interval,
    Scored,
    aurc_influence,
    auroc,
    auroc_by_blocks,
    auroc_influence,
    bootstrap_interval,
    classification_auroc,
    errors_in_order,
    holm,
    jackknife,
    mean_by_t,
    mean_influence,
    mixed_r_auroc,
    nearest_others,
    p_by_t,
    r_auroc,
    recall_at_1,
    risk_coverage,
    share_by_blocks,
    spearman,
)


def naive_auroc(score: np.ndarray, is_positive: np.ndarray) -> float:
    wins = 0.0
    pairs = 0
    for i in np.flatnonzero(is_positive):
        for j in np.flatnonzero(~is_positive):
            wins += 1.0 if score[i] > score[j] else 0.5 if score[i] == score[j] else 0.0
            pairs += 1
    return wins / pairs


def naive_recall(embeddings: np.ndarray, labels: np.ndarray) -> np.ndarray:
    found = []
    for i, a in enumerate(embeddings):
        cosines = [-2.0 if i == j else a @ b / np.linalg.norm(a) / np.linalg.norm(b) for j, b in enumerate(embeddings)]
        found.append(labels[int(np.argmax(cosines))] == labels[i])
    return np.array(found)


def test_recall_by_hand() -> None:
    # Directions 0°, 10°, 25°, 90°: the nearest others are 1, 0, 1 (15° before 25°) and 2.
    angles = np.deg2rad([0, 10, 25, 90])
    lengths = np.array([1.0, 5.0, 0.1, 3.0])
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1) * lengths[:, None]
    share, is_correct = recall_at_1(embeddings, np.array(["a", "a", "b", "b"]))
    assert is_correct.tolist() == [True, True, False, True]
    assert share == 0.75


def test_recall_equals_the_naive_loop_whatever_the_chunks() -> None:
    generator = np.random.default_rng(0)
    embeddings, labels = generator.normal(size=(57, 8)), generator.integers(4, size=57)
    expected = naive_recall(embeddings, labels)
    assert np.array_equal(recall_at_1(embeddings, labels)[1], expected)
    nearest = nearest_others(embeddings, at_once=5 * 57)[0][:, 0]
    assert np.array_equal(labels[nearest] == labels, expected)


def test_a_picture_is_never_its_own_neighbour_even_among_twins() -> None:
    # METHOD 8.3: "the second hit" of twins can be the picture itself, and would count as right.
    embeddings = np.ones((3, 2))
    neighbours, similarities = nearest_others(embeddings, k=2)
    assert neighbours.tolist() == [[1, 2], [0, 2], [0, 1]]
    assert similarities == pytest.approx(np.ones((3, 2)))
    assert recall_at_1(embeddings, np.array([0, 1, 2]))[0] == 0


def test_zero_embeddings_are_like_nothing() -> None:
    _, similarities = nearest_others(np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.1]]))
    assert similarities[0, 0] == 0
    assert similarities[1, 0] == pytest.approx(2 / math.hypot(2, 0.1))


def test_too_few_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        recall_at_1(np.ones((1, 4)), [0])
    with pytest.raises(ValueError, match="one label a picture"):
        recall_at_1(np.ones((3, 4)), [0, 1])


def test_r_auroc_of_a_constant_a_perfect_and_a_one_sided_order() -> None:
    is_correct = np.array([True, False, True, False])
    assert r_auroc(np.zeros(4), is_correct) == 0.5
    assert r_auroc([1, 3, 2, 4], is_correct) == 1.0
    assert math.isnan(r_auroc([1, 2, 3], [True] * 3))
    assert math.isnan(r_auroc([1, 2, 3], [False] * 3))


def test_large_scores_do_not_saturate() -> None:
    # METHOD 8.1: a metric that takes scores outside [0, 1] for logits gives .5 here.
    is_correct = np.array([True, True, False, False])
    assert r_auroc(np.array([1e6, 1e6 + 1, 1e6 + 2, 1e6 + 3]), is_correct) == 1.0
    assert r_auroc(np.array([-1e6, 3e8, 1e9, np.inf]), is_correct) == 1.0


@given(
    st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=2, max_size=40).filter(
        lambda rows: len({positive for _, positive in rows}) == 2
    )
)
def test_auroc_equals_the_naive_loop_and_turns_with_the_score(rows: list[tuple[int, bool]]) -> None:
    score, positive = np.array([s for s, _ in rows], float), np.array([p for _, p in rows])
    value = auroc(score, positive)
    assert value == pytest.approx(naive_auroc(score, positive))
    assert auroc(-score, positive) == pytest.approx(1 - value)
    assert auroc(np.exp(score), positive) == pytest.approx(value)


def test_mid_ranks_by_hand() -> None:
    assert mid_ranks([30, 10, 20, 20]).tolist() == [4, 1, 2.5, 2.5]
    with pytest.raises(ValueError, match="nan"):
        mid_ranks([1.0, float("nan")])


def test_risk_coverage_by_hand() -> None:
    # Order .1 (right), .2 (wrong), .3 (right), .4 (wrong): risks 0, 1/2, 1/3, 2/4.
    curve = risk_coverage([0.4, 0.1, 0.3, 0.2], [1, 0, 0, 1])
    assert curve.coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert curve.risk == pytest.approx([0, 1 / 2, 1 / 3, 1 / 2])
    assert curve.aurc == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)


def test_risk_coverage_of_ties_is_the_mean_over_their_orders() -> None:
    # All equal: any prefix has the mean error, whichever way the rows lie.
    for errors in ([1, 0, 0, 1], [0, 0, 1, 1]):
        assert risk_coverage([7, 7, 7, 7], errors).risk == pytest.approx([0.5] * 4)
    # One sure and right, two tied of which one is wrong: 0, (0 + ½)/2, 1/3.
    assert risk_coverage([0, 1, 1], [0, 1, 0]).risk == pytest.approx([0, 1 / 4, 1 / 3])


def test_risk_ends_at_the_mean_error_and_a_perfect_order_is_the_best() -> None:
    generator = np.random.default_rng(1)
    errors = generator.random(50)
    perfect, random = risk_coverage(errors, errors), risk_coverage(generator.random(50), errors)
    assert perfect.risk[-1] == pytest.approx(errors.mean())
    assert perfect.aurc < random.aurc
    with pytest.raises(ValueError, match="at least one picture"):
        risk_coverage([], [])


def test_spearman_by_hand_and_by_property() -> None:
    # Ranks 1..4 against 2, 1, 4, 3: 1 − 6·(1 + 1 + 1 + 1) / (4·15) = .6.
    assert spearman([1, 2, 3, 4], [20, 10, 40, 30]) == pytest.approx(0.6)
    values = np.random.default_rng(2).normal(size=30)
    assert spearman(values, np.exp(values)) == pytest.approx(1)
    assert spearman(values, -values) == pytest.approx(-1)
    assert math.isnan(spearman(values, np.zeros(30)))


def test_spearman_with_ties_is_the_correlation_of_mid_ranks() -> None:
    # Ranks of (1, 1, 2): 1.5, 1.5, 3; of (1, 2, 3): 1, 2, 3. Covariance 1.5, variances 1.5 and 2.
    assert spearman([1, 1, 2], [1, 2, 3]) == pytest.approx(1.5 / math.sqrt(1.5 * 2))


def test_the_bootstrap_interval_of_a_mean_is_the_textbook_one() -> None:
    values = np.random.default_rng(3).normal(loc=5, size=400)
    found = bootstrap_interval(lambda v: float(v.mean()), values, resamples=2000)
    half = 1.96 * values.std() / math.sqrt(400)
    assert found.low == pytest.approx(values.mean() - half, abs=0.02)
    assert found.high == pytest.approx(values.mean() + half, abs=0.02)


def test_the_bootstrap_takes_the_same_rows_of_each_array_and_passes_over_nan() -> None:
    values = np.arange(20.0)
    same = bootstrap_interval(lambda a, b: float(np.abs(a - b).max()), values, values, resamples=50)
    assert (same.low, same.high) == (0, 0)
    assert math.isnan(bootstrap_interval(r_auroc, values, np.ones(20, bool), resamples=5).low)


class TestIntervalsOverBlocks:
    """The interval of a figure, what is drawn anew being the class."""

    @pytest.mark.parametrize(
        ("block", "half"),
        [
            ([0, 0, 1, 1], 0),  # influences +1/8 −1/8 and −1/8 +1/8: both classes have none
            ([0, 1, 1, 0], 0.5),  # 1/4 and −1/4: √((1/16 + 1/16) · 2/1)
            ([3, 9, 4, 1], (4 / 64 * 4 / 3) ** 0.5),
        ],
    )
    def test_auroc_by_hand(self, block: list[int], half: float) -> None:
        found = auroc_by_blocks([1, 2, 3, 4], [False, True, False, True], np.array(block))
        assert found.value == 0.75
        student = {2: 12.7062047, 4: 3.1824463}[len(set(block))]
        assert found.interval.low == pytest.approx(max(0, 0.75 - student * half))
        assert found.interval.high == pytest.approx(min(1, 0.75 + student * half))

    def test_a_share_by_hand(self) -> None:
        """Of 3/4: influences 1/16, 1/16, −3/16, 1/16, by class 1/8 and −1/8."""
        found = share_by_blocks(np.array([True, True, False, True]), np.array([5, 5, 2, 2]))
        assert found.value == 0.75
        assert (found.interval.low, found.interval.high) == (0, 1), "two classes tell nothing of others"

    def test_what_there_is_nothing_to_tell_from(self) -> None:
        one_kind = auroc_by_blocks([1, 2, 3], [True] * 3, np.arange(3))
        assert math.isnan(one_kind.value)
        assert math.isnan(one_kind.interval.low)
        one_block = auroc_by_blocks([1, 2, 3], [True, False, True], np.zeros(3, int))
        assert one_block.value == 0.5
        assert math.isnan(one_block.interval.low)
        assert math.isnan(share_by_blocks(np.zeros(0, bool), np.zeros(0, int)).value)
        assert share_by_blocks(np.array([True, True]), np.array([0, 1])).interval.low == 1

    @pytest.mark.parametrize("ties", [False, True])
    def test_with_blocks_of_one_it_is_delongs(self, ties: bool) -> None:
        rng = np.random.default_rng(0)
        positive = np.arange(400) % 4 == 0
        score = rng.normal(positive * 0.8)
        score = score.round(0) if ties else score
        wins = (score[positive][:, None] > score[~positive]) + (score[positive][:, None] == score[~positive]) / 2
        variance = wins.mean(axis=1).var(ddof=1) / 100 + wins.mean(axis=0).var(ddof=1) / 300
        found = auroc_by_blocks(score, positive, np.arange(400))
        assert found.value == pytest.approx(wins.mean())
        assert found.interval.high - found.value == pytest.approx(1.959964 * variance**0.5, rel=0.01)

    def test_it_is_what_a_bootstrap_over_classes_gives(self) -> None:
        """Hard classes have both the wrong pictures and high scores: far wider than over single pictures."""
        rng = np.random.default_rng(1)
        block = np.repeat(np.arange(80), rng.integers(5, 25, 80))
        hard = rng.normal(size=80)[block]
        positive = rng.random(len(block)) < 1 / (1 + np.exp(1 - 2 * hard))
        score = hard + rng.normal(0, 2, len(block))
        members = [np.flatnonzero(block == number) for number in range(80)]
        drawn = [np.concatenate([members[b] for b in rng.integers(80, size=80)]) for _ in range(400)]
        for found, figures in (
            (auroc_by_blocks(score, positive, block), [auroc(score[rows], positive[rows]) for rows in drawn]),
            (share_by_blocks(positive, block), [positive[rows].mean() for rows in drawn]),
        ):
            width = found.interval.high - found.interval.low
            assert width == pytest.approx(2 * 1.959964 * np.std(figures), rel=0.12)
        singly = auroc_by_blocks(score, positive, np.arange(len(block))).interval
        shuffled = auroc_by_blocks(score, positive, rng.permutation(block)).interval
        of_classes = auroc_by_blocks(score, positive, block).interval
        assert of_classes.high - of_classes.low > 1.15 * (singly.high - singly.low)
        assert shuffled.high - shuffled.low == pytest.approx(singly.high - singly.low, rel=0.25)


class TestInfluences:
    """What each picture weighs in a figure: the figure's slope by the picture's weight, which intervals are made of."""

    def test_of_aurc_is_its_slope_by_weights(self) -> None:
        rng = np.random.default_rng(0)
        uncertainty, errors = rng.normal(size=30), rng.random(30) < 0.4

        def weighted(weight: np.ndarray) -> float:
            order = np.argsort(uncertainty)
            kept = np.cumsum(weight[order])
            return float((weight[order] * np.cumsum(weight[order] * errors[order]) / kept).sum() / kept[-1])

        found = aurc_influence(uncertainty, errors)
        assert weighted(np.ones(30)) == pytest.approx(found.value)
        for row, more in enumerate(1e-6 * np.eye(30)):
            slope = (weighted(1 + more) - weighted(1 - more)) / 2e-6
            assert found.influence[row] == pytest.approx(slope, abs=1e-6)

    def test_of_aurc_equal_pictures_weigh_alike(self) -> None:
        found = aurc_influence([2, 1, 2, 1, 2], [1, 0, 1, 0, 0])
        assert found.influence[0] == found.influence[2] > found.influence[4]
        assert found.influence[1] == found.influence[3]
        assert found.influence.sum() == pytest.approx(0)

    def test_an_order_has_no_lead_over_itself(self) -> None:
        wrong = np.array([True, False, False, True])
        lead = auroc_influence([1, 2, 3, 4], wrong) - auroc_influence([10, 20, 30, 40], wrong)
        assert lead.by_blocks(np.array([0, 0, 1, 1]), least=-1) == Figure(0, Interval(0, 0))

    def test_of_some_pictures_the_others_have_none(self) -> None:
        found = auroc_influence([1, 2], [False, True]).placed(np.array([3, 1]), 5)
        assert (found.value, found.influence.shape) == (1, (5,))
        assert (found.influence[[0, 2, 4]] == 0).all()

    def test_means_of_draws_leave_out_those_without_a_figure(self) -> None:
        draws = [auroc_influence(score, [False, True, False]) for score in ([1, 2, 3], [1, 3, 2])]
        none = auroc_influence([1, 2, 3], [False] * 3)
        found = mean_influence([*draws, none])
        assert found.value == 0.75
        assert found.influence == pytest.approx((draws[0].influence + draws[1].influence) / 2)
        assert math.isnan(mean_influence([none]).value)

    def test_means_of_sets_by_hand(self) -> None:
        found = mean_by_t([0.4, math.nan, 0.5, 0.6])  # spread 0.1, and t of two degrees of freedom is 4.303
        half = 4.302653 * 0.1 / 3**0.5
        assert (found.value, found.interval.low, found.interval.high) == pytest.approx((0.5, 0.5 - half, 0.5 + half))
        widened = mean_by_t([0.4, math.nan, 0.5, 0.6], shared=0.5)  # a variance of 1/3 + 1/2 for 1/3
        assert widened.interval.low == pytest.approx(0.5 - half * 2.5**0.5)
        assert mean_by_t([0.9, 1.0]).interval.high == 1
        assert math.isnan(mean_by_t([0.5]).interval.low)
        assert math.isnan(mean_by_t([]).value)
        signs = [mean_by_t(values, least=-1).sign for values in ([0.1, 0.2, 0.3], [0.19, 0.2, 0.21], [0.1])]
        assert signs == [0, 1, 0], "an interval on both sides of 0, on one, and none: one set tells nothing"


class TestJackknife:
    """The interval from a figure's values without each block."""

    def test_by_hand(self) -> None:
        """Values 1, 2 and 3: √(2/3 · (1 + 0 + 1)) standard errors, of which Student's interval has 4.3027 each way."""
        half = 4.3026527 * (4 / 3) ** 0.5
        found = jackknife(2.5, [1, 2, 3])
        assert (found.value, found.interval.low, found.interval.high) == pytest.approx((2.5, 2.5 - half, 2.5 + half))

    @given(st.lists(st.floats(-5, 5), min_size=2, max_size=9), st.integers(1, 4))
    def test_of_a_mean_it_is_the_interval_by_influence(self, blocks: list[float], size: int) -> None:
        values, block = (
            np.repeat(blocks, size) + np.tile(np.arange(size), len(blocks)),
            np.repeat(range(len(blocks)), size),
        )
        mean = float(values.mean())
        influence = Influenced(mean, (values - mean) / len(values)).by_blocks(block, least=-math.inf, most=math.inf)
        found = jackknife(mean, [values[block != one].mean() for one in range(len(blocks))])
        assert found.interval.low == pytest.approx(influence.interval.low, abs=1e-9)
        assert found.interval.high == pytest.approx(influence.interval.high, abs=1e-9)

    @pytest.mark.parametrize("left_out", [[], [0.5], [0.5, math.nan, 0.7]])
    def test_without_two_blocks_that_can_be_left_out_there_is_none(self, left_out: list[float]) -> None:
        found = jackknife(0.6, left_out)
        assert found.value == 0.6
        assert math.isnan(found.interval.low)
        assert math.isnan(found.interval.high)


class TestVerdictsTogether:
    """p-values of means over sets, and which of several hypotheses are refused together."""

    def test_p_by_hand(self) -> None:
        """Mean .5, spread .1, three sets: t = 8.66, and of two degrees of freedom p = 1 − t / √(t² + 2)."""
        t = 0.5 * 3**0.5 / 0.1
        assert p_by_t([0.4, math.nan, 0.5, 0.6]) == pytest.approx(1 - t / (t**2 + 2) ** 0.5)
        assert p_by_t([-0.4, -0.5, -0.6]) == pytest.approx(1 - t / (t**2 + 2) ** 0.5)
        assert (p_by_t([0.2, 0.2]), p_by_t([0.0, 0.0])) == (0, 1)
        assert math.isnan(p_by_t([0.5]))

    @given(st.lists(st.floats(-0.9, 0.9), min_size=2, max_size=6))
    def test_p_is_below_a_twentieth_where_the_interval_leaves_zero_out(self, values: list[float]) -> None:
        p, interval = p_by_t(values), mean_by_t(values, least=-9, most=9).interval
        if abs(p - 0.05) > 1e-6:
            assert (p < 0.05) == (not interval.low <= 0 <= interval.high)

    def test_holm_by_hand(self) -> None:
        # .005 ≤ .05/4 and .01 ≤ .05/3, but .03 > .05/2: there it ends, though .04 ≤ .05.
        assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == [True, False, False, True]
        assert holm([0.02, math.nan, 0.04]).tolist() == [True, False, True]  # two tests: .05/2 and .05
        assert holm([0.03, 0.03]).tolist() == [False, False]
        assert holm([0.04]).tolist() == [True]
        assert holm([]).tolist() == []

    @given(st.lists(st.floats(0, 0.1) | st.just(math.nan), max_size=12))
    def test_holm_is_between_each_alone_and_bonferroni(self, values: list[float]) -> None:
        p = np.array(values)
        found, tests = holm(p), max(1, int((~np.isnan(p)).sum()))
        assert not (found & ~(p <= 0.05)).any()
        assert found[p <= 0.05 / tests].all()
        assert all(found[p <= one].all() for one in p[found]), "what is surer than a refused one is refused"
        assert (holm(p[::-1])[::-1] == found).all()


def test_errors_in_order_are_those_of_a_random_order_among_ties() -> None:
    # Clearest 2 (right); then 0 and 3, one of them wrong; then 1 (wrong).
    assert errors_in_order([1, 2, 0, 1], [True, True, False, False]).tolist() == [0, 0.5, 0.5, 1]


class TestRowsThatDoNotCount:
    """One bad row would spoil the figures of all others: it is an error that names it, a ValueError as well."""

    embeddings = np.repeat(np.eye(4), 5, axis=0) + np.random.default_rng(0).normal(0, 0.01, (20, 4))
    labels = np.repeat(np.arange(4), 5)

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_embeddings_that_are_not_finite_are_named(self, bad: float) -> None:
        assert recall_at_1(self.embeddings, self.labels)[0] == 1
        spoilt = self.embeddings.copy()
        spoilt[[3, 7, 11, 12], 2] = bad
        said = r"^4 of 20 embeddings are not finite \(rows 3, 7, 11, …\)\. Leave them out, e\.g\. with `result\.ok`"
        with pytest.raises(RowsError, match=said):
            recall_at_1(spoilt, self.labels)
        with pytest.raises(ValueError, match=said):
            nearest_others(spoilt, k=2)
        scored = (np.arange(20.0), self.labels)
        with pytest.raises(RowsError, match="4 of 20 embeddings"):
            mixed_r_auroc(Scored(self.embeddings, *scored), Scored(spoilt, *scored))
        ok = np.isfinite(spoilt).all(axis=1)
        assert recall_at_1(spoilt[ok], self.labels[ok])[0] == 1

    def test_what_left_float16_is_named(self) -> None:
        with np.errstate(over="ignore"):
            large = (self.embeddings * np.where(self.labels == 2, 1e6, 1)[:, None]).astype(np.float16)
        with pytest.raises(RowsError, match=r"5 of 20 embeddings are not finite \(rows 10, 11, 12, …\)"):
            recall_at_1(large, self.labels)

    @pytest.mark.parametrize("scale", [1e30, 1e-30])
    def test_squares_beyond_float32_change_nothing(self, scale: float) -> None:
        """Each class of its own length, so that a spoilt row would show: finite rows have a direction."""
        rows = (self.embeddings * np.where(self.labels % 2, scale, 1)[:, None]).astype(np.float32)
        assert recall_at_1(rows, self.labels)[0] == 1
        assert nearest_others(rows)[1] == pytest.approx(nearest_others(self.embeddings)[1], abs=1e-5)
        assert l2_normalize(np.array([[3e300, 4e300], [0.0, 0.0], [3e-300, 4e-300]])) == pytest.approx(
            np.array([[0.6, 0.8], [0, 0], [0.6, 0.8]])
        )

    @pytest.mark.parametrize("none", [None, float("nan"), -1, np.nan])
    def test_pictures_without_a_label_are_named(self, none: Any) -> None:
        labels = [0, 1, none, 1, none]
        with pytest.raises(RowsError, match=r"2 of 5 pictures have no label \(rows 2, 4\)"):
            recall_at_1(np.eye(5), labels)
        if not isinstance(none, int):  # −1 may be a name's place, never a name
            with pytest.raises(RowsError, match="3 of 3 pictures have no label"):
                recall_at_1(np.eye(3), [none] * 3)
            with pytest.raises(RowsError, match=r"1 of 3 pictures have no label \(row 1\)"):
                recall_at_1(np.eye(3), ["a", none, "b"])
        assert recall_at_1(np.eye(3), ["nan", "nan", "nan"])[0] == 1  # a class may be called so

    def test_outcomes_are_true_or_false(self) -> None:
        assert r_auroc([1, 2, 3], [1.0, 1.0, 0.0]) == 1
        bad: Any
        for bad in (float("nan"), None, 2):
            with pytest.raises(RowsError, match=r"1 of 3 outcomes are neither true nor false \(row 1\)"):
                r_auroc([1, 2, 3], [True, bad, False])
        with pytest.raises(RowsError, match=r"1 of 3 values are nan, and cannot be ranked \(row 0\)"):
            r_auroc([float("nan"), 2, 3], [True, True, False])

    def test_classes_are_columns_of_the_logits(self) -> None:
        logits = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
        assert classification_auroc([0, 0, 1, 1], logits, [0.0, 1.0, 1.0, 0.0]) == 1
        for labels in ([0, 1, 1, 2], [0, 1, 1, 0.5], [0, 1, 1, -2]):
            with pytest.raises(RowsError, match=r"1 of 4 labels are no column of the 2 logits \(row 3\)"):
                classification_auroc([0, 0, 1, 1], logits, labels)
        with pytest.raises(RowsError, match="1 of 4 pictures have no label"):
            classification_auroc([0, 0, 1, 1], logits, [0, 1, 1, float("nan")])
        with pytest.raises(RowsError, match="Labels such as 'cat' are no numbers"):
            classification_auroc([0, 0, 1, 1], logits, ["cat", "dog", "cat", "dog"])
        logits[2, 0] = np.nan
        with pytest.raises(RowsError, match=r"1 of 4 rows of logits are not finite \(row 2\)"):
            classification_auroc([0, 0, 1, 1], logits, [0, 1, 1, 0])

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_errors_and_resampled_rows_are_finite(self, bad: float) -> None:
        with pytest.raises(RowsError, match=r"1 of 3 errors are not finite \(row 1\)"):
            risk_coverage([1, 2, 3], [0, bad, 1])
        with pytest.raises(RowsError, match=r"1 of 2 rows are not finite \(row 0\)"):
            bootstrap_interval(np.mean, np.array([bad, 1.0]))

    def test_resampled_arrays_are_of_one_length(self) -> None:
        with pytest.raises(ValueError, match=r"one length, and at least one row; got \[5, 4\]"):
            bootstrap_interval(r_auroc, np.arange(5.0), np.ones(4, bool))
        with pytest.raises(ValueError, match=r"at least one row; got \[0\]"):
            bootstrap_interval(np.mean, np.zeros(0))


@pytest.mark.slow
@pytest.mark.parametrize("classes", [2, 6])
def test_intervals_over_few_classes_hold_the_figure_as_often_as_they_say(classes: int) -> None:
    """With 1.96 in Student's place those over two classes held it 70 % of the time."""
    rng = np.random.default_rng(1)
    block = np.repeat(np.arange(classes), max(600, classes * 10) // classes)
    expected, holds = 0.7602499389065233, []  # Φ(1/√2): scores of the wrong are one standard deviation higher
    for _ in range(800):
        is_wrong = rng.random(len(block)) < 0.2
        interval = auroc_by_blocks(rng.standard_normal(len(block)) + is_wrong, is_wrong, block).interval
        holds.append(interval.low <= expected <= interval.high)
    assert 0.93 <= np.mean(holds) <= 0.965
