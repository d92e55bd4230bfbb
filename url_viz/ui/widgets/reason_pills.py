"""Reasons on pages: pills with counts that filter by a reason, and badges for one picture."""

import pandas as pd
import streamlit as st

from url_viz.analysis.filters import OneOf
from url_viz.analysis.reason_rules import BETWEEN_CLASSES
from url_viz.analysis.reasons import reason_counts
from url_viz.image_set import ImageSet
from url_viz.ui.session import REASON
from url_viz.ui.text import escape
from url_viz.ui.widgets.filter_controls import filter_on, set_filter


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
    REASON.set(picked)
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
