"""The gallery component: a grid of thumbnails with values, which can be clicked and decided on."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Literal, cast

import streamlit as st

from url_viz.store.decisions import DECISIONS, Decision
from url_viz.ui.session import state_of
from url_viz.ui.widgets.actions import Record, handle_new, handled_before, new_records
from url_viz.ui.widgets.assets import script_of, text_of

_mount = st.components.v2.component(
    "url_viz_gallery",
    html=text_of("gallery", ".html"),
    css=text_of("gallery", ".css"),
    js=script_of("gallery"),
)


@dataclass(frozen=True)
class Tile:
    """One picture of a gallery.

    `thumbnail` is a URL. `value` is printed on the picture ("0.412 · 97th"), `name` (of a path, its last part) and
    `label` under it. `twins` counts the hidden twins of this picture. `mark` is a short word in the corner.
    `decision` is shown as a coloured sign; a dropped picture is faint. `question` ("cucumber or banana?") stands under
    the label.
    """

    id: int
    name: str
    thumbnail: str
    value: str
    label: str | None = None
    twins: int = 0
    is_ringed: bool = False
    mark: str | None = None
    decision: str | None = None
    question: str | None = None


@dataclass(frozen=True)
class GalleryAction:
    """A decision on a picture (None clears it), or, without an `id`, a command."""

    id: int | None = None
    decision: Decision | None = None
    command: Literal["undo", "redo"] | None = None


@dataclass(frozen=True)
class GalleryEvent:
    """What the user did: `clicked_id` lasts for one run; `actions` are new ones, oldest first."""

    clicked_id: int | None
    actions: tuple[GalleryAction, ...] = ()


HandleEvent = Callable[[GalleryEvent], None]


def show_gallery(
    tiles: tuple[Tile, ...], *, key: str, empty: str, columns: int | None = None, handle: HandleEvent | None = None
) -> GalleryEvent:
    """Draw the tiles in order, in at most `columns` columns (by default as many as fit); the text `empty` without any.

    With `handle`, pictures can be decided on, by buttons and keys (k keep, d drop, l look again, u undo, y redo). It is
    called with the actions before the page runs again, so that the page already shows their effect, and exactly once
    per action, even if runs overtake each other. It must carry out the actions before it calls Streamlit.

    The state is that of `key` in the session: `clicked`, for one run, and `actions`, numbered.
    """
    data = {
        "tiles": [asdict(tile) | {"id": str(tile.id)} for tile in tiles],
        "columns": columns,
        "empty": empty,
        "can_decide": handle is not None,
        "taken": handled_before(key),
    }
    on_actions = _nothing if handle is None else partial(_handle_from_session, key, handle)
    result = _mount(key=key, data=data, on_clicked_change=_nothing, on_actions_change=on_actions)
    if handle is not None:
        _handle(key, result, handle)  # usually none are left, unless another run came between
    return GalleryEvent(gallery_event(result).clicked_id)


def gallery_event(state: Mapping[str, object], *, handled: int = 0) -> GalleryEvent:
    """The event in a gallery's state, with the actions numbered above `handled`."""
    clicked = cast(str | None, state.get("clicked"))
    return GalleryEvent(None if clicked is None else int(clicked), _actions(new_records(state, handled)))


def _handle_from_session(key: str, handle: HandleEvent) -> None:
    _handle(key, state_of(key), handle)


def _handle(key: str, state: Mapping[str, object], handle: HandleEvent) -> None:
    handle_new(key, state, lambda records: handle(GalleryEvent(None, _actions(records))))


def _actions(records: Iterable[Record]) -> tuple[GalleryAction, ...]:
    return tuple(action for action in map(_action, records) if action is not None)


def _action(record: Record) -> GalleryAction | None:
    """An action sent by the browser; None if it is invalid."""
    command, decision = record.get("command"), record.get("decision")
    if command == "undo" or command == "redo":
        return GalleryAction(command=command)
    known_decision = next((known for known in DECISIONS if known == decision), None)
    if "id" not in record or known_decision != decision:
        return None
    return GalleryAction(int(cast(str, record["id"])), known_decision)


def _nothing() -> None:
    """A callback that does nothing; it makes Streamlit create the state, so that it can always be read."""
