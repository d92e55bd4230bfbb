"""What commands print: no escape of a terminal, and no command of the pipeline that runs them."""

import io
from typing import TextIO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_viz.base.command_line import PrintableOutput
from url_viz.base.wording import inert

TEXTS = st.lists(st.one_of(st.text(max_size=8), st.text(" :#\n[]evso\t\r\x0b", max_size=12)), max_size=6)


def printed(*texts: str) -> str:
    file = io.StringIO()
    output = PrintableOutput(cast(TextIO, file))
    for text in texts:
        output.write(text)
    return file.getvalue()


@given(TEXTS)
def test_no_line_begins_a_command_however_it_is_written(texts: list[str]) -> None:
    whole = [f"{text}." for text in texts]  # nothing begins in one text and goes on in the next
    shown = printed(*whole)
    assert all(c.isprintable() or c in "\n\u2060" for c in shown)
    assert not [line for line in shown.split("\n") if line.strip().startswith("::")]
    assert "##[" not in shown
    assert shown.replace("\u2060", "") == "".join(printed(text).replace("\u2060", "") for text in whole)


@pytest.mark.parametrize("text", ["a::b", "std::vector", "# [1]", "##", "a\n b", "", "::".join("ab")])
def test_other_text_stays(text: str) -> None:
    assert printed(text) == text == inert(text)


def test_blanks_before_it_do_not_hide_one() -> None:
    assert printed("    ", "::error::x", "\n", "::stop") == "    :\u2060:error::x\n:\u2060:stop"
    assert inert("x ##teamcity[a] ##[b]") == "x #\u2060#teamcity[a] #\u2060#[b]"
