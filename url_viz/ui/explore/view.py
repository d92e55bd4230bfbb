"""What Explore shows and how: one value of the session, from controls and address and back."""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import pandas as pd

from url_viz.base.wording import above
from url_viz.columns.filters import Filter, Polygon, Scope, is_scope_key, scope_as_query, scope_from_query, thinned
from url_viz.drawing.points import STYLES, Style
from url_viz.runs.model_accuracy import TRAINING
from url_viz.ui.session import LEFT_SET, Key, queried, take_settings, write_query
from url_viz.ui.widgets.gallery import SIDES, Side
from url_viz.ui.widgets.map import polygon_of

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

    One value, kept under VIEW and nowhere else: controls show it (`url_viz.ui.widgets.buttons`) and change it, as
    the map and the grid do (`url_viz.ui.explore.view`).
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


_SWITCHES = {
    "within": "within_class",
    "classwise": "class_by_class",
    "representatives": "representatives",
    "wide": "is_wide",
}
_PARAMETERS = (*_SWITCHES, "by", "colour", "twins", "tiny", "style", "side", "size", "names", "map", "above")


def _one_of(names: Sequence[str], default: str) -> Callable[[object], str]:
    return lambda name: name if isinstance(name, str) and name in names else default


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


def current_view(
    on_map: Callable[[], Key[MutableMapping[str, object]]], on_grid: Key[MutableMapping[str, object]]
) -> ExploreView:
    """The view (at a session's first run, that of the address), with what was set on the map and in the grid since.

    `on_map` gives the key of the map, which the view chooses.
    """
    VIEW.get_or(lambda: ExploreView() if LEFT_SET.get() else view_of(queried()))
    take_set(on_map())
    take_set(on_grid)
    return view()


def take_set(key: Key[MutableMapping[str, object]]) -> None:
    """Take what was set on a map or in a grid into the view."""
    take_settings(key, tuple(_SET_BY), lambda new: VIEW.set(with_settings(view(), new)))


def with_settings(view: ExploreView, new: Mapping[str, Any]) -> ExploreView:
    """The view with what was set on the map or in the grid, by the name there."""
    changed: dict[str, Any] = {_SET_BY[name][0]: _SET_BY[name][1](value) for name, value in new.items()}
    return replace(view, **changed)


def show_in_address(view: ExploreView) -> None:
    """Write the view into the address."""
    write_query(query_of(view), among=_is_parameter)


def query_of(view: ExploreView) -> dict[str, list[str]]:
    """A view as query parameters; defaults are left out."""
    values = {
        "by": view.measure,
        "colour": None if view.colour == ExploreView.colour else view.colour,
        "style": None if view.style == ExploreView.style else view.style,
        "side": None if view.side == ExploreView.side else view.side,
        "size": view.size or None,
        "map": view.space or None,
        "names": None if view.names else "0",
        "above": ",".join(f"{cut:g}" for cut in view.cuts) or None,
        "twins": None if view.collapse_twins else "1",
        "tiny": None if view.hide_tiny else "1",
        **{key: "1" if getattr(view, field) else None for key, field in _SWITCHES.items()},
    }
    query = {key: [value] for key, value in values.items() if value is not None}
    return query | scope_as_query(view.scope)


def view_of(query: Mapping[str, Sequence[str]]) -> ExploreView:
    """The view in query parameters; invalid ones are ignored."""

    def first(key: str) -> str | None:
        values = query.get(key)
        return values[0] if values else None

    scope = scope_from_query({key: values for key, values in query.items() if _is_parameter(key)})
    return ExploreView(
        measure=first("by"),
        colour=first("colour") or ExploreView.colour,
        collapse_twins=first("twins") != "1",
        hide_tiny=first("tiny") != "1",
        style=next((style for style in STYLES if style == first("style")), ExploreView.style),
        side=next((side for side in SIDES if side == first("side")), ExploreView.side),
        size=ExploreView.colour if first("size") == "1" else first("size") or "",
        names=first("names") != "0",
        space=TRAINING if first("map") == TRAINING else "",
        **{field: first(key) == "1" for key, field in _SWITCHES.items()},
        cuts=_cuts(first("above") or ""),
        polygon=scope.polygon,
        filters=scope.filters,
    )


def _is_parameter(key: str) -> bool:
    return key in _PARAMETERS or is_scope_key(key)


def _cuts(text: str) -> tuple[float, ...]:
    """The percentiles in a text, one fewer than a cut order has parts; none if they are not that."""
    try:
        cuts = tuple(map(float, text.split(",")))
    except ValueError:
        return ()
    return cuts if len(cuts) < len(TITLES) and all(0 <= cut <= 100 for cut in cuts) else ()
