"""Which rows of a table galleries show: both ends of an order, sides of a threshold, pages."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from url_viz.analysis.ranking import ends
from url_viz.ui.session import Key


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
