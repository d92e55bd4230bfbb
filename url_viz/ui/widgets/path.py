"""The path of a picture as a heading, with a button that copies it."""

from url_viz.ui.widgets.component import component_of

_mount = component_of("path")


def show_path(path: str, *, key: str) -> None:
    """A path, and a button that puts it into the clipboard; else it is marked, to be copied by keys."""
    _mount(key=key, data={"path": path})
