"""Numbered actions of a component: each is handled exactly once, even if runs of the script overtake each other.

The browser numbers every action, and sends it with all those before it until the server confirms it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import cast

from url_viz.ui.session import HANDLED, Handled, state_of

Record = Mapping[str, object]
"""An action as the browser sends it, with its number under `sequence`."""


def handle_new(key: str, state: Record, handle: Callable[[list[Record]], None]) -> None:
    """Handle the new actions in a component's state. `handle` must call Streamlit only when it has carried them out.

    Between recording and carrying them out, no call of Streamlit may end this run.
    """
    handled = HANDLED.get_or(Handled)
    with handled.lock:
        records = new_records(state, handled.last.get(key, 0))
        if records:
            handled.last[key] = max(map(sequence_of, records))
            handle(records)


def handled_before(key: str) -> int:
    """The number of the last action whose effect the component can show: handled before this run, not by a later."""
    numbers = [sequence_of(record) for record in new_records(state_of(key), 0)]
    return min(max(numbers, default=0), HANDLED.get_or(Handled).last.get(key, 0))


def new_records(state: Record, handled: int) -> list[Record]:
    """The actions in a component's state that are numbered above `handled`."""
    records = cast("Sequence[Record]", state.get("actions") or ())
    return [record for record in records if sequence_of(record) > handled]


def sequence_of(record: Record) -> int:
    """The number of an action."""
    return int(cast(float, record["sequence"]))


def clicked_in(state: Record) -> int | None:
    """The id of the picture that was clicked, which is in a component's state for one run; None for none."""
    clicked = cast("str | None", state.get("clicked"))
    return None if clicked is None else int(clicked)


def nothing() -> None:
    """A callback that does nothing; it makes Streamlit create the state, so that it can always be read and set."""
