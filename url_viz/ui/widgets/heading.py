"""The heading of a page: its title, of which image set it is, and what it is for."""

import streamlit as st

from url_viz.image_set import ImageSet
from url_viz.ui.menu import purpose_of
from url_viz.ui.text import escape
from url_viz.ui.widgets.embed_job import set_name
from url_viz.wording import counted


def show_heading(title: str, image_set: ImageSet, *, with_model: bool = False) -> None:
    """Draw the title, the set's name, how many pictures, with `with_model` the model, and the page's purpose."""
    facts = (set_name(image_set.root), counted(len(image_set), image_set.noun), image_set.source.title)
    with st.container(gap="xxsmall"):
        with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
            st.subheader(escape(title), anchor=False, width="content")
            st.caption(escape(" · ".join(facts[: 2 + with_model])), width="content")
        st.caption(escape(purpose_of(title)))
