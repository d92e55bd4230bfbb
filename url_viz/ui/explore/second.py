"""The second model on the Explore page: ask one, leave it out, or take it in again."""

from functools import partial

import streamlit as st

from url_viz.image_set import ImageSet
from url_viz.models.model_names import PackagedBackbone, default_second_model
from url_viz.ui.session import SECOND_SEEN
from url_viz.ui.text import errors_shown, escape
from url_viz.ui.widgets.embed_job import running, start_reading


def show_second(image_set: ImageSet) -> None:
    """A button: ask a second model to read these pictures too; once one has, judge by both or by one."""
    if image_set.source.is_external:
        return
    if image_set.second.available is not None:
        if SECOND_SEEN.get() != "news":  # else the line above has the way back
            _show_switch(image_set, image_set.second.available.title)
        return
    second = default_second_model(image_set.space.backbone)
    if second is not None and running(image_set.set_id) is None:
        _offer(image_set, second)


def show_change(image_set: ImageSet) -> None:
    """Say that two models order the set now, where it was one when this page was drawn last; with the way back."""
    second, before = image_set.second.active, SECOND_SEEN.get()
    SECOND_SEEN.set("one" if second is None else "two" if before in (None, "two") else "news")
    if second is None or SECOND_SEEN.get() != "news":
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="second_news"):
        both = f"{image_set.source.title} and {second.title}"
        st.markdown(f":blue[:material/group:] **Two models now set the order**: {escape(both)}.", width="content")
        undo, close = partial(_switch, image_set), partial(SECOND_SEEN.set, "two")
        st.button("Use one model", type="tertiary", icon=":material/undo:", key="second.undo", on_click=undo)
        st.button("", type="tertiary", icon=":material/close:", key="second.seen", on_click=close)


def _show_switch(image_set: ImageSet, second: str) -> None:
    if image_set.second.active is not None:
        label, icon = "Use one model", "person"
        words = f"Order by {image_set.source.title} only. What {second} has read is kept"
    else:
        label, icon, words = "Use both models", "group", f"Order by {second} too, which has already read these pictures"
    then, shown = partial(_switch, image_set), f":material/{icon}:"
    st.button(label, type="tertiary", icon=shown, key="second.switch", on_click=then, help=escape(words))


def _switch(image_set: ImageSet) -> None:
    with errors_shown():
        image_set.second.enable(is_enabled=image_set.second.active is None)
        SECOND_SEEN.clear()


def _offer(image_set: ImageSet, second: PackagedBackbone) -> None:
    """A button that has a second model start reading; it says why not, if it cannot."""
    partial = image_set.second.incomplete
    beginning = "" if partial is None else f"{partial.backbone} has not read all of these pictures. "
    words = (
        f"{beginning}{second.name} reads the pictures too, which can take longer than the first reading. Both models "
        "then judge what is ambiguous, which is more accurate"
    )
    if not st.button(
        "Ask a second model", type="tertiary", icon=":material/group_add:", key="second.ask", help=escape(words)
    ):
        return
    with errors_shown(st.error):
        second.weights()  # raises an error for one that is not installed, which says how to install it
        start_reading(image_set.root, set_id=image_set.set_id, model=image_set.source.name, also=second.name)
        st.rerun()
