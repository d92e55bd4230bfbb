"""What a review was worth: by hand, against naive loops; careless answers are not praised, true corrections are."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from url_viz.base.errors import ImageSetError
from url_viz.base.records import read_sealed, sealed_text
from url_viz.base.wording import percent
from url_viz.evidence import worth as module
from url_viz.evidence.order_metrics import Figure, Interval
from url_viz.evidence.probe import PROBE_FOLDS, PROBE_PENALTY, PROBE_SCALE, probe_folds
from url_viz.evidence.worth import (
    ACCEPTED,
    ARMS,
    DECIDED,
    GIVEN,
    LEAST_SHARE,
    LOSS,
    METRICS,
    RANDOM,
    RIGHT,
    Worth,
    points,
    reviewed_labels,
    worth,
)
from url_viz.labels.doubtful_labels import Expected


def rows_of(label: np.ndarray, seed: int = 0, *, spread: float = 0.8, width: int = 10) -> np.ndarray:
    """Rows of length one about a centre for each class."""
    rng = np.random.default_rng([8, seed])
    _, number = np.unique(label.astype(str), return_inverse=True)
    centre = rng.normal(size=(number.max() + 1, width))
    rows = centre[number] + spread * rng.normal(size=(len(label), width))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)


def classes(count: int, names: str = "abcd") -> np.ndarray:
    return np.array(list(names), object)[np.arange(count) % len(names)]


def planted(label: np.ndarray, share: float, seed: int = 0) -> np.ndarray:
    """The labels with a share of them moved to the next class: wrong."""
    rng, wrong = np.random.default_rng([7, seed]), label.copy()
    chosen = rng.choice(len(label), round(share * len(label)), replace=False)
    names = sorted(set(label))
    wrong[chosen] = [names[(names.index(name) + 1) % len(names)] for name in label[chosen]]
    return wrong


def measured(
    rows: np.ndarray,
    given: np.ndarray,
    corrected: np.ndarray,
    is_dropped: np.ndarray | None = None,
    *,
    is_confirmed: np.ndarray | None = None,
    group: np.ndarray | None = None,
    seeds: int = 2,
) -> Worth:
    nothing = np.zeros(len(given), bool)
    review = reviewed_labels(
        given,
        corrected,
        nothing if is_dropped is None else is_dropped,
        nothing if is_confirmed is None else is_confirmed,
    )
    return worth(rows, review, group=np.arange(len(given)) if group is None else group, seeds=seeds)


def value_of(found: Worth, arm: str) -> float:
    return found.figure(arm).value


def is_better(found: Worth) -> bool:
    return found.figure(DECIDED, LOSS, over=GIVEN).interval.high < 0


def naive(
    rows: np.ndarray, taught: np.ndarray, asked: np.ndarray, is_out: np.ndarray, group: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Whether each picture is called as `asked`, and its log loss, by a probe without its fold and those out."""
    fold, right, loss = probe_folds(group, seed=seed), np.zeros(len(rows)), np.zeros(len(rows))
    inputs = PROBE_SCALE * rows.astype(float)
    for left_out in range(PROBE_FOLDS):
        learns = (fold != left_out) & ~is_out
        strength = 1 / (2 * PROBE_PENALTY * learns.sum())
        fitted = LogisticRegression(C=strength, max_iter=500, tol=1e-6)
        fitted.fit(inputs[learns], taught[learns].astype(str))
        for row in np.flatnonzero(fold == left_out):
            share = dict(zip(fitted.classes_, fitted.predict_proba(inputs[row : row + 1])[0], strict=True))
            right[row] = max(share, key=share.__getitem__) == asked[row]
            loss[row] = -np.log(max(share.get(asked[row], 0), LEAST_SHARE))
    return right, loss


@pytest.mark.slow
def test_by_hand() -> None:
    """Two heaps far apart, of ten and of eleven; one of the latter was given the other's class, and corrected.

    It is not asked, having been touched: all the others are called by their heap, whatever is taught.
    """
    true = np.array(["a"] * 10 + ["b"] * 11, object)
    given = true.copy()
    given[20] = "a"
    rows = np.where(true[:, None] == "a", [1.0, 0.0], [0.0, 1.0])
    found = measured(rows, given, true)
    assert (found.pictures, found.classes, found.dropped, found.corrected, found.asked) == (21, 2, 0, 1, 20)
    assert found.arms == ARMS
    assert all(found.figure(arm) == Figure(1, Interval(1, 1)) for arm in ARMS)
    assert all(found.figure(DECIDED, over=other) == Figure(0, Interval(0, 0)) for other in (GIVEN, ACCEPTED))
    assert found.by_class[["label", "pictures", "given", "difference"]].to_numpy().tolist() == [
        ["a", 10, 1, 0],
        ["b", 10, 1, 0],
    ]
    assert "1 was relabelled. Tested on the 20 that no decision changed" in found.words
    assert not found.is_worth_more


