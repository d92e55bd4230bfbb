"""Ending a page's run before its last line, without forgetting what the visitor did meanwhile."""

from typing import NoReturn


class PageEnd(Exception):  # noqa: N818 - no error
    """Nothing more is to be drawn; `app.py` catches it."""


def end_page() -> NoReturn:
    """Draw nothing more of this page.

    In place of `st.stop()`, which also drops what was asked for while the page was being drawn: a path typed into an
    open dialog, and the click after it, would have no effect and no error.
    """
    raise PageEnd
