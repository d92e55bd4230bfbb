"""Counts and figures as text by one rule, and the escaping of others' text for terminals, logs, Markdown and sheets."""

import html
import math
import re
import shlex
from collections.abc import Iterator, Sequence
from itertools import chain, count, islice, takewhile

MISSING = "–"
"""Stands for a figure that could not be computed."""
RAREST = 0.01
"""The lowest probability that is shown as it is, and its complement the highest."""
MOST_NAMED = 3
SECONDS_AN_ANSWER = 5
"""People differ, so this only orders queues by length."""


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """A count with its noun: "1 picture", "1,234 pictures", "2 classes"."""
    if count == 1:
        return f"1 {noun}"
    return f"{count:,} {plural or noun + ('es' if noun.endswith(('s', 'x', 'ch', 'sh')) else 's')}"


def duration(answers: int) -> str:
    """How long a number of answers may take: "1 min", "5 min", "2 h"."""
    minutes = answers * SECONDS_AN_ANSWER / 60
    return f"{math.ceil(minutes)} min" if minutes < 90 else f"{round(minutes / 60)} h"


def twins_in_words(twins: int, copies: int) -> str:
    """The twins that a picture stands for, some of them copies: "3 copies and 1 view"."""
    parts = (copies, "copy", "copies"), (twins - copies, "view", "views")
    return " and ".join(counted(*part) for part in parts if part[0])


def listed(names: Sequence[str]) -> str:
    """Names in a sentence: "a, b and c"."""
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def first_of(names: Sequence[str], most: int = MOST_NAMED) -> str:
    """The first of some names: "cat, cow, dog, …"."""
    return ", ".join([*names[:most], *("…" for _ in names[most : most + 1])])


_WORDS = re.compile(r"[^-_ ./]+[-_ ./]*")
"""The words of a name, each with the separators behind it."""


def shortened(name: str, most: int) -> str:
    """A name in at most `most` characters: a longer one loses its middle, since many names differ at their end."""
    kept = most - 1
    return name if len(name) <= most else f"{name[: kept - kept // 2]}…{name[-(kept // 2) :]}"


def distinct_short_names(names: Sequence[str], *, most: int) -> tuple[str, ...]:
    """Names as they are; if one is longer than `most`, without the words that all begin or end with: "…vanilla…"."""
    if all(len(name) <= most for name in names):
        return tuple(names)
    words = [_WORDS.findall(name) for name in names]
    spare = min(map(len, words)) - 1  # a word is left of each
    first = _shared_words(words, spare)
    last = _shared_words([each[::-1] for each in words], spare - first)
    marks = "…" * (first > 0), "…" * (last > 0)
    left = ("".join(each[first : len(each) - last]).rstrip("-_ ./") for each in words)
    return tuple(_without_middle_words(f"{marks[0]}{part}{marks[1]}", most) for part in left)


def _without_middle_words(name: str, most: int) -> str:
    """A name in at most `most` characters: without as few words of its middle as need be, or `shortened`."""
    words = _WORDS.findall(name)
    if len(name) <= most:
        return name
    for gone in range(1, len(words) - 1):
        left = [(words[:start], words[start + gone :]) for start in range(1, len(words) - gone)]
        cut = ("".join(first).rstrip("-_ ./") + "…" + "".join(last) for first, last in left)
        if fitting := [each for each in cut if len(each) <= most]:
            return max(fitting, key=len)
    return shortened(name, most)


def _shared_words(names: Sequence[Sequence[str]], most: int) -> int:
    """How many words, at most `most`, all of these begin with."""
    places = (len(set(words)) == 1 for words in islice(zip(*names, strict=False), max(0, most)))
    return sum(1 for _ in takewhile(bool, places))


def decimal(value: float, *, digits: int = 2, signed: bool = False) -> str:
    """A figure of about one, without its leading zero: ".83", "−.12", "1.00"; "+.02" if `signed`; else `MISSING`."""
    if not math.isfinite(value):
        return MISSING
    rounded = round(value, digits)
    digits_shown = f"{abs(rounded):.{digits}f}".removeprefix("0")
    sign = "−" if rounded < 0 else "+" if signed and rounded > 0 else ""
    return sign + digits_shown


def with_interval(value: float, low: float, high: float, *, digits: int = 2, signed: bool = False) -> str:
    """A figure with its interval if that is finite: ".87 [.85, .90]"."""
    shown = decimal(value, digits=digits, signed=signed)
    if shown == MISSING or not math.isfinite(low):
        return shown
    ends = (decimal(end, digits=digits, signed=signed) for end in (low, high))
    return f"{shown} [{', '.join(ends)}]"


def percent(fraction: float, *, digits: int = 0) -> str:
    """A fraction as a percentage, "83 %"; `MISSING` if it is not finite."""
    return f"{100 * fraction:.{digits}f} %".replace("-", "−") if math.isfinite(fraction) else MISSING


