"""Why a picture is ambiguous: named reasons, each with a strength and a sentence, and which of them are given."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.base.errors import ImageSetError
from url_viz.columns.engine import column
from url_viz.columns.filters import SEPARATOR
from url_viz.columns.measures import CONFUSABILITY, TUNED, shown_reason, value_called
from url_viz.columns.ranking import percentile_of_each
from url_viz.columns.twin_groups import group_codes
from url_viz.evidence.order import Order
from url_viz.pipeline.confusability import FEWEST_RANKED

Values = NDArray[np.float32]

MOTION_BLUR, BLURRED = "motion blur", "blurred"
DARK, BLOWN_OUT, LOW_CONTRAST, NEAR_EMPTY = "dark", "blown out", "low contrast", "near-empty"
TINY, EXTREME_ASPECT = "tiny", "extreme aspect"
BETWEEN_CLASSES, CONFUSED, OUTLIER, TWIN = "between classes", "easily confused", "out on its own", "twin"

NAMES = (
    *(MOTION_BLUR, BLURRED, DARK, BLOWN_OUT, LOW_CONTRAST, NEAR_EMPTY, TINY, EXTREME_ASPECT),
    *(BETWEEN_CLASSES, CONFUSED, OUTLIER, TWIN),
)
"""Every reason, by name; of two that explain as much, the earlier comes first."""

EXCLUDES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (NEAR_EMPTY, (MOTION_BLUR, BLURRED, LOW_CONTRAST, BETWEEN_CLASSES, CONFUSED)),
    (DARK, (BLOWN_OUT, LOW_CONTRAST)),
    (MOTION_BLUR, (BLURRED,)),
    (OUTLIER, (CONFUSED,)),
)
"""Reasons that contradict or only repeat each other: a picture with the first is not given the others.

