"""Filters on the table of an image set: which pictures are looked at, as plain values that fit into an address."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.shown_words import shown_value, title_of_column

SEPARATOR = "; "
LABEL_CHECK = "label_check"
"""What the check says of each label (`label_checks` of `analysis.labels.doubtful_labels`). The table lacks this column
until a filter needs it: every label is judged for it."""
SEVERAL = frozenset({"tags", "reasons", LABEL_CHECK})
"""Columns whose cells hold any number of values, joined by `SEPARATOR`."""

NO_FILTER = frozenset({"id", "path", "x", "y", "copy_group", "twin_group"})
SOME = 1_000
"""Rows looked at first for a difference; all of them only if these are alike."""

MOST_VALUES = 1_000
"""A text column with more distinct values than this tells pictures apart rather than kinds of them: no filter."""

Kind = Literal["numeric", "category", "several"]


@dataclass(frozen=True)
class OneOf:
    """Pictures whose `column` holds one of `values`; "" stands for those without a value."""

    column: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Between:
    """Pictures whose `column` lies from `low` to `high`, both included; None is no bound. Missing values are out."""

    column: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class NameContains:
    """Pictures whose path holds `text`, small and capital letters alike."""

    text: str

    @property
    def column(self) -> str:
        return "path"


Filter = OneOf | Between | NameContains


def passes_all(table: pd.DataFrame, filters: Iterable[Filter]) -> NDArray[np.bool_]:
    """Which rows (N,) pass all `filters`; one on a column that the table lacks is passed by all."""
    keep = np.ones(len(table), bool)
    for rule in filters:
        if rule.column in table.columns:
            keep &= _passes(table, rule)
    return keep


def kind_of(column: "pd.Series[Any]") -> Kind:
    """How a column is filtered."""
    if column.name in SEVERAL:
        return "several"
    is_number = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    return "numeric" if is_number else "category"


def filterable(table: pd.DataFrame) -> dict[str, Kind]:
    """The columns that can be filtered by: those that differ from picture to picture, but not all of them."""
    kinds: dict[str, Kind] = {}
    is_label_given = "label_checked" not in table or table["label_checked"].isna().all()
    without = NO_FILTER | ({"label_given"} if is_label_given else set())
    without |= {"class"} if "class" in table and table["class"].equals(table["label_given"]) else set()
    for name in table.columns:
        if name not in without and _is_telling(table[name], kind_of(table[name])):
            kinds[str(name)] = kind_of(table[name])
    return kinds


def values_of(column: "pd.Series[Any]") -> dict[str, int]:
    """The values of a categorical column with their counts, most frequent first; "" counts those without one."""
    codes, cells = _cells(column)
    totals: Counter[str] = Counter()
    for cell, count in zip(cells, np.bincount(codes % len(cells), minlength=len(cells)), strict=True):
        for value in _split(cell, column):
            totals[value] += int(count)
    return {value: count for value, count in sorted(totals.items(), key=lambda pair: (-pair[1], pair[0])) if count}


def replaced_in(filters: Sequence[Filter], column: str, new: Filter | None) -> tuple[Filter, ...]:
    """The filters with the one on `column` replaced by `new`, at its place; None takes it away."""
    others = [new if rule.column == column and new is not None else rule for rule in filters]
    if new is not None and new not in others:
        others.append(new)
    return tuple(rule for rule in others if rule.column != column or rule is new)


def filter_in_words(rule: Filter) -> str:
    """A filter as its chip says it."""
    if isinstance(rule, NameContains):
        return f"Name: {rule.text}"
    title = title_of_column(rule.column)
    if isinstance(rule, OneOf):
        return f"{title}: {' or '.join(shown_value(rule.column, value) or 'none' for value in rule.values)}"
    low, high = _number(rule.low), _number(rule.high)
    if rule.low is None:
        return f"{title} ≤ {high}"
    return f"{title} ≥ {low}" if rule.high is None else f"{title} {low} – {high}"


_NAME, _IN, _MIN, _MAX = "name", "in", "min", "max"


def is_of_filter(key: str) -> bool:
    """Whether a parameter of an address is one of `as_query`."""
    start, dot, _ = key.partition(".")
    return start in (_IN, _MIN, _MAX) if dot else key == _NAME


def as_query(filters: Iterable[Filter]) -> dict[str, list[str]]:
    """The filters as parameters of an address: `in.label=cat`, `min.width=100`, `max.width=300`, `name=beach`."""
    query: dict[str, list[str]] = {}
    for rule in filters:
        if isinstance(rule, NameContains):
            query[_NAME] = [rule.text]
        elif isinstance(rule, OneOf):
            query[f"{_IN}.{rule.column}"] = list(rule.values)
        else:
            ends = {f"{_MIN}.{rule.column}": rule.low, f"{_MAX}.{rule.column}": rule.high}
            query |= {end: [repr(float(bound))] for end, bound in ends.items() if bound is not None}
    return query


def from_query(query: Mapping[str, Sequence[str]]) -> tuple[Filter, ...]:
    """The filters of an address; parameters that are none, and bounds that are no numbers, are passed over."""
    filters: dict[str, Filter] = {}
    for key, values in query.items():
        start, _, column = key.partition(".")
        if key == _NAME and values and values[0]:
            filters["path"] = NameContains(values[0])
        elif start == _IN and column:
            filters[column] = OneOf(column, tuple(values))
        elif start in (_MIN, _MAX) and column and (bound := _finite(values)) is not None:
            before = filters.get(column)
            both = before if isinstance(before, Between) else Between(column)
            low, high = (bound, both.high) if start == _MIN else (both.low, bound)
            filters[column] = Between(column, low, high)
    return tuple(filters.values())


def _passes(table: pd.DataFrame, rule: Filter) -> NDArray[np.bool_]:
    column = table[rule.column]
    if isinstance(rule, NameContains):
        return column.str.contains(rule.text, case=False, regex=False).to_numpy(dtype=bool)
    if isinstance(rule, OneOf):
        return _has_one_of(column, rule.values)
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)
    low = -math.inf if rule.low is None else rule.low
    high = math.inf if rule.high is None else rule.high
    within: NDArray[np.bool_] = (values >= low) & (values <= high)
    return within


def _has_one_of(column: "pd.Series[Any]", values: Sequence[str]) -> NDArray[np.bool_]:
    codes, cells = _cells(column)
    wanted = set(values)
    is_wanted: NDArray[np.bool_] = np.array([bool(wanted & set(_split(cell, column))) for cell in cells], bool)[codes]
    return is_wanted


def _cells(column: "pd.Series[Any]") -> tuple[NDArray[np.int64], list[str]]:
    """The column (N,) as numbers of distinct texts; the last text is "", for cells without a value."""
    codes, distinct = pd.factorize(column)
    return np.asarray(codes, np.int64), [*map(str, distinct), ""]


def _split(cell: str, column: "pd.Series[Any]") -> list[str]:
    return cell.split(SEPARATOR) if column.name in SEVERAL else [cell]


def _is_telling(column: "pd.Series[Any]", kind: Kind) -> bool:
    if kind == "numeric":
        return _differs(column.iloc[:SOME].to_numpy(dtype=float)) or _differs(column.to_numpy(dtype=float))
    distinct = column.nunique(dropna=False)
    return distinct > 1 and (kind == "several" or distinct <= MOST_VALUES or column.name == "label")


def _differs(values: NDArray[np.float64]) -> bool:
    finite = values[np.isfinite(values)]
    return bool(len(finite) and finite.min() < finite.max())


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _finite(values: Sequence[str]) -> float | None:
    try:
        number = float(values[0])
    except (ValueError, IndexError):
        return None
    return number if math.isfinite(number) else None
