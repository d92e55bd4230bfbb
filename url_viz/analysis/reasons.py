"""Why a picture is ambiguous: named reasons, each with a strength and a sentence, from quality and neighbours."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.filters import SEPARATOR
from url_viz.analysis.twins import group_codes
from url_viz.errors import ImageSetError
from url_viz.latest import Latest
from url_viz.pipeline.confusability import FEW

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
SOFT = Ramp(0.47, 0.25)
"""Sharpness in the least sharp direction: blurred or smeared …"""
SMEARED = 1.2
"""… smeared by motion if it is that much higher at right angles to that …"""
ALIKE = 1.3
"""… blurred if it is nowhere higher than that; else some things are sharp, and have edges in some directions only."""
TINY = Ramp(64, 16)
"""The short side in pixels; a backbone enlarges it to two hundred and more."""
EXTREME_ASPECT = Ramp(2.5, 6)
"""Long side over short side; a backbone sees no more than the middle square, 40 % of the area at 2.5."""
BETWEEN = Ramp(0.6, 1)
"""The second class's share over the first's …"""
BETWEEN_TOGETHER = 0.4
"""… if both together have this share."""
CONFUSED = Ramp(0.90, 0.99)
"""Confusability, a rank: the last tenth of a set that is not small."""
ALONE_FENCES = (1.0, 2.0)
"""Nearest similarity, in distances of the quartiles below the lower one."""
FEWEST_FOR_FENCES = 20

BETWEEN_CLASSES = "between classes"

NAMES = (
    "motion blur",
    "blurred",
    "dark",
    "blown out",
    "low contrast",
    "near-empty",
    "tiny",
    "extreme aspect",
    BETWEEN_CLASSES,
    "easily confused",
    "out on its own",
    "twin",
)
"""Every reason, by name; if two are equally strong, the earlier comes first."""

_FINEST = 2**20
"""Steps of strength that tell which of two reasons comes first."""


@dataclass(frozen=True)
class Reasons:
    """The reasons of N pictures: `strength` (N, len(NAMES)) float32, 0 if a reason is not given."""

    strength: Values

    def __post_init__(self) -> None:
        assert self.strength.shape[1] == len(NAMES)

    def pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows and numbers of the reasons that are given, row by row, the strongest first."""
        rows, which = np.nonzero(self.strength)
        weakness = ((1 - self.strength[rows, which]) * _FINEST).astype(np.int64)
        key = np.sort((rows * (_FINEST + 1) + weakness) * len(NAMES) + which)  # sorting one number is far faster
        return key // len(NAMES) // (_FINEST + 1), key % len(NAMES)

    def texts(self) -> NDArray[np.object_]:
        """The names of each picture's reasons (N,), the strongest first, joined by "; "; "" if there is none."""
        rows, which = self.pairs()
        start = np.searchsorted(rows, np.arange(len(self.strength) + 1))
        place = np.arange(len(rows)) - start[rows]
        codes = np.zeros(len(self.strength), np.int64)  # one digit a reason: few distinct ones, whatever the rows
        for digit in range(int(place.max(initial=-1)) + 1):
            here = place == digit
            codes[rows[here]] += (which[here] + 1) * (len(NAMES) + 1) ** digit
        distinct, inverse = np.unique(codes, return_inverse=True)
        return np.array([_spelled(code) for code in distinct.tolist()], object)[inverse]


def reasons_of(table: pd.DataFrame) -> Reasons:
    """The reasons of each picture of a table (columns as of `ImageSet.table`)."""
    return Reasons(strengths_of(table))


def strengths_of(table: pd.DataFrame) -> Values:
    """How strong each reason of NAMES is of each picture of a table (N, len(NAMES)), 0 to 1, 0 if it is not given."""
    strength = _strengths(table)
    return np.stack([strength[name] for name in NAMES], axis=1)


