"""Studies of the unfamiliar compare pictures of two sets, and ask a left out part of one of the others too."""

import numpy as np
import pytest

from experiments import unlike
from experiments.unfamiliar import HEAD, OrderedSet, figures_of, table


def one(values: list[float], label: list[int]) -> OrderedSet:
    return OrderedSet({HEAD: np.array(values)}, np.array(label))


def test_by_hand_and_in_words() -> None:
    known, other = one([0.1, 0.4, 0.2], [0, 0, 1]), one([0.3, 0.5], [0, 1])
    figures = figures_of(known, other)
    assert figures[HEAD]["value"] == pytest.approx(5 / 6)  # .3 is above two of three, .5 above all
    told = table({"config": {"known": "known"}, "sets": {"other": figures}})
    assert "| other " in told
    assert ".83 [" in told


def test_level_sets_are_at_a_half() -> None:
    rng = np.random.default_rng(0)
    label = np.repeat(np.arange(20), 50)
    known, other = (OrderedSet({HEAD: rng.normal(size=1000)}, label) for _ in range(2))
    figure = figures_of(known, other)[HEAD]
    assert figure["value"] == pytest.approx(0.5, abs=0.05)
    interval = figure["interval"]
    assert isinstance(interval, dict)
    assert interval["low"] < 0.5 < interval["high"]


def cloud(seed: int, axis: int) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(0, 0.1, (200, 16))
    rows[:, axis] += 1
    return rows


def test_of_a_set_s_own_few_are_unlike_it_and_of_another_all() -> None:
    figures = {
        name: unlike.shares_unlike(name, {"here": cloud(1, 0), "there": cloud(2, 5)}) for name in ("here", "there")
    }
    assert figures["here"]["here"] < 0.15
    assert figures["here"]["there"] == figures["there"]["here"] == 1
    first, second = unlike.table(figures).splitlines()[2:]
    assert "100% (there)" in first
    assert "100% (here)" in second
