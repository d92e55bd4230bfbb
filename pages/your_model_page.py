"""The Your model page: a recorded training run against the pictures of its image set."""

import streamlit as st

from url_viz.ui.streamlit_private import end_page
from url_viz.ui.widgets.sidebar import start_page
from url_viz.ui.your_model import page as your_model
from url_viz.ui.your_model.forms import show_predictions, show_splits

image_set = start_page("Your model")
if image_set.is_of_objects:
    show_predictions(image_set)
show_splits(image_set)
run = your_model.pick_run(image_set)
if run is None:
    your_model.show_how(image_set)
    end_page()

predictions = your_model.show_accuracy(run)
your_model.show_two_by_two(image_set)
your_model.show_confusions(image_set, run, predictions)
your_model.show_accuracy_by(image_set, run, predictions)
your_model.show_compared(image_set, run, predictions)
with st.expander("Add another run"):
    your_model.show_how(image_set)
