"""Why a picture is ambiguous: named reasons, each with a strength and a sentence, and which of them are given."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

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
from url_viz.findings.checks import Check, Said, counted_rows, undecided
from url_viz.labels.questions import ask_use
from url_viz.pipeline.confusability import FEWEST_RANKED

Values = NDArray[np.float32]

BETWEEN_CLASSES, NEAR_EMPTY, TWIN = "between classes", "near-empty", "twin"
MOTION_BLUR, BLURRED = "motion blur", "blurred"

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


def _ramped(column: str, start: float, full: float, text: str) -> dict[str, Any]:
    """Strength and detail by a column's value: 0 up to `start`, 1 from `full` on."""
    return {"strength": lambda table: Ramp(start, full)(_column(table, column)), "detail": _detail(text, column)}


def _size_detail(rows: pd.DataFrame) -> list[str]:
    return [f"{w} × {h} pixels" for w, h in zip(rows["width"], rows["height"], strict=True)]


def _short_sides(rows: pd.DataFrame) -> str:
    short = _sides(rows)[0]
    low, high = int(short.min()), int(short.max())
    return f"{low} px" if low == high else f"{low} to {high} px"


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


@dataclass(frozen=True, eq=False, kw_only=True)
class Reason(Check):
    """A check that grades every picture of a table: `strength` (N,), 0 to 1 and 0 for none; its name is the reason's.

    It finds the pictures that have it, unless something else. `shared` is said of a set whose pictures share it, with
    `range` of their rows in brackets, `detail` of each of some rows. A picture that has it is not given those that it
    `excludes`. One that `restates` the leading measure explains nothing of its order. Beyond a strength of
    `useless_from` a picture shows nothing; at full strength an `is_fault` is one of each picture, however many have it.
    """

    strength: Callable[[pd.DataFrame], Values]
    detail: Callable[[pd.DataFrame], list[str]]
    shared: str
    range: Callable[[pd.DataFrame], str] = lambda rows: ""
    excludes: tuple[str, ...] = ()
    restates: tuple[str, ...] = ()
    useless_from: float = 1.0
    is_fault: bool = False

    def __post_init__(self) -> None:
        if self.finds is None and (self.says or self.title or self.bound):
            object.__setattr__(self, "finds", partial(_having, self.name))


# Thresholds were chosen on the views of the demo set and on development pictures (docs/look.md has the figures).
# Of two reasons that contradict or only repeat each other one excludes the other: what is smeared by motion is not out
# of focus; the dark have little contrast, and no white; what shows nothing is neither sharp nor soft, and like no
# class; what has nothing near it is not taken for something else, however far up confusability, which counts the
# distance, puts it. Who excludes one that excludes a third excludes that too, so their order does not matter.
REASONS = (
    Reason(
        MOTION_BLUR,
        strength=_smeared,
        detail=_detail(
            "its sharpest edges rise by {:.0%} per thumbnail pixel in one direction, by {:.0%} across it",
            *("least_sharpness", "sharpness_across"),
        ),
        shared="are smeared by motion",
        excludes=(BLURRED,),
    ),
    Reason(
        BLURRED,
        strength=_blurred,
        detail=_detail("its sharpest edges rise by only {:.0%} per thumbnail pixel", "sharpness"),
        shared="are blurred",
        useless_from=0.75,
    ),
    Reason(  # the 90th percentile of grey
        "dark",
        **_ramped("highlights", 0.28, 0.06, "nine tenths of it is darker than {:.0%} grey"),
        shared="are dark",
        excludes=("blown out", "low contrast"),
        useless_from=0.75,
    ),
    Reason(
        "blown out",
        strength=_blown_out,
        detail=_detail("{:.0%} of it is white", "white_share"),
        shared="are blown out",
        useless_from=0.75,
    ),
    Reason(  # from the 2nd to the 98th percentile of grey
        "low contrast",
        **_ramped("contrast", 0.19, 0.05, "its greys span only {:.0%} of the scale"),
        shared="have little contrast",
    ),
    Reason(  # the share within nine grey levels
        NEAR_EMPTY,
        **_ramped("flat_share", 0.92, 0.99, "{:.0%} of it is a single tone"),
        shared="are near-empty",
        excludes=(MOTION_BLUR, BLURRED, "low contrast", BETWEEN_CLASSES, "easily confused"),
        useless_from=0.0,
        is_fault=True,
    ),
    Reason("tiny", strength=_tiny, detail=_size_detail, shared="are tiny", range=_short_sides),
    Reason("extreme aspect", strength=_long, detail=_aspect_detail, shared="are long and narrow"),
    Reason(BETWEEN_CLASSES, strength=_between, detail=_between_detail, shared="are torn between classes"),
    Reason(
        "easily confused",
        strength=_confused,
        detail=_detail("more easily mistaken than {:.0%} of this set", "confusability"),
        shared="are easily mistaken for others",
        restates=(CONFUSABILITY.name, TUNED.name),
    ),
    Reason(
        "out on its own",
        strength=_outlier,
        detail=_detail(
            "its nearest picture, near copies aside, has a similarity of {:.2f}, low for this set",
            "nearest_similarity",
        ),
        shared="are unlike the rest",
        excludes=("easily confused",),
    ),
    Reason(TWIN, strength=_twin, detail=_twin_detail, shared="have copies or look-alikes"),
)
"""The reasons that every set knows; of two that explain as much, the earlier comes first."""
NAMES = tuple(reason.name for reason in REASONS)


