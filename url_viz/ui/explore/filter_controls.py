"""The filters of the Explore page: the controls that set them, and a chip for each that takes it away."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from url_viz.base.wording import above
from url_viz.columns.filters import (
    LABEL_CHECK,
    Between,
    Filter,
    NameContains,
    OneOf,
    category_names,
    counted_values,
    filter_in_words,
)
from url_viz.columns.measures import shown_reason, shown_value, title_of_column
from url_viz.findings.reasons import reason_counts
from url_viz.image_set import ImageSet
from url_viz.labels.ambiguity import between_filters, pair_between
from url_viz.labels.doubtful_labels import label_checks
from url_viz.labels.torn import TORN
from url_viz.ui.explore.add_columns import user_columns_dialog
from url_viz.ui.explore.class_choice import show_class_choice
from url_viz.ui.explore.view import FILTER_PANEL, ExploreView, change_view, filter_on, set_filter
from url_viz.ui.session import Key
from url_viz.ui.text import escape
from url_viz.ui.widgets.buttons import control, dialog_button, popover_key

REASON: Key[str | None] = Key("view.reason")
FILTER_COLUMN = "view.filter_column"
FILTER_NAME: Key[str] = Key("view.filter_name")
FILTER: Key[Any] = Key("view.filter")
"""The controls of a filter, by its column: a list of values, or with "low" and "high" a number."""

ONE_CLASS: Key[str] = Key("view.label")
ALL_CLASSES = "All classes"
NUMBER = r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?"


def show_filter_popover(image_set: ImageSet) -> "st.delta_generator.DeltaGenerator":
    """Set filters: by class, reason, name, or the values of a column; and what classes are, and more columns.

    Returns the place of the reasons, which are counted once it is known what else narrows the view.
    """
    kinds = image_set.core.filter_kinds()
    with st.popover("Filter", icon=":material/filter_list:", key=popover_key(FILTER_PANEL)):
        _pick_class(image_set)
        reasons = st.container(key="explore_reasons")
        _pick_name()
        if kinds:
            column = st.selectbox("Column", list(kinds), format_func=title_of_column, key=FILTER_COLUMN)
            if kinds[column] == "numeric":
                with_column = image_set.core.for_filters(image_set.table(), [Between(column)])
                _pick_range(with_column[column], column)
            elif column == LABEL_CHECK:
                _pick_values(counted_values(pd.Series(image_set.core.derived.get(label_checks), name=column)), column)
            else:
                _pick_values(image_set.cached_of_table(_counts_in, column), column)
        words = "From a CSV or Parquet file, matched by path; and those that there are"
        icon = ":material/table_chart:"
        if dialog_button("Add columns", icon=icon, key="own.open", popover=FILTER_PANEL, help=words):
            user_columns_dialog(image_set)
        show_class_choice(image_set)
    return reasons


def show_chips(view: ExploreView) -> None:
    """A removable chip for everything that narrows the view."""
    with st.container(horizontal=True, wrap=False, vertical_alignment="center", gap="small", key="explore_chips"):
        if view.polygon is not None:
            _chip("Selection", "selection", change_view, polygon=None)
        _show_filter_chips(view.filters)
        if view.cuts:
            _chip(f"Threshold: {', '.join(map(above, view.cuts))}", "threshold", change_view, cuts=())


def _show_filter_chips(filters: Sequence[Filter]) -> None:
    """A chip for each filter; what leaves the torn pictures, or those between two classes, is one."""

    def remove(*taken: Filter) -> None:
        for each in taken:
            set_filter(each.column, None)

    pair, is_torn = pair_between(filters), TORN in filters
    together: tuple[Filter, ...] = (*(() if pair is None else between_filters(pair)), *((TORN,) if is_torn else ()))
    if together:
        between = "two classes" if pair is None else " and ".join(pair)
        _chip(f"{'Torn between' if is_torn else 'Between'} {between}", "pair", remove, *together)
    for active in filters:
        if active not in together:
            name = "class" if active.column == "label" else active.column
            _chip(filter_in_words(active), name, remove, active)


def _chip(words: str, name: str, act: Callable[..., None], *arguments: object, **changes: object) -> None:
    icon = ":material/close:"
    st.button(escape(words), icon=icon, key=f"chip.{name}", on_click=act, args=arguments, kwargs=changes)


def _pick_name() -> None:
    def choose(text: str) -> None:
        set_filter("path", NameContains(text.strip()) if text.strip() else None)

    now = filter_on("path")
    text = now.text if isinstance(now, NameContains) else ""
    st.text_input("Name contains", text, placeholder="any", **control(FILTER_NAME, text, choose))


def _counts_in(table: pd.DataFrame, column: str) -> dict[str, int]:
    return counted_values(table[column])


def _pick_values(counts: Mapping[str, int], column: str) -> None:
    def choose(values: Sequence[str]) -> None:
        set_filter(column, OneOf(column, tuple(values)) if values else None)

    now = filter_on(column)
    shown = [value for value in now.values if value in counts] if isinstance(now, OneOf) else []
    st.multiselect(
        "Any of",
        list(counts),
        shown,
        format_func=lambda value: f"{shown_value(column, value) or 'none'} ({counts[value]:,})",
        placeholder="all",
        **control(FILTER.under(column), shown, choose, options=counts),
    )


def _pick_range(values: "pd.Series[float]", column: str) -> None:
    def now() -> Between:
        active = filter_on(column)
        return active if isinstance(active, Between) else Between(column)

    def choose(bound: str, text: str) -> None:
        value = float(text) if text.strip() else None
        new = replace(now(), low=value) if bound == "low" else replace(now(), high=value)
        set_filter(column, None if new.low is None and new.high is None else new)

    st.caption(f"From {values.min():.6g} to {values.max():.6g} in this image set")
    for container, title, bound in zip(st.columns(2), ("At least", "At most"), ("low", "high"), strict=True):
        value = getattr(now(), bound)
        text = "" if value is None else f"{value:.15g}"
        container.text_input(
            escape(title),
            text,
            placeholder="any",
            validate=(NUMBER, "Type a number, such as 0.5"),
            **control(FILTER.under(column, bound), text, partial(choose, bound)),
        )


def pick_reason(image_set: ImageSet, table: pd.DataFrame) -> None:
    """The reasons in `table`, rows of the set's, as pills with counts; the picked one filters the view.

    The reason that explains most of the set's order comes first.
    """

    def choose(name: str | None) -> None:
        set_filter("reasons", OneOf("reasons", (name,)) if name else None)

    counts = reason_counts(table["reasons"], image_set.core.reasons.order())
    now = filter_on("reasons")
    picked = now.values[0] if isinstance(now, OneOf) and len(now.values) == 1 and now.values[0] else None
    if picked is not None:
        counts.setdefault(picked, 0)
    if not counts:
        return
    st.pills(
        "Why",
        list(counts),
        default=picked,
        format_func=lambda name: f"{escape(shown_reason(name))} {counts[name]:,}",
        **control(REASON, picked, choose, options=counts),
    )


def _pick_class(image_set: ImageSet) -> None:
    """One class, or all: a shortcut for the filter on the class."""

    def choose(name: str) -> None:
        set_filter("label", None if name == ALL_CLASSES else OneOf("label", (name,)))

    names = image_set.cached_of_table(category_names)
    if not names:
        return
    now, shown = filter_on("label"), ALL_CLASSES
    if isinstance(now, OneOf) and len(now.values) == 1 and now.values[0] in names:
        shown = now.values[0]
    options = [ALL_CLASSES, *names]
    st.selectbox(
        "Class",
        options,
        index=options.index(shown),
        **control(ONE_CLASS, shown, choose, options=options),
    )
