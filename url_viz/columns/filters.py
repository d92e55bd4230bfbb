"""Which pictures are looked at: filters, categories and scope, as plain values that fit into an address."""

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.columns.measures import shown_value, title_of_column

SEPARATOR = "; "
LABEL_CHECK = "label_check"
"""What the check says of each label (`label_checks` of `url_viz.labels.doubtful_labels`). The table lacks this column
until a filter needs it: every label is judged for it."""
SEVERAL = frozenset({"tags", "reasons", LABEL_CHECK})
"""Columns whose cells hold any number of values, joined by `SEPARATOR`."""

NO_FILTER = frozenset({"id", "path", "x", "y", "copy_group", "twin_group"})
FIRST_LOOKED_AT = 1_000
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


def filter_kind(column: "pd.Series[Any]") -> Kind:
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
        if name not in without and _is_telling(table[name], filter_kind(table[name])):
            kinds[str(name)] = filter_kind(table[name])
    return kinds


def counted_values(column: "pd.Series[Any]") -> dict[str, int]:
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
    low, high = ("" if bound is None else f"{bound:.6g}" for bound in (rule.low, rule.high))
    if rule.low is None:
        return f"{title} ≤ {high}"
    return f"{title} ≥ {low}" if rule.high is None else f"{title} {low} – {high}"


_NAME, _IN, _MIN, _MAX = "name", "in", "min", "max"


def is_filter_key(key: str) -> bool:
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
        codes, cells = _cells(column)
        wanted = set(rule.values)
        return np.array([bool(wanted & set(_split(cell, column))) for cell in cells], bool)[codes]
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)
    low = -math.inf if rule.low is None else rule.low
    high = math.inf if rule.high is None else rule.high
    within: NDArray[np.bool_] = (values >= low) & (values <= high)
    return within


def _cells(column: "pd.Series[Any]") -> tuple[NDArray[np.int64], list[str]]:
    """The column (N,) as numbers of distinct texts; the last text is "", for cells without a value."""
    codes, distinct = pd.factorize(column)
    return np.asarray(codes, np.int64), [*map(str, distinct), ""]


def _split(cell: str, column: "pd.Series[Any]") -> list[str]:
    return cell.split(SEPARATOR) if column.name in SEVERAL else [cell]


def _is_telling(column: "pd.Series[Any]", kind: Kind) -> bool:
    if kind == "numeric":
        return _differs(column.iloc[:FIRST_LOOKED_AT].to_numpy(dtype=float)) or _differs(column.to_numpy(dtype=float))
    distinct = column.nunique(dropna=False)
    return distinct > 1 and (kind == "several" or distinct <= MOST_VALUES or column.name == "label")


def _differs(values: NDArray[np.float64]) -> bool:
    finite = values[np.isfinite(values)]
    return bool(len(finite) and finite.min() < finite.max())


