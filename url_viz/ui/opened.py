"""How pages about one image set begin: the set that is chosen, or what there is to say where it cannot be shown yet."""

import streamlit as st

from url_viz.image_set import ImageSet
from url_viz.ui.cache import open_sets
from url_viz.ui.session import choice
from url_viz.ui.widgets.reading import show_reading
from url_viz.ui.widgets.sidebar import show_not_read, show_welcome


def opened_or_stop() -> ImageSet:
    """The chosen image set, under the line that tells how far a reading is; the page ends where it has no pictures."""
    now = choice()
    if now.set_id is None:
        show_welcome()
        st.stop()
    image_set = open_sets().find(now.set_id, now.model)
    shown = image_set if image_set is not None and len(image_set) else None
    with st.container():  # always there, so that what follows keeps its place, and its state, when the line goes
        show_reading(now.set_id, shown_version=shown.version if shown is not None else None)
    if shown is None:
        show_not_read(now)
        st.stop()
    return shown
