"""The study of uploads leaves a fifth of a set out, and asks it of the others too."""

import numpy as np

from experiments.unlike import shares_unlike, table


def cloud(seed: int, axis: int) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(0, 0.1, (200, 16))
    rows[:, axis] += 1
    return rows


def test_of_a_set_s_own_few_are_unlike_it_and_of_another_all() -> None:
    figures = {name: shares_unlike(name, {"here": cloud(1, 0), "there": cloud(2, 5)}) for name in ("here", "there")}
    assert figures["here"]["here"] < 0.15
    assert figures["here"]["there"] == figures["there"]["here"] == 1
    first, second = table(figures).splitlines()[2:]
    assert "100% (there)" in first
    assert "100% (here)" in second
