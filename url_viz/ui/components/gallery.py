"""The gallery: a grid of thumbnails with their values, each one a button."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import cast

import streamlit as st

from url_viz.ui.components.assets import text_of

_mount = st.components.v2.component(
    "url_viz_gallery", html=text_of("gallery", ".html"), css=text_of("gallery", ".css"), js=text_of("gallery", ".js")
)


@dataclass(frozen=True)
class Tile:
    """One picture of a gallery.

    `thumbnail` is a URL. `value` is printed on the picture ("0.412 · 97th"), `name` (of a path, its last part) and
    `label` under it. `twins` counts other pictures that this one stands for. `mark` is a short word in the corner, such
    as a decision.
    """

    id: int
    name: str
    thumbnail: str
    value: str
    label: str | None = None
    twins: int = 0
    is_ringed: bool = False
    mark: str | None = None


@dataclass(frozen=True)
class GalleryEvent:
    """What the user did: `clicked_id` is there for one run."""

    clicked_id: int | None


def show_gallery(tiles: tuple[Tile, ...], *, key: str, empty: str, columns: int | None = None) -> GalleryEvent:
    """Draw the tiles in their order, in at most `columns` columns (as many as fit by default); `empty` where none is.

    The state is under `st.session_state[key]`: `clicked`, for one run.
    """
    data = {"tiles": [asdict(tile) | {"id": str(tile.id)} for tile in tiles], "columns": columns, "empty": empty}
    return gallery_event(_mount(key=key, data=data, on_clicked_change=_nothing))


def gallery_event(state: Mapping[str, object]) -> GalleryEvent:
    """The event in a gallery's state, as it is under `st.session_state[key]`."""
    clicked = cast(str | None, state.get("clicked"))
    return GalleryEvent(clicked_id=None if clicked is None else int(clicked))


def _nothing() -> None:
    """A name for the state, so that it is always there to read."""
