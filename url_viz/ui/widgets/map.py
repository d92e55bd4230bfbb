"""The map component: pictures as points, fog or shades of density, with zoom, a lasso and a card on hover."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

import streamlit as st

from url_viz.ui.widgets.assets import text_of

Colour = Literal["uncertainty", "confusability", "class"]
Style = Literal["points", "fog", "density"]
Polygon = tuple[tuple[float, float], ...]
STYLES: tuple[Style, ...] = ("points", "fog", "density")
CLASSES_LISTED = 12

_mount = st.components.v2.component(
    "url_viz_map", html=text_of("map", ".html"), css=text_of("map", ".css"), js=text_of("map", ".js")
)


@dataclass(frozen=True)
class MapView:
    """What the map shows.

    `points_url` returns the bytes of `url_viz.ui.points`; another URL means other points. `card_url` contains `{id}`
    and returns one picture's card as JSON: id, name, label, thumbnail (a URL), uncertainty, uncertainty_percentile,
    confusability, confusability_percentile. `class_shown` holds indices into `classes`; None shows all. Points below
    `threshold_percentile` are on the clear side and drawn fainter. `polygon` is the current selection in map
    coordinates. `total` is the size of the image set; the map itself says how many pictures it draws. `note` follows
    that count, for example "PCA; UMAP is being computed". `measure` names the values behind the colours if they are
    not those that `colour` names.

    With `colour` "class" the colours are those of any categories: `classes` names them, `category` says what they are
    ("Decision") if they are not classes, and `class_colours` (`#rrggbb`, one per name) fixes them if they have a
    meaning. `mask_url` returns a mask (`url_viz.ui.points`) of what the filters keep; what they leave out is drawn
    `left_out`: dimmed or not at all. `representatives_url` returns the pictures that represent regions
    (`ImageSet.representatives`); the map offers to show them. `style` draws points; fog, with certain points small and
    crisp and ambiguous ones large and faint; or shades of density. `size_by_measure` scales points by the measure.
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
    category: str = ""
    class_colours: tuple[str, ...] = ()
    mask_url: str = ""
    left_out: Literal["dimmed", "hidden"] = "dimmed"
    style: Style = "points"
    size_by_measure: bool = False
    representatives_url: str = ""
    with_representatives: bool = False

    @property
    def title(self) -> str:
        """The title of the percentile scale."""
        by_colour = "Confusability" if self.colour == "confusability" else "Uncertainty"
        return f"{self.measure or by_colour} percentile"


@dataclass(frozen=True)
class MapEvent:
    """What the user did: everything lasts until changed, except `clicked_id`, which lasts for one run.

    `style` and `with_representatives` are the choices of the map's buttons; None if they were not used.
    """

    polygon: Polygon | None
    clicked_id: int | None
    threshold_percentile: float | None
    style: Style | None = None
    with_representatives: bool | None = None


def show_map(view: MapView, *, key: str, height_px: int = 560) -> MapEvent:
    """Draw the map with its legend, `height_px` high in all, and return what the user did on it.

    The state is under `st.session_state[key]`: `polygon`, `threshold`, `style`, `representatives`, and `clicked` for
    one run. A page may set all but the last before this call (to clear a selection); the map then follows `view`.
    Zoom and position are kept per `key` while the browser's page is open: give each image set its own key.
    """
    result = _mount(
        key=key,
        data=_data_of(view, key=key),
        default={"polygon": None, "threshold": None, "style": None, "representatives": None},
        height=height_px,
        on_polygon_change=_nothing,
        on_threshold_change=_nothing,
        on_style_change=_nothing,
        on_representatives_change=_nothing,
        on_clicked_change=_nothing,
    )
    return map_event(result)


def map_event(state: Mapping[str, object]) -> MapEvent:
    """The event in a map's state (`st.session_state[key]`); fewer than three corners count as no polygon."""
    corners = cast(Sequence[tuple[float, float]], state.get("polygon") or ())
    clicked = cast(str | None, state.get("clicked"))
    threshold = cast(float | None, state.get("threshold"))
    style, representatives = state.get("style"), state.get("representatives")
    return MapEvent(
        polygon=tuple((float(x), float(y)) for x, y in corners) if len(corners) >= 3 else None,
        clicked_id=None if clicked is None else int(clicked),
        threshold_percentile=None if threshold is None else float(threshold),
        style=style if style in STYLES else None,
        with_representatives=None if representatives is None else bool(representatives),
    )


def _nothing() -> None:
    """A callback that does nothing; it makes Streamlit create each state, so that pages can read and set it."""


def _data_of(view: MapView, *, key: str) -> dict[str, object]:
    """The data for the browser; ids as text, because JavaScript's numbers hold 53 bits."""
    listed = range(len(view.classes)) if view.class_shown is None else view.class_shown
    return {
        "key": key,
        "points_url": view.points_url,
        "card_url": view.card_url,
        "mask_url": view.mask_url,
        "representatives_url": view.representatives_url,
        "total": view.total,
        "colour": view.colour,
        "title": view.title,
        "category": view.category,
        "entries": [{"index": index, "name": view.classes[index]} for index in listed[:CLASSES_LISTED]],
        "unlisted": max(0, len(listed) - CLASSES_LISTED),
        "class_shown": view.class_shown,
        "class_colours": view.class_colours,
        "left_out": view.left_out,
        "style": view.style,
        "size_by_measure": view.size_by_measure,
        "representatives": view.with_representatives,
        "threshold": view.threshold_percentile,
        "ringed": None if view.ringed_id is None else str(view.ringed_id),
        "polygon": view.polygon,
        "note": view.note,
    }