What shows nothing is neither sharp nor soft, and like no class; the dark have little contrast, and no white; what is
smeared by motion is not out of focus; what has nothing near it is not taken for something else, however far up
confusability, which counts the distance, puts it.
"""

USELESS_FROM = {NEAR_EMPTY: 0.0, DARK: 0.75, BLOWN_OUT: 0.75, BLURRED: 0.75}
"""Reasons from which strength on a picture shows nothing; a near-empty one does whatever its strength."""
MOST_USELESS = 0.2
"""What this fraction of pictures share is a trait of the set, and no finding."""
COMMON_SHARE = 0.8
"""A reason of more pictures than this says nothing of one of them: on average they lie at most a tenth of the order
above the middle, whatever the order, so it is stated once, for the set …"""
FEWEST_FOR_COMMON = 20
"""… if that is not a handful."""

PRIOR = 10
"""Pictures in the middle of the order that each reason is thought to have besides: few say little."""
LEAST = 0.01
"""What a reason explains at least, so that of those that explain nothing the stronger comes first."""
RESTATES = {CONFUSED: (CONFUSABILITY.name, TUNED.name)}
"""Reasons that are the leading measure in other words explain nothing of its order."""

WORDS = {
    MOTION_BLUR: "are smeared by motion",
    BLURRED: "are blurred",
    DARK: "are dark",
    BLOWN_OUT: "are blown out",
    LOW_CONTRAST: "have little contrast",
    NEAR_EMPTY: "are near-empty",
    TINY: "are tiny",
    EXTREME_ASPECT: "are long and narrow",
    BETWEEN_CLASSES: "fit two classes",
    CONFUSED: "are easily mistaken for others",
    OUTLIER: "are unlike the rest",
    TWIN: "have near copies",
}
"""What is said of a set whose pictures share a reason."""


@dataclass(frozen=True)
class Ramp:
    """A strength that is 0 up to `start`, 1 from `full` on, straight between; `full` may lie below `start`."""

    start: float
    full: float

    def __call__(self, values: NDArray[np.floating]) -> Values:
        """Strengths (N,) of values (N,); a missing value has none."""
        strength = (values - self.start) / (self.full - self.start)
        return np.asarray(np.fmin(np.fmax(strength, 0), 1), np.float32)


# Chosen on the views of the demo set and on development pictures (docs/reasons.md has the figures).
DARK_RAMP = Ramp(0.28, 0.06)
"""The 90th percentile of grey: nine tenths of the picture are darker."""
BLOWN_OUT_RAMP = Ramp(0.30, 0.80)
"""The share that is white, in a picture that does not lie on white paper."""
WHITE_PAPER = 0.9
"""From this share of white along its border on, a picture is a drawing or a cut-out on white …"""
PAPER_SET = 0.25
"""… and a set with so many pictures whose border is half white is one of these: white means nothing there."""
LOW_CONTRAST_RAMP = Ramp(0.19, 0.05)
"""The distance of the 2nd and the 98th percentile of grey."""
NEAR_EMPTY_RAMP = Ramp(0.92, 0.99)
"""The share within nine grey levels."""
SOFT_RAMP = Ramp(0.47, 0.25)
"""Sharpness in the least sharp direction: blurred or smeared …"""
SMEARED = 1.2
"""… smeared by motion if it is that much higher at right angles to that …"""
ALIKE = 1.3
"""… blurred if it is nowhere higher than that; else some things are sharp, and have edges in some directions only."""
TINY_RAMP = Ramp(64, 16)
"""The short side in pixels; a backbone enlarges it to two hundred and more."""
EXTREME_ASPECT_RAMP = Ramp(2.5, 6)
"""Long side over short side; a backbone sees no more than the middle square, 40 % of the area at 2.5."""
BETWEEN_RAMP = Ramp(0.6, 1)
"""The second class's share over the first's …"""
BETWEEN_TOGETHER = 0.4
"""… if both together have this share."""
CONFUSED_RAMP = Ramp(0.90, 0.99)
"""Confusability, a rank: the last tenth of a set that is not small."""
OUTLIER_FENCES = (1.0, 2.0)
"""Nearest similarity, in distances of the quartiles below the lower one."""
FEWEST_FOR_FENCES = 20

_FINEST = 2**20
"""Resolution at which strength times explanation decides which of two reasons comes first."""


@dataclass(frozen=True)
class Shared:
    """A reason that `count` of a set's `pictures` have, too many to state it for each; `detail` in brackets, or ""."""

    name: str
    count: int
    pictures: int
    detail: str = ""

    @property
    def words(self) -> str:
        """A sentence: "All 2,500 pictures are tiny (32 px)."."""
        share = f"All {self.pictures:,}" if self.count == self.pictures else f"{self.count:,} of {self.pictures:,}"
        return f"{share} pictures {WORDS[self.name]}{f' ({self.detail})' if self.detail else ''}."


@dataclass(frozen=True)
class Reasons:
    """The reasons of N pictures: `strength` (N, len(NAMES)) float32, 0 if a reason is not given.

    `explains` (len(NAMES),) is how much each goes with the leading order of the set; `shared` are those that nearly all
    pictures have, which are given to none.
    """

    strength: Values
    explains: Values
    shared: tuple[Shared, ...] = ()

    def order(self) -> tuple[str, ...]:
        """The names of the reasons that some pictures have, what explains most of these first."""
        count = np.count_nonzero(self.strength, axis=0)
        mean = self.strength.sum(axis=0) / np.maximum(count, 1)
        order = np.argsort(-mean * self.explains, kind="stable")
        return tuple(NAMES[position] for position in order if count[position])

    def pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows and numbers of the reasons that are given, row by row, what explains most first.

        That is the one whose strength, times how much it goes with the leading order of the set, is highest.
        """
        rows, which = np.nonzero(self.strength)
        weakness = ((1 - self.strength[rows, which] * self.explains[which]) * _FINEST).astype(np.int64)
        key = np.sort((rows * (_FINEST + 1) + weakness) * len(NAMES) + which)  # sorting one number is far faster
        return key // len(NAMES) // (_FINEST + 1), key % len(NAMES)

    def texts(self) -> NDArray[np.object_]:
        """The names of each picture's reasons (N,), what explains most first, joined by "; "; "" if there is none."""
        rows, which = self.pairs()
        start = np.searchsorted(rows, np.arange(len(self.strength) + 1))
        position = np.arange(len(rows)) - start[rows]
        texts = np.full(len(self.strength), "", object)
        for place in range(int(position.max(initial=-1)) + 1):
            here = position == place
            texts[rows[here]] += np.array([f"{SEPARATOR if place else ''}{name}" for name in NAMES], object)[
                which[here]
            ]
        return texts