def reason_table(table: pd.DataFrame, found: Reasons, *, rows: NDArray[np.integer] | None = None) -> pd.DataFrame:
    """One row per reason of a picture, in the table's order, the strongest first: id, reason, strength, detail.

    `rows` are those of the table that are asked for, by default all.
    """
    if rows is not None:
        table, found = table.iloc[rows], Reasons(found.strength[rows])
    rows, which = found.pairs()
    detail = np.full(len(rows), "", object)
    for number, name in enumerate(NAMES):
        at = np.flatnonzero(which == number)
        if len(at):
            detail[at] = DETAILS[name](table.iloc[rows[at]])
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


def _strengths(table: pd.DataFrame) -> Mapping[str, Values]:
    sides = table[["width", "height"]].to_numpy(np.float32)
    short, long = sides.min(axis=1), sides.max(axis=1)
    dark = DARK(_column(table, "highlights"))
    empty = NEAR_EMPTY(_column(table, "flat_share"))
    flat = np.where((dark > 0) | (empty > 0), 0, LOW_CONTRAST(_column(table, "contrast")))
    group = group_codes(table)
    motion, blurred = _soft(table, where=empty == 0)
    first, second = np.nan_to_num(_column(table, "first_share")), np.nan_to_num(_column(table, "second_share"))
    return {
        "motion blur": motion,
        "blurred": blurred,
        "dark": dark,
        "blown out": _blown_out(_column(table, "white_share"), _column(table, "white_border")),
        "low contrast": flat,
        "near-empty": empty,
        "tiny": TINY(short),
        "extreme aspect": EXTREME_ASPECT(long / np.maximum(short, 1)),
        BETWEEN_CLASSES: np.where(first + second >= BETWEEN_TOGETHER, BETWEEN(second / np.maximum(first, 1e-9)), 0),
        "easily confused": _confused(_column(table, "confusability")),
        "out on its own": _alone(_column(table, "nearest_similarity")),
        "twin": (1 - 1 / np.bincount(group)[group]).astype(np.float32),
    }


def _column(table: pd.DataFrame, name: str) -> Values:
    return table[name].to_numpy(np.float32)


def _soft(table: pd.DataFrame, *, where: NDArray[np.bool_]) -> tuple[Values, Values]:
    """How much each picture is smeared by motion, and how much blurred otherwise: one of the two, or neither."""
    least, most, across = (_column(table, name) for name in ("least_sharpness", "sharpness", "sharpness_across"))
    strength = np.where(where, SOFT(least), 0)
    is_smeared = across >= SMEARED * least
    return np.where(is_smeared, strength, 0), np.where(~is_smeared & (most < ALIKE * least), strength, 0)


def _blown_out(white_share: Values, white_border: Values) -> Values:
    is_paper_set = len(white_border) > 0 and float(np.mean(white_border >= 0.5)) >= PAPER_SET
    return np.where((white_border >= WHITE_PAPER) | is_paper_set, 0, BLOWN_OUT(white_share))


def _confused(confusability: Values) -> Values:
    is_ranked = np.isfinite(confusability).sum() >= FEW
    return CONFUSED(confusability) if is_ranked else np.zeros_like(confusability)


def _alone(similarity: Values) -> Values:
    fences = _fences(similarity)
    return np.zeros_like(similarity) if fences is None else fences(similarity)


def _fences(similarity: Values) -> Ramp | None:
    """From where on a nearest similarity is low within its set; None if there are too few, or all are equal."""
    finite = similarity[np.isfinite(similarity)]
    if len(finite) < FEWEST_FOR_FENCES:
        return None
    low, high = np.percentile(finite, [25, 75])
    start, full = (float(low - fence * (high - low)) for fence in ALONE_FENCES)
    return Ramp(start, full) if full < start else None


def _spelled(code: int) -> str:
    names: list[str] = []
    while code:
        code, digit = divmod(code, len(NAMES) + 1)
        names.append(NAMES[digit - 1])
    return SEPARATOR.join(names)


