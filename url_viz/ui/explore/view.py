"""What Explore shows of an image set, and how: one value of the session."""

from dataclasses import dataclass, replace
from typing import Any

from url_viz.analysis.filters import Filter
from url_viz.analysis.scope import Polygon, Scope, thinned
from url_viz.ui.session import Key
from url_viz.ui.widgets.grid import Side
from url_viz.ui.widgets.map import Style

VIEW: "Key[ExploreView]" = Key("view.explore")


@dataclass(frozen=True)
class ExploreView:
    """What Explore shows of an image set, and how; the defaults are those of a first visit.

    `colour` and `size` are columns, or "value" for the measure; without a `size` all points are alike. `space` is
    that of the map: "" by look, or `two_by_two.TRAINING`.

    One value, kept under VIEW and nowhere else: controls show it (`url_viz.ui.widgets.shown_value`) and change it, as
    the map and the grid do (`url_viz.ui.explore.view_address`).
    """

    measure: str | None = None
    colour: str = "value"
    collapse_twins: bool = True
    style: Style = "points"
    size: str = ""
    within_class: bool = False
    class_by_class: bool = False
    representatives: bool = False
    names: bool = True
    space: str = ""
    side: Side = "both"
    is_wide: bool = False
    threshold_percentile: float | None = None
    polygon: Polygon | None = None
    filters: tuple[Filter, ...] = ()

    @property
    def scope(self) -> Scope:
        """Which pictures are shown."""
        return Scope(thinned(self.polygon), self.filters)


def view() -> ExploreView:
    """The view as it was kept last."""
    return VIEW.get() or ExploreView()


def change_view(**changes: Any) -> None:
    """Change these fields of the view."""
    VIEW.set(replace(view(), **changes))
