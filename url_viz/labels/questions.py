"""What is asked of a picture: questions about its class, its label or its use, with the classes to choose among."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from url_viz.labels.ambiguity import groups_in_question, heading_of


@dataclass(frozen=True)
class Choice:
    """A class that a picture may be of, with its share (nan: not known), or its neighbours' votes ("": not shown)."""

    label: str
    share: float
    votes: str = ""


@dataclass(frozen=True)
class Question:
    """What is asked of a picture: `text`, and the classes to choose among (none, or up to three).

    Without classes, `groups` are the two that it is like, which nobody can choose (`url_viz.pictures.named_groups`).
    `wrong` is the probability that its label is wrong, given the label; nan where it is not known, or where shares of
    the classes are shown: these leave the label out, and the two would contradict each other.
    """

    text: str
    choices: tuple[Choice, ...] = ()
    wrong: float = math.nan
    groups: tuple[str, ...] = ()


Ask = Callable[[Mapping[str, Any], str | None], Question]
"""The question to a row of the table; second, what a list suggests of it."""


def between_classes(row: Mapping[str, Any], suggested: str | None = None) -> Question:
    """Ask which of its two likeliest classes a row of `ImageSet.table()` has; without classes, which group it is like.

    The class that it was given is a choice, too.
    """
    first, second, given = row.get("first_class"), row.get("second_class"), row.get("label_given")
    if not isinstance(first, str) or not isinstance(second, str):
        like = groups_in_question(row)
        return Question("Like this one?") if like is None else Question(str(heading_of(row)), groups=like)
    names = dict.fromkeys([first, second, *([given] if isinstance(given, str) else [])])
    return Question(f"{first} or {second}?", tuple(_choice(row, name) for name in names))


def ask_label(row: Mapping[str, Any], suggested: str | None = None) -> Question:
    """Ask whether a row has its label's class or the `suggested` one."""
    label = row.get("label")
    if not isinstance(label, str):
        return between_classes(row)
    if suggested is None:
        return Question(f"Labelled {label}, but like no other picture: is it right?", (_choice(row, label),))
    return Question(f"{label} or {suggested}? Labelled {label}", (_choice(row, label), _choice(row, suggested)))


def ask_any_label(row: Mapping[str, Any], suggested: str | None = None) -> Question:
    """Ask whether a label is right, or the likeliest other class where none is suggested."""
    other = row.get("second_class" if row.get("first_class") == row.get("label") else "first_class")
    return ask_label(row, suggested or (other if isinstance(other, str) else None))


def ask_prediction(row: Mapping[str, Any], suggested: str | None = None) -> Question:
    """Ask whether an object has its label's class, or the one that a detector `suggested`.

    Shares are true of all objects alike, and not of those that a detector picks: none is given.
    """
    label = row.get("label")
    if suggested is None or not isinstance(label, str):
        return between_classes(row)
    choices = Choice(label, math.nan), Choice(suggested, math.nan)
    return Question(f"Labelled {label}, detected as {suggested}", choices)


def ask_missed(row: Mapping[str, Any], suggested: str | None = None) -> Question:
    """Ask whether there is an object that a detector did not find."""
    label = row.get("label")
    words = f"Labelled {label}, not detected" if isinstance(label, str) else "Not detected"
    return Question(f"{words}: is it there?")


def ask_use(row: Mapping[str, Any], suggested: str | None = None) -> Question:
    """Ask whether a picture is of any use; `suggested` says why it seems useless."""
    return Question(f"{suggested or 'hardly anything to see'}: is it of any use?")


def _choice(row: Mapping[str, Any], label: str) -> Choice:
    shares = {row.get(f"{place}_class"): row.get(f"{place}_share") for place in ("first", "second")}
    share = shares.get(label)
    return Choice(label, math.nan if share is None else float(share))
