"""Tiles, the pictures of galleries and grids: from rows of a table, and as data for the browser."""

from collections.abc import Hashable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from url_viz.analysis.between import question_of
from url_viz.analysis.measures import is_measure, title_of
from url_viz.ui.urls import thumbnail_url
from url_viz.wording import standing


@dataclass(frozen=True)
class Tile:
    """One picture of a gallery.

    `thumbnail` is a URL. `value` is printed on the picture ("above 97 %"), `detail` shown when it is pointed at.
    `question` ("cucumber or banana?"), `label` and, on wide tiles, `name` (of a path, its last part) are under it.
    `twins` counts the hidden twins of this picture. `mark` is a short word in the corner. `decision` is shown as a
    coloured sign; a dropped picture is faint.
    """

    id: int
    name: str
    thumbnail: str
    value: str
    label: str | None = None
    twins: int = 0
    is_ringed: bool = False
    mark: str | None = None
    decision: str | None = None
    question: str | None = None
    detail: str = ""


def tile_data(tile: Tile) -> dict[str, object]:
    """A tile for the browser; its id as text, because JavaScript's numbers hold 53 bits."""
    return asdict(tile) | {"id": str(tile.id)}


def tiles(rows: pd.DataFrame, *, set_id: str, measure: str, ringed_id: int | None = None) -> tuple[Tile, ...]:
    """Rows as tiles, with the measure's percentile printed on each, its value as detail."""
    return tuple(_tile(row, set_id=set_id, measure=measure, ringed_id=ringed_id) for row in rows.to_dict("records"))


def _tile(row: Mapping[Hashable, Any], *, set_id: str, measure: str, ringed_id: int | None) -> Tile:
    value, rank = float(row[measure]), float(row["rank_percentile"])
    return tile_of(
        row,
        set_id=set_id,
        value=value_text(value, rank),
        detail=f"{title_of(measure)} {value_with_percentile(value, rank)}" if is_measure(measure) else "",
        question=question_of({str(column): value for column, value in row.items()}),
        twins=int(row.get("twins", 0)),
        is_ringed=int(row["id"]) == ringed_id,
        decision=row.get("decision"),
    )


def tile_of(row: Mapping[Hashable, Any], *, set_id: str, value: str, **more: Any) -> Tile:
    """A row (id, path, label) as a tile with a text `value`; `more` are other fields of the tile."""
    image_id, label = int(row["id"]), row.get("label")
    usual = {"thumbnail": thumbnail_url(set_id, image_id), "label": label if isinstance(label, str) else None}
    return Tile(image_id, str(row["path"]), value=value, **usual | more)


def value_text(value: float, rank: float) -> str:
    """`above 97 %`, or `0.412` where nan is its percentile, or `–` for nan."""
    if not np.isfinite(value):
        return "–"
    return standing(rank) if np.isfinite(rank) else f"{value:.3g}"


def value_with_percentile(value: float, rank: float) -> str:
    """`0.4123 · above 97 % of the others`, or the value alone where nan is its percentile."""
    return f"{value:.4g}" + (f" · {standing(rank, of=' of the others')}" if np.isfinite(rank) else "")
