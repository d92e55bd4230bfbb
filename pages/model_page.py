"""The Model page: how well the order holds, the user's own model against the pictures, and training."""

from functools import partial

from url_viz.ui.adapt import show_training
from url_viz.ui.evaluate import show_evaluation
from url_viz.ui.menu import show_tabs
from url_viz.ui.widgets.sidebar import start_page
from url_viz.ui.your_model.page import show_your_model

image_set = start_page("Model")
tabs = {"Does the order hold": show_evaluation, "Your model": show_your_model, "Train": show_training}
show_tabs("model", {title: partial(show, image_set) for title, show in tabs.items()})
