"""Findings on the Explore page: what to look at first, a line each with the button that opens its queue."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal

import streamlit as st

from url_viz.analysis.findings.findings import Finding, FindingKind
from url_viz.analysis.findings.leaks import APART, SAME_FILE
from url_viz.errors import UrlVizError
from url_viz.image_set import ImageSet
from url_viz.ui.explore.page import show_failure_list
from url_viz.ui.review.review_address import go_to_review
from url_viz.ui.session import DIALOG, Key
from url_viz.ui.text import Markdown, escape
from url_viz.ui.widgets.embed_job import is_growing
from url_viz.wording import counted

FINDINGS_WANTED: Key[bool] = Key("explore.findings")
"""Whether the findings of a large set are wanted, by its id."""

MANY = 100_000
"""Of so many pictures and more, findings are looked for on request: every label is judged then."""


def show_findings(image_set: ImageSet) -> None:
    """The most important finding, and the others folded; nothing while pictures come in, or without any.

    Draw it last, into a container at its place: it may take a moment when a set is opened, and nothing waits for it.
    On a narrow screen all of it is folded (`url_viz/ui/style.py`).
    """
    if is_growing(image_set.set_id) or not _is_wanted(image_set):
        return
    try:
        findings = image_set.findings()
    except UrlVizError as error:
        st.caption(escape(error))
        return
    if not findings:
        return
    with st.container(key="findings"):
        with st.container(key="findings_fold"):
            st.toggle(escape(counted(len(findings), "finding")), key="findings.fold")
        with st.container(key="findings_lines", horizontal=True, vertical_alignment="center", gap="small"):
            st.caption("Start here", width="content")
            _show_line(image_set, findings[0], width="content")
            if findings[1:]:
                with st.popover(f"{len(findings) - 1:,} more", type="tertiary", key="findings.more"):
                    for finding in findings[1:]:
                        _show_line(image_set, finding)


def _is_wanted(image_set: ImageSet) -> bool:
    wanted = FINDINGS_WANTED.under(image_set.set_id)
    if len(image_set) < MANY or wanted.get():
        return True
    st.button(
        "What should I look at first?",
        type="tertiary",
        icon=":material/lightbulb:",
        key="findings.ask",
        on_click=wanted.set,
        args=(True,),
        help="Looks for leaks between splits, doubtful labels, bursts and more; takes seconds on a set this large",
    )
    return False


def _show_line(image_set: ImageSet, finding: Finding, *, width: Literal["stretch", "content"] = "stretch") -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small", width=width):
        st.markdown(Markdown(f"**{finding.count:,}** {escape(finding.what)}"), width="content")
        words, icon = ("List", ":material/list:") if finding.opens is None else ("Review", ":material/rate_review:")
        key = f"findings.{finding.kind}"
        act = partial(DIALOG.set, key) if finding.opens is None else partial(go_to_review, finding.opens)
        st.button(words, type="tertiary", icon=icon, key=key, help=escape(finding.why), on_click=act)
    if DIALOG.get() == key:
        _LISTS[finding.kind](image_set)


@st.dialog("Files that could not be read", width="large", on_dismiss=DIALOG.clear)
def _failures_dialog(image_set: ImageSet) -> None:
    show_failure_list(image_set, key="findings.failures")


@st.dialog("Pictures without objects", width="large", on_dismiss=DIALOG.clear)
def _without_objects_dialog(image_set: ImageSet) -> None:
    with st.spinner("Reading the annotations …"):
        paths = image_set.files.without_objects()
    st.dataframe({"path": paths}, hide_index=True, width="stretch", alt="Pictures in which no object is annotated")


@st.dialog("In two splits at once", width="large", on_dismiss=DIALOG.clear)
def _in_two_splits_dialog(image_set: ImageSet) -> None:
    _show_leaks(image_set, SAME_FILE)


@st.dialog("Kept apart, and in two splits", width="large", on_dismiss=DIALOG.clear)
def _apart_in_two_splits_dialog(image_set: ImageSet) -> None:
    _show_leaks(image_set, APART)


def _show_leaks(image_set: ImageSet, kind: str) -> None:
    leaks = image_set.splits.leaks()
    assert leaks is not None
    shown = leaks[leaks["kind"] == kind][["twin_split", "split", "path"]]
    columns = {"path": "Picture", "twin_split": "In", "split": "And in"}
    st.dataframe(shown, column_config=columns, hide_index=True, width="stretch", alt="Pictures in two splits")


_LISTS: Mapping[FindingKind, Callable[[ImageSet], None]] = {
    "in-two-splits": _in_two_splits_dialog,
    "apart-in-two-splits": _apart_in_two_splits_dialog,
    "unreadable": _failures_dialog,
    "without-objects": _without_objects_dialog,
}
"""What lists the findings that no review can show."""
