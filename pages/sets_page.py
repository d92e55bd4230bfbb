"""The Image sets page: disk use of every image set, and renaming, moving, compacting and forgetting it."""

import streamlit as st

from url_viz.ui.menu import purpose_of
from url_viz.ui.sets.page import show_sets
from url_viz.ui.text import escape

st.subheader("Image sets", anchor=False)
st.caption(f"{escape(purpose_of('Image sets'))} Nothing here changes your pictures.")
show_sets()
