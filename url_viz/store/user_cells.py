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

LONGEST_TEXT = 500
EXACT_INTEGER = 2**53
"""Integers beyond this are not exact as floats: they are identifiers rather than measurements, and stay text."""
_MISSING = frozenset({"", "nan", "na", "n/a", "#n/a", "null", "none", "<na>", "?"})
"""Spellings of a missing number; in a column of text only an empty cell is missing, since `None` may be a class."""
_PADDED = r"[+-]?0\d+"
_LONG_INTEGER = r"[+-]?\d{16,}"
_DECIMAL_COMMA = r"[+-]?\d*,\d+"
_NUMBER = r"(?i:[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|inf(?:inity)?))"

Kind = Literal["numeric", "categorical"]


@dataclass(frozen=True)
class Values:
    """One column (N,): float64 with nan if there is none, or objects: text, None if there is none.

    `infinite` counts infinities, which are kept as missing.
    """

    kind: Kind
    values: NDArray[Any]
    infinite: int = 0

    @property
    def known(self) -> int:
        """How many cells have a value."""
        return int(pd.notna(self.values).sum())


def text_values(cells: pd.Series, *, decimal_comma: bool = False, numbers: bool = True) -> Values | str:
    """Cells of text as numbers, if every one is a number or missing, else as text; or the reason to refuse them.

    Codes such as `007`, and integers too long to be exact as floats, stay text. With `decimal_comma`, `0,5` is a number
    too. Text of more than 500 characters is refused; control characters become spaces.
    """
    stripped = cells.str.strip()
    distinct = pd.Series(stripped.unique(), dtype=object).astype(str)
    as_number = _as_numbers(distinct, decimal_comma=decimal_comma) if numbers else None
    if as_number is not None:
        column = stripped.map(dict(zip(distinct, as_number, strict=True))).to_numpy(np.float64)
        return number_values(pd.Series(column))
    longest = int(distinct.str.len().max())
    if longest > LONGEST_TEXT:
        return f"its longest text has {longest:,} characters; at most {LONGEST_TEXT} are kept"
    if not distinct.str.len().any():
        return "it has no values"
    plain = {text: _word(text) for text in distinct}
    return Values("categorical", np.array([plain[text] for text in stripped], dtype=object))


def number_values(cells: pd.Series) -> Values | str:
    """Numbers as float64, infinities as missing; or the reason to refuse them."""
    numbers = pd.to_numeric(cells, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    if cells.dtype.kind not in "fiu":
        missing = cells.astype(str).str.strip().str.casefold().isin(_MISSING).to_numpy()
        if np.isnan(numbers[~missing]).any():
            return "it holds other things than numbers"
    infinite = int(np.isinf(numbers).sum())
    numbers = np.where(np.isfinite(numbers), numbers, np.nan)
    return Values("numeric", numbers, infinite) if np.isfinite(numbers).any() else "it has no values"


def _as_numbers(distinct: pd.Series, *, decimal_comma: bool) -> NDArray[np.float64] | None:
    """Distinct cells as numbers, nan for missing ones; None if any is text."""
    missing = distinct.str.casefold().isin(_MISSING).to_numpy()
    rest = distinct[~missing]
    if rest.empty or rest.str.fullmatch(_PADDED).any():
        return None
    long = rest[rest.str.fullmatch(_LONG_INTEGER)]
    if any(abs(int(text)) > EXACT_INTEGER for text in long):
        return None
    if decimal_comma and rest.str.fullmatch(_DECIMAL_COMMA).any():
        rest = rest.str.replace(",", ".", regex=False)
    if not rest.str.fullmatch(_NUMBER).all():
        return None
    numbers = np.full(len(distinct), np.nan)
    # Not pandas.to_numeric: before 3.1 it reads the last bit wrong.
    numbers[~missing] = rest.to_numpy(object).astype(np.float64)
    return numbers


def _word(text: str) -> str | None:
    """A text as stored; None for an empty one. `True` and `False` become lower case."""
    plain = cleaned(text)
    return (plain.lower() if plain.lower() in ("true", "false") else plain) or None


def cleaned(text: str) -> str:
    """Text on one line: control characters, direction marks and the like become spaces."""
    return "".join(c if c.isprintable() else " " for c in text.lstrip("\ufeff")).strip()


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
