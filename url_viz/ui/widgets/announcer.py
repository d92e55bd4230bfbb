"""What changes on a page without the focus on it, said to people who hear the page: results, and how far jobs are."""

from collections.abc import Mapping

import streamlit as st

from url_viz.ui.session import Key
from url_viz.ui.widgets.component import component_of

_WORDS: Key[Mapping[str, str]] = Key("announcer.words")
_mount = component_of("announcer")


def announce(subject: str, words: str) -> None:
    """Have `words` said once this run of the page has ended, if those said last on the subject were others."""
    _WORDS.set({**(_WORDS.get() or {}), subject: words})


def say_announced() -> None:
    """Say what was announced in this run of the page; call it last."""
    with st.sidebar:
        say_now(_WORDS.get() or {}, key="announcer")
    _WORDS.clear()


def say_now(words: Mapping[str, str], *, key: str) -> None:
    """Say `words` (subject to words) from where this stands, such as a part of the page that runs by itself."""
    _mount(key=key, data={"words": dict(words)})
