"""The queue of doubtful labels and the forecast that ends it: what is left out, what answers change, what is said."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from tests.columns.set_table import set_table
from url_viz.labels.calibration import LabelAgreement
from url_viz.labels.doubtful_labels import (
    ALWAYS_ASKED,
    LEAST,
    PICKED,
    PICKED_POWER,
    PRIOR,
    SHIFTS,
    SLOPES,
    WORTH_ASKING,
    DoubtfulLabels,
    Expected,
    Forecast,
    WrongLabels,
    doubtful_labels,
    forecast,
    thin_evidence,
    votes_in_words,
    wrong_in_words,
    wrong_share,
)
from url_viz.labels.label_issues import COLUMNS, CONFLICTING, UNSEEN, LabelCheck
from url_viz.store.columns.source_columns import PICTURE

COUNT = 200


def made(
    wrong: dict[int, float],
    *,
    kinds: dict[int, str] | None = None,
    answers: dict[int, bool] | None = None,
    count: int = COUNT,
    unsure: float = 0.0,
    agreement: float = 0.9,
    **columns: object,
) -> tuple[DoubtfulLabels, pd.DataFrame]:
    """Labels in the order of their rows, wrong with these probabilities, else .001; answers say which were wrong."""
    said = [
        None if row not in (answers or {}) else ("corrected" if answers[row] else "confirmed") for row in range(count)
    ]
    table = set_table(count, {"label": "ant", "label_checked": said}, columns)
    pictures = table[["id", "path", "label", "twin_group"]].assign(
        suggested="bee",
        wrong=[wrong.get(row, 0.001) for row in range(count)],
        share=0.5,
        score=np.linspace(1, 0, count),
        kind=[(kinds or {}).get(row, "") for row in range(count)],
        support=1,
        neighbours=2,
        taken_for="ant",
        unsure=unsure,
        answer=[np.nan if row not in (answers or {}) else float(answers[row]) for row in range(count)],
    )
    return doubtful_labels(LabelCheck(pictures, ("ant", "bee"), 0, LabelAgreement(agreement, 0.5, count)), table), table


def share_of(doubtful: DoubtfulLabels) -> WrongLabels:
    assert doubtful.share is not None
    return doubtful.share


def rows_of(doubtful: DoubtfulLabels) -> list[int]:
    return [image_id - 100 for image_id in doubtful.rows["id"]]


def test_the_queue_ends_where_fewer_than_one_in_four_is_wrong() -> None:
    doubtful, _ = made({row: 0.9 if row < 15 else 0.4 for row in range(25)} | dict.fromkeys(range(25, 60), 0.15))
    assert rows_of(doubtful) == list(range(25))
    assert tuple(doubtful.rows.columns) == (*COLUMNS, "reason")
    assert set(doubtful.rows["reason"]) == {"1 of 2 neighbours are bee"}
    assert len(doubtful) == 25
    assert doubtful.wrong is not None
    assert doubtful.wrong.low < 0.9 * 15 + 0.4 * 10 < doubtful.wrong.high
    assert doubtful.words == f"25 labels are doubtful; {wrong_in_words(doubtful.wrong)}"
    assert share_of(doubtful).share == pytest.approx((13.5 + 4 + 35 * 0.15 + 140 * 0.001) / COUNT)
    assert share_of(doubtful).low < share_of(doubtful).share < share_of(doubtful).high


@pytest.mark.parametrize(
    ("count", "words"), [(57, "about 23 of them are wrong (3 to 57)"), (17, "about 7 of them are wrong (0 to 17)")]
)
def test_all_that_are_listed_may_be_wrong_where_the_fit_takes_many_for_right(count: int, words: str) -> None:
    """As where a third of the labels of clear classes are wrong: P is about .4 of each, and all of them are wrong."""
    doubtful, _ = made(dict.fromkeys(range(count), 0.4), count=400)
    assert doubtful.wrong is not None
    assert doubtful.wrong.high == len(doubtful) == count
    assert doubtful.words == f"{count} labels are doubtful; {words}"


def test_more_may_be_wrong_unseen_where_it_is_unsure_what_pictures_show() -> None:
    (clear, _), (unsure, _) = made({}), made({}, unsure=0.6)
    most = [math.ceil(share_of(doubtful).high * COUNT) for doubtful in (clear, unsure)]
    assert most[1] == most[0] + 6, "a twentieth of three in five"
    assert not unsure.are_chances_known
    assert made(dict.fromkeys(range(60), 0.95))[0].are_chances_known
    assert unsure.words == f"Look at the 10 most doubtful labels (1 min); up to {most[1]} of 200 may be wrong"


def test_of_those_that_may_be_wrong_none_is_answered_or_dropped() -> None:
    confirmed, _ = made({}, answers=dict.fromkeys(range(10), False))
    dropped, table = made({}, decision=["drop"] * 5 + [None] * (COUNT - 5))
    before, _ = made({})
    assert "of 190 may be wrong" in confirmed.words
    assert "of 195 may be wrong" in dropped.words
    assert share_of(dropped).high < share_of(before).high, "the label of a dropped picture is none that may be wrong"
    assert LabelCheck(dropped.pictures, ("ant",), 0, dropped.agreement).undropped(table) == COUNT - 5


def test_what_is_corrected_by_another_queue_is_taken_off_what_is_expected_and_what_is_confirmed_is_not() -> None:
    """Labels of the queue are wrong as often as P says, and somebody corrects them all."""
    wrong = {row: 0.95 if row % 3 else 0.1 for row in range(60)} | dict.fromkeys(range(60, 90), 0.3)
    is_wrong = np.random.default_rng(0).random(90) < list(wrong.values())
    corrected = dict.fromkeys(np.flatnonzero(is_wrong).tolist(), True)
    before, after = made(wrong)[0], made(wrong, answers=corrected)[0]
    assert after.is_picked.sum() + after.is_heard.sum() == len(corrected)
    left = np.flatnonzero(after.is_open & (np.arange(COUNT) < 90))
    assert after.forecast.among(left).value < 0.7 * before.forecast.among(left).value
    assert share_of(after).share < share_of(before).share
    confirmed = made(wrong, answers=dict.fromkeys(range(1, 90, 2), False))[0]
    assert confirmed.forecast.belief == pytest.approx(before.forecast.belief)


def test_votes_are_those_of_neighbours_or_of_copies_in_conflict() -> None:
    rows = made({}, kinds={0: CONFLICTING})[0].pictures.head(2)
    assert votes_in_words(rows) == ["1 of 2 copies", "1 of 2 neighbours"]


def test_a_lone_high_probability_after_low_ones_makes_no_queue() -> None:
    doubtful, _ = made(dict.fromkeys(range(20), 0.1) | {20: 0.9})
    assert not doubtful.is_doubtful.any()


@pytest.mark.parametrize(("count", "wrong", "stands_out"), [(2000, 9, False), (2000, 10, True), (60, 1, True)])
def test_fewer_than_ten_do_not_stand_out_but_ten_are_looked_at(count: int, wrong: int, stands_out: bool) -> None:
    """Of a small set one in a hundred is enough: there three wrong labels are many."""
    doubtful, _ = made(dict.fromkeys(range(wrong), 0.9), count=count)
    assert doubtful.is_doubtful.sum() == (wrong if stands_out else 0)
    assert doubtful.rows["id"].tolist() == doubtful.first()["id"].tolist() == list(range(100, 100 + ALWAYS_ASKED))
    assert doubtful.words.startswith("Look at the 10 most doubtful labels (1 min); up to ")


def test_of_the_ten_those_are_left_that_nobody_has_checked_and_then_none() -> None:
    left, _ = made({}, answers=dict.fromkeys(range(7), False))
    assert rows_of(left) == [7, 8, 9]
    assert left.words.startswith("Look at the 3 most doubtful labels (1 min); up to ")
    last, _ = made({}, answers=dict.fromkeys(range(9), False))
    assert last.words.startswith("Look at the most doubtful label (1 min); up to ")
    done, _ = made({}, answers=dict.fromkeys(range(10), False))
    assert len(done) == 0
    assert done.words.startswith("No label stands out; up to ")


def test_where_the_classes_are_not_known_nothing_is_forecast_and_ten_are_looked_at() -> None:
    unknown, _ = made({0: 0.5} | dict.fromkeys(range(1, 40), 0.9), kinds={0: CONFLICTING}, agreement=0.6)
    assert unknown.share is unknown.wrong is None
    assert not unknown.are_chances_known
    assert not unknown.stands_out
    assert rows_of(unknown) == list(range(ALWAYS_ASKED))
    assert np.flatnonzero(unknown.is_doubtful).tolist() == [0], "copies in conflict are facts"
    assert unknown.words == (
        "The model agrees with 60 % of the labels, chance with 50 %: they are wrong as a whole (a shifted column?), or "
        "it does not know these classes"
    )


def test_it_is_said_that_the_most_doubtful_are_no_errors_found() -> None:
    known, not_found = made({})[0], "These 10 are the most doubtful labels, not errors that were found"
    assert known.wrong is not None
    assert known.caution == f"{not_found}: {wrong_in_words(known.wrong, count=10)}."
    last = made({}, answers=dict.fromkeys(range(9), False))[0]
    assert last.caution == "It is the most doubtful label, and may be right."
    both = made({}, kinds={0: CONFLICTING}, agreement=0.6)[0]
    assert both.caution == "How many are wrong is not known: the other 9 may be right."
    assert made(dict.fromkeys(range(40), 0.9))[0].caution == "", "these stand out"
    unknown, _ = made({}, agreement=0.6)
    assert unknown.caution == "How many are wrong is not known: all 10 may be right."
    assert unknown.caution in unknown.printout().words


def test_what_there_is_little_to_judge_labels_by_is_told_of_a_quarter_on() -> None:
    sizes = {"ant": 10, "bee": 10, "cat": 10, "dog": 9}
    label = [name for name, size in sizes.items() for _ in range(size)]
    table = set_table(39, {"label": label}, {})
    assert thin_evidence(table) == "1 of 4 classes has fewer than 10 pictures"
    assert thin_evidence(table[table["label"] != "dog"]) == ""
    side = np.where(np.arange(39) < 10, 15.0, 16.0)  # 10 of 39 is more than a quarter, 9 of 38 less
    objects = table.assign(picture="a.jpg", box_x=0.0, box_y=0.0, box_width=side, box_height=90.0, box_margin=0.1)
    assert thin_evidence(objects) == ("10 of 39 objects are under 16 px, and 1 of 4 classes has fewer than 10 objects")
    assert thin_evidence(objects[1:]) == "2 of 4 classes have fewer than 10 objects"


def test_labels_that_look_like_the_other_of_two_overlapping_classes_may_be_wrong() -> None:
    """Shuffled among two classes they look as those of classes that are alike."""
    table = set_table(COUNT, {"label": ["ant"] * 100 + ["bee"] * 100, "label_checked": [None] * COUNT}, {})
    shares = []
    for taken in (19, 20):
        taken_for = ["bee"] * taken + ["ant"] * (100 - taken) + ["bee"] * 100
        pictures = made({})[0].pictures.assign(label=table["label"], taken_for=taken_for)
        check = LabelCheck(pictures, ("ant", "bee"), 0, LabelAgreement(0.9, 0.5, COUNT))
        shares.append(share_of(doubtful_labels(check, table)).high)
    assert shares[1] == pytest.approx(shares[0] + 20 / COUNT), "a fifth of a class"


def test_which_of_two_boxes_on_one_object_is_right_is_asked_by_itself() -> None:
    places = np.arange(COUNT)
    box = {PICTURE: ["a.jpg"] * COUNT, "box_y": 0.0, "box_width": 40.0, "box_height": 40.0, "box_margin": 0.1}
    box["box_x"] = np.where(places < 2, 0, 50.0 * places)
    doubtful, _ = made(dict.fromkeys(range(20), 0.9), **box)  # type: ignore[arg-type]
    assert rows_of(doubtful) == list(range(2, 20))


def test_copies_in_conflict_are_doubtful_whatever_else_is() -> None:
    doubtful, _ = made({0: 0.5, 1: 0.5}, kinds={0: CONFLICTING, 1: CONFLICTING})
    assert np.flatnonzero(doubtful.is_doubtful).tolist() == [0, 1]
    assert rows_of(doubtful)[:2] == [0, 1]


def test_of_twins_one_is_asked_about_and_decided_ones_are_not() -> None:
    group = np.arange(COUNT)
    group[5:8] = 4
    decision = [None] * COUNT
    decision[2] = "drop"
    doubtful, _ = made(dict.fromkeys(range(20), 0.9), twin_group=group, decision=decision)
    assert rows_of(doubtful) == [row for row in range(20) if row not in (2, 5, 6, 7)]


def test_pictures_that_show_nothing_are_left_out() -> None:
    doubtful, _ = made(dict.fromkeys(range(20), 0.9), kinds={3: UNSEEN})
    assert 3 not in rows_of(doubtful)
    assert len(doubtful) == 19
    assert share_of(doubtful).share == pytest.approx((19 * 0.9 + 180 * 0.001) / 199)


def test_answers_are_heard_whether_labels_were_right_or_wrong() -> None:
    falling = dict(enumerate(np.linspace(0.7, 0.1, 100)))
    before, _ = made(falling)
    right, _ = made(falling, answers=dict.fromkeys(range(20), False))
    wrong, _ = made(falling, answers=dict.fromkeys(range(20), True))
    assert len(right) == 0, "the queue ends"
    assert len(wrong) > len(before) - 20, "the queue goes on"
    assert min(rows_of(wrong)) == 20
    as_told, _ = made(falling, answers={row: row % 3 < 2 for row in range(20)})
    assert share_of(as_told).share < share_of(before).share - 0.03, "what was corrected is wrong no more"
    assert share_of(right).share < share_of(as_told).share < share_of(wrong).share


def test_who_picks_out_wrong_ones_by_eye_says_little_of_the_others() -> None:
    falling = dict(enumerate(np.linspace(0.7, 0.1, 100)))
    picked, _ = made(falling, answers=dict.fromkeys(range(1, 60, 3), True))
    assert not picked.is_heard.any()
    left = np.flatnonzero(picked.is_open)[:30]
    assert picked.forecast.among(left).value == pytest.approx(made(falling)[0].forecast.among(left).value, rel=0.3)
    mostly, _ = made(falling, answers={row: True for row in range(30) if row % 6 != 3})
    assert mostly.is_heard.sum() == 25


def test_a_few_answers_do_not_make_all_labels_doubtful() -> None:
    """Ten suggestions taken without looking say little of hundreds of labels far below."""
    level = {row: 0.16 / (1 + row / 20) for row in range(650)}
    before, _ = made(level, count=650)
    assert not before.is_doubtful.any()
    after, _ = made(level, count=650, answers=dict.fromkeys(range(ALWAYS_ASKED), True))
    assert after.forecast.end > 300, "what the forecast would ask about"
    assert len(after) == 2 * ALWAYS_ASKED
    assert after.wrong is not None
    assert after.wrong.high <= 2 * ALWAYS_ASKED


def test_in_words() -> None:
    assert wrong_in_words(Expected(30.4, 12.2, 43.1)) == "about 30 of them are wrong (12 to 44)"
    assert wrong_in_words(Expected(3.0, 0.4, 6.2)) == "at most 7 of them are wrong"
    assert wrong_in_words(Expected(0.3, 0.0, 0.6), whole="") == "at most 1 is wrong"


NOTHING_OFF = ((SHIFTS == 0) & np.isclose(SLOPES, 1)).astype(float)


def test_a_forecast_by_hand_where_nothing_is_off() -> None:
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
    assert forecast(wrong).heard(wrong[:0], np.zeros(0, bool)).belief == pytest.approx(PRIOR), "nothing was heard"


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
