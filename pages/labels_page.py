"""The Check labels page: doubtful labels, and classes that overlap."""

import streamlit as st

from url_viz.ui import labels
from url_viz.ui.review.page import show_worth
from url_viz.ui.streamlit_private import end_page
from url_viz.ui.widgets.buttons import offered
from url_viz.ui.widgets.picture import show_opened
from url_viz.ui.widgets.sidebar import start_page

once_read = "Labels are checked once reading has finished. Until then every new picture would change the result."
image_set = start_page("Check labels", once_read=once_read)
with st.spinner(f"Checking the labels of {len(image_set):,} pictures"):
    check, doubtful = image_set.labels.check(), image_set.labels.doubtful()
if check is None or doubtful is None:
    labels.show_why_not(image_set)
    end_page()

labels.show_headline(image_set, check, doubtful)
labels.show_together(image_set)
above = st.container()
left, right = st.columns([3, 2], gap="medium")
with right:
    pair = labels.pick_pair(image_set, check)
with above:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        kind = labels.pick_kind(check, disabled=pair is not None)
        label = labels.pick_class(doubtful, disabled=pair is not None)
    if pair is None:
        rows = labels.in_scope(check, doubtful, kind=kind, label=label)
    else:
        kind, rows = None, labels.of_pair(check, pair)
    labels.show_actions(image_set, rows, pair=pair, kind=kind, label=label)
with left:
    labels.show_suspects(image_set, rows, kind=kind)
    show_worth(image_set)

show_opened(image_set, measure=offered(image_set)[0])
