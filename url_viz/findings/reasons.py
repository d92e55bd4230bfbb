"""Why a picture is ambiguous: named reasons, each with a strength and a sentence, and which of them are given."""

from collections.abc import Callable, Sequence
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


@dataclass(frozen=True)
class Ramp:
    """A strength that is 0 up to `start`, 1 from `full` on, straight between; `full` may lie below `start`."""

    start: float
    full: float

    def __call__(self, values: NDArray[np.floating]) -> Values:
        """Strengths (N,) of values (N,); a missing value has none."""
        strength = (values - self.start) / (self.full - self.start)
        return np.asarray(np.fmin(np.fmax(strength, 0), 1), np.float32)


SMEARED = 1.2
"""A soft picture is smeared by motion if it is that much sharper across the least sharp direction …"""
ALIKE = 1.3
"""… and blurred if it is nowhere sharper than that; else some things are sharp, with edges in some directions only."""
WHITE_PAPER = 0.9
"""From this share of white along its border on, a picture is a drawing or a cut-out on white …"""
PAPER_SET = 0.25
"""… and from this share of pictures on, whose border is half white, a set is of these: white means nothing there."""
BETWEEN_TOGETHER = 0.4
"""The share that the two likeliest classes must have together …"""
BETWEEN_SHARE = 0.6
"""… and that of the second over the first which a torn picture exceeds."""
OUTLIER_FENCES = (1.0, 2.0)
"""Nearest similarity, in distances of the quartiles below the lower one."""
FEWEST_FOR_FENCES = 20

_FINEST = 2**20
"""Resolution at which strength times explanation decides which of two reasons comes first."""


def _column(table: pd.DataFrame, name: str) -> Values:
    return table[name].to_numpy(np.float32)


def _soft(table: pd.DataFrame) -> Values:
    """By the sharpness in the least sharp direction."""
    return Ramp(0.47, 0.25)(_column(table, "least_sharpness"))


def _smeared(table: pd.DataFrame) -> Values:
    least, across = (_column(table, name) for name in ("least_sharpness", "sharpness_across"))
    return np.where(across >= SMEARED * least, _soft(table), 0)


def _blurred(table: pd.DataFrame) -> Values:
    least, most = (_column(table, name) for name in ("least_sharpness", "sharpness"))
    return np.where(most < ALIKE * least, _soft(table), 0)


def _blown_out(table: pd.DataFrame) -> Values:
    """By the share that is white, of a picture that does not lie on white paper."""
    border = _column(table, "white_border")
    is_paper_set = len(border) > 0 and float(np.mean(border >= 0.5)) >= PAPER_SET
    strength = Ramp(0.30, 0.80)(_column(table, "white_share"))
    return np.where((border >= WHITE_PAPER) | is_paper_set, 0, strength)


def _sides(table: pd.DataFrame) -> tuple[Values, Values]:
    sides = table[["width", "height"]].to_numpy(np.float32)
    return sides.min(axis=1), sides.max(axis=1)


def _tiny(table: pd.DataFrame) -> Values:
    """By the short side in pixels; a backbone enlarges it to two hundred and more."""
    return Ramp(64, 16)(_sides(table)[0])


def _long(table: pd.DataFrame) -> Values:
    """By the long side over the short one; a backbone sees no more than the middle square, 40 % of the area at 2.5."""
    short, long = _sides(table)
    return Ramp(2.5, 6)(long / np.maximum(short, 1))


def _between(table: pd.DataFrame) -> Values:
    """By the second class's share over the first's."""
    first, second = np.nan_to_num(_column(table, "first_share")), np.nan_to_num(_column(table, "second_share"))
    is_between = first + second >= BETWEEN_TOGETHER
    return np.where(is_between, Ramp(BETWEEN_SHARE, 1)(second / np.maximum(first, 1e-9)), 0).astype(np.float32)


def _confused(table: pd.DataFrame) -> Values:
    """By confusability, a rank: the last tenth of a set that is not small."""
    confusability = _column(table, "confusability")
    is_ranked = np.isfinite(confusability).sum() >= FEWEST_RANKED
    return Ramp(0.90, 0.99)(confusability) if is_ranked else np.zeros_like(confusability)


def _outlier(table: pd.DataFrame) -> Values:
    """By how low the nearest similarity is for the set; none if there are too few, or all are equal."""
    similarity = _column(table, "nearest_similarity")
    finite = similarity[np.isfinite(similarity)]
    if len(finite) >= FEWEST_FOR_FENCES:
        low, high = np.percentile(finite, [25, 75])
        start, full = (float(low - fence * (high - low)) for fence in OUTLIER_FENCES)
        if full < start:
            return Ramp(start, full)(similarity)
    return np.zeros_like(similarity)


