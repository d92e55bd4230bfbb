"""Calibrated shares, how reliable shares are and whether classes are known: by hand, by naive loops, and by dice."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_viz.labels.calibration import (
    BINS,
    SEEN,
    SHARPNESS_SPREAD,
    USUAL_SHARPNESS,
    Calibration,
    LabelAgreement,
    agreement_in,
    calibrate,
    calibration_error,
    hidden_shares,
    other_shares,
    reliability,
    rest_shares,
    sharpened,
)


def test_by_hand() -> None:
    """Three classes, mean shares .5, .4 and .1, sharpness 2; 5 % of labels by chance, 10 % look-alikes, 20 % hidden."""
    calibration = Calibration(2.0, 0.05, 0.1, np.array([0.5, 0.3, 0.2]), 0.2)
    mean = np.array([[0.5, 0.4, 0.1]] * 3)
    shown = np.array([0.25, 0.16, 0.01]) / 0.42
    hidden = np.array([shown[0], (1 - shown[0]) * 0.6, (1 - shown[0]) * 0.4])
    likeness = 0.8 * shown + 0.2 * hidden
    rest = np.array([0, 0.8, 0.2])
    assert calibration.likeness(mean)[0] == pytest.approx(likeness)
    assert rest_shares(mean)[0] == pytest.approx(rest)
    assert hidden_shares(np.array([shown]), calibration.prior)[0] == pytest.approx(hidden)
    wrong = 0.05 * np.array([0.5, 0.3, 0.2]) + 0.1 * rest
    assert calibration.shares(mean)[0] == pytest.approx(0.85 * likeness + wrong)
    # A label that was given by chance is right where the picture shows it.
    probability = (1 - likeness) * wrong / (wrong + 0.85 * likeness)
    assert calibration.label_is_wrong(mean, np.arange(3, dtype=np.int32)) == pytest.approx(probability)


def test_a_covered_crop_by_hand() -> None:
    """Three in ten crops that an object of their first class covers show that one: their own class is any other."""
    calibration = Calibration(1.0, 0.1, 0.0, np.array([0.5, 0.3, 0.2]), 0.0, 0.3)
    mean = np.array([[0.9, 0.1, 0.0]] * 2)
    assert other_shares(mean, calibration.prior)[0] == pytest.approx([0, 0.6, 0.4])
    is_covered = np.array([True, False])
    likeness = calibration.likeness(mean, is_covered)
    assert likeness[0] == pytest.approx([0.63, 0.07 + 0.18, 0.12])
    assert likeness[1] == pytest.approx(mean[1], abs=1e-6)
    covered, free = calibration.label_is_wrong(mean, np.array([2, 2], np.int32), is_covered)
    assert covered == pytest.approx(0.88 * 0.02 / (0.02 + 0.9 * 0.12))
    assert free == pytest.approx(1, abs=1e-3)


@pytest.mark.slow
def test_labels_of_covered_crops_are_not_called_wrong_where_only_those_are_odd() -> None:
    """A third of the covered crops show another object: without knowing it, their labels look wrong."""
    mean, label, _ = drawn(1500, sharpness=1.4)
    rng = np.random.default_rng(1)
    is_covered = (mean.max(axis=1) > 0.8) & (rng.random(1500) < 0.5)
    is_odd = is_covered & (rng.random(1500) < 1 / 3)
    label[is_odd] = _by_dice(other_shares(mean[is_odd], np.full(6, 1 / 6)), rng)
    known = mean, label, np.arange(1500)
    prior = np.full(6, 1 / 6)
    blind, seeing = calibrate(*known, prior=prior), calibrate(*known, prior=prior, is_covered=is_covered)
    assert seeing.covered == pytest.approx(1 / 3, abs=0.06)
    assert (blind.label_is_wrong(mean, label)[is_odd] > 0.5).mean() > 0.5
    assert (seeing.label_is_wrong(mean, label, is_covered)[is_odd] > 0.5).mean() < 0.05
    is_wrong = ~is_covered & (rng.random(1500) < 0.1)
    label[is_wrong] = (label[is_wrong] + rng.integers(1, 6, is_wrong.sum())) % 6
    seeing = calibrate(mean, label, np.arange(1500), prior=prior, is_covered=is_covered)
    assert seeing.label_is_wrong(mean, label, is_covered)[is_wrong].mean() > 0.4


def drawn(
    count: int,
    *,
    classes: int = 6,
    sharpness: float = 1.5,
    by_chance: float = 0.0,
    look_alike: float = 0.0,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean shares (N, C), labels drawn by them once sharpened, of which some were replaced, and which are wrong."""
    rng = np.random.default_rng(seed)
    mean = rng.dirichlet(np.full(classes, 0.3), count)
    true = _by_dice(sharpened(mean, sharpness), rng)
    label, dice = true.copy(), rng.random(count)
    chance, alike = dice < by_chance, dice > 1 - look_alike
    label[chance] = rng.integers(0, classes, chance.sum())
    label[alike] = _by_dice(rest_shares(mean[alike]), rng)
    return mean, label, label != true


