"""The map: all pictures of an image set as points, with zoom, a lasso, a card on hover and a threshold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

import streamlit as st

from url_viz.ui.components.assets import text_of

Colour = Literal["uncertainty", "confusability", "class"]
Polygon = tuple[tuple[float, float], ...]
CLASSES_LISTED = 12

_mount = st.components.v2.component(
    "url_viz_map", html=text_of("map", ".html"), css=text_of("map", ".css"), js=text_of("map", ".js")
)


@dataclass(frozen=True)
class MapView:
    """What the map shows.

    `points_url` answers with the bytes of `url_viz.ui.points`; another URL means other points. `card_url` holds `{id}`
    and answers with one picture's card as JSON: id, name, label, thumbnail (a URL), uncertainty,
    uncertainty_percentile, confusability, confusability_percentile. `class_shown` holds indices into `classes`; None
    shows all. Points below `threshold_percentile` are on the clear side, and drawn fainter. `polygon` is the present
    selection in map coordinates. `total` counts the image set; the map itself says how many of them it draws. `note`
    follows that count, for example "PCA; UMAP is being computed". `measure` names the values behind the colours where
    they are not the ones that `colour` says.
    """

    points_url: str
    card_url: str
    total: int
    colour: Colour = "uncertainty"
    classes: tuple[str, ...] = ()
    class_shown: tuple[int, ...] | None = None
    threshold_percentile: float | None = None
    ringed_id: int | None = None
    polygon: Polygon | None = None
    note: str = ""
    measure: str = ""

    @property
    def title(self) -> str:
        """What the scale of percentiles is called."""
        return f"{self.measure or self.colour.capitalize()} percentile"


@dataclass(frozen=True)
class MapEvent:
    """What the user did: `polygon` and `threshold_percentile` stay until changed; `clicked_id` is there for one run."""

    polygon: Polygon | None
    clicked_id: int | None
    threshold_percentile: float | None


def show_map(view: MapView, *, key: str, height_px: int = 560) -> MapEvent:
    """Draw the map with its legend, `height_px` high in all, and say what the user did on it.

    The state is under `st.session_state[key]`: `polygon`, `threshold`, and `clicked` for one run. A page may set the
    first two before this call (to clear a selection); the map takes on what `view` then says. Zoom and place are kept
    by `key` while the browser's page is open: give each image set a key of its own.
    """
    result = _mount(
        key=key,
        data=_data_of(view, key=key),
        default={"polygon": None, "threshold": None},
        height=height_px,
        on_polygon_change=_nothing,
        on_threshold_change=_nothing,
        on_clicked_change=_nothing,
    )
    return map_event(result)


def map_event(state: Mapping[str, object]) -> MapEvent:
    """The event in a map's state, as it is under `st.session_state[key]`; fewer than three corners are no polygon."""
    corners = cast(Sequence[tuple[float, float]], state.get("polygon") or ())
    clicked = cast(str | None, state.get("clicked"))
    threshold = cast(float | None, state.get("threshold"))
    return MapEvent(
        polygon=tuple((float(x), float(y)) for x, y in corners) if len(corners) >= 3 else None,
        clicked_id=None if clicked is None else int(clicked),
        threshold_percentile=None if threshold is None else float(threshold),
    )


def _nothing() -> None:
    """A name for each state, so that it is always there to read and may be set by a page."""


def _data_of(view: MapView, *, key: str) -> dict[str, object]:
    """What the browser gets; ids as text, because JavaScript's numbers hold 53 bits."""
    listed = range(len(view.classes)) if view.class_shown is None else view.class_shown
    return {
        "key": key,
        "points_url": view.points_url,
        "card_url": view.card_url,
        "total": view.total,
        "colour": view.colour,
        "title": view.title,
        "entries": [{"index": index, "name": view.classes[index]} for index in listed[:CLASSES_LISTED]],
        "unlisted": max(0, len(listed) - CLASSES_LISTED),
        "class_shown": view.class_shown,
        "threshold": view.threshold_percentile,
        "ringed": None if view.ringed_id is None else str(view.ringed_id),
        "polygon": view.polygon,
        "note": view.note,
    }
