"""What Explore looks at: its way into an address and back, and what an address may not do."""

import pandas as pd
import pytest

from url_viz.columns.filters import MOST_CORNERS, Between, OneOf
from url_viz.ui.explore.view import ExploreView, query_of, view_of

TRIANGLE = ((0.0, 0.0), (1.5, 0.0), (0.0, -2.25))


@pytest.mark.parametrize(
    "view",
    [
        ExploreView(),
        ExploreView(measure="confusability", colour="decision", collapse_twins=False, hide_tiny=False, style="fog"),
        ExploreView(size="value", colour="brightness"),
        ExploreView(names=False, side="clear", is_wide=True),
        ExploreView(cuts=(92.5,), polygon=TRIANGLE),
        ExploreView(filters=(OneOf("label", ("cat", "dog & co")), Between("width", 100.0, None))),
    ],
)
def test_a_link_brings_the_view_back(view: ExploreView) -> None:
    assert view_of(query_of(view)) == view


def test_what_a_newcomer_sees_needs_no_words() -> None:
    assert query_of(ExploreView()) == {}


@pytest.mark.parametrize(
    "query",
    [
        {"above": ["200"]},
        {"above": ["much"]},
        {"above": ["20,80"]},
        {"lasso": ["1,2 3,4"]},
        {"lasso": ["1,2 3,4 5"]},
        {"lasso": ["1,2 3,nan 5,6"]},
        {"lasso": ["1,1 " * (MOST_CORNERS + 1)]},
        {"min.width": ["inf"]},
        {"set": ["0123456789abcdef"], "unknown": ["1"]},
    ],
)
def test_nonsense_is_passed_over(query: dict[str, list[str]]) -> None:
    assert view_of(query) == ExploreView()


@pytest.mark.parametrize("cut", [0.0, 50.0, 92.5, 100.0])
def test_each_percentile_lies_in_one_part_of_a_cut_order(cut: float) -> None:
    rank = pd.Series([0.0, 49.9, 50.0, 92.5, 100.0, float("nan")])
    parts = ExploreView(cuts=(cut,)).parts
    assert sum(part.holds(rank).astype(int) for part in parts).tolist() == [1, 1, 1, 1, 1, 0]
    assert parts[0].holds(rank).tolist() == (rank >= cut).tolist(), "the most ambiguous first"


def test_without_a_cut_both_sides_have_the_whole_order_and_one_may_be_shown_alone() -> None:
    assert all(part.holds(pd.Series([0.0, 100.0])).all() for part in ExploreView(side="both").parts)
    assert [part.side for part in ExploreView(side="clear").shown_parts] == ["clear"]
    assert [part.side for part in ExploreView(side="both").shown_parts] == ["ambiguous", "clear"]
    assert [part.side for part in ExploreView().shown_parts] == ["ambiguous"], "what a first visit opens with"