@pytest.mark.slow
def test_figures_are_those_of_a_naive_loop_and_the_same_each_time() -> None:
    true = classes(90, "abc")
    rows, given = rows_of(true, width=5), planted(true, 0.2)
    corrected = np.where(np.arange(90) < 60, true, given)
    is_dropped, group = np.arange(90) % 11 == 5, np.arange(90) // 2
    found = measured(rows, given, corrected, is_dropped, group=group)
    is_asked = ~np.isin(group, group[is_dropped | (given != corrected)])
    assert found.asked == is_asked.sum() < 90 - (is_dropped | (given != corrected)).sum(), "nor their twins"
    nothing = np.zeros(90, bool)
    as_given = np.array([naive(rows, given, given, nothing, group, k) for k in range(2)])[:, :, is_asked]
    as_decided = np.array([naive(rows, corrected, given, is_dropped, group, k) for k in range(2)])[:, :, is_asked]
    for arm, loop in ((GIVEN, as_given), (DECIDED, as_decided)):
        assert value_of(found, arm) == pytest.approx(loop[:, 0].mean(), abs=0.5 / is_asked.sum())
        assert found.figure(arm, LOSS).value == pytest.approx(loop[:, 1].mean(), abs=0.01)
    difference = (as_decided - as_given).mean(axis=0)[1]
    sums = np.bincount(np.unique(group[is_asked], return_inverse=True)[1], difference - difference.mean())
    half = 2.0 * np.sqrt((sums**2).sum()) / len(difference)
    lead = found.figure(DECIDED, LOSS, over=GIVEN)
    assert lead.value == pytest.approx(difference.mean(), abs=0.01)
    assert lead.interval.high == pytest.approx(difference.mean() + half, abs=0.02)
    by_class = found.by_class
    for name, arm in (("given", GIVEN), ("decided", DECIDED), ("random", RANDOM)):
        mean = np.average(by_class[name], weights=by_class["pictures"])
        assert mean == pytest.approx(value_of(found, arm)), "the classes make up the whole"
    assert (by_class["difference"].to_numpy() == np.sort(by_class["difference"])[::-1]).all()
    again = measured(rows, given, corrected, is_dropped, group=group)
    assert sealed_text(again) == sealed_text(found)
    stored = read_sealed(Worth, sealed_text(found))
    pd.testing.assert_frame_equal(stored.figures, found.figures, check_exact=True)
    pd.testing.assert_frame_equal(stored.by_class, found.by_class, check_exact=True)
    assert stored.words == found.words, "and from its file"


@pytest.mark.slow
def test_wrong_labels_truly_corrected_are_worth_more_than_suggestions_accepted_unseen() -> None:
    true = classes(400)
    rows, given = rows_of(true, spread=1.4), planted(true, 0.2)
    found = measured(rows, given, true)
    assert found.verdict == "more"
    assert is_better(found)
    assert value_of(found, DECIDED) > value_of(found, GIVEN)
    assert "worth more than accepting every likely suggestion unseen" in found.words
    before, after = (percent(value_of(found, arm), digits=1) for arm in (GIVEN, DECIDED))
    lead = points(found.figure(DECIDED, over=GIVEN))
    assert found.words.startswith(f"{before} → {after} right, {lead}. So the decisions ")
    figures = found.figures.copy()
    figures.loc[(figures[["arm", "over", "metric"]] == [DECIDED, GIVEN, RIGHT]).all(axis=1), "low"] = -0.01
    unsure = replace(found, figures=figures)
    assert unsure.verdict == "more"
    assert "So by log loss, though not measurably by accuracy, the decisions are worth more than" in unsure.words
    dropped = measured(rows, given, given, given != true)
    assert is_better(dropped)
    assert "80 were dropped." in dropped.words


