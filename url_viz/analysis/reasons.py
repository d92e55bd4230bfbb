"""Why a picture is ambiguous: named reasons, each with a strength and a sentence, from quality and neighbours."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.confusability import TEMPERATURE
from url_viz.analysis.filters import SEPARATOR
from url_viz.errors import ImageSetError
from url_viz.store.tables import Graph, positions_of

NEAREST = 12
"""Neighbours that are asked; further ones weigh next to nothing at this temperature."""
_SLOT_BITS = (NEAREST - 1).bit_length()


@dataclass(frozen=True)
class Rivals:
    """Of N pictures the two classes with the most weight among their neighbours.

    `first` and `second` (N,) are class numbers (−1: none), `first_share` and `second_share` (N,) float32 their shares
    of the weight of all neighbours asked that have a class; 0 where there is none.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    first_share: NDArray[np.float32]
    second_share: NDArray[np.float32]

    def __post_init__(self) -> None:
        assert len(self.first) == len(self.second) == len(self.first_share) == len(self.second_share)

    def take(self, rows: NDArray[np.integer]) -> "Rivals":
        """The pictures at `rows`; −1 stands for one without neighbours."""
        found = rows >= 0
        return Rivals(
            np.where(found, self.first[rows], -1),
            np.where(found, self.second[rows], -1),
            np.where(found, self.first_share[rows], 0).astype(np.float32),
            np.where(found, self.second_share[rows], 0).astype(np.float32),
        )


def rivals(
    position: NDArray[np.integer],
    similarity: NDArray[np.floating],
    *,
    label: NDArray[np.integer],
    twin_group: NDArray[np.integer],
    temperature: float = TEMPERATURE,
) -> Rivals:
    """The two leading classes among the `NEAREST` neighbours of each row that are no twins of it.

    `position` and `similarity` (M, K) are the neighbour graph (−1: none), `label` (M,) a class number (−1: none),
    `twin_group` (M,) as in `confusability`. A neighbour weighs exp(cosine / temperature).
    """
    position, similarity = position[:, :NEAREST], similarity[:, :NEAREST]
    theirs = label[position]
    counts = (position >= 0) & (theirs >= 0) & (twin_group[position] != twin_group[:, None])
    weight = _weights(similarity, counts, temperature)
    sums, classes = _by_class(np.where(counts, theirs, -1), weight)
    first, first_share = _largest(sums, classes)
    second, second_share = _largest(sums, classes)
    return Rivals(first, second, first_share, second_share)


def _weights(similarity: NDArray[np.floating], counts: NDArray[np.bool_], temperature: float) -> NDArray[np.float32]:
    """Softmax weights (M, K) over the neighbours that count; 0 for the others."""
    scaled = np.where(counts, similarity.astype(np.float32) / np.float32(temperature), -np.inf)
    highest = scaled.max(axis=1, keepdims=True) if scaled.shape[1] else scaled
    weight = np.exp(scaled - np.where(np.isfinite(highest), highest, 0))
    return np.asarray(weight / np.maximum(weight.sum(axis=1, keepdims=True), 1e-30), np.float32)