def _twin(table: pd.DataFrame) -> Values:
    group = group_codes(table)
    return (1 - 1 / np.bincount(group)[group]).astype(np.float32)


def _detail(text: str, *columns: str) -> Callable[[pd.DataFrame], list[str]]:
    """The text with the values of some columns in it."""
    return lambda rows: [text.format(*row) for row in zip(*(_column(rows, name) for name in columns), strict=True)]


def _ramped(
    column: str, start: float, full: float, text: str
) -> tuple[Callable[[pd.DataFrame], Values], Callable[[pd.DataFrame], list[str]]]:
    """Strength and detail by a column's value: 0 up to `start`, 1 from `full` on."""
    return lambda table: Ramp(start, full)(_column(table, column)), _detail(text, column)


def _size_detail(rows: pd.DataFrame) -> list[str]:
    return [f"{w} × {h} pixels" for w, h in zip(rows["width"], rows["height"], strict=True)]


def _aspect_detail(rows: pd.DataFrame) -> list[str]:
    sides = zip(rows["width"], rows["height"], strict=True)
    return [f"{w} × {h} pixels; the model sees the middle {min(w, h) / max(w, h):.0%}" for w, h in sides]


def _between_detail(rows: pd.DataFrame) -> list[str]:
    shares = zip(*(rows[name] for name in ("first_class", "second_class", "first_share", "second_share")), strict=True)
    return [f'between "{a}" and "{b}": {x:.0%} and {y:.0%}, leaving out its own label' for a, b, x, y in shares]


def _twin_detail(rows: pd.DataFrame) -> list[str]:
    is_copy = rows["copy_group"].notna() if "copy_group" in rows else pd.Series(data=False, index=rows.index)
    alike = "another picture is exceptionally like it: another view, or the same kind of thing"
    return ["there are copies of it" if each else alike for each in is_copy]


@dataclass(frozen=True)
class Reason:
    """One reason: its strength for each picture of a table, 0 to 1 and 0 for none, and the words for it.

    `words` are said of a set whose pictures share it, `detail` of each of some rows. A picture that has it is not given
    those that it `excludes`. One that `restates` the leading measure explains nothing of its order.
    """

    name: str
    words: str
    strength: Callable[[pd.DataFrame], Values]
    detail: Callable[[pd.DataFrame], list[str]]
    excludes: tuple[str, ...] = ()
    restates: tuple[str, ...] = ()


# Thresholds were chosen on the views of the demo set and on development pictures (docs/look.md has the figures).
# Of two reasons that contradict or only repeat each other one excludes the other: what is smeared by motion is not out
# of focus; the dark have little contrast, and no white; what shows nothing is neither sharp nor soft, and like no
# class; what has nothing near it is not taken for something else, however far up confusability, which counts the
# distance, puts it. Who excludes one that excludes a third excludes that too, so their order does not matter.
REASONS = (
    Reason(
        MOTION_BLUR,
        "are smeared by motion",
        _smeared,
        _detail(
            "its sharpest edges rise by {:.0%} per thumbnail pixel in one direction, by {:.0%} across it",
            *("least_sharpness", "sharpness_across"),
        ),
        excludes=(BLURRED,),
    ),
    Reason(
        *(BLURRED, "are blurred", _blurred),
        _detail("its sharpest edges rise by only {:.0%} per thumbnail pixel", "sharpness"),
    ),
    Reason(  # the 90th percentile of grey
        *(DARK, "are dark"),
        *_ramped("highlights", 0.28, 0.06, "nine tenths of it is darker than {:.0%} grey"),
        excludes=(BLOWN_OUT, LOW_CONTRAST),
    ),
    Reason(BLOWN_OUT, "are blown out", _blown_out, _detail("{:.0%} of it is white", "white_share")),
    Reason(  # from the 2nd to the 98th percentile of grey
        *(LOW_CONTRAST, "have little contrast"),
        *_ramped("contrast", 0.19, 0.05, "its greys span only {:.0%} of the scale"),
    ),
    Reason(  # the share within nine grey levels
        *(NEAR_EMPTY, "are near-empty"),
        *_ramped("flat_share", 0.92, 0.99, "{:.0%} of it is a single tone"),
        excludes=(MOTION_BLUR, BLURRED, LOW_CONTRAST, BETWEEN_CLASSES, CONFUSED),
    ),
    Reason(TINY, "are tiny", _tiny, _size_detail),
    Reason(EXTREME_ASPECT, "are long and narrow", _long, _aspect_detail),
    Reason(BETWEEN_CLASSES, "are torn between classes", _between, _between_detail),
    Reason(
        *(CONFUSED, "are easily mistaken for others", _confused),
        _detail("more easily mistaken than {:.0%} of this set", "confusability"),
        restates=(CONFUSABILITY.name, TUNED.name),
    ),
    Reason(
        *(OUTLIER, "are unlike the rest", _outlier),
        _detail(
            "its nearest picture, near copies aside, has a similarity of {:.2f}, low for this set",
            "nearest_similarity",
        ),
        excludes=(CONFUSED,),
    ),
    Reason(TWIN, "have copies or look-alikes", _twin, _twin_detail),
)
"""Every reason; of two that explain as much, the earlier comes first."""
NAMES = tuple(reason.name for reason in REASONS)


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
        words = REASONS[NAMES.index(self.name)].words
        share = f"All {self.pictures:,}" if self.count == self.pictures else f"{self.count:,} of {self.pictures:,}"
        return f"{share} pictures {words}{f' ({self.detail})' if self.detail else ''}."


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
            names = np.array([f"{SEPARATOR if place else ''}{name}" for name in NAMES], object)
            texts[rows[here]] += names[which[here]]
        return texts


