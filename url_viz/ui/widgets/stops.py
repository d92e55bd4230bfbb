"""Few Tab stops before what a page is about, for people who use it by keys."""

from url_viz.ui.widgets.component import component_of

_mount = component_of("stops")


def spare_stops() -> None:
    """Make the menu of pages one Tab stop, and add a link that leads past all others to the pictures."""
    _mount(key="stops", data={})
