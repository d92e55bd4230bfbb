"""Markdown escaping of text from outside, error messages, and times by the visitor's clock."""

import datetime
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NewType
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from url_viz.base.errors import UrlVizError
from url_viz.base.wording import escaped

Markdown = NewType("Markdown", str)
"""Markdown written in our source, with all other text in it escaped."""

PACKAGE = Path(__file__).resolve().parents[1]
ERROR_ICON = ":material/error:"


def escape(text: object) -> Markdown:
    """`str(text)` on one line, as Markdown that shows it literally."""
    return Markdown(escaped(str(text)))


def with_code(text: object) -> Markdown:
    """As `escape`, with what stands between two backticks as code: our sentences name commands so."""
    parts = str(text).split("`")
    if not len(parts) % 2:
        return escape(text)
    written = []
    for number, part in enumerate(parts):
        line = " ".join(part.split())
        if number % 2:
            written.append(f"`{line}`" if line else "")  # nothing in code has a meaning to Markdown
        else:
            before, after = (" " if part[:1].isspace() else "", " " if part[-1:].isspace() and line else "")
            written.append(f"{before}{escape(line)}{after}")
    return Markdown("".join(written))


def shipped_text(path: Path) -> Markdown:
    """The text of a Markdown file of URL-Viz, its headings two levels lower; of any other file, escaped."""
    text = path.read_text(encoding="utf-8")
    is_ours = path.resolve().is_relative_to(PACKAGE)
    return Markdown(re.sub("^#", "###", text, flags=re.MULTILINE)) if is_ours else escape(text)


def show_error(error: UrlVizError | str) -> None:
    """Show an error in a box on the page."""
    st.error(escape(error), icon=ERROR_ICON)


@contextmanager
def errors_shown(show: Callable[..., object] = st.toast) -> Iterator[None]:
    """Show the message of a UrlVizError with `show`: a toast from callbacks, `st.error` from dialogs and pages.

    Callbacks and dialogs run outside the `try` of app.py.
    """
    try:
        yield
    except UrlVizError as error:
        show(escape(error), icon=ERROR_ICON)


def with_toast(act: Callable[..., object]) -> Callable[..., None]:
    """A callback that carries out `act` and shows its error, or the sentence that it returns, in a toast."""

    def carry_out(*arguments: object) -> None:
        with errors_shown():
            sentence = act(*arguments)
            if isinstance(sentence, str):
                st.toast(escape(sentence))

    return carry_out


def visitors_zone() -> datetime.tzinfo:
    """The time zone of the browser; UTC where that is not known."""
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return datetime.UTC


def date_and_time(when: datetime.datetime) -> str:
    """A time that may be years ago: "2026-11-29, 23:09", followed by "UTC" in UTC."""
    return _by_visitors_clock(when, "%Y-%m-%d, %H:%M")


def time_in_words(when: datetime.datetime) -> str:
    """A time with its day: "29 Nov, 23:09", followed by "UTC" in UTC."""
    return _by_visitors_clock(when, "%d %b, %H:%M")


def _by_visitors_clock(when: datetime.datetime, pattern: str) -> str:
    local = when.astimezone(visitors_zone())
    return local.strftime(pattern) + (" UTC" if local.tzname() == "UTC" else "")
