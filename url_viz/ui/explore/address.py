"""The state of the Explore page as one value, kept while other pages are visited, and encoded in the address."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from url_viz.analysis.filters import Filter
from url_viz.analysis.scope import LASSO, Polygon, Scope, scope_as_query, scope_from_query
from url_viz.ui.widgets.filters import FILTERS

_KEPT = "view.explore"
_ADDRESS_READ = "address_read"
_OURS = ("by", "colour", "twins", "style", "size", "within", "classwise", "between", "above", LASSO, "name")
_PREFIXES = ("in.", "min.", "max.")


@dataclass(frozen=True)
class ExploreView:
    """What is shown of an image set, and how; the defaults are those of a first visit."""

    measure: str | None = None
    colour: str = "value"
    collapse_twins: bool = True
    style: str = "points"
    size_by_value: bool = False
    within_class: bool = False
    class_by_class: bool = False
    pair: tuple[str, str] | None = None
    threshold_percentile: float | None = None
    polygon: Polygon | None = None
    filters: tuple[Filter, ...] = ()


def restore_view(map_key: str) -> None:
    """Restore the last view, or the one in the address at the first run of a session.

    Call it before the page's widgets are created: each reads its value from the session state.
    """
    kept = st.session_state.get(_KEPT)
    if kept is None:
        is_first = not st.session_state.get(_ADDRESS_READ)
        kept = view_of(_queried()) if is_first else ExploreView()
    st.session_state[_ADDRESS_READ] = True
    values = {
        "view.measure": kept.measure,
        "view.colour": kept.colour,
        "view.collapse": kept.collapse_twins,
        "view.size": kept.size_by_value,
        "view.within": kept.within_class,
        "view.by_class": kept.class_by_class,
        "view.pair": kept.pair,
        FILTERS: kept.filters,
        map_key: {"polygon": kept.polygon, "threshold": kept.threshold_percentile, "style": kept.style},
    }
    for key, value in values.items():
        if key not in st.session_state and value is not None:
            st.session_state[key] = value


def keep_view(view: ExploreView) -> None:
    """Store the view in the session and in the address."""
    st.session_state[_KEPT] = view
    wanted = query_of(view)
    for key in [key for key in st.query_params if _is_ours(key) and key not in wanted]:
        del st.query_params[key]
    for key, values in wanted.items():
        if st.query_params.get_all(key) != values:
            st.query_params[key] = values


def query_of(view: ExploreView) -> dict[str, list[str]]:
    """A view as query parameters; defaults are left out."""
    switches = {"twins": not view.collapse_twins, "size": view.size_by_value}
    switches |= {"within": view.within_class, "classwise": view.class_by_class}
    values = {
        "by": view.measure,
        "colour": None if view.colour == ExploreView.colour else view.colour,
        "style": None if view.style == ExploreView.style else view.style,
        "above": None if view.threshold_percentile is None else f"{view.threshold_percentile:g}",
    }
    query = {key: [value] for key, value in values.items() if value is not None}
    query |= {key: ["1"] for key, is_on in switches.items() if is_on}
    if view.pair is not None:
        query["between"] = list(view.pair)
    return query | scope_as_query(Scope(view.polygon, view.filters))


def view_of(query: Mapping[str, Sequence[str]]) -> ExploreView:
    """The view in query parameters; invalid ones are ignored."""

    def first(key: str) -> str | None:
        values = query.get(key)
        return values[0] if values else None

    scope = scope_from_query({key: values for key, values in query.items() if _is_ours(key)})
    return ExploreView(
        measure=first("by"),
        colour=first("colour") or "value",
        collapse_twins=first("twins") != "1",
        style=first("style") or "points",
        size_by_value=first("size") == "1",
        within_class=first("within") == "1",
        class_by_class=first("classwise") == "1",
        pair=_pair(query.get("between")),
        threshold_percentile=_percentile(first("above")),
        polygon=scope.polygon,
        filters=scope.filters,
    )


def _queried() -> dict[str, list[str]]:
    return {key: st.query_params.get_all(key) for key in st.query_params}


def _is_ours(key: str) -> bool:
    return key in _OURS or key.startswith(_PREFIXES)


def _pair(names: Sequence[str] | None) -> tuple[str, str] | None:
    return (names[0], names[1]) if names is not None and len(names) == 2 else None


def _percentile(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 <= value <= 100 else None
