"""JSON records of table rows: null for nan and infinity, safe column names."""

import json
import math
import re
from collections.abc import Collection

import numpy as np
import pandas as pd

from url_viz.wording import numbered


def known_columns(table: pd.DataFrame) -> pd.DataFrame:
    """The columns in which at least one picture has a value: a loader cannot infer the type of the others."""
    keep = [name for name in table.columns if any(_known(value) and value != "" for value in table[name])]
    return table[keep]


def column_names(columns: Collection[str], *, reserved: Collection[str]) -> dict[str, str]:
    """A name for each column: letters, digits and _, a letter first, none of `reserved`, no two the same."""
    name_of: dict[str, str] = {}
    for column in columns:
        plain = re.sub(r"\W", "_", str(column))
        wanted = plain if plain[:1].isalpha() and plain.lower() not in reserved else f"own_{plain.lstrip('_')}"
        used = {*reserved, *(name.lower() for name in name_of.values())}
        name_of[column] = next(name for name in numbered(wanted) if name.lower() not in used)
    return name_of


def plain_value(value: object) -> object:
    """A value of a table for JSON: nan, infinity and missing values are null; numpy scalars become Python's."""
    if not _known(value):
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, bool | int | str) else str(value)


def as_json(record: object, *, indent: int | None = None) -> str:
    """A record as JSON; raises ValueError for NaN and infinity, which JSON lacks."""
    return json.dumps(record, ensure_ascii=False, allow_nan=False, indent=indent)


def _known(value: object) -> bool:
    if value is None or value is pd.NA:
        return False
    return not (isinstance(value, float | np.floating) and not math.isfinite(value))
