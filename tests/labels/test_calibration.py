"""Calibrated shares: by hand, by a naive search, by what must hold, on labels that were drawn by them, and when few."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_viz.labels.calibration import (
    SEEN,
    SHARPNESS_SPREAD,
    USUAL_SHARPNESS,
    Calibration,
    calibrate,
    hidden_shares,
    other_shares,
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
