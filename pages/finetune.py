"""The Adapt and finetune page: a finetune job on the open image set, its head, and what that head changed."""

import streamlit as st

from url_viz.ui.cache import open_sets
from url_viz.ui.compare.changed import show_change
from url_viz.ui.finetune import page as finetune
from url_viz.ui.session import choice
from url_viz.ui.text import escape
from url_viz.ui.widgets.reading import set_name, show_reading
from url_viz.ui.widgets.sidebar import show_not_read

now = choice()
st.subheader("Adapt and finetune", anchor=False)
if now.set_id is None:
    st.info("Open an image set first: the demo or a folder, on the Explore page.", icon=":material/info:")
    st.stop()

image_set = open_sets().find(now.set_id, now.model)
has_pictures = image_set is not None and len(image_set) > 0
with st.container():
    show_reading(now.set_id, shown_version=image_set.version if image_set is not None and has_pictures else None)
if image_set is None or not has_pictures:
    show_not_read(now)
    st.stop()

st.caption(f"{escape(set_name(image_set.root))} · {len(image_set):,} pictures · {escape(image_set.source.title)}")
if image_set.source.is_given:
    st.info(
        "These embeddings were imported from a file, so there is no model to adapt. Choose a model in the sidebar, or "
        "enter the backbone that you finetuned as BACKBONE:PATH.",
        icon=":material/info:",
    )
    st.stop()
finetune.show_adapt(image_set)
finetune.show_options(image_set)
finetune.show_jobs(image_set)
show_change(image_set)
