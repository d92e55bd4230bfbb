"""Between two classes: the question of a picture, what its shares mean, and the filters that leave such pictures."""

from collections.abc import Mapping

import numpy as np

from url_viz.analysis.filters import OneOf
from url_viz.wording import percent

RAREST = 100
"""Shares are not told apart beyond one case in so many."""
OPEN_QUESTION = 0.2
"""From this ambiguity on a picture's second class is named."""


def between_filters(pair: tuple[str, str]) -> tuple[OneOf, ...]:
    """The filters that leave the pictures that lie between two classes, whatever their label."""
    return tuple(OneOf(column, pair) for column in ("first_class", "second_class"))


def question_of(row: Mapping[str, object]) -> str | None:
    """ "cucumber or banana?" for a row of `ImageSet.table()`; None if it is clear, or there are no classes."""
    first, second, ambiguity = row.get("first_class"), row.get("second_class"), row.get("ambiguity")
    if not isinstance(first, str) or not isinstance(second, str) or not isinstance(ambiguity, float | np.floating):
        return None
    return f"{first} or {second}?" if float(ambiguity) >= OPEN_QUESTION else None


def labelled_otherwise(share: float) -> str:
    """What the share of the first class means of cases: "about 1 in 4 pictures like this has another label"."""
    others = 1 - share
    if others < 1 / RAREST:
        return f"fewer than 1 in {RAREST} pictures like this has another label"
    if others > 0.5:
        return f"{percent(share)} of pictures like this have this label"
    return f"about 1 in {round(1 / others)} pictures like this has another label"


def between(first: object, second: object) -> str | None:
    """Two classes as words, "between cucumber and banana"; None if they are not known."""
    return f"between {first} and {second}" if isinstance(first, str) and isinstance(second, str) else None
