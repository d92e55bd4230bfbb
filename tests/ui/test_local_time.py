"""Times by the visitor's clock, and by UTC where that is not known."""

import datetime
from zoneinfo import ZoneInfo

import pytest

from url_viz.ui import text as local_time
from url_viz.ui.text import date_and_time, time_in_words

WHEN = datetime.datetime(2026, 11, 29, 22, 9, tzinfo=datetime.UTC)


def test_a_time_is_told_in_the_browsers_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert time_in_words(WHEN) == "29 Nov, 22:09 UTC", "no browser says where it is"
    assert date_and_time(WHEN) == "2026-11-29, 22:09 UTC"
    monkeypatch.setattr(local_time, "visitors_zone", lambda: ZoneInfo("Asia/Tokyo"))
    assert time_in_words(WHEN) == "30 Nov, 07:09"
    assert date_and_time(WHEN) == "2026-11-30, 07:09"
