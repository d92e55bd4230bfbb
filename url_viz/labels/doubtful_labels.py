"""The doubtful labels of an image set: their queue, and how many of them, and of all, are wrong."""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtr

from url_viz.base.printout import Printout, Table
from url_viz.base.wording import counted, duration
from url_viz.columns.engine import column
from url_viz.columns.filters import SEPARATOR, passes_all
from url_viz.columns.twin_groups import first_of_each
from url_viz.columns.undecided import is_resolved
from url_viz.findings.checks import has_boxes
from url_viz.findings.object_findings import LEGIBLE, TINY_PX, double_boxes
from url_viz.labels.calibration import LabelAgreement
from url_viz.labels.label_issues import COLUMNS, CONFLICTING, UNSEEN, ClassPair, LabelCheck
from url_viz.labels.votes import Doubles

WORTH_ASKING = 0.25
"""A queue of doubtful labels ends where fewer than this fraction of what comes is wrong."""
_SHIFTS, _SLOPES = np.linspace(-4, 4, 33), np.exp(np.linspace(-1.6, 0.8, 13))
SHIFTS, SLOPES = (each.ravel() for each in np.meshgrid(_SHIFTS, _SLOPES))
_WEIGHT = np.exp(-(SHIFTS**2) / 2 - (np.log(SLOPES) / 0.5) ** 2 / 2)
PRIOR = _WEIGHT / _WEIGHT.sum()
"""What P(wrong) may be off by, logit P′ = shift + slope · logit P, before any answer: the shift is normal with a
standard deviation of 1, the log slope of .5, as development sets need (docs/labels.md)."""
PICKED = expit(np.linspace(-6, 4, 21))
PICKED_POWER = 0.1
"""Which fraction of the wrong labels somebody may have picked out elsewhere, and the prior's power of it: nearly as
likely in each order of magnitude, so that few that were picked say little of how many are left (docs/labels.md)."""
LEAST = 0.002
"""Along a queue no label is surer than this, right or wrong: else answers could not correct it."""
SPREAD = 0.3
"""Added to the standard deviation of a count: of a few sure labels it would be too sure."""
TAIL = 0.025
STEPS = 2000
QUANTILE = 1.96
WIDEST_FRACTION = 0.05
"""The standard deviation of a fraction of wrong labels where the labels themselves say nothing of it."""
OFF_BY = 1.3
ODD_PICTURES = 0.03
UNSEEN_WRONG = 10
UNSEEN_OF_UNSURE = 0.05
"""What the fraction of wrong labels may be off by beyond chance, as on development sets: by three tenths either way;
three in a hundred pictures may only look wrong (blends, nothing to see); ten labels may be wrong unseen, and one in
twenty where it is unsure what the picture shows: labels of a look-alike class then are."""


