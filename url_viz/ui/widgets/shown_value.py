"""Controls whose value the page changes, too, so that no click is lost: neither one on them nor one that changed them.

A value that the page gives to a widget is sent to the browser and replaces what was clicked there since the run began;
and until it has come, every message of the browser says the value before, as if somebody had chosen that again.
So no widget is given a value. One that shows another value than its browser has is another widget, with the next number
in its key; what a widget says counts as chosen if it differs from what that widget said or was made with.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from url_viz.ui.session import Key


@dataclass
class Shown:
    """Of the widgets of a control, which differ in the number in their key: what each said last, or was made with.

    `options` are those of the last widget. It is changed in place: a run that is overtaken has shown what it has shown.
    """

    options: object
    said: list[object] = field(default_factory=list)


SHOWN: Key[dict[str, Shown]] = Key("controls.shown")

T = TypeVar("T")


def control(key: Key[T], value: T, choose: Callable[[T], object], *, options: object = ()) -> dict[str, Any]:
    """The `key`, `on_change` and `args` of the widget that shows `value`; `choose` gets what the user chooses.

    Give the widget `value` as its first one (`index`, `value`, `default`), and the `options` here as they are written
    there.
    """
    shown = SHOWN.get_or(dict).setdefault(key, Shown(options))
    if not shown.said or shown.said[-1] != value or shown.options != options:
        shown.said.append(value)
        shown.options = options
    number = len(shown.said) - 1
    return {"key": _widget(key, number), "on_change": _take, "args": (key, number, choose)}


def control_of(stored: Key[T], value: T, *, options: object = ()) -> dict[str, Any]:
    """As `control`, of a choice that is kept in the session; `value` is what applies of it."""
    return control(stored.under("control"), value, stored.set, options=options)


def _widget(key: Key[T], number: int) -> Key[T]:
    return key.under(number) if number else key


def _take(key: Key[T], number: int, choose: Callable[[T], object]) -> None:
    values, now = SHOWN.get_or(dict)[key].said, _widget(key, number).get()
    if now != values[number]:
        values[number] = now
        choose(now)  # type: ignore[arg-type]
