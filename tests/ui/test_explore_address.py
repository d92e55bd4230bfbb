"""What Explore looks at: its way into an address and back, and what an address may not do."""

import pytest

from url_viz.analysis.filters import Between, OneOf
from url_viz.analysis.scope import MOST_CORNERS
from url_viz.ui.explore.view import ExploreView
from url_viz.ui.explore.view_address import query_of, view_of

TRIANGLE = ((0.0, 0.0), (1.5, 0.0), (0.0, -2.25))


@pytest.mark.parametrize(
    "view",
    [
        ExploreView(),
        ExploreView(measure="confusability", colour="decision", collapse_twins=False, style="fog"),
        ExploreView(size="value", colour="brightness"),
        ExploreView(names=False, side="clear", is_wide=True),
        ExploreView(threshold_percentile=92.5, polygon=TRIANGLE),
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
