"""Keys of every page about an image set: undo and redo, and letters that a switch would swallow."""

from collections.abc import Sequence
from typing import cast

import streamlit as st

from url_viz.errors import UrlVizError
from url_viz.image_set import ImageSet
from url_viz.store.decisions.decisions import Step
from url_viz.ui.session import DIALOG, OPENED, component_state
from url_viz.ui.text import escape
from url_viz.ui.widgets.actions import Record, handle_new, handled_before
from url_viz.ui.widgets.component import component_of
from url_viz.ui.widgets.decide import step_history
from url_viz.ui.widgets.picture import PICTURE

KEYS = "keys"
"""The component that hears keys."""
_mount = component_of("keys")


def listen_to_keys(image_set: ImageSet) -> None:
    """Have u and Ctrl+Z undo, y and Ctrl+Shift+Z redo what was decided on an image set, wherever on the page."""

    def handle(state: Record) -> None:
        handle_new(KEYS, state, lambda records: _step(image_set, records))

    handle(
        _mount(key=KEYS, data={"taken": handled_before(KEYS)}, on_actions_change=lambda: handle(component_state(KEYS)))
    )


def _step(image_set: ImageSet, records: Sequence[Record]) -> None:
    """Carry out what was pressed, and lead an open picture to the one that it was about."""
    sentences = []
    for record in records:
        try:
            words, image_id = step_history(image_set, cast(Step, record["command"]))
        except UrlVizError as error:
            words, image_id = str(error), None
        sentences.append(words)
        if image_id is not None and DIALOG.get() == PICTURE:
            OPENED.set(image_id)
    for words in sentences:
        st.toast(escape(words), icon=":material/history:")
