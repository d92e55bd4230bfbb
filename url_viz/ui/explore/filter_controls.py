"""Filters of Explore's view: a popover that sets one per column, a chip for each active one, and pills of reasons."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from url_viz.analysis.filters import (
    LABEL_CHECK,
    Between,
    Filter,
    Kind,
    NameContains,
    OneOf,
    filter_in_words,
    filterable,
    replaced_in,
    values_of,
)
from url_viz.analysis.findings.reasons import reason_counts
from url_viz.analysis.labels.ambiguity import between_filters, pair_between
from url_viz.analysis.labels.doubtful_labels import label_checks
from url_viz.analysis.shown_words import shown_reason, shown_value, title_of_column
from url_viz.image_set import ImageSet
from url_viz.ui.explore.view import change_view, view
from url_viz.ui.session import Key
from url_viz.ui.text import escape
from url_viz.ui.widgets.shown_value import control

REASON: Key[str | None] = Key("view.reason")
FILTER_COLUMN = "view.filter_column"
FILTER_NAME: Key[str] = Key("view.filter_name")
FILTER: Key[Any] = Key("view.filter")
"""The controls of a filter, by its column: a list of values, or with "low" and "high" a number."""

NUMBER = r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?"


def set_filter(column: str, new: Filter | None) -> None:
    """Set the filter on a column, or remove it (None)."""
    change_view(filters=replaced_in(view().filters, column, new))


def filter_on(column: str) -> Filter | None:
    """The filter on a column, if any."""
    return next((active for active in view().filters if active.column == column), None)


def show_filter_popover(image_set: ImageSet) -> None:
    """Set filters: by name, or by the values of a column."""
    kinds = image_set.core.filter_kinds()
    with st.popover("Filter", icon=":material/filter_list:"):
        _pick_name()
        if not kinds:
            return
        column = st.selectbox("Column", list(kinds), format_func=title_of_column, key=FILTER_COLUMN)
        if kinds[column] == "numeric":
            _pick_range(image_set.table()[column], column)
        elif column == LABEL_CHECK:
            _pick_values(values_of(pd.Series(image_set.core.derived.get(label_checks), name=column)), column)
        else:
            _pick_values(image_set.cached_of_table(_counts_in, column), column)


def show_filter_chips() -> None:
    """A chip for each filter; a click removes it."""
    pair = pair_between(view().filters)
    if pair is not None:
        between = escape(f"Between {pair[0]} and {pair[1]}")
        st.button(between, icon=":material/close:", key="chip.pair", on_click=_remove_pair, args=(pair,))
    for active in view().filters:
        if pair is not None and active in between_filters(pair):
            continue
        words = filter_in_words(active)
        key = f"chip.{'class' if active.column == 'label' else active.column}"
        st.button(escape(words), icon=":material/close:", key=key, on_click=set_filter, args=(active.column, None))


def _remove_pair(pair: tuple[str, str]) -> None:
    for active in between_filters(pair):
        set_filter(active.column, None)


def columns_of_kind(image_set: ImageSet, kind: Kind) -> list[str]:
    """The columns of one kind that can be filtered."""
    return [column for column, column_kind in image_set.cached_of_table(filterable).items() if column_kind == kind]


def _pick_name() -> None:
    now = filter_on("path")
    text = now.text if isinstance(now, NameContains) else ""
    st.text_input("Name contains", text, placeholder="any", **control(FILTER_NAME, text, _choose_name))


def _choose_name(text: str) -> None:
    set_filter("path", NameContains(text.strip()) if text.strip() else None)


def _counts_in(table: pd.DataFrame, column: str) -> dict[str, int]:
    return values_of(table[column])


def _pick_values(counts: Mapping[str, int], column: str) -> None:
    now = filter_on(column)
    shown = [value for value in now.values if value in counts] if isinstance(now, OneOf) else []
    st.multiselect(
        "Any of",
        list(counts),
        shown,
        format_func=lambda value: f"{shown_value(column, value) or 'none'} ({counts[value]:,})",
        placeholder="all",
        **control(FILTER.under(column), shown, partial(_choose_values, column), options=counts),
    )


def _choose_values(column: str, values: Sequence[str]) -> None:
    set_filter(column, OneOf(column, tuple(values)) if values else None)


def _pick_range(values: "pd.Series[float]", column: str) -> None:
    st.caption(f"From {values.min():.6g} to {values.max():.6g} in this image set")
    for container, title, bound in zip(st.columns(2), ("At least", "At most"), ("low", "high"), strict=True):
        value = getattr(_range(column), bound)
        text = "" if value is None else f"{value:.15g}"
        container.text_input(
            escape(title),
            text,
            placeholder="any",
            validate=(NUMBER, "Type a number, such as 0.5"),
            **control(FILTER.under(column, bound), text, partial(_choose_bound, column, bound)),
        )


def _range(column: str) -> Between:
    now = filter_on(column)
    return now if isinstance(now, Between) else Between(column)


def _choose_bound(column: str, bound: str, text: str) -> None:
    now, value = _range(column), float(text) if text.strip() else None
    new = replace(now, low=value) if bound == "low" else replace(now, high=value)
    set_filter(column, None if new.low is None and new.high is None else new)


def pick_reason(image_set: ImageSet, table: pd.DataFrame) -> str | None:
    """The reasons in `table`, rows of the set's, as pills with counts; the picked one filters the view.

    What explains most of the set's order comes first; what nearly all of its pictures share is said once, above.
    """
    for shared in image_set.shared_reasons():
        st.caption(escape(image_set.core.said(shared.words)))
    counts = reason_counts(table["reasons"], image_set.reason_names())
    picked = picked_reason()
    if picked is not None:
        counts.setdefault(picked, 0)
    if not counts:
        return None
    st.pills(
        "Why",
        list(counts),
        default=picked,
        format_func=lambda name: f"{escape(shown_reason(name))} {counts[name]:,}",
        label_visibility="collapsed",
        **control(REASON, picked, _choose_reason, options=counts),
    )
    return picked


def picked_reason() -> str | None:
    """The reason that the view is filtered by; None for none, or several."""
    now = filter_on("reasons")
    return now.values[0] if isinstance(now, OneOf) and len(now.values) == 1 and now.values[0] else None


def _choose_reason(name: str | None) -> None:
    set_filter("reasons", OneOf("reasons", (name,)) if name else None)
