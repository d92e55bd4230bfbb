"""Calibrated shares: by hand, by a naive search, on shares whose sharpness and wrong labels are known, and when few."""

import numpy as np
import pytest

from url_viz.analysis.calibration import (
    LABELS_RIGHT,
    SHARPNESS_SPREAD,
    USUAL_SHARPNESS,
    Calibration,
    WrongLabels,
    calibrate,
    sharpened,
)


def test_by_hand() -> None:
    """Two classes, mean shares .8 and .2, sharpness 2, one label in ten wrong, three of four labels of the first."""
    calibration = Calibration(2.0, WrongLabels(0.1, 0.05, 0.2), np.array([0.75, 0.25]))
    mean = np.array([[0.8, 0.2]])
    likeness = np.array([0.64, 0.04]) / 0.68
    assert calibration.likeness(mean)[0] == pytest.approx(likeness)
    assert calibration.shares(mean)[0] == pytest.approx(0.9 * likeness + 0.1 * np.array([0.75, 0.25]))
    wrong = calibration.label_is_wrong(likeness, np.array([0, 1]))
    assert wrong == pytest.approx([0.075 / (0.075 + 0.9 * likeness[0]), 0.025 / (0.025 + 0.9 * likeness[1])])


def drawn(
    count: int, *, classes: int = 6, sharpness: float = 1.5, wrong: float = 0.0, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean shares (N, C), labels that are drawn by them once sharpened, and which labels were replaced by dice."""
    rng = np.random.default_rng(seed)
    mean = rng.dirichlet(np.full(classes, 0.5), count)
    true = sharpened(mean, sharpness)
    label = (rng.random((count, 1)) > true.cumsum(axis=1)).sum(axis=1).clip(max=classes - 1).astype(np.int32)
    is_wrong = rng.random(count) < wrong
    label[is_wrong] = rng.integers(0, classes, is_wrong.sum())
    return mean, label, is_wrong


def fitted(mean: np.ndarray, label: np.ndarray) -> Calibration:
    prior = np.full(mean.shape[1], 1 / mean.shape[1])
    return calibrate(mean, label, np.arange(len(label)), prior=prior)


@pytest.mark.parametrize(("sharpness", "wrong"), [(1.0, 0.0), (1.5, 0.0), (1.5, 0.1), (2.2, 0.2)])
def test_finds_what_the_labels_were_drawn_by(sharpness: float, wrong: float) -> None:
    mean, label, is_wrong = drawn(4000, sharpness=sharpness, wrong=wrong)
    found = fitted(mean, label)
    assert found.sharpness == pytest.approx(sharpness, rel=0.08)
    assert found.wrong.share == pytest.approx(wrong, abs=0.03)
    assert found.wrong.low <= found.wrong.share <= found.wrong.high
    assert found.wrong.low <= wrong <= found.wrong.high + 0.005
    shares = found.shares(mean)
    assert shares.sum(axis=1) == pytest.approx(1)
    is_first = shares.argmax(axis=1) == label
    assert shares.max(axis=1).mean() == pytest.approx(is_first.mean(), abs=0.015), "a share is a share of cases"
    probability = found.label_is_wrong(found.likeness(mean)[np.arange(len(label)), label], label)
    assert probability.mean() == pytest.approx(is_wrong.mean(), abs=0.03)


def test_is_the_best_of_a_naive_search() -> None:
    mean, label, _ = drawn(300, wrong=0.1, seed=3)
    found = fitted(mean, label)

    def penalised(sharpness: float, wrong: float) -> float:
        total = 0.0
        for row, code in zip(mean, label, strict=True):
            power = row**sharpness
            total += np.log((1 - wrong) * power[code] / power.sum() + wrong / 6)
        prior = (np.log(sharpness / USUAL_SHARPNESS) / SHARPNESS_SPREAD) ** 2 / 2
        return float(total - prior + LABELS_RIGHT * np.log1p(-wrong))

    around = [penalised(found.sharpness * a, found.wrong.share + b) for a in (0.97, 1, 1.03) for b in (-0.01, 0, 0.01)]
    assert max(around) <= penalised(found.sharpness, found.wrong.share) + 0.02


def test_intervals_hold_the_fraction_of_wrong_labels() -> None:
    inside = []
    for seed in range(40):
        mean, label, is_wrong = drawn(400, wrong=0.1, seed=seed)
        found = fitted(mean, label)
        inside.append(found.wrong.low <= is_wrong.mean() <= found.wrong.high)
    assert np.mean(inside) >= 0.85


def test_few_labels_leave_the_usual_sharpness_and_no_interval() -> None:
    mean, label, _ = drawn(8, sharpness=1.4)
    found = fitted(mean, label)
    assert found.sharpness == pytest.approx(USUAL_SHARPNESS, rel=0.15)
    assert found.wrong.share < 0.02
    assert np.isnan([found.wrong.low, found.wrong.high]).all()
    nobody = fitted(mean[:0], label[:0])
    assert (nobody.sharpness, nobody.wrong.share) == (pytest.approx(USUAL_SHARPNESS, rel=0.02), 0)


def test_twins_count_as_one_picture() -> None:
    mean, label, _ = drawn(400, wrong=0.1)
    prior, rows = np.full(6, 1 / 6), np.append(np.arange(400), np.zeros(300, int))
    once = calibrate(mean, label, np.arange(400), prior=prior)
    burst = calibrate(mean[rows], label[rows], rows, prior=prior)
    assert (burst.sharpness, burst.wrong.share) == pytest.approx((once.sharpness, once.wrong.share), abs=1e-6)


def test_to_sharpen_keeps_the_order_and_one_keeps_the_shares() -> None:
    mean = drawn(50)[0]
    assert sharpened(mean, 1.0) == pytest.approx(mean, abs=1e-6)
    assert np.array_equal(sharpened(mean, 2.0).argsort(axis=1), mean.argsort(axis=1))