def _by_dice(shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    drawn: np.ndarray = (rng.random((len(shares), 1)) > shares.cumsum(axis=1)).sum(axis=1)
    return drawn.clip(max=shares.shape[1] - 1).astype(np.int32)


def fitted(mean: np.ndarray, label: np.ndarray) -> Calibration:
    prior = np.full(mean.shape[1], 1 / mean.shape[1])
    return calibrate(mean, label, np.arange(len(label)), prior=prior)


@pytest.mark.parametrize(
    ("sharpness", "by_chance", "look_alike"),
    [(1.0, 0.0, 0.0), (1.5, 0.0, 0.0), (1.5, 0.1, 0.0), (2.2, 0.2, 0.0), (1.5, 0.0, 0.1), (1.5, 0.05, 0.15)],
)
def test_finds_what_the_labels_were_drawn_by(sharpness: float, by_chance: float, look_alike: float) -> None:
    mean, label, is_wrong = drawn(4000, sharpness=sharpness, by_chance=by_chance, look_alike=look_alike)
    found = fitted(mean, label)
    assert found.sharpness == pytest.approx(sharpness, rel=0.1)
    assert found.by_chance == pytest.approx(by_chance, abs=0.03)
    assert found.look_alike == pytest.approx(look_alike, abs=0.03)
    shares = found.shares(mean)
    assert shares.sum(axis=1) == pytest.approx(1)
    is_first = shares.argmax(axis=1) == label
    assert shares.max(axis=1).mean() == pytest.approx(is_first.mean(), abs=0.015), "a share is a share of cases"
    wrong = found.label_is_wrong(mean, label)
    assert wrong.mean() == pytest.approx(is_wrong.mean(), abs=0.02), "and P(wrong) of wrong labels"
    surest = wrong >= np.quantile(wrong, 0.95)
    assert -0.15 < wrong[surest].mean() - is_wrong[surest].mean() < 0.2, "what is surest is not surer than right"


@pytest.mark.slow
def test_the_ten_most_doubtful_of_a_small_set_are_no_surer_to_be_right_than_they_are() -> None:
    """In six draws of 300 labels look-alikes are not taken for none; where there is none few are feared."""
    told, true = np.zeros((2, 2))
    for place, look_alike in enumerate((0.0, 0.04)):
        for seed in range(6):
            mean, label, is_wrong = drawn(300, classes=20, sharpness=2.5, look_alike=look_alike, seed=seed)
            wrong = fitted(mean, label).label_is_wrong(mean, label)
            first = np.argsort(-wrong)[:10]
            told[place], true[place] = told[place] + wrong[first].sum() / 6, true[place] + is_wrong[first].sum() / 6
    assert told[0] < 1
    assert 0.25 < told[1] / true[1] < 1.4


def test_is_the_best_of_a_naive_search() -> None:
    mean, label, _ = drawn(300, by_chance=0.05, look_alike=0.1, seed=3)
    found = fitted(mean, label)

    def penalised(sharpness: float, by_chance: float, look_alike: float, hidden: float) -> float:
        total = 0.0
        right = 1 - by_chance - look_alike
        for row, code in zip(mean, label, strict=True):
            power = row**sharpness / (row**sharpness).sum()
            is_first = code == row.argmax()
            left = power[code] if is_first else (1 - power.max()) / 5
            rest = 0.0 if is_first else row[code] / (row.sum() - row.max())
            shown = (1 - hidden) * power[code] + hidden * left
            total += np.log(right * shown + by_chance / 6 + look_alike * rest)
        prior = (np.log(sharpness / USUAL_SHARPNESS) / SHARPNESS_SPREAD) ** 2 / 2
        kinds = right * (1 - hidden), right * hidden, by_chance, look_alike
        return float(total - prior + SEEN @ np.log(np.maximum(kinds, 1e-9)))

    best = penalised(found.sharpness, found.by_chance, found.look_alike, found.hidden)
    steps = itertools.product((0.93, 1, 1.07), (-0.01, 0, 0.01), (-0.01, 0, 0.01), (0.8, 1, 1.2))
    around = [
        penalised(found.sharpness * a, max(0.0, found.by_chance + b), max(0.0, found.look_alike + c), found.hidden * d)
        for a, b, c, d in steps
    ]
    assert max(around) <= best + 0.05


@given(st.integers(0, 1000), st.floats(0.6, 3), st.floats(0, 0.4), st.floats(0, 0.4), st.floats(0, 1))
def test_shares_sum_to_one_and_a_label_is_the_less_doubtful_the_more_speaks_for_it(
    seed: int, sharpness: float, by_chance: float, look_alike: float, hidden: float
) -> None:
    rng = np.random.default_rng(seed)
    mean = rng.dirichlet(np.full(5, 0.5), 40)
    calibration = Calibration(sharpness, by_chance, look_alike, rng.dirichlet(np.full(5, 3)), hidden)
    assert calibration.shares(mean).sum(axis=1) == pytest.approx(1)
    wrong = np.stack([calibration.label_is_wrong(mean, np.full(40, code, np.int32)) for code in range(5)], axis=1)
    assert ((wrong >= 0) & (wrong <= 1)).all()
    best, every = mean.argmax(axis=1), np.arange(40)
    odds = wrong[every, best] / (1 - wrong[every, best])
    assert (odds <= by_chance / (1 - by_chance - look_alike) * 5 + 1e-9).all(), "no look-alike is the likeliest class"
    if by_chance == look_alike == 0:
        assert not wrong.any()


def crowded(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean shares (N, 12) that see a frequent class and next to nothing else, right labels (N,), the classes' prior.

    As of objects in a crowd: the boxes of a third of the rare ones are mostly person.
    """
    rng = np.random.default_rng(seed)
    prior = np.append(0.45, np.full(11, 0.05))
    label = rng.choice(12, 1500, p=prior).astype(np.int32)
    mean = np.full((1500, 12), 1e-7)
    mean[np.arange(1500), label] = 1
    is_hidden = rng.random(1500) < np.where(label == 0, 1, 1 / 3)
    mean[is_hidden] = 1e-7
    mean[is_hidden, 0], mean[is_hidden, 1 + rng.integers(0, 11, is_hidden.sum())] = 0.75, 0.25
    return mean, label, prior


def test_rare_classes_that_a_crowd_hides_are_not_surely_wrong() -> None:
    """Every label is right. Where the witnesses see person and nothing of a backpack, it need not be wrong."""
    mean, label, prior = crowded()
    found = calibrate(mean, label, np.arange(len(label)), prior=prior)
    wrong = found.label_is_wrong(mean, label)
    assert (label != mean.argmax(axis=1)).mean() > 0.1
    assert found.hidden > 0.5
    assert wrong.max() < 0.5
    label[:75] = (label[:75] + 1) % 12  # and of what is clear, wrong labels still are
    wrong = calibrate(mean, label, np.arange(len(label)), prior=prior).label_is_wrong(mean, label)
    assert (wrong[:75][mean[:75].max(axis=1) > 0.9] > 0.9).all()


@given(st.integers(0, 1000), st.floats(0.01, 0.99))
def test_of_two_classes_none_can_be_hidden(seed: int, prior: float) -> None:
    shown = np.random.default_rng(seed).dirichlet(np.ones(2), 20)
    assert hidden_shares(shown, np.array([prior, 1 - prior])) == pytest.approx(shown, abs=1e-6)


def test_few_labels_leave_the_usual_sharpness_and_none_wrong() -> None:
    mean, label, _ = drawn(8, sharpness=1.4)
    found = fitted(mean, label)
    assert found.sharpness == pytest.approx(USUAL_SHARPNESS, rel=0.15)
    assert found.by_chance + found.look_alike < 0.05
    nobody = fitted(mean[:0], label[:0])
    assert nobody.sharpness == pytest.approx(USUAL_SHARPNESS, rel=0.05)
    assert nobody.by_chance + nobody.look_alike == pytest.approx(SEEN[2:].sum() / SEEN.sum())


def test_twins_count_as_one_picture() -> None:
    mean, label, _ = drawn(400, by_chance=0.1)
    prior, rows = np.full(6, 1 / 6), np.append(np.arange(400), np.zeros(300, int))
    once = calibrate(mean, label, np.arange(400), prior=prior)
    burst = calibrate(mean[rows], label[rows], rows, prior=prior)
    assert (burst.sharpness, burst.by_chance, burst.look_alike) == pytest.approx(
        (once.sharpness, once.by_chance, once.look_alike), abs=1e-6
    )


def test_to_sharpen_keeps_the_order_and_one_keeps_the_shares() -> None:
    mean = drawn(50)[0]
    assert sharpened(mean, 1.0) == pytest.approx(mean, abs=1e-6)
    assert np.array_equal(sharpened(mean, 2.0).argsort(axis=1), mean.argsort(axis=1))


def test_the_calibration_error_by_hand() -> None:
    """Fifteen pictures are a bin each: |1 − .8| for ten of them, |0 − .8| for five."""
    is_right = np.arange(15) < 10
    assert calibration_error(np.full(15, 0.8), is_right) == pytest.approx((10 * 0.2 + 5 * 0.8) / 15)
    assert np.isnan(calibration_error(np.zeros(0), np.zeros(0, bool)))


def test_the_calibration_error_is_what_a_naive_loop_over_bins_gives() -> None:
    rng = np.random.default_rng(0)
    share, is_right = rng.random(302), rng.random(302) < 0.5
    pairs = sorted(zip(share.tolist(), is_right.tolist(), strict=True))
    total, start = 0.0, 0
    for number in range(BINS):
        size = 302 // BINS + (number < 302 % BINS)
        part = pairs[start : start + size]
        total += abs(sum(told for told, _ in part) - sum(right for _, right in part))
        start += size
    assert calibration_error(share, is_right) == pytest.approx(total / 302)


def table_of(count: int, *, bias: float = 0.0) -> pd.DataFrame:
    """Pictures of five classes whose first class is right as often as its share says, less a bias."""
    rng = np.random.default_rng(1)
    share = rng.uniform(0.4, 0.95, count)
    label = np.array(list("abcde"), object)[rng.integers(0, 5, count)]
    first = np.where(rng.random(count) < share + bias, label, "z")
    return pd.DataFrame({"label": label, "first_class": first, "first_share": share, "twin_group": pd.NA})


def test_shares_that_are_right_as_often_as_they_say_have_no_error() -> None:
    found = reliability(table_of(4000))
    assert found is not None
    assert found.error.value < 0.04
    assert abs(found.bias) < 0.02
    assert found.share == pytest.approx(found.right, abs=0.08)


def test_shares_that_are_too_low_are_said_to_be() -> None:
    found = reliability(table_of(4000, bias=0.1))
    assert found is not None
    assert found.bias == pytest.approx(-0.1, abs=0.02)
    assert found.error.value == pytest.approx(0.1, abs=0.02)
    assert "too low" in found.words


def test_of_few_pictures_no_reliability_is_told() -> None:
    assert reliability(table_of(99)) is None


def agreement_of(
    label: list[str | None], first_class: list[str | None], twin_group: list[int] | None = None
) -> LabelAgreement:
    group = pd.array([None] * len(label) if twin_group is None else twin_group, dtype="Int64")
    return agreement_in(pd.DataFrame({"label": label, "first_class": first_class, "twin_group": group}))


def test_agreement_and_chance_by_hand_twins_once_and_what_is_not_judged_left_out() -> None:
    found = agreement_of(["a", "a", "a", "b", "b", None], ["a", "a", "b", "b", None, "a"], [1, 1, 2, 3, 4, 5])
    assert (found.count, found.share) == (3, pytest.approx(2 / 3))
    assert found.by_chance == pytest.approx(2 / 3 * 1 / 3 + 1 / 3 * 2 / 3)
    assert agreement_of([], []).count == 0
    assert not agreement_of([], []).is_known
    assert not agreement_of([None], ["a"]).is_known


@pytest.mark.parametrize(
    ("share", "by_chance", "count", "is_known"),
    [
        (0.5, 0.0, 300, True),
        (0.49, 0.0, 300, False),
        (0.75, 0.5, 300, True),
        (0.74, 0.5, 300, False),
        (0.95, 0.94, 300, False),  # one class is nearly all
        (0.75, 0.5, 12, False),  # luck
        (1.0, 0.5, 6, True),
    ],
)
def test_classes_are_known_from_half_of_the_way_from_chance_to_always(
    share: float, by_chance: float, count: int, *, is_known: bool
) -> None:
    assert LabelAgreement(share, by_chance, count).is_known == is_known


@pytest.mark.slow
def test_labels_by_dice_are_hardly_ever_known() -> None:
    dice = np.random.default_rng(0)
    for count, classes in ((12, 2), (40, 2), (300, 10)):
        lucky = [agreement_of(*dice.integers(0, classes, (2, count)).astype(str).tolist()).is_known for _ in range(200)]
        assert np.mean(lucky) <= 0.02
    assert LabelAgreement(0.12, 0.1, 300).words == (
        "The model agrees with 12 % of the labels: they are wrong as a whole (a shifted column?), or it does not know "
        "these classes"
    )
    assert "(shifted class numbers?)" in LabelAgreement(0.12, 0.1, 300, is_of_objects=True).words
