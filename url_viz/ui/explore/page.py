"""Parts of the Explore page: heading, choosing pictures, what is shown and reviewed, unreadable files."""

from dataclasses import replace
from functools import partial

import pandas as pd
import streamlit as st

from url_viz.columns.filters import ReviewSpec, Scope, replaced_in, scoped
from url_viz.columns.measures import quoted
from url_viz.columns.ranking import with_percentile
from url_viz.image_set import ImageSet
from url_viz.labels.ambiguity import between_filters
from url_viz.review.review import READY_PER_CLASS as REVIEWED_PER_CLASS
from url_viz.ui.explore.controls import default_measure
from url_viz.ui.explore.export import show_export
from url_viz.ui.explore.view import EXPORT_PANEL, ExploreView, set_filter
from url_viz.ui.menu import go_to_review
from url_viz.ui.session import Key
from url_viz.ui.text import escape
from url_viz.ui.widgets.buttons import download_table, page_title, popover_key
from url_viz.ui.widgets.components import announce
from url_viz.ui.widgets.embed_job import set_name

SHOWN_FIRST: Key[int] = Key("view.shown_first")
"""How often a control below the galleries changed what they show: the page scrolls to them then."""


def show_heading(
    image_set: ImageSet, table: pd.DataFrame, rows: pd.DataFrame, review: ReviewSpec | None, *, count: int
) -> tuple["st.delta_generator.DeltaGenerator", "st.delta_generator.DeltaGenerator"]:
    """The set's name, the `review` of the pictures acted on, which asks of `count`, and exports.

    Exports are of `table`, all pictures, and `rows`: those that are acted on, with the tiny ones that are not shown.
    Returns the place of what decides on pictures, which has its room whether or not anything is in it, and that of the
    button for what to review first (`show_first_review`), which stands empty where there is a `review`.
    """
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="explore_heading"):
        page_title(escape(set_name(image_set.root)), width="content")
        decide = st.container(key="explore_line")
        first = st.container(width="content", key="explore_first")
        if review is not None:
            with first:
                _show_review_button(review, count)
        with st.popover("Export", icon=":material/download:", key=popover_key(EXPORT_PANEL), on_change="rerun"):
            show_export(image_set, table, rows)
    if image_set.source.head is None:
        st.info(
            f"{escape(repr(image_set.source.title))} has no head, which only the order “General model” needs. To train "
            "one: `python -m training.finetune`.",
            icon=":material/info:",
        )
    return decide, first


def _show_review_button(review: ReviewSpec, count: int) -> None:
    words, act = "Review this one" if count == 1 else f"Review these {count:,}", partial(go_to_review, review)
    words = words if count else "All are decided"
    meaning = "What is selected, or else all that is shown, one by one in this order, of copies and views one each"
    icon = ":material/rate_review:"
    st.button(words, type="primary", icon=icon, key="explore.review", disabled=not count, help=meaning, on_click=act)


def announce_shown(image_set: ImageSet, rows: pd.DataFrame, measure: str) -> None:
    """Announce how many pictures are shown, and in which order."""
    of = "" if len(rows) == len(image_set) else f" of {len(image_set):,}"
    announce("explore", f"{len(rows):,}{of} {image_set.noun}s by {quoted(measure)}")


def show_pair(pair: tuple[str, str]) -> None:
    """Have Explore show the pictures that lie between two classes."""
    for between in between_filters(pair):
        set_filter(between.column, between)
    SHOWN_FIRST.set((SHOWN_FIRST.get() or 0) + 1)


def before_reasons(table: pd.DataFrame, view: ExploreView, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows that `view` shows without its filter on reasons, whose control counts them; `rows` are those with it."""
    others = replaced_in(view.filters, "reasons", None)
    return rows if others == view.filters else scoped(table, replace(view.scope, filters=others))


def review_of(view: ExploreView, measure: str, scope: Scope | None = None) -> ReviewSpec:
    """The review of Explore's pictures in its order, in `scope` or by default in lasso and filters."""
    return ReviewSpec(
        measure,
        scope or view.scope,
        within_class=view.within_class,
        per_class=REVIEWED_PER_CLASS if view.class_by_class else None,
    )


def show_failure_list(image_set: ImageSet, *, key: str = "failures") -> None:
    """The files that could not be read, with reasons, and the download of the list."""
    failures = image_set.failures()
    st.dataframe(failures, hide_index=True, width="stretch", alt="Files that could not be read, with reasons")
    download_table(
        "Download the list (CSV)",
        failures,
        file_name=f"{image_set.root.name}-failures.csv",
        key=f"download.{key}",
        is_quiet=False,
    )


def ranked_by(table: pd.DataFrame, view: ExploreView, measure: str) -> pd.DataFrame:
    """The table with the measure's percentile in the set, or in the class, as galleries and exports show it."""
    within_class = view.within_class and bool(table["label"].notna().any())
    return with_percentile(table, measure, within_class=within_class)


def is_in_own_order(view: ExploreView, image_set: ImageSet, *, measure: str) -> bool:
    """Whether somebody has chosen the order that is shown: a review of it is not one of those that are ready."""
    return measure != default_measure(image_set) or view.within_class or view.class_by_class


def lasting(view: ExploreView, image_set: ImageSet, *, measure: str, colour: str) -> ExploreView:
    """The view for the address: the default measure counts as no choice."""
    return replace(view, measure=None if measure == default_measure(image_set) else measure, colour=colour)
