"""Categories: any column of few values as numbers among its sorted names, and the colours that keep their meaning."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.filters import SEPARATOR, SEVERAL, kind_of

MOST_CATEGORIES = 65_534
"""As many as fit two bytes beside the mark for none (`url_viz.drawing.points`)."""

DECISIONS = ("keep", "drop", "look-again")
DECISION_COLOURS = {"keep": "#009e73", "drop": "#d55e00", "look-again": "#0072b2"}
"""Bluish green, vermilion and blue, as the marks in galleries: apart under the common colour-vision deficiencies."""


@dataclass(frozen=True)
class Categories:
    """A column as categories: their `names`, and `numbers` (N,) int32 among them, −1 for none."""

    names: tuple[str, ...]
    numbers: NDArray[np.int32]


def categories_of(table: pd.DataFrame, column: str = "label") -> Categories:
    """The categories of a column, numbers in their order before other names; the decisions in an order of their own.

    Missing and empty values are none. Of `tags` and `reasons` the first counts: what explains most.
    """
    codes, values = pd.factorize(table[column])
    texts = [_text(value, has_several=column in SEVERAL) for value in values]
    names = DECISIONS if column == "decision" else tuple(sorted({text for text in texts if text}, key=_in_order))
    number = {name: place for place, name in enumerate(names)}
    of_code = np.array([*(number.get(text, -1) for text in texts), -1], np.int32)  # the code −1 finds the last
    return Categories(names, of_code[codes])


def category_names(table: pd.DataFrame, column: str = "label") -> tuple[str, ...]:
    """The names of `categories_of`."""
    return categories_of(table, column).names


def category_colours(names: tuple[str, ...], column: str = "label") -> tuple[str, ...]:
    """Colours (`#rrggbb`) that these categories always have; empty where any will do."""
    return tuple(DECISION_COLOURS[name] for name in names) if column == "decision" else ()


def _text(value: object, *, has_several: bool) -> str:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, float | np.floating):
        return f"{value:g}"
    return str(value).split(SEPARATOR)[0] if has_several else str(value)


def _in_order(name: str) -> tuple[float, str]:
    try:
        number = float(name)
    except ValueError:
        return math.inf, name
    return (number, name) if math.isfinite(number) else (math.inf, name)


MOST_NUMBERS, FEWEST_OF_A_NUMBER = 200, 10
"""A column of more different numbers, or of fewer pictures for each, is no column of classes, such as a width."""


def class_columns(table: pd.DataFrame, names: tuple[str, ...]) -> frozenset[str]:
    """Those of the columns that can hold classes: two values or more, and on average two pictures of each."""
    numbers = {name: table[name].nunique() for name in names if name in table}
    of_numbers = min(MOST_NUMBERS, len(table) // FEWEST_OF_A_NUMBER)
    most = {name: of_numbers if kind_of(table[name]) == "numeric" else len(table) // 2 for name in numbers}
    return frozenset(name for name, count in numbers.items() if 2 <= count <= max(2, most[name]))
