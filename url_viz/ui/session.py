"""What pages share in a session: keys of its values, set and model, the address, numbered actions of components."""

import threading
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

import streamlit as st

from url_viz.models.model_names import DEFAULT, check_length, is_too_long

T = TypeVar("T")
Value = TypeVar("Value")
_SET, _MODEL = "set", "model"


class Key(str, Generic[T]):
    """A name in the session, and the way to its value of type T; widgets and components take it as their `key`.

    Streamlit forgets the value of a widget or component that a run of the script does not draw; other values stay.
    """

    @property
    def is_set(self) -> bool:
        """Whether there is a value, which may be None."""
        return self in st.session_state

    def get(self) -> T | None:
        return cast("T | None", st.session_state.get(self))

    def get_or(self, make: Callable[[], T]) -> T:
        """The value; if there is none, `make()`, which then becomes it."""
        if not self.is_set:
            self.set(make())
        return cast(T, st.session_state[self])

    def get_for(
        self: "Key[tuple[tuple[object, ...], Value]]", inputs: tuple[object, ...], make: Callable[[], Value]
    ) -> Value:
        """The value if it was made from the same `inputs`; else `make()`, which is then stored with them."""
        cached = self.get()
        if cached is None or cached[0] != inputs:
            cached = inputs, make()
            self.set(cached)
        return cached[1]

    def under(self, *parts: object) -> "Key[T]":
        """The key of one of several values that differ in these parts; empty parts are left out."""
        return Key(".".join(filter(None, map(str, (self, *parts)))))

    def set(self, value: T) -> None:
        """Set the value; never that of a widget (`url_viz.ui.widgets.buttons`)."""
        st.session_state[self] = value

    def clear(self) -> None:
        st.session_state.pop(self, None)


def clear_under(beginning: str) -> None:
    """Remove the values of all keys with this beginning."""
    for key in [key for key in map(str, st.session_state) if key.startswith(beginning)]:
        del st.session_state[key]


CHOSEN_SET: Key[str | None] = Key("chosen_set")
CHOSEN_MODEL: Key[str] = Key("chosen_model")
NOT_THERE: Key[str] = Key("not_there")
"""The id of the job that read nothing, "" for an image set that is not here; the first page says so."""
OPENED: Key[int] = Key("view.opened")
"""The id of the picture that was opened last: in the dialog, and ringed on maps and in galleries."""
PICTURE = "picture"
"""The dialog of a picture, and the parameter of the address that names it."""
DIALOG: Key[str] = Key("view.dialog")
"""The dialog that is open: each run of the page draws it again until it is closed."""
PAGE: Key[str] = Key("page_shown")
"""The address of the page that ran last."""
PAGE_KEYS = "page."
"""Values under keys that begin so are cleared when the page is left, or another set is chosen."""
BY_FIRST: Key[tuple[str, str]] = Key("page.by_first")
"""The set and model that the page shows without a second opinion, until the person takes that or comes again."""
LEFT_SET: Key[bool] = Key("view.left_set")
"""Whether another set was shown before: the address may still hold the view of that one."""
GO_TO: Key[str] = Key("go_to")
"""The name of the page that runs next, whichever page a browser asks for that does not know of it yet."""


def component_state(component: str) -> MutableMapping[str, object]:
    """The state of one of our components under its key; assigning to it before it is drawn changes it."""
    return Key[MutableMapping[str, object]](component).get() or {}


@dataclass(frozen=True)
class SetChoice:
    """The image set (None: none chosen yet) and the model that all pages show."""

    set_id: str | None
    model: str


def choice() -> SetChoice:
    """The current choice: the session's, else the one in the address."""
    set_id = CHOSEN_SET.get() if CHOSEN_SET.is_set else st.query_params.get(_SET)
    named = st.query_params.get(_MODEL, DEFAULT)
    return SetChoice(set_id, CHOSEN_MODEL.get() or (DEFAULT if is_too_long(named) else named))


def choose(set_id: str | None, *, model: str | None = None) -> None:
    """Choose an image set or model, and clear the view of the one before. Raises ModelError for an endless name."""
    check_length(model or "")
    before = choice()
    after = SetChoice(set_id, model or before.model)
    if after != before:
        clear_under("view.")
        clear_under(PAGE_KEYS)
        LEFT_SET.set(True)
    if set_id is not None:
        NOT_THERE.clear()
    CHOSEN_SET.set(after.set_id)
    CHOSEN_MODEL.set(after.model)


