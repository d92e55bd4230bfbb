"""The Versions page: what changed in an image set since an earlier version, or between two folders."""

import streamlit as st

from url_viz.ui import version_diff as versions
from url_viz.ui.session import OPENED
from url_viz.ui.streamlit_private import end_page
from url_viz.ui.widgets.buttons import offered
from url_viz.ui.widgets.picture import show_opened
from url_viz.ui.widgets.sidebar import start_page

image_set = start_page("Versions", once_read="The comparison appears once reading has finished.")
before = versions.pick_before(image_set)
difference = versions.compare_versions(image_set, before) if before is not None else None
if difference is None:
    end_page()

chosen = versions.show_changes(difference)
if difference.table.empty:
    end_page()
left, right = st.columns(2, gap="medium")
with left:
    versions.show_both_on_map(image_set, difference, chosen)
with right:
    versions.show_pictures(difference, chosen)
with left:
    versions.show_figures(difference)
    versions.show_accuracy(image_set, difference)
    versions.show_downloads(image_set, difference)

opened = OPENED.get()
holder = None if opened is None else versions.holder_of(image_set, difference, opened)
if holder is not None:
    show_opened(holder, measure=offered(holder)[0])
