"""What the map shows, as one value, and as the data that the browser draws."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from url_viz.columns.filters import Polygon

Style = Literal["points", "fog", "density"]
"""How the map draws pictures."""

Colour = Literal["value", "category"]
STYLES: tuple[Style, ...] = ("points", "fog", "density")
CATEGORIES_LISTED = 1_000


@dataclass(frozen=True)
class MapView:
    """What the map shows.

    `points_url` returns the bytes of `url_viz.drawing.points`, a value and a category for each picture; another URL
    means other points. `card_url` contains `{id}` and returns one picture's card as JSON (`card_of` in
    `url_viz.drawing.tiles`), with the URL of its `thumbnail`. `colour` is that of the value or of the category.
    `measure` is the title of the measure whose percentile the value is, and `ends` name its low and high end. Points
    below `threshold_percentile` are on the low side and drawn fainter. `polygon` is the current selection in map
    coordinates. `total` is the size of the image set; the map itself says how many pictures it draws. `note` follows
    that count, for example "PCA; UMAP is being computed".

    `categories` are the names of the categories by number, `category_title` says what they are ("Decision") if they
    are not classes, and `category_colours` (`#rrggbb`, one per name) fixes their colours if they have a meaning.
    `mask_url` returns a mask (`url_viz.drawing.points`) of what the filters keep; what they leave out is dimmed.
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