def chance(probability: float) -> str:
    """A probability as a percentage that never claims to be sure: "over 99 %", "34 %", "under 1 %"."""
    if probability > 1 - RAREST:
        return f"over {percent(1 - RAREST)}"
    return f"under {percent(RAREST)}" if probability < RAREST else percent(probability)


def for_objects(words: str) -> str:
    """Words about pictures as words about objects: "a picture" as "an object", "Pictures" as "Objects".

    What stands in “quotes” is a name, and stays.
    """

    def said(own: str) -> str:
        with_article = re.sub(r"\b([Aa]) picture", r"\1n picture", own)
        return with_article.replace("picture", "object").replace("Picture", "Object")

    return re.sub("“[^”]*”|([^“]+)", lambda part: said(part[1]) if part[1] else part[0], words)


def standing(rank: float, *, of: str = "") -> str:
    """Where a percentile (0 to 100) stands, followed by `of`: "above 98 %", in the lower half "below 98 %".

    Only 100 is the "highest", 0 the "lowest".
    """
    if rank in (0, 100):
        return "highest" if rank else "lowest"
    return f"below {_rounded(100 - rank)} %{of}" if rank < 50 else f"{above(rank)}{of}"


def above(rank: float) -> str:
    """The pictures from a percentile on: "above 90 %", and "highest" at 100."""
    return "highest" if rank == 100 else f"above {_rounded(rank)} %"


def _rounded(share: float) -> int:
    return min(99, round(share))


def numbered(name: str) -> Iterator[str]:
    """A name, and others should it be taken: "kind", "kind_2", "kind_3" …"""
    return chain([name], (f"{name}_{number}" for number in count(2)))


def printable(text: str, *, allowed: str = "") -> str:
    """Text with unprintable characters as escapes (`\\x1b`, `\\u202e`, `\\udcff`), but for those in `allowed`."""
    if text.isprintable():  # nearly every name: a million are checked in half a second
        return text
    return "".join(c if c.isprintable() or c in allowed else c.encode("unicode_escape").decode() for c in text)


def command(*words: object) -> str:
    """One of our commands, quoted for a shell: "url-viz embed 'my photos'"."""
    return shlex.join(("url-viz", *(printable(str(word)) for word in words)))


def for_folder(advice: str, folder: object) -> str:
    """Advice whose commands name the folder in place of FOLDER, quoted for a shell."""
    quoted = shlex.quote(printable(str(folder)))
    return re.sub(r"(?<= )FOLDER\b", lambda _: quoted, advice)  # of a command, and not within a path


NO_NAME = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
"""Control characters, line breaks, marks that turn the direction of text, halves of characters, and what is none."""


def one_line(text: str) -> str:
    """Text as a name that can stand anywhere, with `NO_NAME` as escapes.

    Unlike `printable` it leaves joiners, which Persian, Indic names and emoji need, and all kinds of spaces.
    """
    return NO_NAME.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


_SPACE = re.compile(r"\s+")
_SIGN = re.compile(r"[\\`*_\[\]#~$<>!&|]")
_BLOCK_START = re.compile(r"^(\d*)([-+.=])")
_WORD_JOINER = "\N{WORD JOINER}"
_LINK_PART = re.compile(
    r"(:)(?=[^\s\d]|(?:\d\w*[a-z_]\w*|100|1234):)|(www)(?=\.)|(@)(?=\S)|(?<!\S)([<>~-])(?=(?:->|[-=>])(?!\S))",
    re.IGNORECASE,
)
"""Begins a link, an emoji, an icon or an arrow even if escaped, unless a word joiner (zero width) follows."""


def escaped(text: str) -> str:
    """Markdown that shows a text literally, on one line, also in a cell of a table."""
    return _BLOCK_START.sub(r"\1\\\2", _SIGN.sub(r"\\\g<0>", _without_links(text)))


def escaped_in_html(text: str) -> str:
    """As `escaped`, within a tag of HTML in Markdown, where backslashes escape nothing."""
    return html.escape(_without_links(text))


def _without_links(text: str) -> str:
    return _LINK_PART.sub(rf"\g<0>{_WORD_JOINER}", _SPACE.sub(" ", text).strip())


_CI_COMMAND = re.compile(r"^(\s*:)(?=:)|(#)(?=#\w*\[)", re.MULTILINE)


def inert(text: str) -> str:
    """Text that no runner of a pipeline takes for a command, by a word joiner where one would begin.

    GitHub takes `::set-output …` at a line's start; older GitHub and Azure `##[…]` and `##vso[…]`, TeamCity
    `##teamcity[…]`, anywhere.
    """
    return _CI_COMMAND.sub(rf"\g<0>{_WORD_JOINER}", text)


_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
"""With apostrophes in front, so that added ones can be told from original ones."""


def with_apostrophe(text: str) -> str:
    """A text with an apostrophe in front if a spreadsheet would run it."""
    return f"'{text}" if _FORMULA.match(text) else text


def without_apostrophe(text: str) -> str:
    """The text that `with_apostrophe` was given."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text
