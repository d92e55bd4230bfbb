"""The view of the Explore page from its controls, its map and the address, and back into the address."""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import replace
from typing import Any, cast

from url_viz.analysis.ambiguity import between_filters
from url_viz.analysis.filters import Filter
from url_viz.analysis.scope import LASSO, scope_as_query, scope_from_query
from url_viz.analysis.two_by_two import TRAINING
from url_viz.ui.session import (
    BY_CLASS,
    COLLAPSE,
    COLOUR,
    MEASURE,
    SIZE,
    SPACE,
    TSNE,
    VIEW,
    WITHIN,
    ExploreView,
    Key,
    queried,
    write_query,
)
from url_viz.ui.widgets.grid import SIDES
from url_viz.ui.widgets.map import STYLES, polygon_in

_CONTROLS: dict[str, Key[Any]] = {
    "measure": MEASURE,
    "colour": COLOUR,
    "collapse_twins": COLLAPSE,
    "size": SIZE,
    "within_class": WITHIN,
    "class_by_class": BY_CLASS,
    "is_tsne": TSNE,
    "space": SPACE,
}
_SWITCHES = {
    "within": "within_class",
    "classwise": "class_by_class",
    "representatives": "representatives",
    "wide": "is_wide",
    "tsne": "is_tsne",
}
_SIMPLE = ("by", "colour", "twins", "style", "side", "size", "names", "map", "between", "above", "name")
_OURS = (*_SIMPLE, *_SWITCHES, LASSO)
_PREFIXES = ("in.", "min.", "max.")


def current_view(
    on_map: Callable[[], Key[MutableMapping[str, object]]], on_grid: Key[MutableMapping[str, object]]
) -> ExploreView:
    """The view that was kept (at a session's first run, that of the address), as controls, map and grid have it now.

    What was not drawn in the last run, because another page was, begins with the kept values: call this before the
    controls, the map and the grid are drawn. `on_map` gives the key of the map, which the controls choose.
    """
    kept = VIEW.get_or(lambda: view_of(queried()))
    for field, key in _CONTROLS.items():
        if not key.is_set:
            key.set(getattr(kept, field))
    of_map = on_map()
    if not of_map.is_set:
        of_map.set(_map_state(kept))
    chosen: dict[str, Any] = {field: key.get() for field, key in _CONTROLS.items()}
    return with_state(replace(kept, **chosen), of_map.get() or {}, on_grid.get() or {})


def with_state(view: ExploreView, on_map: Mapping[str, object], on_grid: Mapping[str, object]) -> ExploreView:
    """The view as the states of map and grid have it; as it was for what nobody set there, or makes no sense."""
    threshold, names, is_wide = on_map.get("threshold"), on_map.get("names"), on_grid.get("is_wide")
    return replace(
        view,
        polygon=polygon_in(on_map),
        threshold_percentile=None if threshold is None else float(cast(float, threshold)),
        style=next((style for style in STYLES if style == on_map.get("style")), view.style),
        representatives=bool(on_map.get("representatives")),
        names=view.names if names is None else bool(names),
        side=next((side for side in SIDES if side == on_grid.get("side")), view.side),
        is_wide=view.is_wide if is_wide is None else bool(is_wide),
    )


def _map_state(view: ExploreView) -> dict[str, object]:
    return {
        "polygon": view.polygon,
        "threshold": view.threshold_percentile,
        "style": view.style,
        "representatives": view.representatives,
        "names": view.names,
    }


def keep_view(view: ExploreView) -> None:
    """Keep the view in the session and in the address."""
    VIEW.set(view)
    write_query(query_of(view), among=_is_ours)


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
        "above": None if view.threshold_percentile is None else f"{view.threshold_percentile:g}",
        "twins": None if view.collapse_twins else "1",
        **{key: "1" if getattr(view, field) else None for key, field in _SWITCHES.items()},
    }
    query = {key: [value] for key, value in values.items() if value is not None}
    return query | scope_as_query(view.scope)


def view_of(query: Mapping[str, Sequence[str]]) -> ExploreView:
    """The view in query parameters; invalid ones are ignored."""

    def first(key: str) -> str | None:
        values = query.get(key)
        return values[0] if values else None

    scope = scope_from_query({key: values for key, values in query.items() if _is_ours(key)})
    return ExploreView(
        measure=first("by"),
        colour=first("colour") or ExploreView.colour,
        collapse_twins=first("twins") != "1",
        style=next((style for style in STYLES if style == first("style")), ExploreView.style),
        side=next((side for side in SIDES if side == first("side")), ExploreView.side),
        size=ExploreView.colour if first("size") == "1" else first("size") or "",
        names=first("names") != "0",
        space=TRAINING if first("map") == TRAINING else "",
        **{field: first(key) == "1" for key, field in _SWITCHES.items()},
        threshold_percentile=_percentile(first("above")),
        polygon=scope.polygon,
        filters=scope.filters or _between(query.get("between")),
    )


def _is_ours(key: str) -> bool:
    return key in _OURS or key.startswith(_PREFIXES)


def _between(names: Sequence[str] | None) -> tuple[Filter, ...]:
    """The filters of two classes that an older address names."""
    return between_filters((names[0], names[1])) if names is not None and len(names) == 2 else ()


def _percentile(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 <= value <= 100 else None
