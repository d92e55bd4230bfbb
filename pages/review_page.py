"""The Review page: what there is to do, then what came of it; a review one picture at a time, or as a table."""

import streamlit as st

from url_viz.ui.menu import chosen_review, is_table
from url_viz.ui.review import page as review
from url_viz.ui.review.label_table import show_labels
from url_viz.ui.review.queue_list import TABLED
from url_viz.ui.review.results import show_results
from url_viz.ui.streamlit_private import end_page
from url_viz.ui.widgets.buttons import offered
from url_viz.ui.widgets.embed_job import is_growing
from url_viz.ui.widgets.picture import show_opened
from url_viz.ui.widgets.sidebar import require_image_set, show_heading

image_set = require_image_set("Review")

spec = chosen_review()
if is_growing(image_set.set_id):
    show_heading("Review", image_set)
    st.caption("You can start a review once reading has finished. Until then every new picture would change the order.")
    end_page()
if spec is None:
    show_heading("Review", image_set)
    review.show_start(image_set)
    review.show_to_redraw(image_set)
    show_results(image_set)
    end_page()
if is_table() and spec.by in TABLED:
    review.show_open_heading(image_set, spec)
    show_labels(image_set, spec)
    end_page()

here = review.open_review(image_set, spec)
if here is None:
    review.show_start(image_set)
    end_page()
review.show_open_heading(image_set, spec, begun=here.review.begun, caution=here.review.caution)
review.show_desk(image_set, here)
if orders := offered(image_set):
    show_opened(image_set, measure=orders[0])
