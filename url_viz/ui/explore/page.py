"""Parts of the Explore page: heading, filter chips, the two galleries, exports, and unreadable files."""

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st

from url_viz.analysis.filters import Between, OneOf
from url_viz.analysis.measures import AMBIGUITY
from url_viz.analysis.ranking import first_of_each_class, value_at, with_percentile
from url_viz.analysis.review import READY_PER_CLASS as REVIEWED_PER_CLASS
from url_viz.analysis.review import ReviewSpec
from url_viz.analysis.scope import Scope, scoped, thinned
from url_viz.errors import FolderError
from url_viz.export.folders import paths_text
from url_viz.image_set import ImageSet
from url_viz.ui.explore.controls import PER_CLASS, default_measure
from url_viz.ui.explore.map import map_key, subset_shown
from url_viz.ui.review.address import go_to_review
from url_viz.ui.session import OPENED, ExploreView, gallery_of, page_of_gallery, state_of
from url_viz.ui.text import escape
from url_viz.ui.widgets.class_choice import show_class_choice
from url_viz.ui.widgets.decide import handle_gallery_event
from url_viz.ui.widgets.download import download, download_table
from url_viz.ui.widgets.export import show_export_buttons
from url_viz.ui.widgets.filters import set_filter, show_filter_chips
from url_viz.ui.widgets.gallery import show_gallery
from url_viz.ui.widgets.reading import set_name
from url_viz.ui.widgets.tiles import Sides, one_page, sides, tiles
from url_viz.ui.widgets.user_columns import show_user_columns

TILES_PER_PAGE = 12


def show_heading(image_set: ImageSet, table: pd.DataFrame, rows: pd.DataFrame, review: ReviewSpec) -> None:
    """The set's name, counts, model and classes, the `review` of what is shown, user columns, and exports.

    Exports are of `table`, all pictures, and `rows`, those in scope.
    """
    failed = len(image_set.failures())
    facts = [f"{len(table):,} pictures", image_set.source.title]
    if failed:
        facts.append(f"{failed:,} unreadable")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.subheader(escape(set_name(image_set.root)), anchor=False, width="content")
        st.caption(escape(" · ".join(facts)), width="content")
        show_class_choice(image_set)
        st.space("stretch")
        _show_review_button(review, len(rows))
        show_user_columns(image_set)
        _show_exports(image_set, table, rows)
    if image_set.head is None:
        st.info(
            f"There is no uncertainty head for {escape(repr(image_set.source.title))}. Ambiguity and confusability "
            "need none. To train one: `python -m training.finetune`.",
            icon=":material/info:",
        )


def show_chips(image_set: ImageSet, table: pd.DataFrame, view: ExploreView, *, measure: str) -> None:
    """A removable chip for everything that narrows the view."""
    key, threshold = map_key(image_set), view.threshold_percentile
    if view.polygon is None and threshold is None and not view.filters:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if view.polygon is not None:
            st.button(
                "Selection", icon=":material/close:", key="chip.selection", on_click=_clear, args=(key, "polygon")
            )
        show_filter_chips()
        if threshold is not None:
            st.button(
                f"Threshold: {threshold:.0f}th percentile",
                icon=":material/close:",
                key="chip.threshold",
                on_click=_clear,
                args=(key, "threshold"),
            )
            value = value_at(table, measure, threshold)
            below = float(np.nextafter(value, -np.inf))  # the bounds of a filter are inclusive
            for words, bounds in (
                ("Only above", Between(measure, value)),
                ("Only below", Between(measure, None, below)),
            ):
                st.button(
                    escape(words),
                    type="tertiary",
                    key=f"threshold.{words}",
                    on_click=set_filter,
                    args=(measure, bounds),
                    disabled=not np.isfinite(value),
                    help="Filters the whole page, so that you can decide on one side of the threshold",
                )


def show_galleries(image_set: ImageSet, rows: pd.DataFrame, view: ExploreView, *, measure: str) -> int | None:
    """The most ambiguous and the clearest pictures side by side; return the id of a picture that was clicked."""
    by = "rank_percentile" if view.within_class else measure
    both = sides(rows, measure=by, threshold_percentile=view.threshold_percentile, collapse_twins=view.collapse_twins)
    if view.class_by_class:
        both = Sides(*(first_of_each_class(side, PER_CLASS) for side in (both.ambiguous, both.clear)))
    left, right = st.columns(2, gap="medium")
    with left:
        first = _gallery(image_set, both, "ambiguous", view, measure=measure)
    with right:
        second = _gallery(image_set, both, "clear", view, measure=measure)
    return first if first is not None else second


