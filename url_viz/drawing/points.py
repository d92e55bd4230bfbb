"""What the map draws: its view as one value, and its points as the bytes that the browser reads."""

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.columns.filters import Polygon, categories_of
from url_viz.columns.ranking import percentile_of_each
from url_viz.drawing.assets import WIRE
from url_viz.pictures.map_figure import Style

MAGIC: bytes = WIRE["points"]["magic"].encode()
HEADER = struct.Struct("<4sIffff8x")
MASK_MAGIC: bytes = WIRE["mask"]["magic"].encode()
MASK_HEADER = struct.Struct("<4sIq")
BYTES_PER_POINT: int = WIRE["points"]["bytes_per_point"]
COORDINATE_STEPS: int = WIRE["points"]["coordinate_steps"]
VALUE_STEPS: int = WIRE["points"]["value_steps"]
NO_VALUE: int = WIRE["points"]["no_value"]
NO_CATEGORY: int = WIRE["points"]["no_category"]
EXTREME_SHARE = 0.01
MOST_DRAWN = 100_000

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Points:
    """What the map draws of N images, one row per image, in columns of one length.

    `ids` (N,) int64; `x`, `y` (N,) float32, finite; `value` (N,) float32, a percentile of 0 to 100, nan if missing,
    higher = less to be trusted if it is that of a measure; `size` (N,) float32 likewise; `category` (N,) int32, -1 for
    none.
    """

    ids: NDArray[np.int64]
    x: Floats
    y: Floats
    value: Floats
    category: NDArray[np.int32]
    size: Floats


def encode_points(points: Points) -> bytes:
    """The points as bytes in the layout above."""
    x, y = _quantised(points.x), _quantised(points.y)
    blocks = (
        points.ids.astype("<i8"),
        x[2],
        y[2],
        np.where(points.category < 0, NO_CATEGORY, points.category).astype("<u2"),
        _value_steps(points.value),
        _value_steps(points.size),
    )
    return HEADER.pack(MAGIC, len(points.ids), *x[:2], *y[:2]) + b"".join(block.tobytes() for block in blocks)


def _quantised(values: Floats) -> tuple[float, float, NDArray[np.uint16]]:
    """The smallest and largest value, 0 without any, and where between them each is (N,), in COORDINATE_STEPS."""
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
    spread = (high - low) or 1.0
    return low, high, np.rint((values.astype(np.float64) - low) / spread * COORDINATE_STEPS).astype("<u2")


def _value_steps(percentiles: Floats) -> NDArray[np.uint8]:
    has_value = ~np.isnan(percentiles)
    steps = np.full(len(percentiles), NO_VALUE, np.uint8)
    steps[has_value] = np.rint(percentiles[has_value] * (VALUE_STEPS / 100))
    return steps


def encode_mask(points_ids: NDArray[np.int64], kept_ids: NDArray[np.int64]) -> bytes:
    """A filter's mask of the map's points, given their ids (N,) in the map's order: 12.5 kB for 100,000.

    `kept_ids` may be in any order and hold other ids. The header lets the browser detect a mask of other points.
    """
    bits = np.packbits(np.isin(points_ids, kept_ids), bitorder="little")
    return MASK_HEADER.pack(MASK_MAGIC, len(points_ids), int(np.bitwise_xor.reduce(points_ids))) + bits.tobytes()


def drawn_sample(percentiles: Floats, limit: int) -> NDArray[np.int64]:
    """The rows (M,) to draw if all would be too many: sorted, at most `limit`, the same every time.

    The lowest and the highest 1% of the `percentiles` (N,) of the measure are always in (up to half of the limit),
    because users look for them; the others are drawn uniformly at random.
    """
    every = np.arange(len(percentiles))
    if len(percentiles) <= limit:
        return every
    valued = np.flatnonzero(~np.isnan(percentiles))
    count = min(limit // 4, math.ceil(len(valued) * EXTREME_SHARE), len(valued) // 2)
    in_order = valued[np.argsort(percentiles[valued], kind="stable")]
    extremes = np.concatenate([in_order[:count], in_order[len(in_order) - count :]])
    others = np.setdiff1d(every, extremes, assume_unique=True)
    drawn = np.random.default_rng(0).choice(others, size=limit - len(extremes), replace=False)
    return np.sort(np.concatenate([extremes, drawn]))


def map_points(
    table: pd.DataFrame,
    *,
    measure: str | None = None,
    category: str | None = None,
    size: str | None = None,
    within: pd.DataFrame | None = None,
) -> Points:
    """What the map draws of a table: pictures with coordinates, at most 100,000, including the extremes of `measure`.

    `measure` and `size` are numeric columns, `category` a column of few values (`url_viz.columns.filters`); None
    for none. `within` is the whole table of the set, if `table` is a part of it.
    """
    values = _percentiles(table, measure, within)
    rows = _drawn_rows(table, values)
    numbers = np.full(len(table), -1, np.int32) if category is None else categories_of(table, category).numbers
    return Points(
        ids=table["id"].to_numpy(np.int64)[rows],
        x=table["x"].to_numpy(np.float32)[rows],
        y=table["y"].to_numpy(np.float32)[rows],
        value=values[rows],
        category=numbers[rows],
        size=_percentiles(table, size, within)[rows],
    )


def drawn_ids(
    table: pd.DataFrame, *, measure: str | None = None, within: pd.DataFrame | None = None
) -> NDArray[np.int64]:
    """The ids of the points that `map_points` draws, in their order; parameters as there."""
    is_crowd = int(np.isfinite(table["x"].to_numpy(dtype=float)).sum()) > MOST_DRAWN
    percentiles = _percentiles(table, measure, within) if is_crowd else None
    return table["id"].to_numpy(np.int64)[_drawn_rows(table, percentiles)]


def _percentiles(table: pd.DataFrame, measure: str | None, within: pd.DataFrame | None) -> Floats:
    if measure is None:
        return np.full(len(table), np.nan, np.float32)
    return percentile_of_each(table, measure, within=within)


def _drawn_rows(table: pd.DataFrame, percentiles: Floats | None) -> NDArray[np.int64]:
    """The rows of a table that the map draws; `percentiles` choose among them if they are too many."""
    placed = np.flatnonzero(np.isfinite(table["x"].to_numpy(dtype=float)))
    if len(placed) <= MOST_DRAWN or percentiles is None:
        return placed
    return placed[drawn_sample(percentiles[placed], MOST_DRAWN)]


Colour = Literal["value", "category"]
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
