"""Parts of the Explore page: heading, filter chips, the two galleries, exports, and unreadable files."""

from dataclasses import replace

import pandas as pd
import streamlit as st

from url_viz.analysis.filters import replaced_in
from url_viz.analysis.findings.object_findings import TINY_PX
from url_viz.analysis.labels.ambiguity import between_filters, count_between
from url_viz.analysis.measures import quoted
from url_viz.analysis.ranking import with_percentile
from url_viz.analysis.review.review import READY_PER_CLASS as REVIEWED_PER_CLASS
from url_viz.analysis.scope import ReviewSpec, Scope, scoped
from url_viz.image_set import ImageSet
from url_viz.store.columns.object_columns import PICTURE
from url_viz.ui.explore.choose_dialog import show_choose_button
from url_viz.ui.explore.class_choice import show_class_choice
from url_viz.ui.explore.controls import default_measure
from url_viz.ui.explore.export import CORRECTED_FIRST, EXPORT_PANEL, show_export
from url_viz.ui.explore.filter_controls import set_filter, show_filter_chips
from url_viz.ui.explore.user_column_dialog import show_user_columns
from url_viz.ui.explore.view import ExploreView, change_view
from url_viz.ui.menu import purpose_of
from url_viz.ui.review.review_address import go_to_review
from url_viz.ui.session import Key
from url_viz.ui.text import escape
from url_viz.ui.widgets.announcer import announce
from url_viz.ui.widgets.download import download_table
from url_viz.ui.widgets.embed_job import set_name
from url_viz.ui.widgets.heading import page_title
from url_viz.wording import above, counted

MOST_PAIRS = 12
SHOWN_FIRST: Key[int] = Key("view.shown_first")
"""How often something below the galleries had them show something else: they are to be seen then."""


def show_heading(
    image_set: ImageSet, table: pd.DataFrame, rows: pd.DataFrame, review: ReviewSpec, *, count: int
) -> None:
    """The set's name, counts and classes, the `review` of the `count` that are acted on, user columns, and exports.

    Exports are of `table`, all pictures, and `rows`: those that are acted on, with the tiny ones that are not shown.
    """
    failed = len(image_set.failures())
    facts, purpose = [_count(image_set, table)], escape(purpose_of("Explore"))
    if failed:
        facts.append(f"{failed:,} unreadable")
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="explore_heading"):
        page_title(escape(set_name(image_set.root)), width="content", help=purpose)
        st.caption(escape(" · ".join(facts)), width="content")
        show_class_choice(image_set)
        st.space("stretch")
        _show_review_button(review, count, is_all=count == len(image_set))
        with st.container(horizontal=True, width="content", gap="small", key="explore_extras"):
            show_user_columns(image_set)
            show_choose_button(image_set, rows)
            _show_exports(image_set, table, rows)
    if image_set.head is None:
        st.info(
            f"{escape(repr(image_set.source.title))} has no head, which only the order “General model” needs. To train "
            "one: `python -m training.finetune`.",
            icon=":material/info:",
        )


def announce_shown(image_set: ImageSet, rows: pd.DataFrame, measure: str) -> None:
    """Have it said how many pictures are shown, and by which order."""
    of = "" if len(rows) == len(image_set) else f" of {len(image_set):,}"
    announce("explore", f"{len(rows):,}{of} {image_set.noun}s by {quoted(measure)}")


def _count(image_set: ImageSet, table: pd.DataFrame) -> str:
    count = counted(len(table), image_set.noun)
    return f"{count} in {counted(table[PICTURE].nunique(), 'picture')}" if image_set.is_of_objects else count


