"""The view of Explore: one value of the session, which controls and address show and change."""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import pandas as pd

from url_viz.base.wording import above
from url_viz.columns.filters import (
    Filter,
    Polygon,
    Scope,
    is_scope_key,
    replaced_in,
    scope_as_query,
    scope_from_query,
    thinned,
)
from url_viz.pictures.map_figure import STYLES, Style
from url_viz.runs.model_accuracy import TRAINING
from url_viz.ui.session import LEFT_SET, Key, queried, take_settings, write_query
from url_viz.ui.widgets.gallery import SIDES, Side
from url_viz.ui.widgets.map import polygon_of

TITLES: dict[Side, str] = {"ambiguous": "Most ambiguous", "clear": "Least ambiguous"}
"""The sides of a cut, from the ambiguous one down, with the titles of their panes."""
VIEW: "Key[ExploreView]" = Key("view.explore")
EXPORT_PANEL, FILTER_PANEL = "export", "filter"
"""Popovers that lead to dialogs, by their names."""


@dataclass(frozen=True)
class Part:
    """A part of the order, shown in a pane: percentiles from `low` on and below `high`; None is no bound."""

    side: Side
    low: float | None = None
    high: float | None = None

    @property
    def words(self) -> str:
        """The bounds in words: "above 90 %", "not above 90 %"; "" without any."""
        low, high = "" if self.low is None else above(self.low), "" if self.high is None else f"not {above(self.high)}"
        return ", ".join(filter(None, (low, high)))

    def holds(self, rank: "pd.Series[float]") -> "pd.Series[bool]":
        """Which percentiles (N,) lie in this part; nan lies in none."""
        from_low = rank.notna() if self.low is None else rank >= self.low
        return from_low if self.high is None else from_low & (rank < self.high)


@dataclass(frozen=True)
class ExploreView:
    """What Explore shows of an image set, and how; the defaults are those of a first visit.

    `colour` and `size` are columns, or "value" for the measure; without a `size` all points are alike. `space` is
    that of the map: "" by look, or `model_accuracy.TRAINING`. `cuts` are percentiles that part the order, at most one.
    `hide_tiny` leaves out the objects that are too small to recognise, where the set has any.

    The value stands under VIEW and nowhere else: controls, map and grid show it and change it.
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
    side: Side = "ambiguous"
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
    """The session's view."""
    return VIEW.get() or ExploreView()


def change_view(**changes: Any) -> None:
    """Change fields of the view."""
    VIEW.set(replace(view(), **changes))


def set_filter(column: str, new: Filter | None) -> None:
    """Set the filter on a column, or remove it (None)."""
    change_view(filters=replaced_in(view().filters, column, new))


def filter_on(column: str) -> Filter | None:
    """The filter on a column; None without one."""
    return next((active for active in view().filters if active.column == column), None)


def _one_of(names: Sequence[str], default: str) -> Callable[[object], str]:
    return lambda name: name if isinstance(name, str) and name in names else default


def _cuts(text: str) -> tuple[float, ...]:
    """The percentiles in a text, one fewer than a cut order has parts; none if they are not that."""
    try:
        cuts = tuple(map(float, text.split(",")))
    except ValueError:
        return ()
    return cuts if len(cuts) < len(TITLES) and all(0 <= cut <= 100 for cut in cuts) else ()


_SET_BY: dict[str, tuple[str, Callable[[Any], object]]] = {
    "polygon": ("polygon", polygon_of),
    "threshold": ("cuts", lambda percentile: () if percentile is None else (float(percentile),)),
    "style": ("style", _one_of(STYLES, ExploreView.style)),
    "representatives": ("representatives", bool),
    "names": ("names", bool),
    "side": ("side", _one_of(SIDES, ExploreView.side)),
    "is_wide": ("is_wide", bool),
}
"""The field of the view that a setting of the map or the grid changes, and how its value is read."""

_PARAMETERS: dict[str, tuple[str, Callable[[str], object], Callable[[Any], str]]] = {
    "by": ("measure", str, str),
    "colour": ("colour", lambda text: text or ExploreView.colour, str),
    "style": ("style", _one_of(STYLES, ExploreView.style), str),
    "side": ("side", _one_of(SIDES, ExploreView.side), str),
    "size": ("size", lambda text: ExploreView.colour if text == "1" else text, str),
    "map": ("space", _one_of((TRAINING,), ""), str),
    "names": ("names", lambda text: text != "0", lambda _: "0"),
    "above": ("cuts", _cuts, lambda cuts: ",".join(f"{cut:g}" for cut in cuts)),
    "twins": ("collapse_twins", lambda text: text != "1", lambda _: "1"),
    "tiny": ("hide_tiny", lambda text: text != "1", lambda _: "1"),
    "within": ("within_class", lambda text: text == "1", lambda _: "1"),
    "classwise": ("class_by_class", lambda text: text == "1", lambda _: "1"),
    "representatives": ("representatives", lambda text: text == "1", lambda _: "1"),
    "wide": ("is_wide", lambda text: text == "1", lambda _: "1"),
}
"""The field of the view that a parameter of the address holds, how it is read, and how another value than the default
is written."""


def current_view(
    on_map: Callable[[], Key[MutableMapping[str, object]]], on_grid: Key[MutableMapping[str, object]]
) -> ExploreView:
    """The view, at a session's first run that of the address, with later settings of the map and the grid.

    `on_map` gives the key of the map, which the view chooses.
    """
    VIEW.get_or(lambda: ExploreView() if LEFT_SET.get() else view_of(queried()))
    take_set(on_map())
    take_set(on_grid)
    return view()


def take_set(key: Key[MutableMapping[str, object]]) -> None:
    """Take the new settings of a map or grid into the view."""
    take_settings(key, tuple(_SET_BY), lambda new: VIEW.set(with_settings(view(), new)))


def with_settings(view: ExploreView, new: Mapping[str, Any]) -> ExploreView:
    """The view with settings of the map or the grid, by their names there."""
    changed: dict[str, Any] = {_SET_BY[name][0]: _SET_BY[name][1](value) for name, value in new.items()}
    return replace(view, **changed)


def show_in_address(view: ExploreView) -> None:
    """Write the view into the address."""
    write_query(query_of(view), among=_is_parameter)


def query_of(view: ExploreView) -> dict[str, list[str]]:
    """A view as query parameters; defaults are left out."""
    query = {
        key: [written(getattr(view, field))]
        for key, (field, _, written) in _PARAMETERS.items()
        if getattr(view, field) != getattr(ExploreView, field)
    }
    return query | scope_as_query(view.scope)


def view_of(query: Mapping[str, Sequence[str]]) -> ExploreView:
    """The view in query parameters; invalid ones are ignored."""
    scope = scope_from_query({key: values for key, values in query.items() if _is_parameter(key)})
    fields: dict[str, Any] = {
        field: read(query[key][0]) for key, (field, read, _) in _PARAMETERS.items() if query.get(key)
    }
    return ExploreView(polygon=scope.polygon, filters=scope.filters, **fields)


def _is_parameter(key: str) -> bool:
    return key in _PARAMETERS or is_scope_key(key)