@pytest.mark.slow
@pytest.mark.parametrize("case", ["suggestions", "nine", "dice", "coin"])
def test_careless_and_random_answers_are_not_praised(case: str) -> None:
    """Nothing is wrong: the strongest suggestions accepted, or answers by dice."""
    true = classes(300)
    rows, rng = rows_of(true, spread=2.2, width=30), np.random.default_rng(3)
    review = reviewed_labels(true, true, np.zeros(300, bool), np.zeros(300, bool))
    evidence = module.doubt_by_nearest(rows, np.arange(300))(review["given"].to_numpy())
    assert evidence is not None
    strongest = np.argsort(-evidence.doubt)
    suggested = np.array(list("abcd"), object)[evidence.other_class]
    corrected, confirmed = true.copy(), np.zeros(300, bool)
    changed = {"suggestions": strongest[:40], "nine": strongest[:9], "dice": rng.permutation(300)[:40]}.get(case)
    if changed is None:
        changed, kept = strongest[:60:2], strongest[1:60:2]
        confirmed[kept] = True
    corrected[changed] = suggested[changed] if case != "dice" else np.roll(true, 1)[changed]
    found = measured(rows, true, corrected, is_confirmed=confirmed)
    assert not found.is_worth_more
    assert "worth more" not in found.words
    if case == "suggestions":
        assert is_better(found), "this is what was praised before"
        assert "40 of 40 answers follow the suggestion" in found.words
        assert "cannot tell whether the decisions are right" in found.words
    assert found.goes_with_doubt is (False if case == "coin" else None)


@pytest.mark.parametrize(
    ("verdict", "answered", "followed", "changed", "high", "goes", "accepted"),
    [
        ("more", 40, 30, 20, 18.0, True, -0.1),
        ("more", 0, 0, 20, 18.0, None, -0.1),
        ("as accepted", 40, 30, 20, 18.0, True, 0.1),
        ("followed", 40, 38, 20, 18.0, True, -0.1),
        ("unlikely", 40, 30, 20, 9.0, True, -0.1),
        ("random", 40, 30, 20, 18.0, False, -0.1),
    ],
)
def test_each_verdict_has_its_sentence(
    verdict: str, answered: int, followed: int, changed: int, high: float, goes: bool | None, accepted: float
) -> None:
    rows = [(arm, "", metric, 0.5, 0.4, 0.6, 80) for arm in ARMS for metric in METRICS]
    for other, loss in ((GIVEN, -0.2), (ACCEPTED, accepted)):
        rows.append((DECIDED, other, METRICS[0], 0.1, 0, 0.2, 80))
        rows.append((DECIDED, other, LOSS, loss, loss - 0.05, loss + 0.05, 80))
    found = Worth(
        figures=pd.DataFrame(rows, columns=["arm", "over", "metric", "value", "low", "high", "pictures"]),
        by_class=pd.DataFrame({"difference": [], "is_changed": []}),
        pictures=100,
        classes=4,
        dropped=0,
        corrected=changed,
        asked=80,
        seeds=3,
        drawn=100,
        classes_drawn=4,
        answered=answered,
        followed=followed,
        changed=changed,
        wrong=Expected(high / 2, 0, high),
        goes_with_doubt=goes,
    )
    assert found.verdict == verdict
    assert found.is_worth_more == (verdict == "more")
    assert ("cannot tell" in found.words) == (verdict in ("followed", "unlikely", "random"))
    assert "95 % intervals are over pictures" in found.words


def test_without_decisions_there_is_nothing_to_compare() -> None:
    given = planted(classes(80), 0.2)
    found = measured(rows_of(classes(80)), given, given.copy())
    assert found.figure(DECIDED, over=GIVEN) == Figure(0, Interval(0, 0))
    assert not found.is_comparable
    assert found.words.startswith("Nothing was dropped and no label corrected, so there is nothing to compare.")
    assert found.arms == ("as given",)


@pytest.mark.slow
def test_what_lowers_it_is_said_and_where_nothing_is_left_alone_nothing() -> None:
    given = classes(120, "ab")
    rows = rows_of(given, spread=0.6)
    swapped = np.where(np.arange(120) % 5 < 2, np.where(given == "a", "b", "a"), given)
    harmed = measured(rows, given, swapped)
    assert harmed.verdict == "less"
    assert "So the decisions did harm." in harmed.words
    nothing_left = measured(rows, given, given, np.arange(120) < 115)
    assert "Only 5 pictures are left that no decision changed" in nothing_left.words
    none_left = measured(rows, given, given, np.arange(120) < 120)
    stored = read_sealed(Worth, sealed_text(none_left))
    assert math.isnan(stored.figure(GIVEN).value), "what is not a number stays so in a file"
    assert stored.words == none_left.words


