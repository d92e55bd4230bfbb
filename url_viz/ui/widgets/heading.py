"""The heading of a page: its title, of which image set it is, and what it is for; and the start of most pages."""

import streamlit as st

from url_viz.image_set import ImageSet
from url_viz.ui.menu import purpose_of
from url_viz.ui.streamlit_private import end_page
from url_viz.ui.text import escape
from url_viz.ui.widgets.embed_job import is_growing, set_name
from url_viz.ui.widgets.sidebar import require_image_set
from url_viz.wording import counted


def show_heading(title: str, image_set: ImageSet, *, with_model: bool = False) -> None:
    """Draw the title, the set's name, how many pictures, with `with_model` the model, and the page's purpose."""
    facts = (set_name(image_set.root), counted(len(image_set), image_set.noun), image_set.source.title)
    with st.container(gap="xxsmall"):
        with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
            st.subheader(escape(title), anchor=False, width="content")
            st.caption(escape(" · ".join(facts[: 2 + with_model])), width="content")
        st.caption(escape(purpose_of(title)))


def start_page(title: str, *, with_model: bool = False, once_read: str = "") -> ImageSet:
    """The chosen image set, below the heading of a page about it; ends the page if there is nothing to show.

    With `once_read` it ends with these words while pictures still come in.
    """
    image_set = require_image_set()
    show_heading(title, image_set, with_model=with_model)
    if once_read and is_growing(image_set.set_id):
        st.caption(escape(once_read))
        end_page()
    return image_set


def show_title(title: str, more: str = "") -> None:
    """Draw the title of a page that is about no image set, and its purpose, with a sentence more on it."""
    st.subheader(escape(title), anchor=False)
    st.caption(escape(" ".join(filter(None, (purpose_of(title), more)))))
