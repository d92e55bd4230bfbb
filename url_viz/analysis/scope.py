"""The scope: which pictures are looked at, inside a lasso and passing every filter; a review of them, in an order."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.filters import Filter, as_query, from_query, is_of_filter, passes_all

MOST_CORNERS = 160
"""Of a lasso in an address."""
MOST_IDS = 100
"""Of chosen pictures in an address."""
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
        keep &= _inside(table, scope.polygon)
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
    query = as_query(scope.filters)
    if scope.ids is not None:
        query[CHOSEN] = [_text_or_digest(" ".join(map(str, scope.ids)), is_short=len(scope.ids) <= MOST_IDS)]
    if scope.polygon is not None:
        corners = " ".join(f"{x:.5g},{y:.5g}" for x, y in scope.polygon)
        query[LASSO] = [_text_or_digest(corners, is_short=len(scope.polygon) <= MOST_CORNERS)]
    return query


def _text_or_digest(text: str, *, is_short: bool) -> str:
    return text if is_short else hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def is_of_scope(key: str) -> bool:
    """Whether a parameter of an address is one of `scope_as_query`."""
    return key in (LASSO, CHOSEN) or is_of_filter(key)


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


def _inside(table: pd.DataFrame, polygon: Polygon) -> NDArray[np.bool_]:
    x, y = table["x"].to_numpy(dtype=float), table["y"].to_numpy(dtype=float)
    placed = np.isfinite(x) & np.isfinite(y)
    keep = np.zeros(len(table), bool)
    x, y = x[placed].astype(np.float32), y[placed].astype(np.float32)
    keep[placed] = inside_polygon(np.asarray(polygon, float), x, y)
    return keep


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
    """What a review is of: the order `by` (a measure, or a key of `analysis.review.review.REVIEWS`), within a scope.

    `within_class` takes each picture's rank in its class; `per_class` the first of each class, class after
    class; `most` limits all.
    """

    by: str
    scope: Scope = field(default_factory=Scope)
    within_class: bool = False
    per_class: int | None = None
    most: int | None = None

    @property
    def is_of_decided(self) -> bool:
        """Whether the scope asks for decided pictures, or names its pictures: else decided ones are left out."""
        return self.scope.ids is not None or any(
            each.column in ("decision", "label_checked") for each in self.scope.filters
        )


_REVIEW, _WITHIN, _NUMBERS = "review", "within", ("each", "most")


def is_of_review(key: str) -> bool:
    """Whether a parameter of an address is one of `review_as_query`."""
    return key in (_REVIEW, _WITHIN, *_NUMBERS) or is_of_scope(key)


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
