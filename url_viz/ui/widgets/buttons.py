"""Buttons whose clicks are never lost: what they ask for is kept until it is done, whatever is clicked meanwhile."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from url_viz.errors import UrlVizError
from url_viz.ui.session import DIALOG, Key
from url_viz.ui.streamlit_private import hold_run, let_run_go
from url_viz.ui.text import ERROR_ICON, escape


class Warned(str):
    """A sentence that an act gives, which warns of what came of it."""


@dataclass(frozen=True)
class ClickOutcome:
    """What came of a click on the button of a key."""

    key: str
    words: str
    is_error: bool
    is_seen: bool = False
    is_warning: bool = False


ASKED: Key[tuple[str, ...]] = Key("button.asked")
"""The keys of buttons whose click no run of the page has carried out."""
OUTCOMES: "Key[tuple[ClickOutcome, ...]]" = Key("button.said")
"""What came of the last click, or of several that came together."""


def dialog_button(label: str, *, key: str, **look: Any) -> bool:
    """A button that opens the dialog of its `key`; whether that is open, and to be drawn.

    The dialog has `on_dismiss=DIALOG.clear`.
    """
    st.button(escape(label), key=key, on_click=DIALOG.set, args=(key,), **look)
    return DIALOG.get() == key


def act_button(
    label: str, act: Callable[[], object], *, key: str, draw: Callable[..., object] = st.button, **look: Any
) -> bool:
    """A button that has `act` carried out where it stands, with what other controls say by then; whether it just was.

    What was drawn before is then to be drawn again (`st.rerun()`). A sentence that `act` gives, or its UrlVizError, is
    shown here until the next of these buttons is clicked; `Warned` is a sentence that warns.
    """
    draw(escape(label), key=key, on_click=_ask, args=(key,), **look)
    waiting, is_done = ASKED.get() or (), False
    if key in waiting and not look.get("disabled"):
        hold_run()
        left = tuple(other for other in waiting if other != key)
        ASKED.set(left)
        is_done = _is_done(key, act)
        if not left:
            let_run_go()
    show_outcome(key)
    return is_done


def show_outcome(key: str) -> None:
    """What came of the last click on the button of that key, until another of these is clicked."""
    for outcome in OUTCOMES.get() or ():
        if outcome.key == key:
            draw = st.error if outcome.is_error else st.warning if outcome.is_warning else st.success
            draw(escape(outcome.words), icon=_icon(outcome))


def _icon(outcome: ClickOutcome) -> str:
    if outcome.is_warning:
        return ":material/warning:"
    return ERROR_ICON if outcome.is_error else ":material/check:"


def end_of_page() -> None:
    """To be called once a page is drawn: what was asked of it is done, or is not offered any more, and all is seen."""
    ASKED.clear()
    OUTCOMES.set(tuple(replace(outcome, is_seen=True) for outcome in OUTCOMES.get() or ()))


def leave_page() -> None:
    """Ask nothing more of a page, and say in toasts what came of it and was not seen there."""
    ASKED.clear()
    for outcome in OUTCOMES.get() or ():
        if not outcome.is_seen:
            st.toast(escape(outcome.words), icon=_icon(outcome))
    OUTCOMES.clear()


def _ask(key: str) -> None:
    hold_run()
    OUTCOMES.clear()
    ASKED.set((*(ASKED.get() or ()), key))


def _is_done(key: str, act: Callable[[], object]) -> bool:
    try:
        words, is_error = act(), False
    except UrlVizError as error:
        words, is_error = error, True
    if is_error or isinstance(words, str):
        outcome = ClickOutcome(key, str(words), is_error, is_warning=isinstance(words, Warned))
        OUTCOMES.set((*(OUTCOMES.get() or ()), outcome))
    return not is_error
