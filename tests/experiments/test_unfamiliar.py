"""The study of the unfamiliar compares pictures of two sets, whatever the order within each."""

import numpy as np
import pytest

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
