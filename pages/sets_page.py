"""The Image sets page: disk use of every image set, and renaming, moving, compacting and forgetting it."""

import streamlit as st

from url_viz.ui.sets.page import show_sets

st.subheader("Image sets", anchor=False)
st.caption("What URL-Viz stores for every folder it has read. Nothing here changes your pictures.")
show_sets()
