"""The queues of an image set in rows: what they hold, why it matters, and the buttons that open them."""

import html
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import streamlit as st

from url_viz.base.wording import counted
from url_viz.columns.filters import ReviewSpec
from url_viz.drawing.tiles import thumbnail_url
from url_viz.export.table_files import table_bytes
from url_viz.findings.leaks import APART, COPY, EXACT, SAME_FILE, SCENE
from url_viz.image_set import ImageSet
from url_viz.review.queues import QueueRow
from url_viz.ui.explore.page import show_failure_list
from url_viz.ui.menu import go_to_review
from url_viz.ui.review.shortcut_list import show_shortcuts
from url_viz.ui.session import DIALOG
from url_viz.ui.text import escape
from url_viz.ui.widgets.buttons import download

THUMBNAIL_PX = 44
TABLED = ("suspects", "mixed-up")
"""The reviews of labels, which can be seen as a table, too."""


def show_queues(
    image_set: ImageSet, rows: Sequence[QueueRow], *, key: str, has_first: bool = False, with_tables: bool = False
) -> None:
    """Queues in rows: some of their pictures, what they hold (why it matters on hover), their minutes and progress.

    The button of the first is primary if they begin with what matters most (`has_first`); `with_tables` queues of
    labels lead to their table, too.
    """
    side = f"width: {THUMBNAIL_PX}px; height: {THUMBNAIL_PX}px; object-fit: cover; border-radius: .3rem"
    for number, row in enumerate(rows):
        addresses = (html.escape(str(thumbnail_url(image_set.set_id, image_id))) for image_id in row.first)
        pictures = "".join(f'<img src="{address}" alt="" style="{side}">' for address in addresses)
        line = f'<div style="display: flex; gap: 4px; min-height: {THUMBNAIL_PX}px">{pictures}</div>'
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"{key}_queue.{number}"):
            st.html(line, width=3 * THUMBNAIL_PX + 12)
            with st.container(gap=None, width="stretch"):
                st.header(escape(row.words), anchor=False, help=escape(row.why) if row.why else None)
                if facts := " · ".join(filter(None, (row.minutes, row.progress))):
                    st.caption(escape(facts))
            with st.container(horizontal=True, gap="small", width="content"):
                if with_tables and row.opens is not None and row.opens.by in TABLED:
                    as_table, icon = partial(go_to_review, row.opens, as_table=True), ":material/table_rows:"
                    st.button("Table", type="tertiary", icon=icon, key=f"{key}.{row.key}.table", on_click=as_table)
                look = "primary" if has_first and not number else "secondary"
                show_opening(image_set, row, key=f"{key}.{row.key}", type=look)


def show_opening(image_set: ImageSet, row: QueueRow, *, key: str, **look: Any) -> None:
    """The button that opens a queue, or the list of a finding that no review can show."""
    icon = ":material/list:" if row.opens is None else ":material/rate_review:"
    open_button(image_set, row.kind, row.opens, row.opening, key=key, icon=icon, **look)


def open_button(image_set: ImageSet, kind: str, opens: ReviewSpec | None, words: str, *, key: str, **look: Any) -> None:
    """A button with `words` that opens a review, or, where that is None, the list of what was found of a kind."""
    act = partial(DIALOG.set, key) if opens is None else partial(go_to_review, opens)
    st.button(escape(words), key=key, on_click=act, **look)
    if DIALOG.get() == key:
        title, show = _LISTS[kind]
        st.dialog(title, width="large", on_dismiss=DIALOG.clear)(show)(image_set)


def _show_failures(image_set: ImageSet) -> None:
    show_failure_list(image_set, key="findings.failures")


def _show_without_objects(image_set: ImageSet) -> None:
    with st.spinner("Reading the annotations …"):
        paths = image_set.files.without_objects()
    st.dataframe({"path": paths}, hide_index=True, width="stretch", alt="Pictures in which no object is annotated")


def _show_leaks(image_set: ImageSet, *kinds: str) -> None:
    """The pictures of leaks of these kinds, each with the one in the other split, and the list to download."""
    pictures = image_set.splits.leaked_pictures()
    assert pictures is not None
    columns = {"picture": "Picture", "split": "Split", "twin_picture": "Other picture", "twin_split": "Its split"}
    shown = pictures.loc[pictures["kind"].isin(kinds), list(columns)]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(escape(counted(shown["picture"].nunique(), "picture")), width="content")
        file_name = f"{image_set.root.name}-leaks.csv"
        download("CSV", partial(table_bytes, shown, ".csv"), file_name=file_name, key="findings.leaks.csv")
    st.dataframe(shown, column_config=columns, hide_index=True, width="stretch", alt="Pictures in two splits")


_LISTS: Mapping[str, tuple[str, Callable[[ImageSet], None]]] = {
    "leaks": ("The same objects in two splits", lambda image_set: _show_leaks(image_set, EXACT, COPY, SCENE)),
    "in-two-splits": ("In two splits at once", lambda image_set: _show_leaks(image_set, SAME_FILE)),
    "apart-in-two-splits": ("Kept apart, and in two splits", lambda image_set: _show_leaks(image_set, APART)),
    "shortcuts": ("Shortcuts: no content, and they tell a class", show_shortcuts),
    "unreadable": ("Files that could not be read", _show_failures),
    "without-objects": ("Pictures without objects", _show_without_objects),
}
"""The dialogs of findings that no review can show, with their titles."""
