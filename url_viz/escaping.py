"""Text of others where it could do harm: on a terminal, in a pipeline's log, as Markdown, and as a formula."""

import html
import re
import shlex


def printable(text: str, *, allowed: str = "") -> str:
    """Text with unprintable characters as escapes (`\\x1b`, `\\u202e`, `\\udcff`), except those in `allowed`."""
    if text.isprintable():  # nearly every name: a million are checked in half a second
        return text
    return "".join(c if c.isprintable() or c in allowed else c.encode("unicode_escape").decode() for c in text)


def command(*words: object) -> str:
    """One of our commands as a shell takes it, whatever a folder is called: "python -m url_viz embed 'my photos'"."""
    return shlex.join(("python", "-m", "url_viz", *(printable(str(word)) for word in words)))


NO_NAME = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, line breaks, what turns the direction of the text behind it, and halves of characters."""


def one_line(text: str) -> str:
    """Text as a name that can stand anywhere: as it is, with what no name has (`NO_NAME`) as escapes.

    Unlike `printable` it leaves joiners, which Persian, Indic names and emoji need, and all kinds of spaces.
    """
    return NO_NAME.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


_SPACE = re.compile(r"\s+")
_SIGN = re.compile(r"[\\`*_\[\]#~$<>!&|]")
_BLOCK_START = re.compile(r"^(\d*)([-+.=])")
_WORD_JOINER = "\N{WORD JOINER}"
_LINK_PART = re.compile(r"(:)(?=[^\s\d])|(www)(?=\.)|(@)(?=\S)", re.IGNORECASE)
"""Text that becomes a link, an emoji or an icon even if escaped; a word joiner (zero width) is inserted after it."""


def escaped(text: str) -> str:
    """Text on one line, as Markdown that shows it literally, also in a cell of a table."""
    return _BLOCK_START.sub(r"\1\\\2", _SIGN.sub(r"\\\g<0>", _without_links(text)))


def escaped_in_html(text: str) -> str:
    """Text on one line, as it stands within a tag of HTML in Markdown, where backslashes escape nothing."""
    return html.escape(_without_links(text))


def _without_links(text: str) -> str:
    return _LINK_PART.sub(rf"\g<0>{_WORD_JOINER}", _SPACE.sub(" ", text).strip())


_CI_COMMAND = re.compile(r"^(\s*:)(?=:)|(#)(?=#\w*\[)", re.MULTILINE)


def inert(text: str) -> str:
    """Text whose lines no runner of a pipeline takes for commands, by a word joiner in what begins one.

    GitHub's takes `::set-output …` at a line's start, its older ones and Azure's `##[…]` and `##vso[…]`, TeamCity's
    `##teamcity[…]`, anywhere.
    """
    return _CI_COMMAND.sub(rf"\g<0>{_WORD_JOINER}", text)


_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
"""With any apostrophes in front, so that added ones can be distinguished from original ones."""


def with_apostrophe(text: str) -> str:
    """`text`, with an apostrophe before what a spreadsheet would run."""
    return f"'{text}" if _FORMULA.match(text) else text


def without_apostrophe(text: str) -> str:
    """What `with_apostrophe` was given."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text
