"""Points of the map: binary format for the browser, sampling, and filter masks.

One request returns all points as one block of bytes, little-endian, 16 bytes per point after a header of 32:

    "UVM3"  uint32 n  float32 x_min x_max y_min y_max  8 bytes reserved
    int64 ids[n]  uint16 x[n]  uint16 y[n]  uint16 category[n]  uint8 value[n]
    uint8 size[n]

Every array starts at a multiple of its item size for every n, so that the browser reads it in place. x and y are steps
of 1/65535 of their range. `value` is the percentile of a measure or any other numeric column, in steps of 1/254 of 100,
with 255 for a missing one, `size` that of a column that points are sized by; `category` is a number among the names of
a categorical column, with 65535 for none. The constants are those that the browser's decoder reads too,
`url_viz/frontend/map/decode.js`.

A filter's mask has one bit per point (1: kept), in the order of the ids, the lowest bit first:

    "UVB1"  uint32 n  int64 all ids, exclusive-or  uint8 bits[(n + 7) // 8]
"""

import math
import struct
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.columns.filters import categories_of
from url_viz.columns.ranking import percentile_of_each
from url_viz.drawing.assets import WIRE

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
    (x_min, x_max), (y_min, y_max) = _range_of(points.x), _range_of(points.y)
    blocks = (
        points.ids.astype("<i8"),
        _quantised(points.x, x_min, x_max),
        _quantised(points.y, y_min, y_max),
        np.where(points.category < 0, NO_CATEGORY, points.category).astype("<u2"),
        _value_steps(points.value),
        _value_steps(points.size),
    )
    return HEADER.pack(MAGIC, len(points.ids), x_min, x_max, y_min, y_max) + b"".join(
        block.tobytes() for block in blocks
    )


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
    if len(percentiles) <= limit:
        return np.arange(len(percentiles))
    extremes = _extremes(percentiles, most=limit // 4)
    others = np.setdiff1d(np.arange(len(percentiles)), extremes, assume_unique=True)
    drawn = np.random.default_rng(0).choice(others, size=limit - len(extremes), replace=False)
    return np.sort(np.concatenate([extremes, drawn]))


def _range_of(values: Floats) -> tuple[float, float]:
    """Smallest and largest value; (0, 0) for no values."""
    return (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)


def _quantised(values: Floats, low: float, high: float) -> NDArray[np.uint16]:
    spread = (high - low) or 1.0
    steps: NDArray[np.uint16] = np.rint((values.astype(np.float64) - low) / spread * COORDINATE_STEPS).astype("<u2")
    return steps


def _value_steps(percentiles: Floats) -> NDArray[np.uint8]:
    has_value = ~np.isnan(percentiles)
    steps: NDArray[np.uint8] = np.full(len(percentiles), NO_VALUE, dtype=np.uint8)
    steps[has_value] = np.rint(percentiles[has_value] * (VALUE_STEPS / 100))
    return steps


def _extremes(percentiles: Floats, *, most: int) -> NDArray[np.int64]:
    """Rows of the lowest and of the highest 1% of the known percentiles, at most `most` of each."""
    valued = np.flatnonzero(~np.isnan(percentiles))
    count = min(most, math.ceil(len(valued) * EXTREME_SHARE), len(valued) // 2)
    in_order = valued[np.argsort(percentiles[valued], kind="stable")]
    return np.concatenate([in_order[:count], in_order[len(in_order) - count :]])


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
    values = _values(table, measure, within)
    rows = _drawn_rows(table, values)
    numbers = np.full(len(table), -1, np.int32) if category is None else categories_of(table, category).numbers
    return Points(
        ids=table["id"].to_numpy(np.int64)[rows],
        x=table["x"].to_numpy(np.float32)[rows],
        y=table["y"].to_numpy(np.float32)[rows],
        value=values[rows],
        category=numbers[rows],
        size=_values(table, size, within)[rows],
    )


def drawn_ids(
    table: pd.DataFrame, *, measure: str | None = None, within: pd.DataFrame | None = None
) -> NDArray[np.int64]:
    """The ids of the points that `map_points` draws, in their order; parameters as there."""
    is_crowd = int(np.isfinite(table["x"].to_numpy(dtype=float)).sum()) > MOST_DRAWN
    return table["id"].to_numpy(np.int64)[_drawn_rows(table, _values(table, measure, within) if is_crowd else None)]


def _values(table: pd.DataFrame, measure: str | None, within: pd.DataFrame | None) -> NDArray[np.float32]:
    """The percentile (N,) of each row by a measure; nan without one."""
    if measure is None:
        return np.full(len(table), np.nan, np.float32)
    return percentile_of_each(table, measure, within=within)


def _drawn_rows(table: pd.DataFrame, percentiles: NDArray[np.float32] | None) -> NDArray[np.int64]:
    """The rows of a table that the map draws; `percentiles` choose among them if they are too many."""
    placed = np.flatnonzero(np.isfinite(table["x"].to_numpy(dtype=float)))
    if len(placed) <= MOST_DRAWN or percentiles is None:
        return placed
    return placed[drawn_sample(percentiles[placed], MOST_DRAWN)]
