"""Counts and figures as text, and words that pages no longer use."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from url_viz.base.wording import (
    above,
    chance,
    counted,
    decimal,
    distinct_short_names,
    first_of,
    for_folder,
    for_objects,
    listed,
    one_line,
    percent,
    shortened,
    standing,
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
    assert for_objects(said) == "Of two objects, an object. An object; Objects, the object."
    assert for_objects("Pictures of “a picture frame” and “Pictures”, by “x") == (
        "Objects of “a picture frame” and “Pictures”, by “x"
    )


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
        (("god-morgon-orange-juice", "god-morgon-orange-red-grapefruit-juice"), ("…juice", "…red…juice")),
        (("sorting tray on the left", "sorting tray on the right"), ("…left", "…right")),
        (("class/of/one/long/path/a", "class/of/one/long/path/a"), ("…a", "…a")),
        (("bravo-orange-juice", "oatly-natural-oatghurt-extra"), ("bravo-orange-juice", "oatly…extra")),
        (("steel arch bridge", "a crossword puzzle by hand"), ("steel arch bridge", "a…puzzle by hand")),
        (("", "x" * 30), ("", f"{'x' * 9}…{'x' * 8}")),
    ],
)
def test_two_long_names_are_told_apart_by_what_they_do_not_share(
    names: tuple[str, ...], shown: tuple[str, ...]
) -> None:
    assert distinct_short_names(names, most=18) == shown


GIVEN_UP = {
    "Between classes": "Torn between classes",
    "Within the set": "Easily mistaken",
    "[Pp]retrained head": "General model",
    "easily confused|[Mm]ost confused|[Ll]ooks? like others": "easily mistaken",
    "out on (its|their) own": "unlike the rest",
    r"\b[Tt]wins?\b": "near copies",
    "[Ll]ook again": "decide later",
    "Clearest|clearest": "least ambiguous",
    "[Ww]ith(held|hold)": "left out",
    "[Jj]udged without": "leaving out",
    "Search safely": "Search",
    "Sort uploads|Check new pictures": "New pictures",
    "Adapt and finetune": "Train",
    "Check labels": "Review",
    "answers on pairs": "“Same kind?” answers",
    "Use one model": "Order by one model only",
    "Threshold percentile": "Show only above",
    r"Compact\b": "Free space",
    "Separate map": "Map of these only",
}
"""Words that strangers did not understand, and what stands in their place."""
IN_CODE = {"between classes", "easily confused", "out on its own", "twin", "twins", "view.twins", "pretrained"}
"""Names of values, keys and columns, which nobody reads on a page."""
PAGES = Path(__file__).parents[2]


def said(path: Path) -> Iterator[str]:
    """The texts in a file that a page may show: no docstrings, comments or names."""
    source = path.read_text("utf-8")
    if path.suffix == ".html":
        drawn = re.sub(r"\{[%#].*?[%#]\}|\{\{.*?\}\}|<script.*?</script>", "", source, flags=re.DOTALL)
        yield re.sub(r'class="[^"]*"', "", drawn)
    if path.suffix != ".py":
        return
    tree = ast.parse(source)
    documents = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) and id(node) not in documents else None
        if isinstance(text, str) and text not in IN_CODE and not re.fullmatch("[a-z._-]+", text):
            yield text


@pytest.mark.slow
def test_pages_say_it_in_the_words_that_were_agreed() -> None:
    folders = ("pages", "url_viz/ui", "url_viz/frontend", "url_viz/export", "url_viz/cli")
    files = [path for folder in folders for path in (PAGES / folder).rglob("*") if path.suffix in (".py", ".html")]
    found = [
        f"{path.relative_to(PAGES)}: {text[:80]!r}: say {better!r}"
        for path in files
        for text in said(path)
        for word, better in GIVEN_UP.items()
        if re.search(word, text)
    ]
    assert not found, "\n".join(found)


def test_advice_names_the_folder_so_that_a_shell_reads_it() -> None:
    advice = "Run `sets repair FOLDER`, then `embed FOLDER --embeddings FILE`: all FOLDERS stay."
    assert for_folder(advice, "/my photos") == (
        "Run `sets repair '/my photos'`, then `embed '/my photos' --embeddings FILE`: all FOLDERS stay."
    )
    assert for_folder(advice, "FOLDER") == advice
    assert for_folder("'/data/FOLDER/a.lance' is damaged", "/b") == "'/data/FOLDER/a.lance' is damaged"
    assert "\x1b" not in for_folder(advice, "a\x1b[31m")


def test_a_name_on_one_line_holds_nothing_that_no_xml_takes() -> None:
    assert one_line("a\ufffe\uffffb\n") == r"a\ufffe\uffffb\n"
    assert one_line("é\u200d👍 x") == "é\u200d👍 x"
