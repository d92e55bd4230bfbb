"""What another head changes, by hand-worked numbers and a property."""

import numpy as np
import pandas as pd
import pytest

from url_viz.analysis.compare import Change, change


def table(ids: list[int], uncertainty: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"id": ids, "uncertainty": uncertainty})


def changed(before: pd.DataFrame, after: pd.DataFrame) -> Change:
    return change(before, after, measure="uncertainty")


def test_by_hand() -> None:
    """Ranks 0, 50, 100 before; the first and the last change places; 4 is new and 9 had no value: left out."""
    before = table([1, 2, 3, 9], [0.1, 0.2, 0.3, np.nan])
    found = changed(before, table([3, 2, 1, 4, 9], [5.0, 6.0, 7.0, 8.0, 5.5]))
    assert found.table["id"].tolist() == [3, 2, 1]
    assert found.table["before"].tolist() == [100, 50, 0]
    assert found.table["after"].tolist() == [0, 50, 100]
    assert found.table["change"].tolist() == [-100, 0, 100]
    assert found.rank_correlation == pytest.approx(-1)


def test_the_same_order_changes_nothing() -> None:
    values = np.random.default_rng(1).gamma(2, 1, 30)
    found = changed(table(list(range(30)), values.tolist()), table(list(range(30)), np.exp(values).tolist()))
    assert np.abs(found.table["change"]).max() < 1e-4
    assert found.rank_correlation == pytest.approx(1)


def test_the_measure_is_the_one_asked_for() -> None:
    before = table([1, 2], [0.1, 0.2]).assign(entropy=[2.0, 1.0])
    after = table([1, 2], [0.1, 0.2]).assign(entropy=[1.0, 2.0])
    assert change(before, after, measure="entropy").table["change"].tolist() == [-100, 100]
    assert change(before, after, measure="uncertainty").table["change"].tolist() == [0, 0]