def show_pairs(image_set: ImageSet) -> None:
    """The pairs of classes that are most often taken for each other, each a button; nothing without classes."""
    confused = image_set.labels.confused()
    if confused is None or confused.empty:
        return
    pairs, table = confused.head(MOST_PAIRS), image_set.table()
    first = f"the first {len(pairs):d}" if len(pairs) == MOST_PAIRS else f"{len(pairs):d}"
    with st.expander(f"Classes taken for each other · {escape(first)}", icon=":material/compare_arrows:"):
        st.caption("How many pictures are torn between the two, leaving out their own label.")
        with st.container(horizontal=True, gap="small"):
            for number, row in enumerate(pairs.itertuples()):
                pair = str(row.class_a), str(row.class_b)
                words = f"{pair[0]} or {pair[1]}? · {count_between(table, pair):,}"
                st.button(escape(words), key=f"pair.{number}", on_click=show_pair, args=(pair,))


def show_pair(pair: tuple[str, str]) -> None:
    """Have Explore show the pictures that lie between two classes."""
    for between in between_filters(pair):
        set_filter(between.column, between)
    SHOWN_FIRST.set((SHOWN_FIRST.get() or 0) + 1)


def show_chips(view: ExploreView, *, hidden: int) -> None:
    """A removable chip for everything that narrows the view; so many objects are `hidden` as too small."""
    if view == replace(view, polygon=None, cuts=(), filters=()) and not hidden:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if view.polygon is not None:
            st.button(
                "Selection",
                icon=":material/close:",
                key="chip.selection",
                on_click=change_view,
                kwargs={"polygon": None},
            )
        show_filter_chips()
        if hidden:
            st.button(
                f"{hidden:,} under {TINY_PX} px hidden",
                icon=":material/close:",
                key="chip.tiny",
                help="The shorter side of their box has fewer pixels. Exports have them. Click to show them",
                on_click=change_view,
                kwargs={"hide_tiny": False},
            )
        if view.cuts:
            st.button(
                f"Threshold: {escape(', '.join(map(above, view.cuts)))}",
                icon=":material/close:",
                key="chip.threshold",
                on_click=change_view,
                kwargs={"cuts": ()},
            )


def before_reasons(table: pd.DataFrame, view: ExploreView, rows: pd.DataFrame) -> pd.DataFrame:
    """What `view` shows of the table but for the filter on reasons, whose control counts them; `rows` with it."""
    others = replaced_in(view.filters, "reasons", None)
    return rows if others == view.filters else scoped(table, replace(view.scope, filters=others))


def review_of(view: ExploreView, measure: str, scope: Scope | None = None) -> ReviewSpec:
    """The review of what Explore shows: its order, in `scope` or by default in lasso and filters."""
    return ReviewSpec(
        measure,
        scope or view.scope,
        within_class=view.within_class,
        per_class=REVIEWED_PER_CLASS if view.class_by_class else None,
    )


def _show_review_button(review: ReviewSpec, count: int, *, is_all: bool) -> None:
    st.button(
        "Review" if is_all else "Review this one" if count == 1 else f"Review these {count:,}",
        type="primary",
        icon=":material/rate_review:",
        key="explore.review",
        disabled=not count,
        help="Go through what is selected, or else all that is shown, one by one in this order. What you have decided "
        "on is skipped",
        on_click=go_to_review,
        args=(review,),
    )


def _show_exports(image_set: ImageSet, table: pd.DataFrame, rows: pd.DataFrame) -> None:
    with st.popover("Export", icon=":material/download:", key=EXPORT_PANEL, on_change=CORRECTED_FIRST.clear):
        show_export(image_set, table, rows)


def show_failures(image_set: ImageSet) -> None:
    """The files that could not be read, with reasons, and a download of the list."""
    failures = image_set.failures()
    if failures.empty:
        return
    with st.expander(escape(f"{counted(len(failures), 'file')} could not be read"), icon=":material/broken_image:"):
        show_failure_list(image_set)


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
    """The whole table with the measure's percentile in the set, or in the class: what galleries and exports show."""
    within_class = view.within_class and bool(table["label"].notna().any())
    return with_percentile(table, measure, within_class=within_class)


def lasting(view: ExploreView, image_set: ImageSet, *, measure: str, colour: str) -> ExploreView:
    """The view for the address: the default measure counts as no choice."""
    return replace(
        view,
        measure=None if measure == default_measure(image_set) else measure,
        colour=colour,
    )