def find_reasons(table: pd.DataFrame, *, leading: str | None = None) -> Reasons:
    """The reasons of each picture of a table (columns as of `ImageSet.table`).

    `leading` is the measure by which the set is ordered; without one all reasons explain as much.
    """
    measured = measured_strengths(table)
    common = shared_by_most(measured)
    shared = tuple(_shared(name, table, measured) for name in common)
    strength = without_contradictions(np.where(np.isin(NAMES, common), np.float32(0), measured))
    if leading is None:
        return Reasons(strength, np.ones(len(NAMES), np.float32), shared)
    return Reasons(strength, explained(strength, percentile_of_each(table, leading), leading), shared)


@column()
def reasons(measured: pd.DataFrame, order: Order) -> Reasons:
    """The reasons of each picture, by the measure that leads."""
    return find_reasons(measured, leading=order.measure)


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
    return np.stack([reason.strength(table) for reason in REASONS], axis=1)


def shared_by_most(strength: Values) -> tuple[str, ...]:
    """The reasons that more than COMMON_SHARE of the pictures have, by their strengths (N, len(NAMES)).

    Where most pictures are of a single tone, that they are near-empty is no trait of the set but a fault of each.
    """
    if len(strength) < FEWEST_FOR_COMMON:
        return ()
    is_common = (strength > 0).mean(axis=0) > COMMON_SHARE
    is_common &= (np.array(NAMES) != NEAR_EMPTY) | (np.median(strength, axis=0) < 1)
    return tuple(name for name, common in zip(NAMES, is_common, strict=True) if common)


def _shared(name: str, table: pd.DataFrame, measured: Values) -> Shared:
    has, detail = measured[:, NAMES.index(name)] > 0, ""
    if name == TINY:
        short = _sides(table)[0][has]
        low, high = int(short.min()), int(short.max())
        detail = f"{low} px" if low == high else f"{low} to {high} px"
    return Shared(name, int(has.sum()), len(table), detail)


def without_contradictions(strength: Values) -> Values:
    """Strengths (N, len(NAMES)) without those that another reason of the picture excludes."""
    left = strength.copy()
    for number, reason in enumerate(REASONS):
        left[np.ix_(left[:, number] > 0, np.isin(NAMES, reason.excludes))] = 0
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
    restates = np.array([leading in reason.restates for reason in REASONS])
    return np.where(restates, LEAST, np.maximum(LEAST, 2 * mean - 1)).astype(np.float32)


def reason_table(table: pd.DataFrame, reasons: Reasons, *, rows: NDArray[np.integer] | None = None) -> pd.DataFrame:
    """One row per reason of a picture, in the table's order, what explains most first: id, reason, strength, detail.

    `rows` are those of the table that are asked for, by default all.
    """
    if rows is not None:
        table, reasons = table.iloc[rows], replace(reasons, strength=reasons.strength[rows])
    rows, which = reasons.pairs()
    detail = np.full(len(rows), "", object)
    for number, reason in enumerate(REASONS):
        having = np.flatnonzero(which == number)
        if len(having):
            detail[having] = reason.detail(table.iloc[rows[having]])
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
