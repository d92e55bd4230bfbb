"""The Models page: every model that this machine knows, what each is worth, and on what pictures are read."""

from url_viz.ui.models import show_how_to_read, show_models
from url_viz.ui.widgets.sidebar import show_title

show_title(
    "Models",
    "A model reads the pictures for the map, for what is near, and for orders by your classes and by the set. Its head "
    "judges a picture alone: that is the order “General model”, which the figures under Details are about.",
)
show_how_to_read()
show_models()
