"""The Models page: every model that this machine knows, what each is worth, and on what pictures are read."""

from url_viz.ui.models.page import show_how_to_read, show_models
from url_viz.ui.widgets.sidebar import show_title

show_title("Models")
show_how_to_read()
show_models()
