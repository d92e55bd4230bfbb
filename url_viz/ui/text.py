"""Text from outside (names, tags, reasons, addresses) as Markdown that shows it as it is, and errors shown so.

Streamlit reads nearly all text that it draws as Markdown, in which a name can be a link or a picture from another host.
`tests/ui/test_text.py` checks that every such text on a page is our own, a number, or comes from here.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NewType

import streamlit as st

from url_viz.errors import UrlVizError

Markdown = NewType("Markdown", str)
"""Markdown that we wrote; what is not ours in it was escaped."""

ERROR_ICON = ":material/error:"

_SPACE = re.compile(r"\s+")
_SIGN = re.compile(r"[\\`*_\[\]#~$<>!&]")
_BLOCK_START = re.compile(r"^(\d*)([-+.=])")
_WORD_JOINER = "\N{WORD JOINER}"
_LINK_PART = re.compile(r"(:)(?=[^\s\d])|(www)(?=\.)|(@)(?=\S)", re.IGNORECASE)
"""What becomes a link, an emoji or an icon after the escapes are read; a word joiner (no width) is put behind it."""


def escape(text: object) -> Markdown:
    """`text` (or what `str` makes of it) on one line, as Markdown that shows it and does nothing else."""
    line = _SPACE.sub(" ", str(text)).strip()
    parted = _LINK_PART.sub(rf"\g<0>{_WORD_JOINER}", line)
    return Markdown(_BLOCK_START.sub(r"\1\\\2", _SIGN.sub(r"\\\g<0>", parted)))


def show_error(error: UrlVizError | str) -> None:
    """Show what went wrong, in a box on the page."""
    st.error(escape(error), icon=ERROR_ICON)


@contextmanager
def errors_told(say: Callable[..., object] = st.toast) -> Iterator[None]:
    """Give the sentence of a UrlVizError to `say`: a toast from callbacks, `st.error` from dialogs and pages.

    Callbacks and dialogs run outside the `try` of app.py.
    """
    try:
        yield
    except UrlVizError as error:
        say(escape(error), icon=ERROR_ICON)