def _finite(values: Sequence[str]) -> float | None:
    try:
        number = float(values[0])
    except (ValueError, IndexError):
        return None
    return number if math.isfinite(number) else None


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
    most = {name: of_numbers if filter_kind(table[name]) == "numeric" else len(table) // 2 for name in numbers}
    return frozenset(name for name, count in numbers.items() if 2 <= count <= max(2, most[name]))


MOST_CORNERS, MOST_IDS = 160, 100
"""Corners of a lasso, and chosen pictures, that an address holds."""
LASSO, CHOSEN = "lasso", "chosen"

Floats = NDArray[np.float32]
Polygon = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Scope:
    """Which pictures are looked at: inside a lasso, passing every filter, and among `ids`; None: all."""

    polygon: Polygon | None = None
    filters: tuple[Filter, ...] = ()
    ids: tuple[int, ...] | None = None


EVERYTHING = Scope()


def scoped(table: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """The rows in scope."""
    if scope == EVERYTHING:
        return table.copy(deep=False)
    keep = passes_all(table, scope.filters)
    if scope.polygon is not None:
        x, y = table["x"].to_numpy(dtype=float), table["y"].to_numpy(dtype=float)
        placed = np.flatnonzero(np.isfinite(x) & np.isfinite(y) & keep)
        inside = inside_polygon(np.asarray(scope.polygon, float), *(xy[placed].astype(np.float32) for xy in (x, y)))
        keep[:] = False
        keep[placed[inside]] = True
    if scope.ids is not None:
        keep &= np.isin(table["id"].to_numpy(np.int64), np.array(scope.ids, np.int64))
    return table[keep]


def thinned(polygon: Polygon | None) -> Polygon | None:
    """A lasso of at most MOST_CORNERS corners, evenly taken from those it has, so that it fits into an address."""
    if polygon is None or len(polygon) <= MOST_CORNERS:
        return polygon
    return tuple(polygon[len(polygon) * number // MOST_CORNERS] for number in range(MOST_CORNERS))


def scope_as_query(scope: Scope) -> dict[str, list[str]]:
    """A scope as parameters of an address.

    For too many ids or corners it has a digest: that distinguishes them from others, and cannot be read back.
    """
    query, long = as_query(scope.filters), list[str]()
    if scope.ids is not None:
        query[CHOSEN] = [" ".join(map(str, scope.ids))]
        long += [CHOSEN] * (len(scope.ids) > MOST_IDS)
    if scope.polygon is not None:
        query[LASSO] = [" ".join(f"{x:.5g},{y:.5g}" for x, y in scope.polygon)]
        long += [LASSO] * (len(scope.polygon) > MOST_CORNERS)
    return query | {name: [hashlib.blake2b(query[name][0].encode(), digest_size=12).hexdigest()] for name in long}


def is_scope_key(key: str) -> bool:
    """Whether a parameter of an address is one of `scope_as_query`."""
    return key in (LASSO, CHOSEN) or is_filter_key(key)


def scope_from_query(query: Mapping[str, Sequence[str]]) -> Scope:
    """The scope of an address; what is invalid is passed over."""
    lasso, ids = (query.get(name) for name in (LASSO, CHOSEN))
    return Scope(_polygon(lasso[0] if lasso else None), from_query(query), _ids(ids[0] if ids else ""))


def inside_polygon(polygon: NDArray[np.floating], x: Floats, y: Floats) -> NDArray[np.bool_]:
    """Which points lie in a polygon (N,), by the even-odd rule.

    `polygon` (P, 2) in the units of `x` and `y` (N,), closed implicitly; fewer than three corners contain nothing.
    """
    is_inside = np.zeros(len(x), dtype=bool)
    if len(polygon) < 3:
        return is_inside
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    near = np.flatnonzero((x >= low[0]) & (x <= high[0]) & (y >= low[1]) & (y <= high[1]))
    is_inside[near] = _crossings(polygon.astype(np.float64), x[near], y[near]) % 2 == 1
    return is_inside


def _crossings(polygon: NDArray[np.float64], x: Floats, y: Floats) -> NDArray[np.int64]:
    """Edges crossed by a ray from each point (M,) to the right; an edge includes its lower end, not its upper."""
    order = np.argsort(y)  # so that the points beside an edge are those of one stretch
    across, up = x[order].astype(np.float64), y[order].astype(np.float64)
    sorted_count, count = np.zeros((2, len(x)), np.int64)
    for (x0, y0), (x1, y1) in pairwise([*polygon, polygon[0]]):
        beside = slice(*np.searchsorted(up, (min(y0, y1), max(y0, y1))))
        if y0 != y1:
            sorted_count[beside] += across[beside] < x0 + (up[beside] - y0) * ((x1 - x0) / (y1 - y0))
    count[order] = sorted_count
    return count


def _polygon(text: str | None) -> Polygon | None:
    try:
        corners = [tuple(float(part) for part in corner.split(",")) for corner in (text or "").split(" ")]
    except ValueError:
        return None
    if not 3 <= len(corners) <= MOST_CORNERS or any(len(c) != 2 or not all(map(math.isfinite, c)) for c in corners):
        return None
    return tuple((x, y) for x, y in corners)


def _ids(text: str) -> tuple[int, ...] | None:
    words = text.split(" ")
    ids = tuple(id_ for id_ in map(id_in, words[: MOST_IDS + 1]) if id_ is not None)
    return ids if len(ids) == len(words) <= MOST_IDS else None


def id_in(text: str) -> int | None:
    """The id of a picture, of 63 bits, that the digits in an address are; None for any other text."""
    is_short = len(text) < 20 and text.isascii() and text.isdigit()  # Python converts no number of 5,000 digits
    return int(text) if is_short and int(text) < 1 << 63 else None


@dataclass(frozen=True)
class ReviewSpec:
    """What a review is of: the order `by` (a measure, or of `url_viz.findings.findings.reviews`), within a scope.

    `within_class` takes each picture's rank in its class; `per_class` the first of each class, class after
    class; `most` limits all.
    """

    by: str
    scope: Scope = field(default_factory=Scope)
    within_class: bool = False
    per_class: int | None = None
    most: int | None = None

    @property
    def includes_decided(self) -> bool:
        """Whether the scope asks for decided pictures, or names its pictures: else decided ones are left out."""
        return self.scope.ids is not None or any(
            each.column in ("decision", "label_checked", "either") for each in self.scope.filters
        )


_REVIEW, _WITHIN, _NUMBERS = "review", "within", ("each", "most")


def is_review_key(key: str) -> bool:
    """Whether a parameter of an address is one of `review_as_query`."""
    return key in (_REVIEW, _WITHIN, *_NUMBERS) or is_scope_key(key)


def review_as_query(spec: ReviewSpec) -> dict[str, list[str]]:
    """A review as parameters of an address: `review=ambiguity&most=200&in.label=kiwi`."""
    numbers = dict(zip(_NUMBERS, (spec.per_class, spec.most), strict=True))
    query = {_REVIEW: [spec.by], **{name: [str(number)] for name, number in numbers.items() if number is not None}}
    return query | ({_WITHIN: ["1"]} if spec.within_class else {}) | scope_as_query(spec.scope)


def review_from_query(query: Mapping[str, Sequence[str]]) -> ReviewSpec | None:
    """The review of an address; None if it names none, or has a digest of its pictures or lasso.

    Invalid numbers are ignored.
    """
    by = query.get(_REVIEW)
    if not by or not by[0]:
        return None
    scope = scope_from_query(query)
    if (CHOSEN in query and scope.ids is None) or (LASSO in query and scope.polygon is None):
        return None
    within = query.get(_WITHIN) == ["1"]
    return ReviewSpec(by[0], scope, within, _number(query.get("each")), _number(query.get("most")))


def _number(values: Sequence[str] | None) -> int | None:
    text = values[0] if values else ""
    return int(text) if text.isascii() and text.isdigit() and 0 < len(text) <= 6 and int(text) else None
