"""Filters of a view: a popover that sets one per column, a chip for each active one, and the reasons of pictures."""

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd
import streamlit as st

from url_viz.analysis.filters import (
    Between,
    Filter,
    Kind,
    NameContains,
    OneOf,
    filterable,
    in_words,
    replaced_in,
    values_of,
)
from url_viz.analysis.reasons import BETWEEN_CLASSES, reason_counts
from url_viz.image_set import ImageSet
from url_viz.ui.session import FILTER, FILTER_COLUMN, FILTER_NAME, REASON, VIEW, view
from url_viz.ui.text import escape

_TITLES = {"label": "Class", "": "none"}


def set_filter(column: str, new: Filter | None) -> None:
    """Set the filter on a column, or remove it (None)."""
    VIEW.set(replace(view(), filters=replaced_in(view().filters, column, new)))


def filter_on(column: str) -> Filter | None:
    """The filter on a column, if any."""
    return next((active for active in view().filters if active.column == column), None)


def show_filter_popover(image_set: ImageSet) -> None:
    """Set filters: by name, or by the values of a column."""
    kinds = image_set.cached_of_table(filterable)
    with st.popover("Filter", icon=":material/filter_list:"):
        _pick_name()
        if not kinds:
            return
        column = st.selectbox("Column", list(kinds), format_func=title_of_column, key=FILTER_COLUMN)
        if kinds[column] == "numeric":
            _pick_range(image_set.table()[column], column)
        else:
            _pick_values(image_set.cached_of_table(_counts_in, column), column)


def show_filter_chips() -> None:
    """A chip for each filter; a click removes it."""
    for active in view().filters:
        words = in_words(active) if active.column != "label" else in_words(active).replace("Label", "Class", 1)
        key = f"chip.{'class' if active.column == 'label' else active.column}"
        st.button(escape(words), icon=":material/close:", key=key, on_click=set_filter, args=(active.column, None))


def title_of_column(column: str) -> str:
    """A column's display name."""
    return _TITLES.get(column, column.replace("_", " ").capitalize())


def columns_of_kind(image_set: ImageSet, kind: Kind) -> list[str]:
    """The columns of one kind that can be filtered."""
    return [column for column, column_kind in image_set.cached_of_table(filterable).items() if column_kind == kind]


def _pick_name() -> None:
    now = filter_on("path")
    FILTER_NAME.set(now.text if isinstance(now, NameContains) else "")
    st.text_input("Name contains", key=FILTER_NAME, on_change=_apply_name, placeholder="any")


def _apply_name() -> None:
    text = (FILTER_NAME.get() or "").strip()
    set_filter("path", NameContains(text) if text else None)


def _counts_in(table: pd.DataFrame, column: str) -> dict[str, int]:
    return values_of(table[column])


def _pick_values(counts: Mapping[str, int], column: str) -> None:
    now = filter_on(column)
    key = FILTER.of(column)
    key.set([v for v in now.values if v in counts] if isinstance(now, OneOf) else [])
    st.multiselect(
        "Any of",
        list(counts),
        format_func=lambda value: f"{value or 'none'} ({counts[value]:,})",
        key=key,
        on_change=_apply_values,
        args=(column,),
        placeholder="all",
    )


def _apply_values(column: str) -> None:
    values = tuple(FILTER.of(column).get() or ())
    set_filter(column, OneOf(column, values) if values else None)


def _pick_range(values: "pd.Series[float]", column: str) -> None:
    now = filter_on(column)
    low, high = (now.low, now.high) if isinstance(now, Between) else (None, None)
    st.caption(f"From {values.min():.6g} to {values.max():.6g} in this image set")
    left, right = st.columns(2)
    for container, title, bound, value in ((left, "At least", "low", low), (right, "At most", "high", high)):
        key = FILTER.of(column, bound)
        key.set(value)
        container.number_input(
            escape(title),
            value=None,
            key=key,
            format="%g",
            on_change=_apply_range,
            args=(column,),
            placeholder="any",
        )


def _apply_range(column: str) -> None:
    low, high = FILTER.of(column, "low").get(), FILTER.of(column, "high").get()
    set_filter(column, None if low is None and high is None else Between(column, low, high))


def pick_reason(image_set: ImageSet, table: pd.DataFrame) -> str | None:
    """The reasons in `table`, rows of the set's, as pills with counts; the picked one filters the view.

    What explains most of the set's order comes first; what nearly all of its pictures share is said once, above.
    """
    for shared in image_set.shared_reasons():
        st.caption(escape(shared.words))
    counts = reason_counts(table["reasons"], image_set.reason_names())
    picked = picked_reason()
    if picked is not None:
        counts.setdefault(picked, 0)
    if not counts:
        return None
    REASON.set_if_changed(picked)
    st.pills(
        "Why",
        list(counts),
        format_func=lambda name: f"{escape(name)} {counts[name]:,}",
        key=REASON,
        on_change=_apply_reason,
        label_visibility="collapsed",
    )
    return picked


def picked_reason() -> str | None:
    """The reason that the view is filtered by; None for none, or several."""
    now = filter_on("reasons")
    return now.values[0] if isinstance(now, OneOf) and len(now.values) == 1 and now.values[0] else None


def show_reason_badges(reasons: pd.DataFrame) -> None:
    """The reasons of one picture (rows of `ImageSet.reasons()`), what explains most first, with details on hover."""
    with st.container(horizontal=True, gap="small"):
        for row in reasons.itertuples():
            detail = str(row.detail)
            title = title_of_reason(str(row.reason), detail)
            st.badge(escape(title), color="orange" if float(str(row.strength)) >= 0.5 else "gray", help=escape(detail))
        if reasons.empty:
            st.badge("no reason stands out", color="gray")


def title_of_reason(reason: str, detail: str) -> str:
    """A reason in a few words: which two classes, of a picture between two."""
    return detail.partition(":")[0] if reason == BETWEEN_CLASSES else reason


def _apply_reason() -> None:
    name = REASON.get()
    set_filter("reasons", OneOf("reasons", (name,)) if name else None)
