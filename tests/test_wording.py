"""Counts and figures as text."""

import pytest

from url_viz.wording import (
    above,
    chance,
    counted,
    decimal,
    first_of,
    listed,
    of_objects,
    percent,
    shortened,
    standing,
    told_apart,
    with_interval,
)

NAN = float("nan")


@pytest.mark.parametrize(
    ("count", "noun", "words"),
    [(0, "picture", "0 pictures"), (1, "file", "1 file"), (2, "class", "2 classes"), (1234, "set", "1,234 sets")],
)
def test_counts_have_their_noun(count: int, noun: str, words: str) -> None:
    assert counted(count, noun) == words


def test_names_are_listed_all_or_the_first() -> None:
    assert [listed(["a", "b", "c"][:count]) for count in range(4)] == ["", "a", "a and b", "a, b and c"]
    assert [first_of(["a", "b", "c"][:count], 2) for count in range(4)] == ["", "a", "a, b", "a, b, …"]


def test_what_is_said_of_pictures_is_said_of_objects() -> None:
    said = "Of two pictures, a picture. A picture; Pictures, the picture."
    assert of_objects(said) == "Of two objects, an object. An object; Objects, the object."


def test_an_irregular_plural_is_given() -> None:
    assert (counted(1, "copy", "copies"), counted(3, "copy", "copies")) == ("1 copy", "3 copies")


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.834, ".83"), (-0.12, "−.12"), (1.0, "1.00"), (10.05, "10.05"), (0.999, "1.00"), (-0.001, ".00"), (NAN, "–")],
)
def test_figures_have_no_leading_zero(value: float, words: str) -> None:
    assert decimal(value) == words


def test_signs_and_digits_as_asked() -> None:
    assert [decimal(value, digits=3, signed=True) for value in (0.0204, -0.0204, 0.0)] == ["+.020", "−.020", ".000"]


def test_an_interval_stands_in_brackets_if_there_is_one() -> None:
    assert with_interval(0.871, 0.852, 0.9) == ".87 [.85, .90]"
    assert with_interval(0.02, -0.01, 0.05, signed=True) == "+.02 [−.01, +.05]"
    assert with_interval(1.0, 0.5, 1.0) == "1.00 [.50, 1.00]"
    assert with_interval(0.5, NAN, NAN) == ".50"
    assert with_interval(NAN, 0.1, 0.2) == "–"


def test_percentages() -> None:
    assert (percent(0.834), percent(-0.0125, digits=1), percent(NAN)) == ("83 %", "−1.2 %", "–")


def test_a_percentile_is_the_share_that_it_passes_and_never_all_but_at_the_ends() -> None:
    ranks = (0, 0.3, 2.4, 49.9, 50, 97.6, 99.6, 100)
    words = ["lowest", "below 99 %", "below 98 %", "below 50 %", "above 50 %", "above 98 %", "above 99 %", "highest"]
    assert [standing(rank) for rank in ranks] == words
    assert (standing(12, of=" of the set"), standing(100, of=" of the set")) == ("below 88 % of the set", "highest")
    assert [above(rank) for rank in (0, 90, 100)] == ["above 0 %", "above 90 %", "highest"]


def test_no_probability_is_told_as_sure() -> None:
    assert [chance(value) for value in (0, 0.004, 0.01, 0.345, 0.99, 0.996, 1)] == [
        "under 1 %",
        "under 1 %",
        "1 %",
        "34 %",
        "99 %",
        "over 99 %",
        "over 99 %",
    ]


def test_long_names_lose_their_middle_and_short_ones_nothing() -> None:
    assert shortened("kiwi", 4) == "kiwi"
    assert shortened("abcdefghij", 6) == "abc…ij"
    assert len(shortened("x" * 50, 18)) == 18


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (("mango", "lime"), ("mango", "lime")),
        (("alpro-blueberry-soyghurt", "alpro-vanilla-soyghurt"), ("…blueberry…", "…vanilla…")),
        (("god-morgon-orange-juice", "god-morgon-orange-red-grapefruit-juice"), ("…juice", "…red-grap…it-juice")),
        (("sorting tray on the left", "sorting tray on the right"), ("…left", "…right")),
        (("class/of/one/long/path/a", "class/of/one/long/path/a"), ("…a", "…a")),
        (("bravo-orange-juice", "oatly-natural-oatghurt-extra"), ("bravo-orange-juice", "oatly-nat…rt-extra")),
        (("", "x" * 30), ("", f"{'x' * 9}…{'x' * 8}")),
    ],
)
def test_two_long_names_are_told_apart_by_what_they_do_not_share(
    names: tuple[str, ...], shown: tuple[str, ...]
) -> None:
    assert told_apart(names, most=18) == shown
