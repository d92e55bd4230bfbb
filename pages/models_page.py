"""The Models page: every model that this machine knows, what each is worth, and on what pictures are read."""

import streamlit as st

from url_viz.ui.models.embed_settings import show_how_to_read
from url_viz.ui.models.page import show_models

st.subheader("Models", anchor=False)
st.caption("Every model that this machine knows, and on what the app reads pictures with them.")
show_how_to_read()
show_models()