@dataclass(frozen=True)
class Shared:
    """A reason that `count` of a set's `pictures` have, too many to state it for each; `detail` in brackets, or ""."""

    reason: Reason
    count: int
    pictures: int
    detail: str = ""

    @property
    def words(self) -> str:
        """A sentence: "All 2,500 pictures are tiny (32 px)."."""
        share = f"All {self.pictures:,}" if self.count == self.pictures else f"{self.count:,} of {self.pictures:,}"
        return f"{share} pictures {self.reason.shared}{f' ({self.detail})' if self.detail else ''}."


@dataclass(frozen=True)
class Reasons:
    """The reasons of N pictures: `strength` (N, R) float32 of each of R `checks`, 0 if a reason is not given.

    `explains` (R,) is how much each goes with the leading order of the set; `shared` are those that nearly all pictures
    have, which are given to none.
    """

    strength: Values
    explains: Values
    shared: tuple[Shared, ...] = ()
    checks: tuple[Reason, ...] = REASONS

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.checks)

    def of(self, name: str) -> Values:
        """The strengths (N,) of one reason."""
        strength: Values = self.strength[:, self.names.index(name)]
        return strength

    def order(self) -> tuple[str, ...]:
        """The names of the reasons that some pictures have, what explains most of these first."""
        count = np.count_nonzero(self.strength, axis=0)
        mean = self.strength.sum(axis=0) / np.maximum(count, 1)
        order = np.argsort(-mean * self.explains, kind="stable")
        return tuple(self.names[position] for position in order if count[position])

    def pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows and numbers of the reasons that are given, row by row, what explains most first.

        That is the one whose strength, times how much it goes with the leading order of the set, is highest.
        """
        rows, which = np.nonzero(self.strength)
        weakness = ((1 - self.strength[rows, which] * self.explains[which]) * _FINEST).astype(np.int64)
        count = len(self.checks)
        key = np.sort((rows * (_FINEST + 1) + weakness) * count + which)  # sorting one number is far faster
        return key // count // (_FINEST + 1), key % count

    def texts(self) -> NDArray[np.object_]:
        """The names of each picture's reasons (N,), what explains most first, joined by "; "; "" if there is none."""
        rows, which = self.pairs()
        start = np.searchsorted(rows, np.arange(len(self.strength) + 1))
        position = np.arange(len(rows)) - start[rows]
        texts = np.full(len(self.strength), "", object)
        for place in range(int(position.max(initial=-1)) + 1):
            here = position == place
            names = np.array([f"{SEPARATOR if place else ''}{name}" for name in self.names], object)
            texts[rows[here]] += names[which[here]]
        return texts