def reasons_of(table: pd.DataFrame, *, leading: str | None = None) -> Reasons:
    """The reasons of each picture of a table (columns as of `ImageSet.table`).

    `leading` is the measure by which the set is ordered; without one all reasons explain as much.
    """
    measured = measured_strengths(table)
    common = shared_by_most(measured)
    shared = tuple(_shared(name, table, measured) for name in common)
    strength = without_contradictions(without(measured, common))
    if leading is None:
        return Reasons(strength, np.ones(len(NAMES), np.float32), shared)
    return Reasons(strength, explained(strength, percentile_of_each(table, leading), leading), shared)


@column()
def reasons(measured: pd.DataFrame, order: Order) -> Reasons:
    """The reasons of each picture, by the measure that leads."""
    return reasons_of(measured, leading=order.measure)


@column()
def with_reasons(measured: pd.DataFrame, reasons: Reasons) -> pd.DataFrame:
    """The table with the reasons of each picture, before decisions are joined to it."""
    texts = pd.Series(reasons.texts(), index=measured.index, dtype=object, copy=False)
    return measured.assign(reasons=texts)


def useless(table: pd.DataFrame, reasons: Reasons) -> pd.DataFrame:
    """Pictures that show nothing: id and, as suggested, why; the surest first.

    A reason of more than MOST_USELESS is a trait of the set and left out; a picture of a single tone never is.
    """
    strength = np.zeros((len(table), len(USELESS_FROM)), np.float32)
    for number, (name, least) in enumerate(USELESS_FROM.items()):
        values = reasons.strength[:, NAMES.index(name)]
        is_useless = values > least
        if is_useless.sum() > MOST_USELESS * len(table):
            is_useless = (values >= 1) & (name == NEAR_EMPTY)
        strength[is_useless, number] = values[is_useless]
    best = strength.max(axis=1)
    rows = np.flatnonzero(best > 0)
    rows = rows[np.argsort(-best[rows], kind="stable")]
    why = np.array(list(USELESS_FROM), object)[strength.argmax(axis=1)]
    return pd.DataFrame({"id": table["id"].to_numpy()[rows], "suggested": why[rows]})


def measured_strengths(table: pd.DataFrame) -> Values:
    """The strength of each reason of NAMES for each picture (N, len(NAMES)), 0 to 1, before any is left out."""
    strength = _strengths(table)
    return np.stack([strength[name] for name in NAMES], axis=1)


def shared_by_most(strength: Values) -> tuple[str, ...]:
    """The reasons that more than COMMON_SHARE of the pictures have, by their strengths (N, len(NAMES)).

    Where most pictures are of a single tone, that they are near-empty is no trait of the set but a fault of each.
    """
    if len(strength) < FEWEST_FOR_COMMON:
        return ()
    is_common = (strength > 0).mean(axis=0) > COMMON_SHARE
    is_common &= (np.array(NAMES) != NEAR_EMPTY) | (np.median(strength, axis=0) < 1)
    return tuple(name for name, common in zip(NAMES, is_common, strict=True) if common)


def without(strength: Values, names: tuple[str, ...]) -> Values:
    """Strengths (N, len(NAMES)) with those of some reasons taken away."""
    return np.where(np.isin(NAMES, names), np.float32(0), strength) if names else strength


def without_contradictions(strength: Values) -> Values:
    """Strengths (N, len(NAMES)) without those that EXCLUDES takes away."""
    left = strength.copy()
    for name, others in EXCLUDES:
        has = left[:, NAMES.index(name)] > 0
        left[np.ix_(has, np.isin(NAMES, others))] = 0
    return left


def explained(strength: Values, percentile: NDArray[np.floating], leading: str) -> Values:
    """How much each reason goes with the leading order (len(NAMES),), LEAST to 1: 2 m − 1.

    m is the mean place in the order, 0 to 1, of the pictures that have the reason, by their `percentile` (N,), 0 to 100
    (nan counts as the middle), and of PRIOR in the middle.
    """
    rows, which = np.nonzero(strength > 0)
    place = np.nan_to_num(np.asarray(percentile[rows], np.float64) / 100, nan=0.5)
    total, count = (np.bincount(which, weights, len(NAMES)) for weights in (place, None))
    mean = (total + PRIOR / 2) / (count + PRIOR)
    restates = np.array([leading in RESTATES.get(name, ()) for name in NAMES])
    return np.where(restates, LEAST, np.maximum(LEAST, 2 * mean - 1)).astype(np.float32)


