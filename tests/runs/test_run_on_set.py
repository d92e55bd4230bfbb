"""Dynamics of training by hand-worked numbers, by a naive loop, and by what must hold of any logits."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_viz.columns.ranking import NONE
from url_viz.runs.run_on_set import Epoch, dynamics, margins, mean_shares

LN2, LN3 = np.log(2), np.log(3)


def drawn(seed: int, *, pictures: int = 7, classes: int = 3, epochs: int = 6) -> list[Epoch]:
    """Epochs of some of the pictures in any order, some without a class, some not finite."""
    draw = np.random.default_rng(seed)
    found: list[Epoch] = []
    for _ in range(epochs):
        rows = draw.permutation(pictures)[: draw.integers(1, pictures + 1)]
        logits = draw.normal(size=(len(rows), classes)).astype(np.float16)
        logits[draw.random(len(rows)) < 0.1, 0] = np.nan
        classes_of = np.where(draw.random(len(rows)) < 0.1, NONE, rows % classes).astype(np.int32)
        found.append((rows, logits, classes_of))
    return found


def naive(epochs: list[Epoch], count: int) -> pd.DataFrame:
    of: list[list[tuple[float, float]]] = [[] for _ in range(count)]
    for rows, logits, classes in epochs:
        for row, values, own in zip(rows.tolist(), logits.astype(float).tolist(), classes.tolist(), strict=True):
            if own == NONE or not np.isfinite(values).all():
                continue
            others = [value for column, value in enumerate(values) if column != own]
            share = np.exp(values[own]) / sum(np.exp(value) for value in values)
            of[row].append((values[own] - max(others), share))
    rows_of = []
    for one in of:
        if not one:
            rows_of.append((np.nan,) * 6)
            continue
        gaps, shares = zip(*one, strict=True)
        right = [gap > 0 for gap in gaps]
        forgotten = sum(before and not after for before, after in pairwise(right))
        learnt = right.index(True) if any(right) else np.inf
        rows_of.append((gaps[-1], np.mean(gaps), np.mean(shares), np.std(shares), forgotten, learnt))
    names = ["last_margin", "mean_margin", "confidence", "variability", "forgotten", "learnt"]
    return pd.DataFrame(rows_of, columns=names).assign(epochs=[len(one) for one in of])


def test_by_hand() -> None:
    rows, own = np.array([1, 0]), np.array([0, 1], np.int32)
    epochs = [
        (rows, np.array([[LN3, 0.0], [0.0, LN3]]), own),  # both right, probability 3/4
        (rows, np.array([[0.0, LN2], [0.0, LN3]]), own),  # picture 1 wrong, probability 1/3
        (rows[:1], np.array([[LN3, 0.0]]), own[:1]),
    ]
    found = dynamics(epochs, 3)
    expected = {
        "last_margin": [LN3, LN3, np.nan],
        "mean_margin": [LN3, (2 * LN3 - LN2) / 3, np.nan],
        "confidence": [0.75, (0.75 + 1 / 3 + 0.75) / 3, np.nan],
        "variability": [0, np.std([0.75, 1 / 3, 0.75]), np.nan],
        "forgotten": [0, 1, np.nan],
        "learnt": [0, 0, np.nan],
        "epochs": [2, 3, 0],
    }
    pd.testing.assert_frame_equal(found, pd.DataFrame(expected))
    never = dynamics([(np.array([0]), np.array([[0.0, 1.0]]), np.array([0], np.int32))], 1)
    assert (never.learnt[0], never.forgotten[0]) == (np.inf, 0)


@pytest.mark.parametrize("seed", range(4))
def test_as_a_plain_loop(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("url_viz.runs.run_on_set.ROWS_AT_ONCE", 3)
    epochs = drawn(seed)
    pd.testing.assert_frame_equal(dynamics(epochs, 8), naive(epochs, 8), rtol=1e-7, atol=1e-9)


@given(seed=st.integers(0, 10_000), shift=st.floats(-5, 5))
def test_whatever_the_order_in_an_epoch_and_a_shift_of_all_logits(seed: int, shift: float) -> None:
    epochs, draw = drawn(seed), np.random.default_rng(seed)
    changed = []
    for rows, logits, classes in epochs:
        order = draw.permutation(len(rows))
        changed.append((rows[order], logits[order].astype(np.float64) + shift, classes[order]))
    exact = [(rows, logits.astype(np.float64), classes) for rows, logits, classes in epochs]
    pd.testing.assert_frame_equal(dynamics(changed, 7), dynamics(exact, 7), rtol=1e-7, atol=1e-9)


@given(seed=st.integers(0, 10_000))
def test_margins_are_above_zero_where_the_class_is_the_likeliest(seed: int) -> None:
    draw = np.random.default_rng(seed)
    logits, own = draw.normal(size=(20, 4)), draw.integers(0, 4, 20).astype(np.int32)
    assert ((margins(logits, own) > 0) == (logits.argmax(axis=1) == own)).all()


def test_shares_of_those_that_were_held_out_are_the_mean() -> None:
    none = np.array([NONE, NONE], np.int32)
    epochs = [
        (np.array([0, 2]), np.array([[LN3, 0.0], [0.0, 0.0]]), none),
        (np.array([0, 3]), np.array([[0.0, LN3], [np.nan, 0.0]]), none),
    ]
    shares = mean_shares(epochs, 4, 2)
    assert shares[[0, 2]] == pytest.approx(np.array([[0.5, 0.5], [0.5, 0.5]]))
    assert np.isnan(shares[[1, 3]]).all()
