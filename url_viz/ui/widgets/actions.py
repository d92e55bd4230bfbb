"""Numbered actions of a component: each is handled exactly once, even if runs of the script overtake each other.

The browser numbers every action, and sends it with all those before it until the server confirms it. A setting, such as
a lasso, has a number too: only the last one counts.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from url_viz.ui.session import Key, component_state


@dataclass(frozen=True)
class Handled:
    """For each component of a session, the number of the last action that was handled.

    It is changed in place, because writing to the session could end the run halfway, and under its lock: a run that is
    overtaken still finishes the actions it has begun, and later actions have to wait for that.
    """

    last: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


HANDLED: Key[Handled] = Key("actions.handled")

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
    numbers = [sequence_of(record) for record in new_records(component_state(key), 0)]
    return min(max(numbers, default=0), HANDLED.get_or(Handled).last.get(key, 0))


def new_records(state: Record, handled: int) -> list[Record]:
    """The actions in a component's state that are numbered above `handled`."""
    records = cast("Sequence[Record]", state.get("actions") or ())
    return [record for record in records if sequence_of(record) > handled]


def sequence_of(record: Record) -> int:
    """The number of an action."""
    return int(cast(float, record["sequence"]))


def take_settings(key: str, names: Sequence[str], take: Callable[[dict[str, Any]], None]) -> None:
    """Give `take` what the user has set in a component since it was taken last, by its name."""
    state, last = component_state(key), HANDLED.get_or(Handled).last
    records = {name: cast(Record, state[name]) for name in names if isinstance(state.get(name), Mapping)}
    new = {name: record for name, record in records.items() if sequence_of(record) > last.get(f"{key}.{name}", 0)}
    if new:
        take({name: record["value"] for name, record in new.items()})
        last.update({f"{key}.{name}": sequence_of(record) for name, record in new.items()})


def settings_taken(key: str, names: Sequence[str]) -> dict[str, int]:
    """The number of what was taken last, by the setting's name: the browser keeps what the user has set since."""
    last = HANDLED.get_or(Handled).last
    return {name: last.get(f"{key}.{name}", 0) for name in names}


OnClick = Callable[[int], object]
"""What is done with the id of a picture that was clicked, before the page runs again."""


def click(key: str, on_click: OnClick | None) -> None:
    """The callback of a component for a click on a picture."""
    clicked = cast("str | None", component_state(key).get("clicked"))
    if on_click is not None and clicked is not None:
        on_click(int(clicked))


def nothing() -> None:
    """A callback that does nothing; it makes Streamlit create the state, so that it can always be read and set."""