def reason_table(table: pd.DataFrame, reasons: Reasons, *, rows: NDArray[np.integer] | None = None) -> pd.DataFrame:
    """One row per reason of a picture, in the table's order, what explains most first: id, reason, strength, detail.

    `rows` are those of the table that are asked for, by default all.
    """
    if rows is not None:
        table, reasons = table.iloc[rows], replace(reasons, strength=reasons.strength[rows])
    rows, which = reasons.pairs()
    detail = np.full(len(rows), "", object)
    for number, name in enumerate(NAMES):
        having = np.flatnonzero(which == number)
        if len(having):
            detail[having] = DETAILS[name](table.iloc[rows[having]])
    return pd.DataFrame(
        {
            "id": table["id"].to_numpy()[rows],
            "reason": np.array(NAMES, object)[which],
            "strength": reasons.strength[rows, which],
            "detail": detail,
        }
    )


def with_reason(reasons: pd.DataFrame, name: str) -> pd.DataFrame:
    """The rows of `reason_table` of one reason, the strongest first. Raises ImageSetError for an unknown reason."""
    if value_called("reasons", name) not in NAMES:
        raise ImageSetError(f"There is no reason {name!r}. There are: {', '.join(map(shown_reason, NAMES))}.")
    rows: pd.DataFrame = reasons[reasons["reason"] == value_called("reasons", name)]
    return rows.sort_values("strength", ascending=False, kind="stable")


def reason_counts(texts: "pd.Series[str]", names: Sequence[str] = NAMES) -> dict[str, int]:
    """How many pictures have each reason of a column `reasons`, in the order of `names`, if any picture has it."""
    codes, distinct = pd.factorize(texts)
    totals = dict.fromkeys(names, 0)
    for text, count in zip(distinct, np.bincount(codes, minlength=len(distinct)), strict=True):
        for name in text.split(SEPARATOR) if text else ():
            totals[name] += int(count)
    return {name: count for name, count in totals.items() if count}


def _strengths(table: pd.DataFrame) -> Mapping[str, Values]:
    short, long = _sides(table)
    group = group_codes(table)
    motion, blurred = _soft(table)
    first, second = np.nan_to_num(_column(table, "first_share")), np.nan_to_num(_column(table, "second_share"))
    is_between = first + second >= BETWEEN_TOGETHER
    return {
        MOTION_BLUR: motion,
        BLURRED: blurred,
        DARK: DARK_RAMP(_column(table, "highlights")),
        BLOWN_OUT: _blown_out(_column(table, "white_share"), _column(table, "white_border")),
        LOW_CONTRAST: LOW_CONTRAST_RAMP(_column(table, "contrast")),
        NEAR_EMPTY: NEAR_EMPTY_RAMP(_column(table, "flat_share")),
        TINY: TINY_RAMP(short),
        EXTREME_ASPECT: EXTREME_ASPECT_RAMP(long / np.maximum(short, 1)),
        BETWEEN_CLASSES: np.where(is_between, BETWEEN_RAMP(second / np.maximum(first, 1e-9)), 0).astype(np.float32),
        CONFUSED: _confused(_column(table, "confusability")),
        OUTLIER: _outlier(_column(table, "nearest_similarity")),
        TWIN: (1 - 1 / np.bincount(group)[group]).astype(np.float32),
    }


def _sides(table: pd.DataFrame) -> tuple[Values, Values]:
    sides = table[["width", "height"]].to_numpy(np.float32)
    return sides.min(axis=1), sides.max(axis=1)


def _shared(name: str, table: pd.DataFrame, measured: Values) -> Shared:
    has = measured[:, NAMES.index(name)] > 0
    return Shared(name, int(has.sum()), len(table), _pixels(_sides(table)[0][has]) if name == TINY else "")