def _by_class(
    classes: NDArray[np.integer], weight: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """The weight of each class at the last place of its run in the sorted row, 0 elsewhere; and the sorted classes.

    Rows are sorted by class with the slot in the lowest bits: one pass, where a table of M × classes has no room.
    """
    slots = np.arange(classes.shape[1], dtype=np.int32)
    key = np.sort(classes.astype(np.int32) << _SLOT_BITS | slots, axis=1)
    ordered, slot = key >> _SLOT_BITS, key & ((1 << _SLOT_BITS) - 1)
    flat = slot + np.arange(len(weight), dtype=np.int32)[:, None] * np.int32(weight.shape[1])
    upto = np.cumsum(weight.ravel()[flat], axis=1)
    is_last = np.ones(ordered.shape, bool)
    is_last[:, :-1] = ordered[:, 1:] != ordered[:, :-1]
    at_ends = np.where(is_last, upto, 0)
    before = np.zeros_like(at_ends)
    before[:, 1:] = np.maximum.accumulate(at_ends, axis=1)[:, :-1]
    return np.where(is_last & (ordered >= 0), at_ends - before, 0), ordered


def _largest(sums: NDArray[np.float32], classes: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The class with the largest sum in each row, and that sum, which is taken out of `sums`."""
    rows = np.arange(len(sums))
    if not sums.shape[1]:
        return np.full(len(sums), -1, np.int64), np.zeros(len(sums), np.float32)
    place = sums.argmax(axis=1)
    share = sums[rows, place]
    sums[rows, place] = 0
    return np.where(share > 0, classes[rows, place], -1).astype(np.int64), share


Values = NDArray[np.float32]


@dataclass(frozen=True)
class Ramp:
    """A strength that is 0 up to `start`, 1 from `full` on, straight between; `full` may lie below `start`."""

    start: float
    full: float

    def __call__(self, values: NDArray[np.floating]) -> Values:
        """Strengths (N,) of values (N,); a missing value has none."""
        strength = np.clip((values - self.start) / (self.full - self.start), 0, 1)
        return np.asarray(np.nan_to_num(strength, nan=0), np.float32)


# Chosen on the views of the demo set and on development pictures (docs/reasons.md has the figures).
DARK = Ramp(0.28, 0.06)
"""The 90th percentile of grey: nine tenths of the picture are darker."""
BLOWN_OUT = Ramp(0.30, 0.80)
"""The share that is white, in a picture that does not lie on white paper."""
WHITE_PAPER = 0.9
"""From this share of white along its border on, a picture is a drawing or a cut-out on white …"""
PAPER_SET = 0.25
"""… and a set with so many pictures whose border is half white is one of these: white tells nothing there."""
LOW_CONTRAST = Ramp(0.19, 0.05)
"""The distance of the 2nd and the 98th percentile of grey."""
NEAR_EMPTY = Ramp(0.92, 0.99)
"""The share within nine grey levels."""
BLURRED = Ramp(0.30, 0.15)
"""Sharpness: the steepest edges take three pixels of a thumbnail, or seven."""
TINY = Ramp(64, 16)
"""The short side in pixels; a backbone enlarges it to two hundred and more."""
EXTREME_ASPECT = Ramp(2.5, 6)
"""Long side over short side; a backbone sees no more than the middle square, 40 % of the area at 2.5."""
BETWEEN = Ramp(0.6, 1)
"""The second class's weight among the neighbours over the first's …"""
BETWEEN_TOGETHER = 0.6
"""… where both together have this share of it."""
ALIKE = Ramp(0.80, 0.97)
"""Confusability: from five neighbours that are equally near. More where a quarter of the set has more."""
ALONE_FENCES = (1.0, 2.0)
"""Nearest similarity, in distances of the quartiles below the lower one."""
FEWEST_FOR_FENCES = 20

BETWEEN_CLASSES = "between classes"

NAMES = (
    "blurred",
    "dark",
    "blown out",
    "low contrast",
    "near-empty",
    "tiny",
    "extreme aspect",
    BETWEEN_CLASSES,
    "many look alike",
    "out on its own",
    "twin",
)
"""Every reason, by name; where two are equally strong, the earlier comes first."""

_FINEST = 2**20
"""Steps of strength that tell which of two reasons comes first."""


@dataclass(frozen=True)
class Reasons:
    """The reasons of N pictures: `strength` (N, len(NAMES)) float32, 0 where a reason is not given."""

    strength: Values
    rivals: Rivals

    def __post_init__(self) -> None:
        assert self.strength.shape == (len(self.rivals.first), len(NAMES))

    def pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows and numbers of the reasons that are given, row by row, the strongest first."""
        rows, which = np.nonzero(self.strength)
        weakness = ((1 - self.strength[rows, which]) * _FINEST).astype(np.int64)
        key = np.sort((rows * (_FINEST + 1) + weakness) * len(NAMES) + which)  # sorting one number is far faster
        return key // len(NAMES) // (_FINEST + 1), key % len(NAMES)

    def texts(self) -> NDArray[np.object_]:
        """The names of each picture's reasons (N,), the strongest first, joined by "; "; "" where there is none."""
        rows, which = self.pairs()
        start = np.searchsorted(rows, np.arange(len(self.strength) + 1))
        place = np.arange(len(rows)) - start[rows]
        codes = np.zeros(len(self.strength), np.int64)  # one digit a reason: few distinct ones, whatever the rows
        for digit in range(int(place.max(initial=-1)) + 1):
            here = place == digit
            codes[rows[here]] += (which[here] + 1) * (len(NAMES) + 1) ** digit
        distinct, inverse = np.unique(codes, return_inverse=True)
        return np.array([_spelled(code) for code in distinct.tolist()], object)[inverse]


def reasons_of(table: pd.DataFrame, *, contents: NDArray[np.int64], graph: Graph | None) -> Reasons:
    """The reasons of each picture of a table (columns as of `ImageSet.table`; `contents` (N,) in its order)."""
    between = _rivals(table, contents, graph)
    strength = _strengths(table, between)
    return Reasons(np.stack([strength[name] for name in NAMES], axis=1), between)


def reason_table(table: pd.DataFrame, found: Reasons, *, rows: NDArray[np.integer] | None = None) -> pd.DataFrame:
    """One row a reason of a picture, in the table's order, the strongest first: id, reason, strength, detail.

    `rows` are those of the table that are asked for, by default all.
    """
    classes = pd.factorize(table["label"])[1]
    if rows is not None:
        table, found = table.iloc[rows], Reasons(found.strength[rows], found.rivals.take(rows))
    rows, which = found.pairs()
    detail = np.full(len(rows), "", object)
    for number, name in enumerate(NAMES):
        at = np.flatnonzero(which == number)
        if len(at):
            detail[at] = DETAILS[name](Facts(table.iloc[rows[at]], found.rivals.take(rows[at]), classes))
    return pd.DataFrame(
        {
            "id": table["id"].to_numpy()[rows],
            "reason": np.array(NAMES, object)[which],
            "strength": found.strength[rows, which],
            "detail": detail,
        }
    )


def with_reason(found: pd.DataFrame, name: str) -> pd.DataFrame:
    """The rows of `reason_table` of one reason, the strongest first. Raises ImageSetError for one that is none."""
    if name not in NAMES:
        raise ImageSetError(f"There is no reason {name!r}. There are: {', '.join(NAMES)}.")
    rows: pd.DataFrame = found[found["reason"] == name]
    return rows.sort_values("strength", ascending=False, kind="stable")


def reason_counts(texts: "pd.Series[str]") -> dict[str, int]:
    """How many pictures have each reason, of a column `reasons`; those that nobody has are left out."""
    codes, distinct = pd.factorize(texts)
    totals = dict.fromkeys(NAMES, 0)
    for text, count in zip(distinct, np.bincount(codes, minlength=len(distinct)), strict=True):
        for name in text.split(SEPARATOR) if text else ():
            totals[name] += int(count)
    return {name: count for name, count in totals.items() if count}


def _strengths(table: pd.DataFrame, between: Rivals) -> Mapping[str, Values]:
    sides = table[["width", "height"]].to_numpy(np.float32)
    short, long = sides.min(axis=1), sides.max(axis=1)
    dark = DARK(_column(table, "highlights"))
    empty = NEAR_EMPTY(_column(table, "flat_share"))
    flat = np.where((dark > 0) | (empty > 0), 0, LOW_CONTRAST(_column(table, "contrast")))
    group = table["twin_group"].to_numpy()
    together = between.first_share + between.second_share
    ratio = between.second_share / np.maximum(between.first_share, 1e-9)
    return {
        "blurred": np.where(empty > 0, 0, BLURRED(_column(table, "sharpness"))),
        "dark": dark,
        "blown out": _blown_out(_column(table, "white_share"), _column(table, "white_border")),
        "low contrast": flat,
        "near-empty": empty,
        "tiny": TINY(short),
        "extreme aspect": EXTREME_ASPECT(long / np.maximum(short, 1)),
        BETWEEN_CLASSES: np.where(together >= BETWEEN_TOGETHER, BETWEEN(ratio), 0),
        "many look alike": _alike(_column(table, "confusability")),
        "out on its own": _alone(_column(table, "nearest_similarity")),
        "twin": (1 - 1 / np.bincount(group)[group]).astype(np.float32),
    }


def _column(table: pd.DataFrame, name: str) -> Values:
    return table[name].to_numpy(np.float32)


def _blown_out(white_share: Values, white_border: Values) -> Values:
    is_paper_set = len(white_border) > 0 and float(np.mean(white_border >= 0.5)) >= PAPER_SET
    return np.where((white_border >= WHITE_PAPER) | is_paper_set, 0, BLOWN_OUT(white_share))


def _alike(confusability: Values) -> Values:
    finite = confusability[np.isfinite(confusability)]
    start = max(ALIKE.start, float(np.percentile(finite, 75))) if len(finite) else ALIKE.start
    return Ramp(start, ALIKE.full)(confusability) if start < ALIKE.full else np.zeros_like(confusability)


def _alone(similarity: Values) -> Values:
    fences = _fences(similarity)
    return np.zeros_like(similarity) if fences is None else fences(similarity)


def _fences(similarity: Values) -> Ramp | None:
    """From where on a nearest similarity is low within its set; None where there are too few, or all are equal."""
    finite = similarity[np.isfinite(similarity)]
    if len(finite) < FEWEST_FOR_FENCES:
        return None
    low, high = np.percentile(finite, [25, 75])
    start, full = (float(low - fence * (high - low)) for fence in ALONE_FENCES)
    return Ramp(start, full) if full < start else None


def _rivals(table: pd.DataFrame, contents: NDArray[np.int64], graph: Graph | None) -> Rivals:
    row = np.full(len(table), -1, np.int64)
    if graph is None or not len(graph) or table["label"].isna().all():
        none = np.zeros(len(table), np.float32)
        return Rivals(row, row, none, none)
    codes, _ = pd.factorize(table["label"])
    place = positions_of(graph.content, contents)
    label = np.where(place >= 0, codes[place], -1)
    group = np.where(place >= 0, table["twin_group"].to_numpy()[place], -1)
    found = rivals(graph.position, graph.similarity, label=label, twin_group=group)
    return found.take(positions_of(contents, graph.content))


def _spelled(code: int) -> str:
    names: list[str] = []
    while code:
        code, digit = divmod(code, len(NAMES) + 1)
        names.append(NAMES[digit - 1])
    return SEPARATOR.join(names)


class ReasonedTable:
    """Joins `reasons` to the table of a snapshot, anew only where the table itself is another one."""

    def __init__(self, contents: NDArray[np.int64], graph: Graph | None) -> None:
        """`contents` (N,) are the content keys of the table's rows, `graph` the neighbour graph, once there is one."""
        self._contents = contents
        self._graph = graph
        self._known: _Joined | None = None

    def joined(self, table: pd.DataFrame) -> pd.DataFrame:
        """`table` with one more column: the names of each picture's reasons, the strongest first, joined by "; "."""
        return self._of(table).result

    def reasons(self, table: pd.DataFrame, ids: Iterable[int] | None = None) -> pd.DataFrame:
        """As `reason_table`; of some pictures by `ids`, by default of all. Ids that are not there are left out."""
        rows = None
        if ids is not None:
            rows = np.flatnonzero(np.isin(table["id"].to_numpy(), np.fromiter(ids, np.int64)))
        return reason_table(table, self._of(table).found, rows=rows)

    def _of(self, table: pd.DataFrame) -> "_Joined":
        known = self._known  # one reading: another thread may put a newer one there
        if known is None or known.table is not table:
            found = reasons_of(table, contents=self._contents, graph=self._graph)
            texts = pd.Series(found.texts(), index=table.index, dtype=object)
            known = self._known = _Joined(table, found, table.assign(reasons=texts))
        return known


@dataclass(frozen=True)
class _Joined:
    """A table, its reasons, and the table with them."""

    table: pd.DataFrame
    found: Reasons
    result: pd.DataFrame


@dataclass(frozen=True)
class Facts:
    """What details are told of: rows of the table, their rivals, and the names of classes by number."""

    rows: pd.DataFrame
    rivals: Rivals
    classes: "pd.Index[str]"

    def __len__(self) -> int:
        return len(self.rows)


def _numbers(facts: Facts, column: str) -> NDArray[np.float32]:
    return facts.rows[column].to_numpy(np.float32)


def _shares(column: str, text: str) -> Callable[[Facts], Sequence[str]]:
    def told(facts: Facts) -> list[str]:
        return [text.format(f"{value:.0%}") for value in facts.rows[column]]

    return told


def _blurred(facts: Facts) -> list[str]:
    widths = 1 / np.maximum(_numbers(facts, "sharpness"), 1 / 8)
    return [
        f"its sharpest edges spread over {width:.0f} pixels of the thumbnail: blurred, or enlarged" for width in widths
    ]


def _sizes(facts: Facts) -> list[str]:
    return [f"{w} × {h} pixels" for w, h in zip(facts.rows["width"], facts.rows["height"], strict=True)]


def _aspects(facts: Facts) -> list[str]:
    sides = zip(facts.rows["width"], facts.rows["height"], strict=True)
    return [f"{w} × {h} pixels; the model sees the middle {min(w, h) / max(w, h):.0%}" for w, h in sides]


def _between(facts: Facts) -> list[str]:
    one, other = (facts.classes[number] for number in (facts.rivals.first, facts.rivals.second))
    shares = zip(one, other, facts.rivals.first_share, facts.rivals.second_share, strict=True)
    return [f'between "{a}" and "{b}": {x:.0%} and {y:.0%} of its neighbours\' weight' for a, b, x, y in shares]


def _alike_detail(facts: Facts) -> list[str]:
    counts = 1 / np.maximum(1 - _numbers(facts, "confusability"), 1e-3)
    return [f"about {count:.0f} other pictures are as near as the nearest one" for count in counts]


def _alone_detail(facts: Facts) -> list[str]:
    return [
        f"its nearest picture has a cosine of {value:.2f}, low for this set"
        for value in _numbers(facts, "nearest_similarity")
    ]


def _twins(facts: Facts) -> list[str]:
    return ["there are copies of it, or shots of the same moment"] * len(facts)


DETAILS: Mapping[str, Callable[[Facts], Sequence[str]]] = {
    "blurred": _blurred,
    "dark": _shares("highlights", "nine tenths of it are darker than {} grey"),
    "blown out": _shares("white_share", "{} of it are white"),
    "low contrast": _shares("contrast", "its greys span {} of the scale"),
    "near-empty": _shares("flat_share", "{} of it are one tone"),
    "tiny": _sizes,
    "extreme aspect": _aspects,
    "between classes": _between,
    "many look alike": _alike_detail,
    "out on its own": _alone_detail,
    "twin": _twins,
}
