"""Answers of a review that the page before could not send: whatever page comes next does, and says what is refused."""

from collections.abc import Mapping
from typing import Any, cast

import streamlit as st

from url_viz.ui.auth import user_name
from url_viz.ui.session import component_state
from url_viz.ui.text import escape
from url_viz.ui.widgets.component import component_of

UNSENT = "unsent"
_mount = component_of("unsent")


def send_unsent() -> None:
    """Send what waits in this browser; the page runs again once the server has it."""
    _mount(key=UNSENT, data={"who": user_name() or ""}, on_sent_change=_show_refused)


def _show_refused() -> None:
    sent = cast(Mapping[str, Any], component_state(UNSENT).get("sent"))
    for message in dict.fromkeys(map(str, sent["refused"])):
        st.toast(escape(message), icon=":material/warning:")
