"""Counts and figures as text, by one rule: "1 picture", "1,234 pictures", ".83", "−.12", ".87 [.85, .90]"."""

import math
import re
from collections.abc import Iterator, Sequence
from itertools import chain, count, islice, takewhile

MISSING = "–"
"""What stands for a figure that could not be computed."""
RAREST = 0.01
"""No probability is told as lower, nor its complement."""
FEW = 3
"""So many names are told of many."""
SECONDS = 5
"""What an answer is taken to last: people differ, so this only orders queues by length."""


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """A count with its noun: "1 picture", "1,234 pictures", "2 classes"."""
    if count == 1:
        return f"1 {noun}"
    return f"{count:,} {plural or noun + ('es' if noun.endswith(('s', 'x', 'ch', 'sh')) else 's')}"


def duration(answers: int) -> str:
    """How long so many answers may take: "1 min", "5 min", "2 h"."""
    minutes = answers * SECONDS / 60
    return f"{math.ceil(minutes)} min" if minutes < 90 else f"{round(minutes / 60)} h"


def of_group(twins: int, copies: int) -> str:
    """What a picture stands for besides itself, so many twins of which so many are copies: "3 copies and 1 view"."""
    parts = (copies, "copy", "copies"), (twins - copies, "view", "views")
    return " and ".join(counted(*part) for part in parts if part[0])


def listed(names: Sequence[str]) -> str:
    """Names in a sentence: "a, b and c"."""
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def first_of(names: Sequence[str], most: int = FEW) -> str:
    """The first of some names: "cat, cow, dog, …"."""
    return ", ".join([*names[:most], *("…" for _ in names[most : most + 1])])


_WORDS = re.compile(r"[^-_ ./]+[-_ ./]*")
"""The words of a name, each with what parts it from the next."""


def shortened(name: str, most: int) -> str:
    """A name of at most so many characters: a longer one loses its middle, since many names differ at their end."""
    kept = most - 1
    return name if len(name) <= most else f"{name[: kept - kept // 2]}…{name[-(kept // 2) :]}"


def distinct_short_names(names: Sequence[str], *, most: int) -> tuple[str, ...]:
    """Names of which one is longer than `most`, without the words that all begin or end with: "…vanilla…"."""
    if all(len(name) <= most for name in names):
        return tuple(names)
    words = [_WORDS.findall(name) for name in names]
    spare = min(map(len, words)) - 1  # a word is left of each
    first = _alike(words, spare)
    last = _alike([each[::-1] for each in words], spare - first)
    marks = "…" * (first > 0), "…" * (last > 0)
    left = ("".join(each[first : len(each) - last]).rstrip("-_ ./") for each in words)
    return tuple(shortened(f"{marks[0]}{part}{marks[1]}", most) for part in left)


def _alike(names: Sequence[Sequence[str]], most: int) -> int:
    """With how many words, at most `most`, all of these begin."""
    places = (len(set(words)) == 1 for words in islice(zip(*names, strict=False), max(0, most)))
    return sum(1 for _ in takewhile(bool, places))


def decimal(value: float, *, digits: int = 2, signed: bool = False) -> str:
    """A figure of about one, without its leading zero: ".83", "−.12", "1.00", "10.05"; "+.02" if `signed`.

    A figure that is not finite is `MISSING`.
    """
    if not math.isfinite(value):
        return MISSING
    rounded = round(value, digits)
    digits_shown = f"{abs(rounded):.{digits}f}".removeprefix("0")
    sign = "−" if rounded < 0 else "+" if signed and rounded > 0 else ""
    return sign + digits_shown


def with_interval(value: float, low: float, high: float, *, digits: int = 2, signed: bool = False) -> str:
    """A figure with its interval, ".87 [.85, .90]"; without the interval where that is not finite."""
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


def of_objects(words: str) -> str:
    """What is said of pictures, said of objects: "a picture" as "an object", "Pictures" as "Objects"."""
    with_article = re.sub(r"\b([Aa]) picture", r"\1n picture", words)
    return with_article.replace("picture", "object").replace("Picture", "Object")


def standing(rank: float, *, of: str = "") -> str:
    """Where a percentile (0 to 100) stands: "above 98 %", in the lower half "below 98 %", with `of` behind it.

    The last alone is the "highest", the first the "lowest".
    """
    if rank in (0, 100):
        return "highest" if rank else "lowest"
    return f"below {_rounded(100 - rank)} %{of}" if rank < 50 else f"{above(rank)}{of}"


def above(rank: float) -> str:
    """What lies from a percentile on: "above 90 %", and "highest" at 100."""
    return "highest" if rank == 100 else f"above {_rounded(rank)} %"


def _rounded(share: float) -> int:
    return min(99, round(share))


def numbered(name: str) -> Iterator[str]:
    """A name, and the same for those that find it taken: "kind", "kind_2", "kind_3" …"""
    return chain([name], (f"{name}_{number}" for number in count(2)))
