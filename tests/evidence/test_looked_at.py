"""The precision of an order by the word of people, by hand."""

import pandas as pd
import pytest

from url_viz.evidence.looked_at import LookedAt, looked_at


def table(said: dict[int, str | None]) -> pd.DataFrame:
    """A hundred pictures, each more ambiguous than the one before, and what somebody said of some."""
    rows = pd.DataFrame({"ambiguity": [float(number) for number in range(100)], "label_given": "kiwi"})
    rows["label_checked"] = pd.Series(said, dtype=object).reindex(rows.index)
    rows["label"] = rows["label_checked"].map({"corrected": "plum"}).fillna("kiwi")
    return rows.assign(twin_group=pd.array([None] * 100, "Int64"), id=range(100))


def test_both_ends_are_counted_and_of_twins_one() -> None:
    said: dict[int, str | None] = {
        99: "either",
        98: "corrected",
        97: "confirmed",
        90: "either",
        60: "either",
        3: "confirmed",
        4: "corrected",
    }
    rows = table(said)
    assert looked_at(rows, "ambiguity") == LookedAt(4, 3, 2, 1), "the 61st is at neither end"
    rows.loc[[98, 99], "twin_group"] = 1
    assert looked_at(rows, "ambiguity") == LookedAt(3, 2, 2, 1)
    assert not looked_at(rows, "ambiguity").words


def test_it_is_told_with_wilsons_intervals_once_twenty_of_each_were_looked_at() -> None:
    assert LookedAt(40, 31, 40, 2).words == (
        "Of 40 you looked at among the most ambiguous 31 are rightly both or relabelled (62 to 88 %); "
        "of 40 among the clear, 2 (1 to 17 %)."
    )
    assert LookedAt(40, 31, 40, 2).precision.interval.low == pytest.approx(0.6250, abs=1e-4)
    assert not LookedAt(19, 19, 40, 2).words
    assert not LookedAt(40, 31, 19, 0).words
    assert LookedAt(20, 20, 20, 0).words
