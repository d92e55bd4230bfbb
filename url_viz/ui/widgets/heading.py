"""The heading of a page, of which each has one: what it draws itself, else its name in the menu."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import streamlit as st

from url_viz.ui.session import Key
from url_viz.ui.text import Markdown, escape

TITLED: Key[bool] = Key("page_titled")
"""Whether this run of the page has drawn its heading."""


def page_title(words: Markdown, **look: Any) -> None:
    """Draw the heading of the page. Its sections are headers (`st.header`), and theirs subheaders."""
    st.title(words, anchor=False, **look)
    TITLED.set(True)


@contextmanager
def with_title(name: str) -> Iterator[None]:
    """What is drawn within has a heading above, `name` if it draws none: an error, or a set that is not read yet."""
    TITLED.clear()
    above = st.container()
    yield
    if not TITLED.get():
        with above:
            page_title(escape(name))
