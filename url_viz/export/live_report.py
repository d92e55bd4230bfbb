"""The live part of a report: Explore's map and grid with the pictures of a table, in a file that loads nothing."""

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from url_viz.columns.filters import MOST_CATEGORIES, SEPARATOR, category_names
from url_viz.columns.measures import MEASURES, measure_title, shown_reason
from url_viz.columns.ranking import percentile_of_each
from url_viz.drawing.assets import notebook_script
from url_viz.drawing.map_view import MapView, map_data
from url_viz.drawing.points import encode_points, map_points
from url_viz.drawing.tiles import between_of, number_of, tile_data, tiles
from url_viz.export.picture_files import inlined
from url_viz.findings.reasons import reason_counts
from url_viz.image_set import ImageSet

SIZES = ((800, 128), (2_000, 96), (5_000, 64))
"""The longer side of a thumbnail in pixels, by how many pictures there are at most."""
DIGITS = 4


@dataclass(frozen=True)
class LivePart:
    """What a page needs for it: a module, its data as a record of JSON, and the choices of its filters."""

    script: str
    data: dict[str, Any]
    classes: tuple[str, ...]
    reasons: tuple[str, ...]


def live_part(image_set: ImageSet, table: pd.DataFrame, measure: str) -> LivePart:
    """The live part of pictures: rows of the set's table with `rank_percentile`, at most as many as SIZES say."""
    rows = table.sort_values("rank_percentile", ascending=False, kind="stable", na_position="last", ignore_index=True)
    whole = image_set.table()
    category = "label" if len(category_names(rows, "label")) <= MOST_CATEGORIES else None
    points = map_points(rows, measure=measure, category=category, within=whole)
    view = MapView(
        points_url="points",
        card_url="card/{id}",
        total=len(rows),
        unit=image_set.noun,
        measure=measure_title(measure),
        categories=category_names(rows, "label"),
    )
    side_px = next(px for most, px in SIZES if len(rows) <= most)
    pictures = inlined(image_set.core, rows["id"], side_px=side_px)
    shown = [
        tile_data(tile) | {"thumbnail": pictures.get(tile.id, "")} for tile in tiles(rows, set_id="", measure=measure)
    ]
    reasons = [tuple(map(shown_reason, filter(None, str(some).split(SEPARATOR)))) for some in rows["reasons"]]
    is_told = image_set.labels.are_shares_told()
    data = {
        "points": base64.b64encode(encode_points(points)).decode("ascii"),
        "ids": list(map(str, points.ids.tolist())),
        "tiles": shown,
        "cards": [
            _card(row, some, is_told=is_told) for row, some in zip(rows.to_dict("records"), reasons, strict=True)
        ],
        "measures": _measures(rows, whole, measure),
        "map": map_data(view, key="report", taken={}) | {"fits": False, "can_pick": category is not None},
        "has_questions": any(tile["question"] for tile in shown),
        "has_labels": bool(rows["label"].notna().any()),
    }
    start = "startReport(parts);"
    classes = tuple(sorted(map(str, rows["label"].dropna().unique())))
    offered = reason_counts(rows["reasons"], image_set.core.reasons.order())
    return LivePart(notebook_script("report", start), data, classes, tuple(map(shown_reason, offered)))


def _card(row: dict[Any, Any], reasons: tuple[str, ...], *, is_told: bool) -> dict[str, object]:
    place = [number_of(row["x"]), number_of(row["y"])]
    rank = number_of(row["rank_percentile"])
    return {
        "between": between_of(row, is_told=is_told),
        "reasons": reasons,
        "rank": rank,
        "place": None if None in place else place,
    }


def _measures(rows: pd.DataFrame, whole: pd.DataFrame, first: str) -> list[dict[str, object]]:
    """Title, values and percentiles (N,) of each measure of the rows, `first` first."""
    names = dict.fromkeys([first, *(one.name for one in MEASURES if one.is_offered and one.name in rows)])
    return [
        {
            "title": measure_title(name),
            "values": _rounded(rows[name].to_numpy(float)),
            "percentiles": _rounded(percentile_of_each(rows, name, within=whole)),
        }
        for name in names
    ]


def _rounded(values: Any) -> list[float | None]:
    return [float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None for value in values.tolist()]