def find_reasons(table: pd.DataFrame, *, leading: str | None = None, checks: tuple[Reason, ...] = REASONS) -> Reasons:
    """The reasons of each picture of a table (columns as of `ImageSet.table`).

    `leading` is the measure by which the set is ordered; without one all reasons explain as much.
    """
    measured = measured_strengths(table, checks)
    is_common = shared_by_most(measured, checks)
    shared = tuple(_shared(checks[number], table, measured[:, number] > 0) for number in np.flatnonzero(is_common))
    strength = without_contradictions(np.where(is_common, np.float32(0), measured), checks)
    if leading is None:
        return Reasons(strength, np.ones(len(checks), np.float32), shared, checks)
    explains = explained(strength, percentile_of_each(table, leading), leading, checks)
    return Reasons(strength, explains, shared, checks)


@column()
def reasons(measured: pd.DataFrame, order: Order, reason_checks: tuple[Reason, ...]) -> Reasons:
    """The reasons of each picture, by the measure that leads."""
    return find_reasons(measured, leading=order.measure, checks=reason_checks)


@column()
def with_reasons(measured: pd.DataFrame, reasons: Reasons) -> pd.DataFrame:
    """The table with the reasons of each picture, before decisions are joined to it."""
    texts = pd.Series(reasons.texts(), index=measured.index, dtype=object, copy=False)
    return measured.assign(reasons=texts)


def useless(table: pd.DataFrame, reasons: Reasons) -> pd.DataFrame:
    """Pictures that show nothing: id and, as suggested, why; the surest first.

    A reason of more than MOST_USELESS is a trait of the set and left out; a fault of each picture never is.
    """
    checks = [each for each in reversed(reasons.checks) if each.useless_from < 1]  # the strongest word first
    strength = np.zeros((len(table), len(checks)), np.float32)
    for number, each in enumerate(checks):
        values = reasons.of(each.name)
        is_useless = values > each.useless_from
        if is_useless.sum() > MOST_USELESS * len(table):
            is_useless = (values >= 1) & each.is_fault
        strength[is_useless, number] = values[is_useless]
    best = strength.max(axis=1)
    rows = np.flatnonzero(best > 0)
    rows = rows[np.argsort(-best[rows], kind="stable")]
    why = np.array([each.name for each in checks], object)[strength.argmax(axis=1)]
    return pd.DataFrame({"id": table["id"].to_numpy()[rows], "suggested": why[rows]})


def _having(name: str, table: pd.DataFrame, reasons: Reasons) -> pd.DataFrame:
    """The pictures with a reason, the strongest first: id, suggested (the reason)."""
    strength = reasons.of(name)
    rows = np.argsort(-strength, kind="stable")[: np.count_nonzero(strength)]
    return table.iloc[rows][["id"]].assign(suggested=name)


def measured_strengths(table: pd.DataFrame, checks: Sequence[Reason] = REASONS) -> Values:
    """The strength of each reason for each picture (N, R), 0 to 1, before any is left out."""
    return np.stack([reason.strength(table) for reason in checks], axis=1)


def shared_by_most(strength: Values, checks: Sequence[Reason] = REASONS) -> NDArray[np.bool_]:
    """Which reasons (R,) more than COMMON_SHARE of the pictures have, by their strengths (N, R).

    Where most pictures have a fault at full strength, such as a single tone, it is no trait of the set.
    """
    if len(strength) < FEWEST_FOR_COMMON:
        return np.zeros(len(checks), bool)
    is_fault = np.array([each.is_fault for each in checks]) & (np.median(strength, axis=0) >= 1)
    return np.asarray(((strength > 0).mean(axis=0) > COMMON_SHARE) & ~is_fault)


