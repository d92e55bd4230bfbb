"""The two ends of an order: twins collapsed to the most telling one, and percentiles in which ties share."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.twin_groups import twin_column
from url_viz.analysis.ranking import ends, percentile, value_at, with_percentile


class TestPercentile:
    """0 to 100, ties in the middle, nan where there is no value."""

    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            ([], []),
            ([3.0], [50]),
            ([np.nan], [np.nan]),
            ([1, 2, 3], [0, 50, 100]),
            ([5, 5], [50, 50]),
            ([2, 1, 2, 3], [50, 0, 50, 100]),
            ([np.nan, 4, 1, np.inf], [np.nan, 100, 0, np.nan]),
        ],
    )
    def test_by_hand(self, values: list[float], expected: list[float]) -> None:
        assert percentile(np.array(values)) == pytest.approx(np.array(expected), nan_ok=True)

    @given(st.lists(st.integers(0, 9), min_size=2, max_size=50))
    def test_counts_those_below_and_half_of_the_equal_others(self, values: list[int]) -> None:
        found = percentile(np.array(values, float))
        for value, own in zip(values, found, strict=True):
            below = sum(other < value for other in values)
            equal = sum(other == value for other in values) - 1
            assert own == pytest.approx(100 * (below + equal / 2) / (len(values) - 1), abs=1e-4)


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": [10, 11, 12, 13, 14, 15],
            "uncertainty": np.array([0.5, 0.9, 0.1, np.nan, 0.9, 0.3], np.float32),
            "twin_group": twin_column([0, 1, 0, 3, 4, 1]),
        }
    )


class TestEnds:
    """Most telling first, at both ends."""

    def test_without_collapsing_one_end_is_the_other_backwards(self, table: pd.DataFrame) -> None:
        both = ends(table, by="uncertainty", collapse_twins=False)
        assert both.ambiguous["id"].tolist() == [11, 14, 10, 15, 12]
        assert both.clear["id"].tolist() == [12, 15, 10, 11, 14]
        assert both.clear["twins"].tolist() == [0] * 5

    def test_a_group_is_shown_by_its_most_telling_member(self, table: pd.DataFrame) -> None:
        both = ends(table, by="uncertainty")
        assert both.ambiguous[["id", "twins"]].to_numpy().tolist() == [[11, 1], [14, 0], [10, 1]]
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
        whole = ends(rows, by="uncertainty", collapse_twins=collapse)
        first = ends(rows, by="uncertainty", collapse_twins=collapse, most=most)
        pd.testing.assert_frame_equal(first.ambiguous, whole.ambiguous.head(most))
        pd.testing.assert_frame_equal(first.clear, whole.clear.head(most))
        assert (first.pictures, first.twins) == (len(whole.clear), whole.clear["twins"].sum())

    def test_the_table_is_left_as_it_was(self, table: pd.DataFrame) -> None:
        before = table.copy()
        ends(table, by="uncertainty")
        assert table.equals(before)


def test_the_value_at_a_percentile_splits_as_the_percentiles_do() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"id": np.arange(50), "entropy": rng.integers(0, 20, 50).astype(float)})
    ranked = with_percentile(table, "entropy")["rank_percentile"].to_numpy()
    for bound in (0, 13.5, 50, 99, 100):
        above = table["entropy"].to_numpy() >= value_at(table, "entropy", bound)
        assert np.array_equal(above, ranked >= bound)
    assert value_at(table.assign(entropy=np.nan), "entropy", 50) == np.inf
