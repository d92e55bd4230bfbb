"""The map component: pictures as points, fog or shades of density, with zoom, a lasso and a card on hover."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from url_viz.analysis.scope import Polygon
from url_viz.ui.session import component_state
from url_viz.ui.widgets.actions import OnClick, click, nothing, settings_taken
from url_viz.ui.widgets.assets import component_of

Style = Literal["points", "fog", "density"]
"""How the map draws pictures."""

Colour = Literal["value", "category"]
STYLES: tuple[Style, ...] = ("points", "fog", "density")
SETTINGS = ("polygon", "threshold", "style", "representatives", "names")
"""What the user sets on a map."""
CATEGORIES_LISTED = 1_000

_mount = component_of("map")


@dataclass(frozen=True)
class MapView:
    """What the map shows.

    `points_url` returns the bytes of `url_viz.ui.points`, a value and a category for each picture; another URL means
    other points. `card_url` contains `{id}` and returns one picture's card as JSON (`card_of` in
    `url_viz.ui.tile_data`), with the URL of its `thumbnail`. `colour` is that of the value or of the category.
    `measure` is the title of the measure whose percentile the value is, and `ends` name its low and high end. Points
    below `threshold_percentile` are on the low side and drawn fainter. `polygon` is the current selection in map
    coordinates. `total` is the size of the image set; the map itself says how many pictures it draws. `note` follows
    that count, for example "PCA; UMAP is being computed".

    `categories` are the names of the categories by number, `category_title` says what they are ("Decision") if they
    are not classes, and `category_colours` (`#rrggbb`, one per name) fixes their colours if they have a meaning.
    `mask_url` returns a mask (`url_viz.ui.points`) of what the filters keep; what they leave out is dimmed.
    `representatives_url` returns the pictures that represent regions (`SetMaps.representatives`); the map offers to
    show them. `style` draws points; fog, with low values small and crisp and high ones large and faint; or shades of
    density. With a `size_title` points with higher values of that column are larger. `with_names` writes the names of
    categories at their places, else what regions look like. `chosen` are the numbers of the categories that a filter
    asks for: they get the first colours, so that no two of up to eight look alike. `is_of_order` says that the value is
    that of the order, which a threshold can part.
    """

    points_url: str
    card_url: str
    total: int
    colour: Colour = "value"
    measure: str = ""
    ends: tuple[str, str] = ("unambiguous", "ambiguous")
    categories: tuple[str, ...] = ()
    category_title: str = ""
    category_colours: tuple[str, ...] = ()
    threshold_percentile: float | None = None
    ringed_id: int | None = None
    polygon: Polygon | None = None
    note: str = ""
    mask_url: str = ""
    style: Style = "points"
    size_title: str = ""
    unit: str = "picture"
    representatives_url: str = ""
    with_representatives: bool = False
    with_names: bool = True
    chosen: tuple[int, ...] = ()
    is_of_order: bool = True


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


def map_data(view: MapView, *, key: str, taken: Mapping[str, int]) -> dict[str, object]:
    """The data for the browser; ids as text, because JavaScript's numbers hold 53 bits."""
    return vars(view) | {
        "key": key,
        "taken": taken,
        "title": f"{view.measure}, percentile" if view.measure else "Percentile",
        "categories": view.categories[:CATEGORIES_LISTED],
        "unlisted": max(0, len(view.categories) - CATEGORIES_LISTED),
        "names": view.with_names,
        "representatives": view.with_representatives,
        "threshold": view.threshold_percentile,
        "ringed": None if view.ringed_id is None else str(view.ringed_id),
    }
