"""The paste component: a picture pasted anywhere on the page goes into the page's file uploader."""

from url_viz.ui.widgets.assets import component_of

_mount = component_of("paste")


def show_paste(*, key: str) -> None:
    """Accept pasted pictures, and say so; they go into the page's only file uploader."""
    _mount(key=key)
