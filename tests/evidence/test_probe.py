"""The linear probe is the logistic regression that it says, wherever it starts from, and never asked of what it saw."""

import numpy as np
import pytest
from scipy.optimize import minimize

from url_viz.evidence.probe import (
    PROBE_FOLDS,
    PROBE_PENALTY,
    PROBE_SCALE,
    Probe,
    fit_probe,
    out_of_fold_shares,
    probe_folds,
    probe_inputs,
)


def small(seed: int = 0, *, classes: int = 5, pictures: int = 200, width: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Rows of length one about class centres, so near each other that many go wrong, and their codes."""
    rng = np.random.default_rng([9, seed])  # of another stream than the folds
    label = rng.permutation(np.arange(pictures) % classes).astype(np.int32)
    rows = rng.normal(size=(classes, width))[label] + 1.3 * rng.normal(size=(pictures, width))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16), label


@pytest.mark.parametrize("classes", [2, 3])
def test_it_minimises_the_loss_that_it_says(classes: int) -> None:
    whitened, label = small(classes=classes, pictures=40, width=4)
    group = np.maximum(np.arange(40), 2)
    shares = out_of_fold_shares(whitened, label, group, seed=3)
    assert shares.sum(axis=1) == pytest.approx(1)
    rows, taught = PROBE_SCALE * whitened.astype(float), probe_folds(group, seed=3) != 0

    def scores(flat: np.ndarray, of: np.ndarray) -> np.ndarray:
        weight = flat.reshape(classes, -1)
        value: np.ndarray = rows[of] @ weight[:, :-1].T + weight[:, -1]
        return value

    def loss(flat: np.ndarray) -> float:
        value = scores(flat, taught)
        own = value[np.arange(taught.sum()), label[taught]]
        penalty = PROBE_PENALTY * (flat.reshape(classes, -1)[:, :-1] ** 2).sum()
        return float((np.log(np.exp(value).sum(axis=1)) - own).mean() + penalty)

    best = minimize(loss, np.zeros(classes * (rows.shape[1] + 1))).x
    expected = np.exp(scores(best, ~taught))
    assert shares[~taught] == pytest.approx(expected / expected.sum(axis=1, keepdims=True), abs=3e-3)


def test_folds_deal_whole_groups_evenly() -> None:
    group = np.random.default_rng(0).integers(100, 140, 300)
    fold = probe_folds(group, seed=1)
    dealt = [set(fold[group == one].tolist()) for one in np.unique(group)]
    assert all(len(one) == 1 for one in dealt)
    assert np.bincount([one.pop() for one in dealt]).tolist() == [8] * PROBE_FOLDS
    assert (fold != probe_folds(group, seed=2)).any()


def test_where_it_starts_does_not_count() -> None:
    """From labels of which classes are others: one is new, one is gone."""
    whitened, label = small()
    inputs = probe_inputs(whitened)
    start = fit_probe(inputs, np.where(label == 4, 7, label))
    warm, cold = fit_probe(inputs, label, start=start), fit_probe(inputs, label)
    assert start.classes.tolist() == [0, 1, 2, 3, 7]
    assert warm.classes.tolist() == cold.classes.tolist() == [0, 1, 2, 3, 4]
    assert warm.shares(inputs) == pytest.approx(cold.shares(inputs), abs=3e-3)
    assert (warm.called(inputs) == cold.classes[cold.shares(inputs).argmax(axis=1)]).mean() > 0.99


def test_a_single_class_is_called_always_and_of_nothing_nothing_is() -> None:
    shares = out_of_fold_shares(np.eye(4, dtype=np.float32), np.array([0, 0, 0, 1], np.int32), np.arange(4), seed=0)
    assert shares[3].tolist() == [1, 0]
    inputs = probe_inputs(np.eye(3, dtype=np.float16))
    assert fit_probe(inputs, np.array([6, 6, 6])).called(inputs).tolist() == [6, 6, 6]
    nothing = fit_probe(inputs[:0], np.zeros(0, np.int32))
    assert isinstance(nothing, Probe)
    assert nothing.called(inputs).tolist() == [-1, -1, -1]
    assert nothing.shares(inputs).shape == (3, 0)
    alone = out_of_fold_shares(np.eye(2, dtype=np.float32), np.array([0, 1], np.int32), np.zeros(2, int), seed=0)
    assert not alone.any(), "one group: nothing is left to learn from"