@dataclass(frozen=True)
class Expected:
    """How many labels are wrong, with a 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class WrongLabels:
    """The fraction of labels that is wrong (0 to 1), with a 95 % interval."""

    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Forecast:
    """What is expected of Q labels, the most doubtful first: `wrong` (Q,) is P(wrong) of each, never rising.

    `belief` (G,) are the weights of SHIFTS and SLOPES, by which P is corrected.
    """

    wrong: Doubles
    belief: Doubles

    def heard(self, chance: Doubles, is_wrong: NDArray[np.bool_]) -> "Forecast":
        """The forecast after answers: labels of P(wrong) `chance` (A,) were wrong, or right (A,)."""
        level, place = _levels(chance)
        corrected = _corrected(level)[:, place]
        fit = np.log(np.where(is_wrong, corrected, 1 - corrected)).sum(axis=1)
        belief = self.belief * np.exp(fit - fit.max(initial=-np.inf))
        return replace(self, belief=belief / belief.sum())

    def picked(self, chance: Doubles, left: Doubles) -> "Forecast":
        """The forecast after wrong labels of P(wrong) `chance` (A,) were picked out, and those `left` (L,) not.

        Whoever picks out a fraction f of the wrong ones leaves odds of 1 − f times those before: f is not known, and as
        likely as it makes what was picked and what was not.
        """
        if not len(chance):
            return self
        level, place = _levels(chance)
        found = np.log(_corrected(level))[:, place].sum(axis=1)
        level, place = _levels(left)
        unfound, size = _corrected(level), np.bincount(place, minlength=len(level))
        fit = [len(chance) * np.log(part) + np.log1p(-part * unfound) @ size for part in PICKED]
        prior = (PICKED**PICKED_POWER * (1 - PICKED))[:, None]
        logs = np.log(np.maximum(self.belief, 1e-300)) + found + np.stack(fit) + np.log(prior)
        weight = np.exp(logs - logs.max()).reshape(len(PICKED), len(_SLOPES), len(_SHIFTS))
        belief = np.zeros(weight.shape[1:])
        for part, fraction in zip(weight, PICKED, strict=True):
            lower = np.maximum(0, np.arange(len(_SHIFTS)) + round(np.log1p(-fraction) / (_SHIFTS[1] - _SHIFTS[0])))
            np.add.at(belief.T, lower, part.T)
        return replace(self, belief=belief.ravel() / belief.sum())

    @cached_property
    def expected(self) -> Doubles:
        """P(wrong) of each label (Q,) as corrected by the answers."""
        level, place = _levels(self.wrong)
        return np.asarray((self.belief @ _corrected(level))[place])

    @property
    def end(self) -> int:
        return int((self.expected >= WORTH_ASKING).sum())

    def among(self, rows: NDArray[np.integer] | slice) -> Expected:
        """How many of the labels at these rows are wrong."""
        return _expected(self.wrong[rows], self.belief)

    @property
    def shift(self) -> float:
        """By how much answers shift the log odds of every label; 0 before any. Slopes are left out here: they would
        make each of thousands of sure labels a little doubtful."""
        belief = np.where(np.isclose(SLOPES, 1), self.belief, 0)
        return float(belief @ SHIFTS / belief.sum())


def wrong_share(wrong: Doubles, *, unsure: float = 0.0, mixed: float = 0.0, shift: float = 0.0) -> WrongLabels:
    """The fraction of labels that is wrong: the mean of P(wrong) (R,), their log odds shifted by `shift`.

    `unsure` is what the pictures' likeliest classes leave of the shares, on average, `mixed` the fraction of labels
    that are of one of two overlapping classes and look like the other: nothing tells there which are wrong, since
    labels that were shuffled among two classes look like classes that are alike.

    The interval has what chance makes of R labels of known P, what is not known of the fitted fraction of wrong labels
    (its Fisher information in these P), and what such fractions are off by. Where nothing says that labels are wrong it
    begins at 0.
    """
    size = max(1, len(wrong))
    chance = expit(logit(wrong) + shift)
    share, variance = float(chance.sum()) / size, float((chance * (1 - chance)).sum()) / size
    spread = QUANTILE * np.sqrt(variance / size + (variance * _spread_of_fraction(chance, share)) ** 2)
    low = (share - spread) / OFF_BY - ODD_PICTURES
    high = OFF_BY * (share + spread) + UNSEEN_WRONG / size + UNSEEN_OF_UNSURE * unsure + mixed
    return WrongLabels(share, max(0.0, float(low)), min(1.0, float(high)))


def _spread_of_fraction(chance: Doubles, fraction: float) -> float:
    """The standard deviation of the log odds of a fraction that was fitted to P(wrong) (R,)."""
    variance = max(fraction * (1 - fraction), 1e-6)
    information = float(((chance - fraction) ** 2).sum()) / variance**2
    return float((information + WIDEST_FRACTION**-2) ** -0.5) / variance


def forecast(wrong: Doubles) -> Forecast:
    """The forecast before any answer, from P(wrong) of each of Q labels in the order of doubt.

    P is made never rising (isotonic regression), which leaves its mean: the order of doubt is not quite that of P.
    """
    from scipy.optimize import isotonic_regression  # slow to import, and few commands need it

    falling = isotonic_regression(wrong, increasing=False).x if len(wrong) else wrong
    return Forecast(np.asarray(falling, np.float64), PRIOR)


def _levels(chance: Doubles) -> tuple[Doubles, NDArray[np.int64]]:
    """The log odds (L,) that labels are wrong, in steps of a hundredth, and which each label (A,) has.

    However many labels there are, few of these differ.
    """
    level, place = np.unique(np.round(logit(np.clip(chance, LEAST, 1 - LEAST)), 2), return_inverse=True)
    return level, place.astype(np.int64, copy=False)


def _corrected(level: Doubles) -> Doubles:
    """P(wrong) of log odds (L,) under each of SHIFTS and SLOPES (G, L)."""
    return np.asarray(expit(SHIFTS[:, None] + SLOPES[:, None] * level))


def _expected(chance: Doubles, belief: Doubles) -> Expected:
    """How many of these labels (A,) are wrong: under each correction the count is nearly normal."""
    level, place = _levels(chance)
    size, most = np.bincount(place, minlength=len(level)), float(len(chance))
    corrected = _corrected(level)
    mean, spread = corrected @ size, np.sqrt((corrected * (1 - corrected)) @ size) + SPREAD
    counts = np.linspace(-0.5, most + 0.5, STEPS)
    below = belief @ ndtr((counts - mean[:, None]) / spread[:, None])
    low, high = np.interp((TAIL, 1 - TAIL), below, counts)
    return Expected(float(belief @ mean), max(0.0, float(low)), min(most, float(high)))


ALWAYS_ASKED = 10
"""The most doubtful labels that are always looked at. Fewer doubtful ones do not stand out, in a small set fewer than
one in a hundred."""
FORECAST_AHEAD = 50
"""For how many labels ahead of the desk the number of wrong ones is shown."""
NEARLY_NONE = 2
"""Where an interval begins below this, only its upper end is shown: sets without a wrong label have such ones."""
MOSTLY_ANSWERED = 0.8
"""Answers are heard as far down the queue as this fraction of it is answered: of labels beyond, the wrong ones may have
been picked out, by eye or by another queue."""

FEW_EXAMPLES, LARGE_PART = 10, 0.25
"""Where this part of the classes has fewer pictures, or this part of the objects is too small, that is said of a check:
of COCO128 the model agrees with .28 of such labels, and with .46 of the others (docs/objects.md)."""

DOUBTFUL = "doubtful"
"""What `label_checks` says of a doubtful label, besides its kind."""

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class DoubtfulLabels:
    """The labels of an image set in the order of doubt, and the forecast along them.

    `pictures` (Q rows) are those of `LabelCheck.pictures` whose label can be judged, of twins one; `is_open` (Q,) where
    nobody has checked the label or decided on the picture; `is_heard` (Q,) whose answers the `forecast` (Q,) has heard,
    `is_picked` (Q,) which wrong ones were picked out beyond these (`Forecast.picked`), and `first_end` where the queue
    ended before any. Where by `agreement` the model does not know the classes nothing is forecast; `mixed` is the
    fraction of labels that look like the other of two overlapping classes.
    """

    pictures: pd.DataFrame
    is_open: Bools
    is_heard: Bools
    is_picked: Bools
    forecast: Forecast
    first_end: int
    agreement: LabelAgreement
    mixed: float
    among: str = ""
    """Of which labels they are the doubtful ones: "297 labelled pictures of 12 classes"."""
    thin: str = ""
    """What there is little to judge labels by: "307 of 929 objects are under 16 px" (`thin_evidence`)."""
    noun: str = "picture"
    only: pd.DataFrame | None = None
    """The pictures of one kind, where that was asked for in place of what is to be looked at."""

    @cached_property
    def is_conflict(self) -> Bools:
        """Which (Q,) have a copy under another label."""
        return (self.pictures["kind"] == CONFLICTING).to_numpy(dtype=bool)

    @property
    def stands_out(self) -> bool:
        """Whether there are more doubtful labels than sets without a wrong one have; copies in conflict are facts."""
        doubted = self._end - int(self.is_conflict.sum())
        return self.agreement.is_known and doubted >= least_to_stand_out(len(self.pictures))

    @cached_property
    def _end(self) -> int:
        return queue_end(self.forecast, self.first_end, int(self.is_heard.sum()))

    @cached_property
    def is_doubtful(self) -> Bools:
        """The unanswered labels (Q,) that stand out: those before the queue's end, and copies in conflict."""
        before = np.arange(len(self.pictures)) < self._end
        return (before if self.stands_out else self.is_conflict) & self.is_open

    @cached_property
    def is_listed(self) -> Bools:
        """The labels (Q,) to look at: those that stand out, and the most doubtful until ALWAYS_ASKED were answered."""
        left = ALWAYS_ASKED - int(self.pictures["answer"].notna().sum())
        return self.is_doubtful | (self.is_open & (self.is_open.cumsum() <= left))

    def __len__(self) -> int:
        """How many labels are to be looked at: the number that every page, command and report shows."""
        return int(self.is_listed.sum())

    @property
    def rows(self) -> pd.DataFrame:
        """The labels to look at, the most doubtful first: `COLUMNS`, and the `reason` to; or those of one kind."""
        return self._shown(self.is_listed) if self.only is None else self.only

    def first(self, count: int = ALWAYS_ASKED) -> pd.DataFrame:
        """The first `count` of the labels that nobody has checked, the most doubtful first, as `rows`."""
        return self._shown(self.is_open).head(count)

    def _shown(self, which: Bools) -> pd.DataFrame:
        rows = self.pictures.loc[which, list(COLUMNS)].reset_index(drop=True)
        has_other = rows["suggested"].notna()
        words = (
            pd.Series(votes_in_words(rows), index=rows.index, dtype=object) + " are " + rows["suggested"].astype(str)
        )
        return rows.assign(reason=words.where(has_other, "like no other picture"))

    @property
    def wrong(self) -> Expected | None:
        """How many of the listed labels are wrong; None where the classes are not known.

        The fit may be off as that of all labels is: where a third of clear classes is wrong, it takes some for right.
        """
        if not self.agreement.is_known:
            return None
        expected = self.forecast.among(np.flatnonzero(self.is_listed))
        return replace(expected, high=min(float(len(self)), OFF_BY * expected.high))

    @property
    def share(self) -> WrongLabels | None:
        """The fraction of labels that is wrong, as they are now; those of dropped pictures are not.

        None where the classes are not known.
        """
        if not self.agreement.is_known:
            return None
        is_unchecked = self.pictures["answer"].isna().to_numpy() & self.is_open
        wrong, unsure = (self.pictures[name].to_numpy(np.float64)[is_unchecked] for name in ("wrong", "unsure"))
        mean = float(unsure.mean()) if len(unsure) else 0.0
        unchecked = wrong_share(wrong, unsure=mean, mixed=self.mixed, shift=self.forecast.shift)
        part = float(is_unchecked.mean()) if len(is_unchecked) else 0.0
        return WrongLabels(part * unchecked.share, part * unchecked.low, part * unchecked.high)

    @property
    def are_chances_known(self) -> bool:
        """Whether some labels are surely wrong, so that P(wrong) of a label is shown: while all may be right, it holds
        on average over all labels alone, and not for those that are picked as doubtful (docs/labels.md)."""
        return self.share is not None and self.share.low != 0

    @property
    def words(self) -> str:
        """For people, without a full stop: "57 labels are doubtful; about 30 of them are wrong (12 to 44)".

        Of ten or fewer: "Look at the 10 most doubtful labels (1 min); up to 25 of 297 may be wrong".
        """
        if self.share is None or self.wrong is None:
            return self.agreement.words
        if len(self) > ALWAYS_ASKED:
            return f"{len(self):,} labels are doubtful; {wrong_in_words(self.wrong, count=len(self))}"
        most, unchecked = math.ceil(self.share.high * len(self.pictures)), int(self.is_open.sum())
        which = f"{len(self)} most doubtful labels" if len(self) > 1 else "most doubtful label"
        look = f"Look at the {which} ({duration(len(self))})" if len(self) else "No label stands out"
        return look + (f"; up to {min(most, unchecked):,} of {unchecked:,} may be wrong" if most else "")

    @property
    def caution(self) -> str:
        """What to know before the listed labels are judged, in sentences; "" where some are surely wrong.

        The most doubtful of an order are no errors that were found, and copies in conflict are.
        """
        others = int((self.is_listed & ~self.is_conflict).sum())
        if self.stands_out or self.are_chances_known or not others:
            return ""
        if self.wrong is not None:
            if len(self) == 1:
                return "It is the most doubtful label, and may be right."
            wrong = wrong_in_words(self.wrong, count=len(self))
            return f"These {len(self):,} are the most doubtful labels, not errors that were found: {wrong}."
        those = "the other" if others < len(self) else "it" if others == 1 else "all"
        may_be = f"{those} {others:,} may be right" if others > 1 else f"{those} may be right"
        return f"{f'{self.thin}. ' if self.thin else ''}How many are wrong is not known: {may_be}."

    def printout(self) -> Printout:
        """How many labels may be wrong, and the rows; P(wrong) only where it holds (`are_chances_known`)."""
        chance = ["wrong"] if self.are_chances_known else []
        why = ["reason"] if self.only is None else ["support", "neighbours"]
        columns = [*chance, "kind", "label", "suggested", *why, "path"]
        words = [f"{self.words}. Of {self.among}.", *([self.caution] if self.caution and self.only is None else [])]
        return Printout(words, [Table(self.rows, columns, noun=self.noun)])


