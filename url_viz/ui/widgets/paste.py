"""The paste component: a picture pasted anywhere on the page goes into the page's file uploader."""

import streamlit as st

from url_viz.ui.widgets.assets import script_of, text_of

_mount = st.components.v2.component(
    "url_viz_paste", html=text_of("paste", ".html"), css=text_of("paste", ".css"), js=script_of("paste")
)


def show_paste(*, key: str) -> None:
    """Accept pasted pictures, and say so; they go into the page's only file uploader."""
    _mount(key=key)
