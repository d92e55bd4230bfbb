"""The forecast of wrong labels: by hand, by a naive sum over corrections, by dice, and as answers come."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from url_viz.labels.doubtful_labels import (
    LEAST,
    PICKED,
    PICKED_POWER,
    PRIOR,
    SHIFTS,
    SLOPES,
    WORTH_ASKING,
    Forecast,
    forecast,
    wrong_share,
)

NOTHING_OFF = ((SHIFTS == 0) & np.isclose(SLOPES, 1)).astype(float)


def test_by_hand_where_nothing_is_off() -> None:
    ahead = forecast(np.array([0.9, 0.7, 0.8, 0.26, 0.1]))
    assert ahead.wrong == pytest.approx([0.9, 0.75, 0.75, 0.26, 0.1]), "what rises is pooled"
    sure = Forecast(ahead.wrong, NOTHING_OFF)
    assert sure.expected == pytest.approx(ahead.wrong, abs=0.002)
    assert sure.end == 4
    assert sure.among(np.arange(3)).value == pytest.approx(2.4, abs=0.01)
    assert sure.among(slice(0, 0)).value == 0


def test_the_interval_holds_the_count_of_dice() -> None:
    rng, wrong = np.random.default_rng(0), np.linspace(0.9, 0.1, 60)
    told = Forecast(wrong, NOTHING_OFF).among(slice(None))
    counts = (rng.random((4000, 60)) < wrong).sum(axis=1)
    assert told.value == pytest.approx(counts.mean(), abs=0.2)
    inside = ((counts >= np.floor(told.low)) & (counts <= np.ceil(told.high))).mean()
    assert 0.94 < inside < 0.995
    wide = forecast(wrong).among(slice(None))
    assert wide.low < told.low < told.high < wide.high, "before any answer P itself may be off"


def test_answers_count_as_a_naive_sum_over_all_corrections_says() -> None:
    wrong, answers = np.array([0.9, 0.6, 0.6, 0.3, 0.2, 0.0]), [True, False, True]
    weights = []
    for shift, slope, before in zip(SHIFTS, SLOPES, PRIOR, strict=True):
        likely = before
        for chance, is_wrong in zip(wrong[:3], answers, strict=True):
            corrected = expit(shift + slope * logit(chance))
            likely *= corrected if is_wrong else 1 - corrected
        weights.append(likely)
    belief = np.array(weights) / np.sum(weights)
    expected = [belief @ expit(SHIFTS + SLOPES * logit(np.clip(each, LEAST, 1 - LEAST))) for each in wrong]
    heard = forecast(wrong).heard(wrong[:3], np.array(answers))
    assert heard.belief == pytest.approx(belief, abs=1e-4)
    assert heard.expected == pytest.approx(expected, abs=1e-3)


def test_what_was_picked_out_counts_as_a_naive_sum_over_fractions_and_corrections_says() -> None:
    wrong, step = np.array([0.8, 0.6, 0.5, 0.3]), 0.25
    weights: dict[tuple[float, float], float] = {}
    for fraction in PICKED:
        for shift, slope, before in zip(SHIFTS, SLOPES, PRIOR, strict=True):
            chance = expit(shift + slope * np.round(logit(wrong), 2))
            likely = before * fraction**PICKED_POWER * (1 - fraction)
            likely *= (
                chance[0] * fraction * chance[2] * fraction * (1 - fraction * chance[1]) * (1 - fraction * chance[3])
            )
            lower = max(-4.0, shift + step * round(np.log(1 - fraction) / step))
            weights[lower, slope] = weights.get((lower, slope), 0) + likely
    belief = [weights.get((shift, slope), 0) for shift, slope in zip(SHIFTS, SLOPES, strict=True)]
    after = forecast(wrong).picked(wrong[[0, 2]], wrong[[1, 3]])
    assert after.belief == pytest.approx(np.array(belief) / np.sum(belief), abs=1e-9)
    assert forecast(wrong).picked(wrong[:0], wrong).belief == pytest.approx(PRIOR), "nothing was picked out"


def test_who_corrects_all_that_is_expected_leaves_little_and_who_corrects_one_leaves_most() -> None:
    """Of sixty labels half are expected to be wrong."""
    wrong = np.linspace(0.9, 0.1, 60)
    before = forecast(wrong)
    thirty, one = before.picked(wrong[:30], wrong[30:]), before.picked(wrong[:1], wrong[1:])
    assert thirty.among(slice(30, None)).value < 0.5 * before.among(slice(30, None)).value
    assert one.among(slice(1, None)).value > 0.8 * before.among(slice(1, None)).value


@pytest.mark.parametrize("is_wrong", [True, False])
def test_ten_answers_of_one_kind_lengthen_the_queue_or_end_it(is_wrong: bool) -> None:
    wrong = np.linspace(0.6, 0.02, 100)
    before = forecast(wrong)
    after = before.heard(wrong[:10], np.full(10, is_wrong))
    assert (after.end > before.end + 10) if is_wrong else (after.end < 20)
    assert before.heard(wrong[:0], np.zeros(0, bool)).belief == pytest.approx(PRIOR)


@pytest.mark.slow
def test_what_is_expected_comes_true_after_answers_though_p_is_twice_too_high() -> None:
    """Labels are wrong half as often as P says: after ten answers the interval of the next fifty mostly holds them."""
    inside = []
    wrong = np.linspace(0.9, 0.2, 120)
    for seed in range(40):
        is_wrong = np.random.default_rng(seed).random(120) < wrong / 2
        told = forecast(wrong).heard(wrong[:10], is_wrong[:10]).among(slice(10, 60))
        inside.append(np.floor(told.low) <= is_wrong[10:60].sum() <= np.ceil(told.high))
    assert np.mean(inside) >= 0.9


@given(st.lists(st.floats(0, 1), max_size=60), st.data())
def test_whatever_the_queue_the_numbers_fit_together(chances: list[float], data: st.DataObject) -> None:
    ahead = forecast(np.sort(np.array(chances))[::-1])
    heard = data.draw(st.lists(st.booleans(), max_size=len(chances)))
    after = ahead.heard(ahead.wrong[: len(heard)], np.array(heard, bool))
    assert (np.diff(after.expected) <= 1e-9).all()
    assert after.end == sum(after.expected >= WORTH_ASKING)
    told = after.among(slice(None))
    assert 0 <= told.low <= told.high <= len(chances)
    assert told.value == pytest.approx(after.expected.sum(), abs=0.5)
    share = wrong_share(np.array(chances), shift=ahead.shift)
    assert 0 <= share.low <= share.share <= share.high <= 1
    assert share.share == pytest.approx(np.mean(chances) if chances else 0, abs=1e-9)


def test_the_share_of_wrong_labels_may_be_none_and_holds_what_is_planted() -> None:
    """A fraction of wrong labels, told by a score that overlaps: P(wrong) is Bayes's, with the fraction as fitted."""
    rng, size, inside = np.random.default_rng(0), 600, []
    for planted in (0.0, 0.02, 0.05, 0.1, 0.2) * 8:
        is_wrong = rng.random(size) < planted
        odds = np.exp(3 * (rng.normal(size=size) + np.where(is_wrong, 1.5, -1.5)))
        fraction = 0.05
        for _ in range(200):
            chance = fraction * odds / (fraction * odds + 1 - fraction)
            fraction = chance.sum() / (size + 40)
        told = wrong_share(chance)
        inside.append(told.low <= is_wrong.mean() <= told.high)
        assert told.low == 0 or planted >= 0.05, "few odd labels prove none wrong"
        assert told.high < 0.03 or planted > 0, "and of none not many are feared"
    assert np.mean(inside) >= 0.95
    unsure = wrong_share(np.zeros(1000), unsure=0.4)
    assert (unsure.share, unsure.low, unsure.high) == (0, 0, pytest.approx(0.03, abs=0.001)), "a twentieth of it more"
    nothing = wrong_share(np.zeros(1000))
    assert (nothing.share, nothing.low, nothing.high) == (0, 0, pytest.approx(0.01, abs=0.001))


def test_answers_move_the_share_of_wrong_labels() -> None:
    wrong = np.linspace(0.9, 0.01, 300) ** 2
    shares = [
        wrong_share(wrong, shift=forecast(wrong).heard(wrong[:20], np.full(20, bool(told))).shift) for told in (0, 1)
    ]
    assert shares[0].share < wrong.mean() < shares[1].share
    assert forecast(wrong).shift == pytest.approx(0, abs=1e-12)