def _shared(reason: Reason, table: pd.DataFrame, has: NDArray[np.bool_]) -> Shared:
    return Shared(reason, int(has.sum()), len(table), reason.range(table[has]))


def without_contradictions(strength: Values, checks: Sequence[Reason] = REASONS) -> Values:
    """Strengths (N, R) without those that another reason of the picture excludes."""
    left, names = strength.copy(), [each.name for each in checks]
    for number, reason in enumerate(checks):
        left[np.ix_(left[:, number] > 0, np.isin(names, reason.excludes))] = 0
    return left


def explained(
    strength: Values, percentile: NDArray[np.floating], leading: str, checks: Sequence[Reason] = REASONS
) -> Values:
    """How much each reason goes with the leading order (R,), LEAST to 1: 2 m − 1.

    m is the mean place in the order, 0 to 1, of the pictures that have the reason, by their `percentile` (N,), 0 to 100
    (nan counts as the middle), and of PRIOR in the middle.
    """
    rows, which = np.nonzero(strength > 0)
    place = np.nan_to_num(np.asarray(percentile[rows], np.float64) / 100, nan=0.5)
    total, count = (np.bincount(which, weights, len(checks)) for weights in (place, None))
    mean = (total + PRIOR / 2) / (count + PRIOR)
    restates = np.array([leading in reason.restates for reason in checks])
    return np.where(restates, LEAST, np.maximum(LEAST, 2 * mean - 1)).astype(np.float32)


def reason_table(table: pd.DataFrame, reasons: Reasons, *, rows: NDArray[np.integer] | None = None) -> pd.DataFrame:
    """One row per reason of a picture, in the table's order, what explains most first: id, reason, strength, detail.

    `rows` are those of the table that are asked for, by default all.
    """
    if rows is not None:
        table, reasons = table.iloc[rows], replace(reasons, strength=reasons.strength[rows])
    rows, which = reasons.pairs()
    detail = np.full(len(rows), "", object)
    for number, reason in enumerate(reasons.checks):
        having = np.flatnonzero(which == number)
        if len(having):
            detail[having] = reason.detail(table.iloc[rows[having]])
    return pd.DataFrame(
        {
            "id": table["id"].to_numpy()[rows],
            "reason": np.array(reasons.names, object)[which],
            "strength": reasons.strength[rows, which],
            "detail": detail,
        }
    )


def with_reason(table: pd.DataFrame, reasons: Reasons, name: str) -> pd.DataFrame:
    """The rows of `reason_table` of one reason, the strongest first. Raises ImageSetError for an unknown reason."""
    if value_called("reasons", name) not in reasons.names:
        raise ImageSetError(f"There is no reason {name!r}. There are: {', '.join(map(shown_reason, reasons.names))}.")
    rows = reason_table(table, reasons)
    rows = rows[rows["reason"] == value_called("reasons", name)]
    return rows.sort_values("strength", ascending=False, kind="stable")


def reason_counts(texts: "pd.Series[str]", names: Sequence[str] = NAMES) -> dict[str, int]:
    """How many pictures have each reason of a column `reasons`, in the order of `names`, if any picture has it."""
    codes, distinct = pd.factorize(texts)
    totals = dict.fromkeys(names, 0)
    for text, count in zip(distinct, np.bincount(codes, minlength=len(distinct)), strict=True):
        for name in text.split(SEPARATOR) if text else ():
            totals[name] = totals.get(name, 0) + int(count)
    return {name: count for name, count in totals.items() if count}


def _said_of_useless(table: pd.DataFrame, found: pd.DataFrame, left: int) -> Said:
    why = ", ".join(found["suggested"].value_counts().index)
    return Said(left, f"{counted_rows(table, left, 'shows', 'show')} hardly anything ({why})")


USELESS = Check(
    "useless",
    finds=useless,
    place=150,
    says=_said_of_useless,
    short="with hardly anything to see",
    why="No model can learn anything from them, or be right about them.",
    title="Hardly anything to see",
    ask=ask_use,
    bound=undecided,
)
