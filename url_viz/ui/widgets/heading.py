"""The heading of a page: its title, and of which image set it is."""

import streamlit as st

from url_viz.image_set import ImageSet
from url_viz.ui.text import escape
from url_viz.ui.widgets.embed_job import set_name


def show_heading(title: str, image_set: ImageSet, *, with_model: bool = False) -> None:
    """Draw the title with the set's name, its number of pictures, and, with `with_model`, the model that read them."""
    facts = [set_name(image_set.root), f"{len(image_set):,} pictures"]
    facts += [image_set.source.title] if with_model else []
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.subheader(escape(title), anchor=False, width="content")
        st.caption(escape(" · ".join(facts)), width="content")
