"""The second model on the Explore page: ask one, leave it out, or take it in again."""

import streamlit as st

from url_viz.errors import UrlVizError
from url_viz.image_set import ImageSet
from url_viz.models.names import PackagedBackbone, packaged_second
from url_viz.ui.text import escape, show_error
from url_viz.ui.widgets.reading import running, start_reading


def show_second(image_set: ImageSet) -> None:
    """A button: ask a second model to read these pictures too; once one has, judge by both or by one."""
    found, second = image_set.second_at_hand, packaged_second(image_set.space.backbone)
    if image_set.source.is_given or (found is None and (second is None or running(image_set.set_id) is not None)):
        return
    if found is not None:
        is_asked = image_set.second is not None
        st.button(
            "By one model" if is_asked else "By two models",
            type="tertiary",
            icon=":material/person:" if is_asked else ":material/group:",
            key="second.switch",
            on_click=_switch,
            args=(image_set, not is_asked),
            help=escape(_on_switch(image_set, is_asked=is_asked)),
        )
    elif second is not None and st.button(
        "Ask a second model",
        type="tertiary",
        icon=":material/group_add:",
        key="second.ask",
        help=escape(_on_ask(image_set, second)),
    ):
        _ask(image_set, second)


def _ask(image_set: ImageSet, second: PackagedBackbone) -> None:
    """Start reading the set with a second model; says why not, if it cannot be."""
    try:
        second.weights()  # refuses one that is not installed, and says how to install it
        start_reading(image_set.root, set_id=image_set.set_id, model=image_set.source.name, also=second.name)
    except UrlVizError as error:
        show_error(error)
    else:
        st.rerun()


def _switch(image_set: ImageSet, is_asked: bool) -> None:  # noqa: FBT001 - Streamlit passes arguments by place
    image_set.ask_second(is_asked=is_asked)


def _on_switch(image_set: ImageSet, *, is_asked: bool) -> str:
    found = image_set.second_at_hand
    assert found is not None
    if is_asked:
        return f"Order by {image_set.source.title} alone; what {found.backbone} has read is kept"
    return f"Let {found.backbone}, which has read these pictures too, have its say"


def _on_ask(image_set: ImageSet, second: PackagedBackbone) -> str:
    partial = image_set.second_behind
    beginning = "" if partial is None else f"{partial.backbone} has not read all of these pictures. "
    return (
        f"{beginning}{second.name} reads the pictures too, which takes about as long as the first time. Confusability "
        "and ambiguity are then by both models, and truer"
    )