def show_in_address() -> None:
    """Write the choice into the address, and store one that came from it: the next page's address starts empty.

    Raises ModelError if the address had an endless name of a model, which is not stored.
    """
    named, now = st.query_params.get(_MODEL, ""), choice()
    CHOSEN_SET.set(now.set_id)
    CHOSEN_MODEL.set(now.model)
    write_query(choice_as_query(), among=lambda key: key in (_SET, _MODEL))
    check_length(named)


def choice_as_query() -> dict[str, list[str]]:
    """The choice as the address names it."""
    now = choice()
    query = {_SET: [now.set_id]} if now.set_id is not None else {}
    return query | ({_MODEL: [now.model]} if now.model != DEFAULT else {})


def queried() -> dict[str, list[str]]:
    """The address's parameters."""
    return {key: st.query_params.get_all(key) for key in st.query_params}


def write_query(wanted: Mapping[str, Sequence[str]], *, among: Callable[[str], bool]) -> None:
    """Write parameters into the address in the place of those `among` the writer's, if that changes any."""
    now = queried()
    others = {key: values for key, values in now.items() if not among(key) and key not in wanted}
    changed = others | {key: list(values) for key, values in wanted.items()}
    if changed != now:
        st.query_params.from_dict(changed)  # at once: each change is a step of the browser's history


@dataclass(frozen=True)
class Handled:
    """The number of the last action that was handled, for each component of a session.

    It is changed in place, because writing to the session could end the run halfway, and under its lock: a run that is
    overtaken still finishes the actions it has begun, and later actions have to wait for that.
    """

    last: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


HANDLED: Key[Handled] = Key("actions.handled")

Record = Mapping[str, object]
"""An action as the browser sends it, with its number under `sequence`."""


def handle_new(key: str, state: Record, handle: Callable[[list[Record]], None]) -> None:
    """Handle the new actions in a component's state.

    `handle` must carry them out before it calls Streamlit, which may end the run: they are recorded as handled by then.
    """
    handled = HANDLED.get_or(Handled)
    with handled.lock:
        records = new_records(state, handled.last.get(key, 0))
        if records:
            handled.last[key] = max(map(sequence_of, records))
            handle(records)


def handled_before(key: str) -> int:
    """The number of the last action that this run knows and that was handled: the component can show its effect."""
    numbers = map(sequence_of, new_records(component_state(key), 0))
    return min(max(numbers, default=0), HANDLED.get_or(Handled).last.get(key, 0))


def new_records(state: Record, handled: int) -> list[Record]:
    """The actions in a component's state that are numbered above `handled`."""
    records = cast("Sequence[Record]", state.get("actions") or ())
    return [record for record in records if sequence_of(record) > handled]


def sequence_of(record: Record) -> int:
    """The number of an action."""
    return int(cast(float, record["sequence"]))


def take_settings(key: str, names: Sequence[str], take: Callable[[dict[str, Any]], None]) -> None:
    """Give `take` what the user has set in a component since the last time, by name."""
    state, last = component_state(key), HANDLED.get_or(Handled).last
    records = {name: cast(Record, state[name]) for name in names if isinstance(state.get(name), Mapping)}
    new = {name: record for name, record in records.items() if sequence_of(record) > last.get(f"{key}.{name}", 0)}
    if new:
        take({name: record["value"] for name, record in new.items()})
        last.update({f"{key}.{name}": sequence_of(record) for name, record in new.items()})


def settings_taken(key: str, names: Sequence[str]) -> dict[str, int]:
    """The number of the last setting taken, by name: the browser keeps what the user has set since."""
    last = HANDLED.get_or(Handled).last
    return {name: last.get(f"{key}.{name}", 0) for name in names}


OnClick = Callable[[int], object]
"""Takes the id of a picture that was clicked, before the page runs again."""


def click(key: str, on_click: OnClick | None) -> None:
    """A component's callback for a click on a picture."""
    clicked = cast("str | None", component_state(key).get("clicked"))
    if on_click is not None and clicked is not None:
        on_click(int(clicked))


def nothing() -> None:
    """A callback that does nothing; it makes Streamlit create the state, so that it can always be read and set."""
