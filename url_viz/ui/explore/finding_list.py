"""What to look at first, on Explore, with the other queues behind it."""

import streamlit as st

from url_viz.base.errors import UrlVizError
from url_viz.image_set import ImageSet
from url_viz.ui.review.queue_list import show_opening, show_queues
from url_viz.ui.session import Key
from url_viz.ui.text import escape
from url_viz.ui.widgets.embed_job import is_growing

FINDINGS_WANTED: Key[bool] = Key("explore.findings")
"""Whether the findings of a large set are wanted, by its id."""

MANY = 100_000
"""From this many pictures on, findings are looked for on request: every label is judged then."""


def show_findings(image_set: ImageSet) -> None:
    """What to review first, and all other queues folded; nothing while pictures come in, or without any.

    Draw it last, into a container at its place: it may take a moment when a set is opened, and nothing waits for it.
    On a narrow screen all of it is folded (`url_viz/ui/style.py`).
    """
    if is_growing(image_set.set_id) or not _is_wanted(image_set):
        return
    try:
        first = image_set.reviews.queues(1, hides_tiny=True)
    except UrlVizError as error:
        st.caption(escape(error))
        return
    if not first:
        return
    with st.container(key="findings"):
        with st.container(key="findings_fold"):
            st.toggle("What to review first", key="findings.fold")
        with st.container(key="findings_lines", horizontal=True, vertical_alignment="center", gap="small"):
            st.caption("Start here", width="content")
            st.markdown(escape(first[0].words), width="content")
            help_text = escape(first[0].why) if first[0].why else None
            show_opening(image_set, first[0], key=f"findings.{first[0].key}", type="tertiary", help=help_text)
            more = st.popover(
                "More to review", type="tertiary", key="findings.more", on_change="rerun", width="content"
            )
            if more.open:
                with more:
                    show_queues(image_set, image_set.reviews.queues(hides_tiny=True)[1:], key="findings")


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