class ReasonedTable:
    """Joins `reasons` to the table of a snapshot, again only if the table itself is another one."""

    def __init__(self) -> None:
        self._known: Latest[tuple[Reasons, pd.DataFrame]] = Latest()

    def joined(self, table: pd.DataFrame) -> pd.DataFrame:
        """`table` with one more column: the names of each picture's reasons, the strongest first, joined by "; "."""
        return self._of(table)[1]

    def found(self, table: pd.DataFrame) -> Reasons:
        """The reasons of a table, with their strengths."""
        return self._of(table)[0]

    def reasons(self, table: pd.DataFrame, ids: Iterable[int] | None = None) -> pd.DataFrame:
        """As `reason_table`; of some pictures by `ids`, by default of all. Ids that are not there are left out."""
        rows = None
        if ids is not None:
            rows = np.flatnonzero(np.isin(table["id"].to_numpy(), np.fromiter(ids, np.int64)))
        return reason_table(table, self._of(table)[0], rows=rows)

    def _of(self, table: pd.DataFrame) -> tuple[Reasons, pd.DataFrame]:
        def joined() -> tuple[Reasons, pd.DataFrame]:
            reasons = reasons_of(table)
            return reasons, table.assign(reasons=pd.Series(reasons.texts(), index=table.index, dtype=object))

        return self._known.of(table, joined)


def _numbers(rows: pd.DataFrame, column: str) -> NDArray[np.float32]:
    return rows[column].to_numpy(np.float32)


def _shares(column: str, text: str) -> Callable[[pd.DataFrame], Sequence[str]]:
    def told(rows: pd.DataFrame) -> list[str]:
        return [text.format(f"{value:.0%}") for value in rows[column]]

    return told


def _smeared(rows: pd.DataFrame) -> list[str]:
    pairs = zip(_numbers(rows, "least_sharpness"), _numbers(rows, "sharpness_across"), strict=True)
    return [
        f"in one direction its sharpest edges rise {least:.0%} of their height in a pixel of the thumbnail, across it "
        f"{across:.0%}"
        for least, across in pairs
    ]


def _sizes(rows: pd.DataFrame) -> list[str]:
    return [f"{w} × {h} pixels" for w, h in zip(rows["width"], rows["height"], strict=True)]


def _aspects(rows: pd.DataFrame) -> list[str]:
    sides = zip(rows["width"], rows["height"], strict=True)
    return [f"{w} × {h} pixels; the model sees the middle {min(w, h) / max(w, h):.0%}" for w, h in sides]


def _between(rows: pd.DataFrame) -> list[str]:
    shares = zip(*(rows[name] for name in ("first_class", "second_class", "first_share", "second_share")), strict=True)
    return [f'between "{a}" and "{b}": {x:.0%} and {y:.0%}, judged without its own label' for a, b, x, y in shares]


def _confused_detail(rows: pd.DataFrame) -> list[str]:
    return [
        f"more easily taken for another picture than {value:.0%} of this set"
        for value in _numbers(rows, "confusability")
    ]


def _alone_detail(rows: pd.DataFrame) -> list[str]:
    return [
        f"its nearest picture has a similarity of {value:.2f}, low for this set"
        for value in _numbers(rows, "nearest_similarity")
    ]


def _twins(rows: pd.DataFrame) -> list[str]:
    return ["there are copies of it, or shots of the same moment"] * len(rows)


DETAILS: Mapping[str, Callable[[pd.DataFrame], Sequence[str]]] = {
    "motion blur": _smeared,
    "blurred": _shares("sharpness", "its sharpest edges rise {} of their height in a pixel of the thumbnail"),
    "dark": _shares("highlights", "nine tenths of it are darker than {} grey"),
    "blown out": _shares("white_share", "{} of it are white"),
    "low contrast": _shares("contrast", "its greys span {} of the scale"),
    "near-empty": _shares("flat_share", "{} of it are one tone"),
    "tiny": _sizes,
    "extreme aspect": _aspects,
    "between classes": _between,
    "easily confused": _confused_detail,
    "out on its own": _alone_detail,
    "twin": _twins,
}
