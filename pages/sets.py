"""Image sets: what the workspace keeps of each folder, and naming, moving, slimming and forgetting it."""

import streamlit as st

from url_viz.ui.sets.page import show_sets

st.subheader("Image sets", anchor=False)
st.caption("What is kept of the folders that were read. Nothing here touches a picture.")
show_sets()
