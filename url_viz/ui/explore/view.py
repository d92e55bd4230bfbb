"""What Explore shows of an image set, and how: one value of the session."""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import pandas as pd

from url_viz.analysis.filters import Filter
from url_viz.analysis.scope import Polygon, Scope, thinned
from url_viz.drawing.map_view import Style
from url_viz.ui.session import Key
from url_viz.ui.widgets.grid import Side
from url_viz.wording import above

TITLES: dict[Side, str] = {"ambiguous": "Most ambiguous", "clear": "Least ambiguous"}
"""The sides of a cut, from the ambiguous one down, with the titles of their panes."""
VIEW: "Key[ExploreView]" = Key("view.explore")


@dataclass(frozen=True)
class Part:
    """A part of the order, shown in a pane: percentiles from `low` on and below `high`; None is no bound."""

    side: Side
    low: float | None = None
    high: float | None = None

    @property
    def words(self) -> str:
        """The bounds in words: "above 90 %", "not above 90 %"; "" without any."""
        bounds = [] if self.low is None else [above(self.low)]
        return ", ".join([*bounds, *([] if self.high is None else [f"not {above(self.high)}"])])

    def holds(self, rank: "pd.Series[float]") -> "pd.Series[bool]":
        """Which percentiles (N,) lie in this part; nan lies in none."""
        from_low = rank.notna() if self.low is None else rank >= self.low
        return from_low if self.high is None else from_low & (rank < self.high)


@dataclass(frozen=True)
class ExploreView:
    """What Explore shows of an image set, and how; the defaults are those of a first visit.

    `colour` and `size` are columns, or "value" for the measure; without a `size` all points are alike. `space` is
    that of the map: "" by look, or `two_by_two.TRAINING`. `cuts` are percentiles that part the order, at most one.
    `hide_tiny` leaves out the objects that are too small to recognise, where the set has any.

    One value, kept under VIEW and nowhere else: controls show it (`url_viz.ui.widgets.shown_value`) and change it, as
    the map and the grid do (`url_viz.ui.explore.view_address`).
    """

    measure: str | None = None
    colour: str = "value"
    collapse_twins: bool = True
    hide_tiny: bool = True
    style: Style = "points"
    size: str = ""
    within_class: bool = False
    class_by_class: bool = False
    representatives: bool = False
    names: bool = True
    space: str = ""
    side: Side = "both"
    is_wide: bool = False
    cuts: tuple[float, ...] = ()
    polygon: Polygon | None = None
    filters: tuple[Filter, ...] = ()

    @property
    def scope(self) -> Scope:
        """Which pictures are shown."""
        return Scope(thinned(self.polygon), self.filters)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts of the order, the most ambiguous first; without a cut each side has the whole order."""
        if not self.cuts:
            return tuple(map(Part, TITLES))
        bounds = pairwise([None, *sorted(self.cuts, reverse=True), None])
        return tuple(Part(side, low, high) for side, (high, low) in zip(TITLES, bounds, strict=True))

    @property
    def shown_parts(self) -> tuple[Part, ...]:
        """The parts that the grid shows."""
        return tuple(part for part in self.parts if self.side in ("both", part.side))


def view() -> ExploreView:
    """The view as it was kept last."""
    return VIEW.get() or ExploreView()


def change_view(**changes: Any) -> None:
    """Change these fields of the view."""
    VIEW.set(replace(view(), **changes))