def labels_to_check(
    check: LabelCheck,
    doubtful: DoubtfulLabels,
    *,
    kind: str | None = None,
    pair: ClassPair | None = None,
    label: str | None = None,
) -> pd.DataFrame:
    """The doubtful labels, those of a `kind`, or those of a `pair` of classes that look like the other; of one `label`.

    The most doubtful first: `COLUMNS` of url_viz.labels.label_issues.
    """
    rows = doubtful.rows if kind is None else check.of_kind(kind)
    rows = rows if pair is None else check.between(pair)
    return rows if label is None else rows[rows["label"] == label].reset_index(drop=True)


def least_to_stand_out(count: int) -> int:
    """From how many doubtful labels of `count` on they stand out: one in a hundred, ALWAYS_ASKED at most."""
    return min(ALWAYS_ASKED, math.ceil(count / 100))


def queue_end(ahead: Forecast, first_end: int, answers: int) -> int:
    """Where a queue ends by a forecast that has heard this many answers; before any it was `first_end`.

    Answers to the first few say little of labels far below: each prolongs the queue by two at most.
    """
    return min(ahead.end, max(first_end, ALWAYS_ASKED) + 2 * answers)


def votes_in_words(rows: pd.DataFrame) -> list[str]:
    """What neighbours, or copies in conflict, say of each of some rows (`COLUMNS`): "15 of 20 neighbours"."""
    voters = np.where(rows["kind"] == CONFLICTING, "copies", "neighbours")
    return [f"{s} of {of} {who}" for s, of, who in zip(rows["support"], rows["neighbours"], voters, strict=True)]


