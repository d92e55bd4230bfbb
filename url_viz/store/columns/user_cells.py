"""Type inference for the cells of a user's file: numbers or text, without loss."""

import datetime
import math
import os
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.escaping import NO_NAME

LONGEST_TEXT = 500
EXACT_INTEGER = 2**53
"""Integers beyond this are not exact as floats."""
_MISSING = frozenset({"", "nan", "na", "n/a", "#n/a", "null", "none", "<na>", "?"})
"""Spellings of a missing number; in a column of text only an empty cell is missing, since `None` may be a class."""
_NUMBER = r"(?i:[+-]?(?:(?:0|[1-9][0-9]{0,14}|[0-9]+\.[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|inf(?:inity)?))"
"""Codes such as `007`, and integers that may not be exact as floats, are identifiers rather than measurements."""

Kind = Literal["numeric", "categorical"]


@dataclass(frozen=True)
class Values:
    """One column (N,): float64 with nan if there is none, or objects: text, None if there is none.

    `infinite` counts infinities, which are kept as missing.
    """

    kind: Kind
    values: NDArray[Any]
    infinite: int = 0

    @classmethod
    def from_series(cls, cells: "pd.Series[Any]") -> "Values":
        """A column of numbers or of text, with missing cells, as it is."""
        if pd.api.types.is_numeric_dtype(cells):
            return cls("numeric", cells.to_numpy(np.float64))
        return cls("categorical", cells.astype(object).where(cells.notna(), None).to_numpy())

    @property
    def count(self) -> int:
        """How many cells have a value."""
        return int(pd.notna(self.values).sum())


def text_values(cells: pd.Series, *, decimal_comma: bool = False, numbers: bool = True) -> Values | str:
    """Cells of text as numbers, if every one is a number or missing, else as text; or the reason to refuse them.

    Codes such as `007`, and integers of 16 digits and more, stay text. With `decimal_comma`, `0,5` is a number too.
    Text of more than 500 characters is refused; control characters become spaces.
    """
    code, distinct = pd.factorize(cells.str.strip())
    texts = pd.Series(distinct, dtype=object)
    as_numbers = _as_numbers(texts.str.replace(",", ".", regex=False) if decimal_comma else texts) if numbers else None
    if as_numbers is not None:
        return number_values(as_numbers[code])
    longest = int(texts.str.len().max())
    if longest > LONGEST_TEXT:
        return f"its longest text has {longest:,} characters; at most {LONGEST_TEXT} are kept"
    words = np.array([*map(_word, distinct), None], object)[code]
    return Values("categorical", words) if longest else "it has no values"


def number_values(numbers: NDArray[np.floating]) -> Values | str:
    """Numbers (N,) with infinities as missing; or the reason to refuse them."""
    is_finite = np.isfinite(numbers)
    if not is_finite.any():
        return "it has no values"
    return Values("numeric", np.where(is_finite, numbers, np.nan).astype(np.float64), int(np.isinf(numbers).sum()))


def _as_numbers(texts: "pd.Series[str]") -> NDArray[np.float64] | None:
    """Distinct cells as numbers, nan for missing ones; None if any is text, or all are missing."""
    is_missing = texts.str.casefold().isin(_MISSING).to_numpy()
    present = texts[~is_missing]
    if present.empty or not present.str.fullmatch(_NUMBER).all():
        return None
    numbers = np.full(len(texts), np.nan)
    # Not pandas.to_numeric: before 3.1 it reads the last bit wrong.
    numbers[~is_missing] = present.to_numpy(object).astype(np.float64)
    return numbers


def _word(text: str) -> str | None:
    """A text as stored; None for an empty one. `True` and `False` become lower case."""
    plain = cleaned(text)
    return (plain.lower() if plain.lower() in ("true", "false") else plain) or None


def cleaned(text: str) -> str:
    """Text on one line: line breaks, control characters and changes of direction become spaces."""
    return NO_NAME.sub(" ", text.lstrip("\ufeff")).strip()


def as_text(value: Any) -> str:
    """One cell of a typed table as text, "" for a missing one; whole numbers without `.0`."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bytes):
        return os.fsdecode(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT_INTEGER:
        return str(int(value))
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    return format(value, "f") if isinstance(value, Decimal) else str(value)
