"""The Streamlit component of a folder of `url_viz/frontend/`."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from url_viz.drawing.assets import asset_text, script_of


def component_of(name: str, *, styled_as: str = "") -> Callable[..., Any]:
    """The Streamlit component of a folder, to be mounted on pages; with the styles of another one before its own."""
    css = (asset_text(styled_as, ".css") if styled_as else "") + asset_text(name, ".css")
    return st.components.v2.component(f"url_viz_{name}", html=asset_text(name, ".html"), css=css, js=script_of(name))
