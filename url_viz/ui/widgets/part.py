"""Components for pictures searched with: one on which the user draws a box, and pasting, which uploads take too."""

from collections.abc import Mapping

from url_viz.imaging.places import Box
from url_viz.ui.session import component_state
from url_viz.ui.widgets.actions import nothing
from url_viz.ui.widgets.component import component_of

_mount = component_of("part")
_mount_paste = component_of("paste")


def show_part(address: str, size: tuple[int, int], *, key: str) -> None:
    """Draw the picture at an address, of this width and height, and the box that was drawn on it (`drawn_box`)."""
    data = {"address": address, "width": size[0], "height": size[1], "box": drawn_box(component_state(key))}
    _mount(key=key, data=data, default={"box": None}, on_box_change=nothing)


def drawn_box(state: Mapping[str, object]) -> Box | None:
    """The box in the component's state: left, top, width and height as shares of the picture; None for none."""
    box = state.get("box")
    if not (isinstance(box, list | tuple) and len(box) == 4 and all(isinstance(value, int | float) for value in box)):
        return None
    left, top, width, height = map(float, box)
    return (left, top, width, height) if min(left, top) >= 0 < min(width, height) else None


def show_paste(*, key: str) -> None:
    """Accept pasted pictures, and say so; they go into the page's only file uploader."""
    _mount_paste(key=key)
