"""The Image sets page: disk use of every image set, and renaming, moving, compacting and forgetting it."""

from url_viz.ui.image_sets import show_allowed, show_sets
from url_viz.ui.widgets.sidebar import show_title

show_title("Image sets", "Nothing here changes your pictures.")
show_sets()
show_allowed()
