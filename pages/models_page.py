"""The Models page: every model that this machine knows, what each is worth, and on what pictures are read."""

import streamlit as st

from url_viz.ui.menu import purpose_of
from url_viz.ui.models.embed_settings import show_how_to_read
from url_viz.ui.models.page import show_models
from url_viz.ui.text import escape

st.subheader("Models", anchor=False)
st.caption(escape(purpose_of("Models")))
show_how_to_read()
show_models()
