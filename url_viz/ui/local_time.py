"""Times as the clock of the visitor's browser shows them."""

import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st


def visitors_zone() -> datetime.tzinfo:
    """The time zone of the browser; UTC where that is not known."""
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return datetime.UTC


def date_and_time(when: datetime.datetime) -> str:
    """A time that may be years ago: "2026-11-29, 23:09", in UTC with that behind it."""
    local = when.astimezone(visitors_zone())
    return f"{local:%Y-%m-%d, %H:%M}" + _zone(local)


def time_in_words(when: datetime.datetime) -> str:
    """A time with its day: "29 Nov, 23:09", in UTC with that behind it."""
    local = when.astimezone(visitors_zone())
    return f"{local:%d %b, %H:%M}" + _zone(local)


def _zone(local: datetime.datetime) -> str:
    return " UTC" if local.tzname() == "UTC" else ""
