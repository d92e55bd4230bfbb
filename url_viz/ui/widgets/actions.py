"""Numbered actions of a component: each is handled exactly once, even if runs of the script overtake each other.

The browser numbers every action, and sends it with all those before it until the server confirms it.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import streamlit as st

_HANDLED = "actions.handled"

Record = Mapping[str, object]
"""An action as the browser sends it, with its number under `sequence`."""


@dataclass(frozen=True)
class _Handled:
    """For each component of a session, the number of the last action that was handled.

    It is changed in place, because writing to the session could end the run halfway, and under its lock: a run that is
    overtaken still finishes the actions it has begun, and later actions have to wait for that.
    """

    last: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


def handle_new(key: str, state: Record, handle: Callable[[list[Record]], None]) -> None:
    """Handle the new actions in a component's state. `handle` must call Streamlit only when it has carried them out.

    Between recording and carrying them out, no call of Streamlit may end this run.
    """
    handled = _handled_of_session()
    with handled.lock:
        records = new_records(state, handled.last.get(key, 0))
        if records:
            handled.last[key] = max(map(sequence_of, records))
            handle(records)


def handled_before(key: str) -> int:
    """The number of the last action whose effect the component can show: handled before this run, not by a later."""
    state = cast(Record, st.session_state.get(key) or {})
    numbers = [sequence_of(record) for record in new_records(state, 0)]
    return min(max(numbers, default=0), _handled_of_session().last.get(key, 0))


def new_records(state: Record, handled: int) -> list[Record]:
    """The actions in a component's state that are numbered above `handled`."""
    records = cast("Sequence[Record]", state.get("actions") or ())
    return [record for record in records if sequence_of(record) > handled]


def sequence_of(record: Record) -> int:
    """The number of an action."""
    return int(cast(float, record["sequence"]))


def _handled_of_session() -> _Handled:
    return cast(_Handled, st.session_state.setdefault(_HANDLED, _Handled()))
