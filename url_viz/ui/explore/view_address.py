"""The view of the Explore page from its controls, its map and the address, and back into the address."""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import replace
from typing import Any

from url_viz.analysis.runs.two_by_two import TRAINING
from url_viz.analysis.scope import is_of_scope, scope_as_query, scope_from_query
from url_viz.drawing.map_view import STYLES
from url_viz.ui.explore.view import TITLES, VIEW, ExploreView, view
from url_viz.ui.session import LEFT_SET, Key, queried, write_query
from url_viz.ui.widgets.actions import take_settings
from url_viz.ui.widgets.grid import SIDES
from url_viz.ui.widgets.map import polygon_of

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
    return key in _PARAMETERS or is_of_scope(key)


def _cuts(text: str) -> tuple[float, ...]:
    """The percentiles in a text, one fewer than a cut order has parts; none if they are not that."""
    try:
        cuts = tuple(map(float, text.split(",")))
    except ValueError:
        return ()
    return cuts if len(cuts) < len(TITLES) and all(0 <= cut <= 100 for cut in cuts) else ()
