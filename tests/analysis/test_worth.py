"""What a review was worth: by hand, against naive loops, and that it says so plainly where it was worth nothing."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from url_viz.analysis import worth as module
from url_viz.analysis.order_metrics import Figure, Interval
from url_viz.analysis.probe import PROBE_FOLDS, PROBE_PENALTY, PROBE_SCALE, probe_folds
from url_viz.analysis.worth import Worth, makes_no_difference, over_seeds, reviewed_labels, worth
from url_viz.errors import ImageSetError


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
    group: np.ndarray | None = None,
    seeds: int = 3,
) -> Worth:
    dropped = np.zeros(len(given), bool) if is_dropped is None else is_dropped
    twins = np.arange(len(given)) if group is None else group
    return worth(rows, reviewed_labels(given, corrected, dropped), group=twins, seeds=seeds)


def naive_calls(rows: np.ndarray, taught: np.ndarray, is_out: np.ndarray, group: np.ndarray, seed: int) -> np.ndarray:
    """What each picture is called by a probe taught under `taught`, without its fold and those that are out."""
    fold, called = probe_folds(group, seed=seed), np.full(len(rows), "", object)
    inputs = PROBE_SCALE * rows.astype(float)
    for left_out in range(PROBE_FOLDS):
        learns = (fold != left_out) & ~is_out
        strength = 1 / (2 * PROBE_PENALTY * learns.sum())
        fitted = LogisticRegression(C=strength, max_iter=500, tol=1e-6)
        fitted.fit(inputs[learns], taught[learns].astype(str))
        called[fold == left_out] = fitted.predict(inputs[fold == left_out])
    return called


def test_by_hand() -> None:
    """Two heaps far apart, one of ten and one of eleven; of the latter one was given the other's class.

    Whatever is taught, every picture is called by its heap: right under the labels as corrected, and under those as
    given all but that one.
    """
    true = np.array(["a"] * 10 + ["b"] * 11, object)
    given = true.copy()
    given[20] = "a"
    rows = np.where(true[:, None] == "a", [1.0, 0.0], [0.0, 1.0])
    found = measured(rows, given, true)
    assert (found.pictures, found.classes, found.dropped, found.corrected) == (21, 2, 0, 1)
    for _, arm in found.arms:
        assert arm.accuracy == Figure(1, Interval(1, 1))
        assert arm.under_given.value == pytest.approx(20 / 21)
    assert found.over_given == found.over_random == Figure(0, Interval(0, 0))
    assert found.by_class.to_numpy().tolist() == [["a", 10, 1, 1, 1, 0, 0, 0], ["b", 11, 1, 1, 1, 0, 0, 0]]
    assert "1 was relabelled" in found.words
    assert "made no measurable difference" in found.words
    assert "which is no measurable difference: +0.0 [+0.0, +0.0] points" in found.words
    assert "no measurable difference in 2." in found.words


def test_the_interval_by_hand() -> None:
    # Mean .2, deviation .1; Student's t of two degrees of freedom at .975 is 4.3027, and 4.3027 · .1 / √3 is .2484.
    found = over_seeds(np.array([0.1, 0.2, 0.3]))
    assert found.value == pytest.approx(0.2)
    assert (found.interval.low, found.interval.high) == pytest.approx((-0.0484, 0.4484), abs=1e-4)
    assert makes_no_difference(found)
    assert not makes_no_difference(over_seeds(np.array([0.19, 0.2, 0.21])))
    assert not makes_no_difference(over_seeds(np.array([-0.19, -0.2, -0.21])))
    assert makes_no_difference(over_seeds(np.array([0.1]))), "one seed tells nothing"
    assert np.isnan(over_seeds(np.zeros(0)).value)


@pytest.mark.slow
def test_accuracies_are_those_of_a_naive_loop_and_the_same_each_time() -> None:
    true = classes(90, "abc")
    rows, given = rows_of(true, width=5), planted(true, 0.2)
    corrected = np.where(np.arange(90) < 60, true, given)
    is_dropped, group = np.arange(90) % 11 == 5, np.arange(90) // 2
    found = measured(rows, given, corrected, is_dropped, group=group, seeds=2)
    nothing, hair = np.zeros(90, bool), 0.5 / 90 + 1e-9
    as_given = np.stack([naive_calls(rows, given, nothing, group, k) for k in range(2)])
    as_decided = np.stack([naive_calls(rows, corrected, is_dropped, group, k) for k in range(2)])
    assert found.given.accuracy.value == pytest.approx((as_given == corrected).mean(), abs=hair)
    assert found.decided.accuracy.value == pytest.approx((as_decided == corrected).mean(), abs=hair)
    assert found.decided.under_given.value == pytest.approx((as_decided == given).mean(), abs=hair)
    assert found.over_given.value == pytest.approx(found.decided.accuracy.value - found.given.accuracy.value)
    assert found.over_random.value == pytest.approx(found.decided.accuracy.value - found.random.accuracy.value)
    by_class = found.by_class
    for name in ("given", "decided", "random"):
        mean = np.average(by_class[name], weights=by_class["pictures"])
        assert mean == pytest.approx(getattr(found, name).accuracy.value), "the classes make up the whole"
    assert by_class["pictures"].sum() == 90
    assert (by_class["difference"].to_numpy() == np.sort(by_class["difference"])[::-1]).all()
    for figure in (found.given.accuracy, found.random.accuracy):
        assert figure.interval.low < figure.value < figure.interval.high, "each seed deals other folds and drops"
    again = measured(rows, given, corrected, is_dropped, group=group, seeds=2)
    assert vars(again) | {"by_class": None} == vars(found) | {"by_class": None}
    assert again.by_class.equals(by_class)


@pytest.mark.slow
def test_wrong_labels_mended_or_dropped_are_worth_more_than_random_drops() -> None:
    true = classes(240)
    rows, given = rows_of(true), planted(true, 0.25)
    mended, dropped = measured(rows, given, true), measured(rows, given, given, given != true)
    for found in (mended, dropped):
        assert found.over_given.value > 0
        assert found.over_random.interval.low > 0
        assert "so the decisions were worth more than that: +" in found.words
    assert (mended.corrected, mended.dropped, dropped.corrected, dropped.dropped) == (60, 0, 0, 60)
    assert "That raised the share" in mended.words
    assert "60 were dropped." in dropped.words


def test_without_decisions_there_is_nothing_to_compare() -> None:
    given = planted(classes(80), 0.2)
    found = measured(rows_of(classes(80)), given, given.copy())
    assert found.given == found.decided == found.random
    assert found.over_given == found.over_random == Figure(0, Interval(0, 0))
    assert not found.is_comparable
    assert found.words.startswith("Nothing was dropped and no label corrected, so there is nothing to compare.")
    assert [name for name, _ in found.arms] == ["as given"]


def test_drops_by_dice_make_no_difference_to_random_drops() -> None:
    given = classes(200)
    is_dropped = np.random.default_rng(5).random(200) < 0.1
    found = measured(rows_of(given), given, given, is_dropped)
    assert makes_no_difference(found.over_random)
    assert "which is no measurable difference" in found.words


def test_dropped_pictures_are_asked_all_the_same() -> None:
    """All of one class dropped: none of it can be called right any more, and that counts."""
    given = classes(100, "ab")
    found = measured(rows_of(given, spread=0.2), given, given, given == "b")
    share = found.by_class.set_index("label")
    assert found.pictures == 100
    assert share.loc["b", ["pictures", "given", "decided"]].tolist() == [50, 1, 0]
    assert share.loc["a", "decided"] == 1
    assert found.decided.accuracy == Figure(0.5, Interval(0.5, 0.5))
    assert "That lowered the share" in found.words
    assert "the decisions were worth less than that" in found.words
    everything = measured(rows_of(given), given, given, np.ones(100, bool))
    assert everything.decided.accuracy.value == everything.random.accuracy.value == 0, "as many drops by dice are all"


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
    together = measured(rows, label, label, is_dropped, group=np.arange(200) // 2, seeds=2)
    assert apart.given.accuracy.value > 0.8
    assert together.given.accuracy.value < 0.4


def test_new_classes_and_pictures_without_a_label() -> None:
    """`b` is split: half of it is c from now on. One picture has no label at all, another one only since."""
    given = np.array(["a", "b", "b"] * 20 + [None, None], object)
    corrected = np.array(["a", "b", "c"] * 20 + [np.nan, "c"], object)
    heap = np.array(["a", "b", "c"] * 20 + ["a", "c"], object)
    found = measured(rows_of(heap, spread=0.1), given, corrected)
    assert (found.pictures, found.classes, found.corrected) == (61, 3, 21)
    share = found.by_class.set_index("label")
    assert share["pictures"].to_dict() == {"a": 20, "b": 20, "c": 21}
    assert share.loc["c", ["given", "decided"]].tolist() == [0, 1]
    assert found.given.under_given.value == 1
    assert found.decided.under_given.value == pytest.approx(40 / 60)


def test_a_class_that_lies_in_one_fold_counts_as_wrong() -> None:
    given = np.array(["a"] * 20 + ["b"] * 20 + ["alone"], object)
    found = measured(rows_of(given, spread=0.1), given, given, np.arange(41) == 0)
    share = found.by_class.set_index("label")
    assert share.loc["alone", ["pictures", "given", "decided"]].tolist() == [1, 0, 0]
    assert found.given.accuracy.value == pytest.approx(40 / 41)


def test_what_cannot_be_measured_is_told_with_the_next_step() -> None:
    one, none = np.array(["a"] * 9, object), np.full(9, None, object)
    with pytest.raises(ImageSetError, match=r"there is 1\. Put the pictures into class folders"):
        measured(np.eye(9), one, classes(9))
    with pytest.raises(ImageSetError, match=r"there are 0\. Put the pictures into class folders"):
        measured(np.eye(9), none, none)
    with pytest.raises(ImageSetError, match=r"1 was asked for\. Give 2 or more"):
        measured(np.eye(9), classes(9), classes(9), seeds=1)


def test_of_a_large_set_each_seed_looks_at_a_sample_that_keeps_the_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    given = np.concatenate([classes(600), np.array(["e"] * 3, object)])
    corrected = np.where(np.arange(603) % 50 == 7, "a", given)
    monkeypatch.setattr(module, "MOST_CELLS", 500)
    found = measured(rows_of(given), given, corrected)
    assert (found.pictures, found.drawn, found.classes, found.classes_drawn) == (603, 100, 5, 5)
    assert "The set is large: each seed looked at 100 of its pictures." in found.words
    assert found.by_class.set_index("label").loc["e", "pictures"] == 3
    assert found.by_class.notna().all(axis=None)
    monkeypatch.setattr(module, "MOST_CLASSES", 2)
    few = measured(rows_of(given), given, corrected)
    assert few.classes_drawn == 2
    assert "of its pictures of 2 classes." in few.words
