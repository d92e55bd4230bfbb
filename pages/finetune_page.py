"""The Adapt and finetune page: a finetune job on the open image set, its head, and what that head changed."""

import streamlit as st

from url_viz.base.errors import FolderError
from url_viz.imaging.source import refuse_without_files
from url_viz.ui.adapt import show_adapt, show_change, show_jobs
from url_viz.ui.streamlit_private import end_page
from url_viz.ui.text import show_error
from url_viz.ui.widgets.sidebar import start_page

image_set = start_page("Adapt and finetune")
if image_set.source.is_external:
    st.info(
        "These embeddings were imported from a file, so there is no model to adapt. Choose a model in the sidebar, or "
        "enter the backbone you finetuned as BACKBONE:PATH.",
        icon=":material/info:",
    )
    end_page()
try:
    refuse_without_files(image_set.root)
except FolderError as error:
    show_error(error)
    end_page()
show_adapt(image_set)
show_jobs(image_set)
show_change(image_set)
