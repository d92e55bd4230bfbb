"""The map component: pictures as points, fog or shades of density, with zoom, a lasso and a card on hover."""

from collections.abc import Callable, Sequence
from functools import partial

from url_viz.columns.filters import Polygon
from url_viz.drawing.points import MapView, map_data
from url_viz.ui.session import OnClick, click, component_state, nothing, settings_taken
from url_viz.ui.widgets.components import component_of

SETTINGS = ("polygon", "threshold", "style", "representatives", "names")
"""What the user sets on a map."""

_mount = component_of("map")


def show_map(
    view: MapView,
    *,
    key: str,
    height_px: int | None = None,
    on_pick: Callable[[tuple[str, ...]], None] | None = None,
    on_click: OnClick | None = None,
    on_set: Callable[[], None] | None = None,
) -> None:
    """Draw the map with its legend.

    It is `height_px` high in all, or as high as the window has room for below its top.

    `on_pick` is called with the names of the categories that the user wants to see, before the page runs again; none:
    all. The state is that of `key` in the session: the SETTINGS, numbered, and `clicked` and `picked` for one run.
    What the user sets the page takes by `take_settings` (in `on_set`, and before this call); the map follows `view` in
    what it has taken.
    Zoom and position are kept per `key` while the browser's page is open: give each image set its own key.
    """
    _mount(
        key=key,
        data=map_data(view, key=key, taken=settings_taken(key, SETTINGS))
        | {"fits": height_px is None, "can_pick": on_pick is not None},
        default=dict.fromkeys(SETTINGS),
        height="content" if height_px is None else height_px,
        **{f"on_{name}_change": on_set or nothing for name in SETTINGS},
        on_picked_change=partial(_pick, key, view.categories, on_pick or (lambda _: None)),
        on_clicked_change=partial(click, key, on_click),
    )


def polygon_of(corners: Sequence[tuple[float, float]] | None) -> Polygon | None:
    """A lasso as a map tells it; fewer than three corners count as none."""
    corners = corners or ()
    return tuple((float(x), float(y)) for x, y in corners) if len(corners) >= 3 else None


def _pick(key: str, names: tuple[str, ...], on_pick: Callable[[tuple[str, ...]], None]) -> None:
    picked = component_state(key).get("picked")
    if isinstance(picked, list):
        on_pick(tuple(names[number] for number in picked if isinstance(number, int) and 0 <= number < len(names)))
