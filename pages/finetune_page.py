"""The Adapt and finetune page: a finetune job on the open image set, its head, and what that head changed."""

import streamlit as st

from url_viz.ui.compare.changed import show_change
from url_viz.ui.finetune.page import show_adapt
from url_viz.ui.finetune.runs import show_jobs
from url_viz.ui.streamlit_private import end_page
from url_viz.ui.text import escape
from url_viz.ui.widgets.embed_job import set_name
from url_viz.ui.widgets.sidebar import require_image_set

image_set = require_image_set()

st.subheader("Adapt and finetune", anchor=False)
st.caption(f"{escape(set_name(image_set.root))} · {len(image_set):,} pictures · {escape(image_set.source.title)}")
if image_set.source.is_external:
    st.info(
        "These embeddings were imported from a file, so there is no model to adapt. Choose a model in the sidebar, or "
        "enter the backbone that you finetuned as BACKBONE:PATH.",
        icon=":material/info:",
    )
    end_page()
show_adapt(image_set)
show_jobs(image_set)
show_change(image_set)