def wrong_in_words(wrong: Expected, whole: str = "of them ", *, count: int | None = None) -> str:
    """For people: "about 30 of them are wrong (12 to 44)"; "at most 3 of them are wrong", if those are not `count`."""
    low, high = int(wrong.low), math.ceil(wrong.high)
    if low < NEARLY_NONE and high != count:
        return f"at most {high:,} {whole}{'is' if high == 1 else 'are'} wrong"
    return f"about {wrong.value:,.0f} {whole}are wrong ({low:,} to {high:,})"


def doubtful_labels(check: LabelCheck, table: pd.DataFrame) -> DoubtfulLabels:
    """The doubtful labels by a check, and by what `table`, `ImageSet.table()`, says is decided."""
    is_judged = (check.pictures["kind"] != UNSEEN).to_numpy()
    if has_boxes(table):  # which of two boxes on one object is right is asked by itself
        doubled = table["id"].to_numpy()[np.concatenate([*double_boxes(table), np.zeros(0, np.int64)])]
        is_judged = is_judged & ~check.pictures["id"].isin(doubled).to_numpy()
    pictures = check.pictures[is_judged]
    decided = pd.Series(is_resolved(table), index=table["id"])
    is_open = ~decided.loc[pictures["id"]].to_numpy(dtype=bool)
    firsts = pd.concat([first_of_each(pictures[part]) for part in (is_open, ~is_open)]).index
    is_first = pictures.index.isin(firsts)
    pictures, is_open = pictures[is_first].reset_index(drop=True), is_open[is_first]
    ahead = forecast(pictures["wrong"].fillna(0).to_numpy(np.float64))
    answer = pictures["answer"].to_numpy(np.float64)
    is_done = ~is_open | (pictures["kind"] == CONFLICTING).to_numpy(dtype=bool)
    is_heard = ~np.isnan(answer) & _is_mostly_answered(is_done)
    is_listed = (np.arange(len(pictures)) < ahead.end) & ~is_heard
    is_picked = is_listed & (answer == 1)
    heard = ahead.heard(ahead.wrong[is_heard], answer[is_heard] == 1)
    after = heard.picked(ahead.wrong[is_picked], ahead.wrong[is_listed & is_open])
    mixed = float(check.mixed["pictures"].sum()) / max(1, len(check.pictures))
    noun = "object" if has_boxes(table) else "picture"
    among = f"{counted(len(check.pictures), f'labelled {noun}')} of {counted(len(check.classes), 'class')}"
    told = check.agreement, mixed, among, thin_evidence(table), noun
    return DoubtfulLabels(pictures, is_open, is_heard, is_picked, after, ahead.end, *told)


