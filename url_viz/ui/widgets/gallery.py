"""The gallery component: a grid of thumbnails with values, which can be clicked and decided on."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Literal, cast

import streamlit as st

from url_viz.store.decisions import DECISIONS, Decision
from url_viz.ui.widgets.assets import text_of

_mount = st.components.v2.component(
    "url_viz_gallery", html=text_of("gallery", ".html"), css=text_of("gallery", ".css"), js=text_of("gallery", ".js")
)
_HANDLED = "gallery.taken"


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


@dataclass(frozen=True)
class _Handled:
    """For each gallery of a session, the number of the last action that was handled.

    It is changed in place, because writing to the session could end the run halfway, and under its lock: a run that is
    overtaken still finishes the actions it has begun, and later actions have to wait for that.
    """

    last: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


def show_gallery(
    tiles: tuple[Tile, ...], *, key: str, empty: str, columns: int | None = None, handle: HandleEvent | None = None
) -> GalleryEvent:
    """Draw the tiles in order, in at most `columns` columns (by default as many as fit); the text `empty` without any.

    With `handle`, pictures can be decided on, by buttons and keys (k keep, d drop, l look again, u undo, y redo). It is
    called with the actions before the page runs again, so that the page already shows their effect, and exactly once
    per action, even if runs overtake each other. It must carry out the actions before it calls Streamlit.

    The state is under `st.session_state[key]`: `clicked`, for one run, and `actions`, numbered.
    """
    data = {
        "tiles": [asdict(tile) | {"id": str(tile.id)} for tile in tiles],
        "columns": columns,
        "empty": empty,
        "can_decide": handle is not None,
        "taken": _handled_before(key),
    }
    on_actions = _nothing if handle is None else partial(_handle_from_session, key, handle)
    result = _mount(key=key, data=data, on_clicked_change=_nothing, on_actions_change=on_actions)
    if handle is not None:
        _handle_new(key, handle, result)  # usually none are left, unless another run came between
    return GalleryEvent(gallery_event(result).clicked_id)


def gallery_event(state: Mapping[str, object], *, handled: int = 0) -> GalleryEvent:
    """The event in a gallery's state (`st.session_state[key]`), with the actions numbered above `handled`."""
    clicked = cast(str | None, state.get("clicked"))
    actions = [_action(record) for record in _new_records(state, handled)]
    return GalleryEvent(None if clicked is None else int(clicked), tuple(a for a in actions if a is not None))


def _handle_from_session(key: str, handle: HandleEvent) -> None:
    _handle_new(key, handle, st.session_state[key])


def _handle_new(key: str, handle: HandleEvent, state: Mapping[str, object]) -> None:
    """Handle new actions. Between recording and carrying them out, no call of Streamlit may end this run."""
    handled = _handled_of_session()
    with handled.lock:
        last = handled.last.get(key, 0)
        records = _new_records(state, last)
        if records:
            handled.last[key] = max(map(_sequence, records))
            handle(gallery_event(state, handled=last))


def _handled_before(key: str) -> int:
    """The number of the last action whose effect `tiles` can show: handled before this run, not by a later one."""
    state = cast("Mapping[str, object]", st.session_state.get(key) or {})
    numbers = [_sequence(record) for record in _new_records(state, 0)]
    return min(max(numbers, default=0), _handled_of_session().last.get(key, 0))


def _handled_of_session() -> _Handled:
    return cast(_Handled, st.session_state.setdefault(_HANDLED, _Handled()))


def _new_records(state: Mapping[str, object], handled: int) -> list[Mapping[str, object]]:
    records = cast("Sequence[Mapping[str, object]]", state.get("actions") or ())
    return [record for record in records if _sequence(record) > handled]


def _sequence(record: Mapping[str, object]) -> int:
    return int(cast(float, record["sequence"]))


def _action(record: Mapping[str, object]) -> GalleryAction | None:
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
