"""Gallery tiles from the rows of a table: measures, scope, sides of a threshold, and value texts."""

import math
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from url_viz.analysis.between import question_of
from url_viz.analysis.ranking import ends
from url_viz.ui.http import thumbnail_url
from url_viz.ui.session import Key
from url_viz.ui.widgets.gallery import Tile


@dataclass(frozen=True)
class Sides:
    """The two galleries: rows on each side of the threshold (without one, all rows on both), extremes first."""

    ambiguous: pd.DataFrame
    clear: pd.DataFrame


def sides(rows: pd.DataFrame, *, measure: str, threshold_percentile: float | None, collapse_twins: bool) -> Sides:
    """Order the rows both ways; a threshold leaves each picture on one side only.

    `measure` is the column to order by: a measure, or `rank_percentile` within classes.
    """
    both = ends(rows, by=measure, collapse_twins=collapse_twins)
    if threshold_percentile is None:
        return Sides(both.ambiguous, both.clear)
    above = both.ambiguous["rank_percentile"] >= threshold_percentile
    below = both.clear["rank_percentile"] < threshold_percentile
    return Sides(both.ambiguous[above], both.clear[below])


@contextmanager
def one_page(rows: pd.DataFrame, key_of: Callable[[int], Key[int]], *, size: int) -> Iterator[pd.DataFrame]:
    """The rows of the page that is chosen; after what is drawn of them, the pages to choose, if there are several.

    `key_of` gives the key of the choice for so many pages.
    """
    pages = max(1, math.ceil(len(rows) / size))
    key = key_of(pages)
    yield page_of(rows, page=min(key.get() or 1, pages), size=size)
    if pages > 1:
        st.pagination(pages, key=key, max_visible_pages=5)


def page_of(rows: pd.DataFrame, *, page: int, size: int) -> pd.DataFrame:
    """One page of rows; pages count from 1."""
    return rows.iloc[(page - 1) * size : page * size]


def tiles(rows: pd.DataFrame, *, set_id: str, measure: str, ringed_id: int | None) -> tuple[Tile, ...]:
    """Rows as tiles, with the measure's value and percentile printed on each."""
    return tuple(_tile(row, set_id=set_id, measure=measure, ringed_id=ringed_id) for row in rows.to_dict("records"))


def _tile(row: Mapping[Hashable, Any], *, set_id: str, measure: str, ringed_id: int | None) -> Tile:
    image_id = int(row["id"])
    return Tile(
        id=image_id,
        name=str(row["path"]),
        thumbnail=thumbnail_url(set_id, image_id),
        value=value_text(float(row[measure]), float(row["rank_percentile"])),
        label=row["label"] if isinstance(row["label"], str) else None,
        question=question_of({str(column): value for column, value in row.items()}),
        twins=int(row.get("twins", 0)),
        is_ringed=image_id == ringed_id,
        decision=row.get("decision"),
    )


def value_text(value: float, rank: float) -> str:
    """`0.412 · 97th`, or `–` for nan."""
    if not np.isfinite(value):
        return "–"
    return f"{value:.3g}" if not np.isfinite(rank) else f"{value:.3g} · {ordinal(rank)}"


def ordinal(rank: float) -> str:
    """`97th`, `1st`, `22nd`: a percentile in words."""
    number = round(rank)
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
