"""What another head changes, by hand-worked numbers, a naive loop and a property."""

import numpy as np
import pandas as pd
import pytest

from url_viz.analysis.compare import Change, change


def table(ids: list[int], uncertainty: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"id": ids, "uncertainty": uncertainty})


def changed(before: pd.DataFrame, after: pd.DataFrame) -> Change:
    return change(before, after, measure="uncertainty")


def test_by_hand() -> None:
    """Ranks 0, 50, 100 before; the first and the last change places; the fourth is new and left out."""
    found = changed(table([1, 2, 3], [0.1, 0.2, 0.3]), table([3, 2, 1, 4], [5.0, 6.0, 7.0, 8.0]))
    assert found.table["id"].tolist() == [3, 2, 1]
    assert found.table["before"].tolist() == [100, 50, 0]
    assert found.table["after"].tolist() == [0, 50, 100]
    assert found.table["change"].tolist() == [-100, 0, 100]
    assert found.rank_correlation == pytest.approx(-1)


def test_against_a_loop() -> None:
    rng = np.random.default_rng(0)
    ids = list(range(40))
    a, b = rng.normal(size=40).tolist(), rng.normal(size=40).tolist()
    found = changed(table(ids, a), table(ids, b)).table
    for row in found.itertuples():
        before = 100 * sum(value < a[int(row.id)] for value in a) / 39
        after = 100 * sum(value < b[int(row.id)] for value in b) / 39
        assert float(row.change) == pytest.approx(after - before, abs=1e-3)


def test_the_same_order_changes_nothing() -> None:
    values = np.random.default_rng(1).gamma(2, 1, 30)
    found = changed(table(list(range(30)), values.tolist()), table(list(range(30)), np.exp(values).tolist()))
    assert np.abs(found.table["change"]).max() < 1e-4
    assert found.rank_correlation == pytest.approx(1)


def test_values_that_are_missing_are_left_out() -> None:
    found = changed(table([1, 2], [np.nan, 0.2]), table([1, 2], [0.1, 0.2]))
    assert found.table["id"].tolist() == [2]


def test_the_measure_is_the_one_asked_for() -> None:
    before = table([1, 2], [0.1, 0.2]).assign(entropy=[2.0, 1.0])
    after = table([1, 2], [0.1, 0.2]).assign(entropy=[1.0, 2.0])
    assert change(before, after, measure="entropy").table["change"].tolist() == [-100, 100]
    assert change(before, after, measure="uncertainty").table["change"].tolist() == [0, 0]
