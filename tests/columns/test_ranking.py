"""The two ends of an order: twins collapsed to the most telling one, and percentiles in which ties share."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.twin_groups import twin_column
from url_viz.columns.ranking import ends, percentile, rank_within, value_at, with_percentile


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": [10, 11, 12, 13, 14, 15],
            "uncertainty": np.array([0.5, 0.9, 0.1, np.nan, 0.9, 0.3], np.float32),
            "twin_group": twin_column([0, 1, 0, 3, 4, 1]),
            "copy_group": twin_column([0, 1, 0, 3, 4, 5]),
        }
    )


class TestEnds:
    def test_without_collapsing_one_end_is_the_other_backwards(self, table: pd.DataFrame) -> None:
        both = ends(table, by="uncertainty", collapse_twins=False)
        assert both.ambiguous["id"].tolist() == [11, 14, 10, 15, 12]
        assert both.clear["id"].tolist() == [12, 15, 10, 11, 14]
        assert both.clear["twins"].tolist() == [0] * 5

    def test_a_group_is_shown_by_its_most_telling_member(self, table: pd.DataFrame) -> None:
        both = ends(table, by="uncertainty")
        assert both.ambiguous[["id", "twins", "copies"]].to_numpy().tolist() == [[11, 1, 0], [14, 0, 0], [10, 1, 1]]
        assert both.clear[["id", "twins"]].to_numpy().tolist() == [[12, 1], [15, 1], [14, 0]]

    def test_pictures_without_the_value_are_left_out_of_the_count_of_twins_too(self, table: pd.DataFrame) -> None:
        table.loc[table["id"] == 12, "uncertainty"] = np.nan
        shown = ends(table, by="uncertainty").ambiguous.set_index("id")["twins"]
        assert shown.to_dict() == {11: 1, 14: 0, 10: 0}

    @pytest.mark.parametrize("collapse", [True, False])
    def test_nothing_to_order(self, table: pd.DataFrame, collapse: bool) -> None:
        none = table.assign(uncertainty=np.nan)
        for rows in (none, table.iloc[:0]):
            both = ends(rows, by="uncertainty", collapse_twins=collapse)
            assert (len(both.ambiguous), len(both.clear)) == (0, 0)
            assert "twins" in both.ambiguous

    @pytest.mark.slow
    @given(
        values=st.lists(st.sampled_from([np.nan, 0.0, 0.25, 0.5, 1.0]) | st.floats(0, 1), max_size=40),
        most=st.integers(1, 12),
        seed=st.integers(0, 10**6),
        collapse=st.booleans(),
    )
    def test_the_first_of_each_end_are_those_of_the_whole_order(
        self, values: list[float], most: int, seed: int, collapse: bool
    ) -> None:
        rng, count = np.random.default_rng(seed), len(values)
        group = twin_column(rng.integers(0, max(1, count), count).tolist())
        rows = pd.DataFrame({"id": rng.permutation(count), "uncertainty": values, "twin_group": group})
        rows["copy_group"] = twin_column(np.where(rng.random(count) < 0.5, group.fillna(-1), count + np.arange(count)))
        whole = ends(rows, by="uncertainty", collapse_twins=collapse)
        first = ends(rows, by="uncertainty", collapse_twins=collapse, most=most)
        pd.testing.assert_frame_equal(first.ambiguous, whole.ambiguous.head(most))
        pd.testing.assert_frame_equal(first.clear, whole.clear.head(most))
        assert (first.pictures, first.twins) == (len(whole.clear), whole.clear["twins"].sum())


class TestAmong:
    """Values of outside get the percentile that they would find in the set, by the same ruler."""

    def test_by_hand(self) -> None:
        """Among 1, 2, 2, 4 at 0, 50, 50, 100 3 is between the third and the fourth, at 2.5 of 3 steps; ends are cut."""
        found = percentile(np.array([1, 2, 3, 4, 9, 0, np.nan]), among=np.array([2.0, 4, 1, 2, np.nan]))
        np.testing.assert_allclose(found, [0, 50, 250 / 3, 100, 100, 0, np.nan], rtol=1e-6)
        assert percentile(np.array([1.0, 7.0]), among=np.array([1.0])).tolist() == [50, 50]
        for nothing in (np.array([np.nan]), np.zeros(0)):
            assert np.isnan(percentile(np.array([1.0]), among=nothing)).all()

    @given(st.lists(st.sampled_from([np.nan, np.inf, 0.0, -0.0, 1.0, 2.0]) | st.floats(-3, 3), max_size=30))
    def test_a_value_has_the_percentile_that_pandas_ranks_it_at(self, values: list[float]) -> None:
        numbers = np.array(values, float)
        finite = pd.Series(numbers[np.isfinite(numbers)])
        steps = max(1, len(finite) - 1)
        expected = (100 * (finite.rank() - 1) / steps).to_numpy() if len(finite) != 1 else np.array([50.0])
        assert percentile(numbers)[np.isfinite(numbers)] == pytest.approx(expected)
        assert np.isnan(percentile(numbers)[~np.isfinite(numbers)]).all()
        assert np.array_equal(percentile(numbers[:3], among=numbers), percentile(numbers)[:3], equal_nan=True)


def test_the_value_at_a_percentile_splits_any_rows_as_the_percentiles_of_the_set_do() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"id": np.arange(50), "entropy": rng.integers(0, 20, 50).astype(float)})
    ranked = with_percentile(table, "entropy")
    for rows in (ranked, ranked[ranked["entropy"] > 12], ranked.head(3)):
        for bound in (0, 13.5, 50, 99, 100):
            above = rows["entropy"].to_numpy() >= value_at(rows, "entropy", bound)
            assert np.array_equal(above, rows["rank_percentile"] >= bound)
    assert value_at(ranked.assign(rank_percentile=np.nan), "entropy", 50) == np.inf


def test_ranks_within_classes_are_mid_ranks_of_each_alone() -> None:
    values = np.array([0.3, 0.1, 0.3, 0.9, np.nan, 0.2, 0.5])
    label = np.array([4, 4, 4, 0, 4, -1, 0])
    expected = [2 / 3, 0.5 / 3, 2 / 3, 0.75, np.nan, np.nan, 0.25]
    assert rank_within(values, label) == pytest.approx(expected, nan_ok=True)
    assert len(rank_within(np.zeros(0), np.zeros(0, int))) == 0
    assert np.isnan(rank_within(np.zeros(3), np.full(3, -1))).all()