@pytest.mark.slow
def test_a_dropped_copy_says_nothing_of_its_label_and_the_last_of_a_group_does() -> None:
    given = classes(120, "ab")
    rows, is_dropped = rows_of(given, spread=0.6), np.isin(np.arange(120), (0, 1, 2, 3, 9))
    group = np.where(np.arange(120) < 4, np.arange(120) // 2, np.arange(120))  # 0 and 1, 2 and 3: whole groups
    group[9] = 8  # a copy of 8, which stays
    assert measured(rows, given, given, is_dropped, group=group).changed == 4


@pytest.mark.slow
def test_twins_do_not_teach_each_other() -> None:
    """Labels by dice cannot be learnt, except from a copy of the picture."""
    rng = np.random.default_rng(0)
    rows, label = (
        np.repeat(rows_of(classes(100), width=80), 2, axis=0),
        np.repeat(classes(100)[rng.permutation(100)], 2),
    )
    is_dropped = np.arange(200) < 4
    apart = measured(rows, label, label, is_dropped, group=np.arange(200))
    together = measured(rows, label, label, is_dropped, group=np.arange(200) // 2)
    assert value_of(apart, GIVEN) > 0.8
    assert value_of(together, GIVEN) < 0.4


@pytest.mark.slow
def test_new_classes_and_pictures_without_a_label() -> None:
    """Of b one in two is c from now on. One picture has no label at all, another one only since."""
    given = np.array(["a", "b", "b"] * 20 + [None, None], object)
    corrected = np.array(["a", "b", "c"] * 20 + [np.nan, "c"], object)
    heap = np.array(["a", "b", "c"] * 20 + ["a", "c"], object)
    found = measured(rows_of(heap, spread=0.1), given, corrected)
    assert (found.pictures, found.classes, found.corrected, found.asked) == (61, 3, 21, 40)
    assert found.by_class.set_index("label")["pictures"].to_dict() == {"a": 20, "b": 20}
    assert value_of(found, DECIDED) == 1


@pytest.mark.slow
def test_a_class_that_lies_in_one_fold_counts_as_wrong() -> None:
    given = np.array(["a"] * 20 + ["b"] * 20 + ["alone"], object)
    found = measured(rows_of(given, spread=0.1), given, given, np.arange(41) == 0)
    share = found.by_class.set_index("label")
    assert share.loc["alone", ["pictures", "given", "decided"]].tolist() == [1, 0, 0]
    assert value_of(found, GIVEN) == pytest.approx(39 / 40)


def test_what_cannot_be_measured_is_told_with_the_next_step() -> None:
    one, none = np.array(["a"] * 9, object), np.full(9, None, object)
    with pytest.raises(ImageSetError, match=r"there is 1\. Put the pictures into class folders"):
        measured(np.eye(9), one, classes(9))
    with pytest.raises(ImageSetError, match=r"there are 0\. Put the pictures into class folders"):
        measured(np.eye(9), none, none)
    with pytest.raises(ImageSetError, match=r"1 was asked for\. Give 2 or more"):
        measured(np.eye(9), classes(9), classes(9), seeds=1)


@pytest.mark.slow
def test_of_a_large_set_each_seed_looks_at_a_sample_that_keeps_the_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    given = np.concatenate([classes(600), np.array(["e"] * 3, object)])
    corrected = np.where(np.arange(603) % 50 == 7, "a", given)
    monkeypatch.setattr(module, "MOST_CELLS", 500)
    found = measured(rows_of(given), given, corrected)
    assert (found.pictures, found.drawn, found.classes, found.classes_drawn) == (603, 100, 5, 5)
    assert "The set is large: each seed looked at 100 of its pictures." in found.words
    assert found.by_class.set_index("label")["pictures"]["e"] >= 1
    monkeypatch.setattr(module, "MOST_CLASSES", 2)
    few = measured(rows_of(given), given, corrected)
    assert few.classes_drawn == 2
    assert "of its pictures of 2 classes." in few.words