def thin_evidence(table: pd.DataFrame) -> str:
    """What there is little to judge the labels of `table` by, without a full stop; "" for less than LARGE_PART."""
    noun, sizes = "object" if has_boxes(table) else "picture", table["label"].value_counts()
    tiny = int((~passes_all(table, LEGIBLE)).sum()) if has_boxes(table) else 0
    small, parts = int((sizes < FEW_EXAMPLES).sum()), list[str]()
    if tiny and tiny >= LARGE_PART * len(table):
        parts.append(f"{tiny:,} of {len(table):,} objects are under {TINY_PX} px")
    if small and small >= LARGE_PART * len(sizes):
        have = "has" if small == 1 else "have"
        parts.append(f"{small:,} of {counted(len(sizes), 'class')} {have} fewer than {FEW_EXAMPLES} {noun}s")
    return ", and ".join(parts)


@column()
def doubtful(label_check: LabelCheck | None, table: pd.DataFrame) -> DoubtfulLabels | None:
    """The doubtful labels; None without labels to check."""
    return None if label_check is None else doubtful_labels(label_check, table)


@column()
def label_checks(label_check: LabelCheck | None, doubtful: DoubtfulLabels | None, table: pd.DataFrame) -> list[str]:
    """What the check says of each label (N,), "doubtful; likely wrong", to filter by; "" for nothing."""
    if label_check is None or doubtful is None:
        return [""] * len(table)
    kinds = dict(zip(label_check.pictures["id"], label_check.pictures["kind"], strict=True))
    listed = set(doubtful.rows["id"])
    return [
        SEPARATOR.join(filter(None, (DOUBTFUL if image_id in listed else "", kinds.get(image_id, ""))))
        for image_id in table["id"]
    ]


def _is_mostly_answered(is_done: Bools) -> Bools:
    share = is_done.cumsum() / np.arange(1, len(is_done) + 1)
    mostly = np.flatnonzero(share >= MOSTLY_ANSWERED)
    return np.arange(len(is_done)) <= (mostly[-1] if len(mostly) else -1)
