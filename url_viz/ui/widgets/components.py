"""Small components: announcements, a path to copy, few Tab stops, a box drawn on a picture, pasting."""

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from url_viz.drawing.assets import asset_text, script_of
from url_viz.imaging.places import Box
from url_viz.ui.session import Key, component_state, nothing


def component_of(name: str, *, styled_as: str = "") -> Callable[..., Any]:
    """The Streamlit component of a folder in `url_viz/frontend`, with the styles of another one before its own."""
    css = (asset_text(styled_as, ".css") if styled_as else "") + asset_text(name, ".css")
    return st.components.v2.component(f"url_viz_{name}", html=asset_text(name, ".html"), css=css, js=script_of(name))


_WORDS: Key[Mapping[str, str]] = Key("announcer.words")
_mount_announcer = component_of("announcer")


def announce(subject: str, words: str) -> None:
    """Have a screen reader say `words` at the end of this run of the page, if the last ones on the subject differed."""
    _WORDS.set({**(_WORDS.get() or {}), subject: words})


def say_announced() -> None:
    """Say the announcements of this run of the page; call it last."""
    with st.sidebar:
        say_now(_WORDS.get() or {}, key="announcer")
    _WORDS.clear()


def say_now(words: Mapping[str, str], *, key: str) -> None:
    """Say `words` (by subject) at once, as from a part of the page that runs by itself."""
    _mount_announcer(key=key, data={"words": dict(words)})


_mount_path = component_of("path")


def show_path(path: str, *, key: str, is_title: bool) -> None:
    """A path, and a button that copies it; where a browser does not let it, it marks the path, to be copied by keys.

    It is a title, or stands small below one.
    """
    _mount_path(key=key, data={"path": path, "is_title": is_title})


_mount_stops = component_of("stops")


def spare_stops() -> None:
    """Make the menu of pages one Tab stop, and add a link past all controls to the pictures."""
    _mount_stops(key="stops", data={})


_mount_part = component_of("part")
_mount_paste = component_of("paste")


def show_part(address: str, size: tuple[int, int], *, key: str) -> None:
    """Draw the picture at an address, of this width and height, and the box that was drawn on it (`drawn_box`)."""
    data = {"address": address, "width": size[0], "height": size[1], "box": drawn_box(component_state(key))}
    _mount_part(key=key, data=data, default={"box": None}, on_box_change=nothing)


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