def _pixels(short: Values) -> str:
    low, high = int(short.min()), int(short.max())
    return f"{low} px" if low == high else f"{low} to {high} px"


def _column(table: pd.DataFrame, name: str) -> Values:
    return table[name].to_numpy(np.float32)


def _soft(table: pd.DataFrame) -> tuple[Values, Values]:
    """How much each picture is smeared by motion, and how much blurred otherwise."""
    least, most, across = (_column(table, name) for name in ("least_sharpness", "sharpness", "sharpness_across"))
    soft = SOFT_RAMP(least)
    return np.where(across >= SMEARED * least, soft, 0), np.where(most < ALIKE * least, soft, 0)


def _blown_out(white_share: Values, white_border: Values) -> Values:
    is_paper_set = len(white_border) > 0 and float(np.mean(white_border >= 0.5)) >= PAPER_SET
    return np.where((white_border >= WHITE_PAPER) | is_paper_set, 0, BLOWN_OUT_RAMP(white_share))


def _confused(confusability: Values) -> Values:
    is_ranked = np.isfinite(confusability).sum() >= FEWEST_RANKED
    return CONFUSED_RAMP(confusability) if is_ranked else np.zeros_like(confusability)


def _outlier(similarity: Values) -> Values:
    fences = _fences(similarity)
    return np.zeros_like(similarity) if fences is None else fences(similarity)


def _fences(similarity: Values) -> Ramp | None:
    """From where on a nearest similarity is low within its set; None if there are too few, or all are equal."""
    finite = similarity[np.isfinite(similarity)]
    if len(finite) < FEWEST_FOR_FENCES:
        return None
    low, high = np.percentile(finite, [25, 75])
    start, full = (float(low - fence * (high - low)) for fence in OUTLIER_FENCES)
    return Ramp(start, full) if full < start else None


def _valued(column: str, text: str) -> Callable[[pd.DataFrame], Sequence[str]]:
    """The text with the value of a column in it."""
    return lambda rows: [text.format(value) for value in _column(rows, column)]


def _smeared(rows: pd.DataFrame) -> list[str]:
    pairs = zip(_column(rows, "least_sharpness"), _column(rows, "sharpness_across"), strict=True)
    return [
        f"its sharpest edges rise by {least:.0%} per thumbnail pixel in one direction, by {across:.0%} across it"
        for least, across in pairs
    ]


def _sizes(rows: pd.DataFrame) -> list[str]:
    return [f"{w} × {h} pixels" for w, h in zip(rows["width"], rows["height"], strict=True)]


def _aspects(rows: pd.DataFrame) -> list[str]:
    sides = zip(rows["width"], rows["height"], strict=True)
    return [f"{w} × {h} pixels; the model sees the middle {min(w, h) / max(w, h):.0%}" for w, h in sides]


def _between(rows: pd.DataFrame) -> list[str]:
    shares = zip(*(rows[name] for name in ("first_class", "second_class", "first_share", "second_share")), strict=True)
    return [f'between "{a}" and "{b}": {x:.0%} and {y:.0%}, leaving out its own label' for a, b, x, y in shares]


DETAILS: Mapping[str, Callable[[pd.DataFrame], Sequence[str]]] = {
    MOTION_BLUR: _smeared,
    BLURRED: _valued("sharpness", "its sharpest edges rise by only {:.0%} per thumbnail pixel"),
    DARK: _valued("highlights", "nine tenths of it is darker than {:.0%} grey"),
    BLOWN_OUT: _valued("white_share", "{:.0%} of it is white"),
    LOW_CONTRAST: _valued("contrast", "its greys span only {:.0%} of the scale"),
    NEAR_EMPTY: _valued("flat_share", "{:.0%} of it is a single tone"),
    TINY: _sizes,
    EXTREME_ASPECT: _aspects,
    BETWEEN_CLASSES: _between,
    CONFUSED: _valued("confusability", "more easily mistaken than {:.0%} of this set"),
    OUTLIER: _valued(
        "nearest_similarity",
        "its nearest picture, near copies aside, has a similarity of {:.2f}, low for this set",
    ),
    TWIN: lambda rows: ["there are copies of it, or shots of the same moment"] * len(rows),
}
