"""Buttons whose clicks are never lost: what they ask for is kept until it is done, whatever is clicked meanwhile."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from url_viz.errors import UrlVizError
from url_viz.ui.session import ASKED, DIALOG, SAID, Asked, Said
from url_viz.ui.streamlit_private import undisturbed
from url_viz.ui.text import escape, show_error, with_toast


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
    shown here until the next of these buttons is clicked.
    """
    draw(escape(label), key=key, on_click=_ask, args=(Asked(key, act),), **look)
    asked, is_done = ASKED.get(), False
    if asked is not None and asked.key == key and not look.get("disabled"):
        with undisturbed():
            ASKED.clear()
            is_done = _carried_out(Asked(key, act))
    show_said(key)
    return is_done


def show_said(key: str) -> None:
    """What came of the last click on the button of that key, if it is the last of these that was clicked."""
    said = SAID.get()
    if said is None or said.key != key:
        return
    if said.is_error:
        show_error(said.words)
    else:
        st.success(escape(said.words), icon=":material/check:")


def finish_asked() -> None:
    """Carry out what was asked for on a page that was left before it was drawn; forget what was said there."""
    if (asked := ASKED.get()) is not None:
        with undisturbed():
            ASKED.clear()
            with_toast(asked.act)()
    SAID.clear()


def _ask(asked: Asked) -> None:
    SAID.clear()
    ASKED.set(asked)


def _carried_out(asked: Asked) -> bool:
    try:
        words, is_error = asked.act(), False
    except UrlVizError as error:
        words, is_error = error, True
    if is_error or isinstance(words, str):
        SAID.set(Said(asked.key, str(words), is_error))
    return not is_error