def _gallery(image_set: ImageSet, both: Sides, side: str, view: ExploreView, *, measure: str) -> int | None:
    rows = both.ambiguous if side == "ambiguous" else both.clear
    title = "Most ambiguous" if side == "ambiguous" else "Clearest"
    title += " of each class" if view.class_by_class else ""
    is_split = both.ambiguous.shape[0] != both.clear.shape[0]
    total = len(both.ambiguous) + len(both.clear)
    st.markdown(f"**{escape(title)}** · {len(rows):,} of {total:,}" if is_split else f"**{escape(title)}**")
    with one_page(rows, partial(page_of_gallery, side), size=TILES_PER_PAGE) as page:
        event = show_gallery(
            tiles(page, set_id=image_set.set_id, measure=measure, ringed_id=OPENED.get()),
            key=gallery_of(image_set.set_id, side),
            empty="No pictures on this side.",
            columns=2,
            handle=partial(handle_gallery_event, image_set),
        )
    return event.clicked_id


def review_of(view: ExploreView, measure: str) -> ReviewSpec:
    """The review of what Explore shows: its order, lasso, filters, and the two classes that are looked between."""
    pair = view.pair
    between = () if pair is None else tuple(OneOf(column, pair) for column in ("first_class", "second_class"))
    return ReviewSpec(
        measure if pair is None else AMBIGUITY.name,
        Scope(thinned(view.polygon), (*view.filters, *between)),
        within_class=view.within_class,
        per_class=REVIEWED_PER_CLASS if view.class_by_class else None,
    )


def _show_review_button(review: ReviewSpec, count: int) -> None:
    if st.button(
        "Review",
        type="primary",
        icon=":material/rate_review:",
        key="explore.review",
        disabled=not count,
        help="One picture after the other, in this order, of what is shown here; decided ones are left out",
    ):
        go_to_review(review)


def _show_exports(image_set: ImageSet, table: pd.DataFrame, rows: pd.DataFrame) -> None:
    """Downloads of the whole table and of the rows in scope, created on request."""
    with st.popover("Export", icon=":material/download:"):
        st.caption("One row per picture: path, class, size, all values and percentiles, map coordinates.")
        _downloads("All pictures", table, f"{image_set.root.name}-all", key="all")
        if len(rows) != len(table):
            _downloads("Shown pictures", rows, f"{image_set.root.name}-selection", key="rows")
        download(
            "List of paths",
            lambda: _paths(image_set, rows),
            file_name=f"{image_set.root.name}-paths.txt",
            key="download.paths",
            help_text="Of the shown pictures, one per line (separated by NUL if a name contains a line break)",
        )
        st.markdown(f"**Share** ({len(rows):,} of {len(table):,})")
        show_export_buttons(image_set, rows)


def _paths(image_set: ImageSet, rows: pd.DataFrame) -> bytes:
    ids = rows["id"].tolist()
    try:
        return paths_text(image_set, ids)
    except FolderError:
        return paths_text(image_set, ids, nul=True)


def show_failures(image_set: ImageSet) -> None:
    """The files that could not be read, with reasons, and a download of the list."""
    failures = image_set.failures()
    if failures.empty:
        return
    count = "1 file" if len(failures) == 1 else f"{len(failures):,} files"
    with st.expander(f"{escape(count)} could not be read", icon=":material/broken_image:"):
        show_failure_list(image_set)


def show_failure_list(image_set: ImageSet, *, key: str = "failures") -> None:
    """The files that could not be read, with reasons, and the download of the list."""
    failures = image_set.failures()
    st.dataframe(failures, hide_index=True, width="stretch")
    download_table(
        "Download the list (CSV)",
        failures,
        file_name=f"{image_set.root.name}-failures.csv",
        key=f"download.{key}",
        is_quiet=False,
    )


def scoped_rows(table: pd.DataFrame, view: ExploreView, measure: str) -> pd.DataFrame:
    """Rows in scope, with the measure's percentile over the whole set or its class: what galleries and exports show."""
    within_class = view.within_class and bool(table["label"].notna().any())
    return scoped(with_percentile(table, measure, within_class=within_class), view.scope)


def _downloads(title: str, rows: pd.DataFrame, name: str, *, key: str) -> None:
    plain = rows.drop(columns=["rank_percentile"], errors="ignore")
    st.markdown(f"**{escape(title)}** ({len(rows):,})")
    with st.container(horizontal=True):
        for kind, words in ((".csv", "CSV"), (".parquet", "Parquet")):
            download_table(words, plain, file_name=f"{name}{kind}", key=f"download.{key}{kind}", is_quiet=False)


def _clear(key: str, part: str) -> None:
    state_of(key)[part] = None


def lasting(view: ExploreView, image_set: ImageSet, *, measure: str, colour: str) -> ExploreView:
    """The view as it is kept: the default measure counts as no choice, and a lasso on a separate map ends with it."""
    return replace(
        view,
        measure=None if measure == default_measure(image_set) else measure,
        colour=colour,
        polygon=None if subset_shown(image_set) else view.polygon,
    )
