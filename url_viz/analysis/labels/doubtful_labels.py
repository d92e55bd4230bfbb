"""The doubtful labels of an image set: their queue, how many of them are wrong, and what answers say of the others."""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.derived import column
from url_viz.analysis.filters import SEPARATOR
from url_viz.analysis.findings.object_findings import double_boxes, has_boxes
from url_viz.analysis.findings.twin_groups import first_of_each
from url_viz.analysis.labels.agreement import LabelAgreement
from url_viz.analysis.labels.forecast import OFF_BY, Expected, Forecast, WrongLabels, forecast, wrong_share
from url_viz.analysis.labels.label_issues import COLUMNS, CONFLICTING, UNSEEN, LabelCheck
from url_viz.analysis.review.review_queue import is_resolved
from url_viz.wording import duration

FEW = 10
"""So few doubtful labels do not stand out, of a small set one in a hundred; so many are always looked at."""
NEXT = 50
"""So many labels ahead are told of."""
NEARLY_NONE = 2
"""Where an interval begins below this, only its upper end is told: sets without a wrong label have such ones."""
MOSTLY_ANSWERED = 0.8
"""Answers are heard as far down the queue as this fraction of it is answered: of labels beyond, the wrong ones may have
been picked out, by eye or by another queue."""

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

    def end(self, ahead: Forecast, answers: int) -> int:
        """Where the queue ends by a forecast of it that has heard so many answers."""
        return end_of(ahead, self.first_end, answers)

    @cached_property
    def is_conflict(self) -> Bools:
        """Which (Q,) have a copy under another label."""
        return (self.pictures["kind"] == CONFLICTING).to_numpy(dtype=bool)

    @property
    def stands_out(self) -> bool:
        """Whether there are more doubtful labels than sets without a wrong one have; copies in conflict are facts."""
        doubted = self._end - int(self.is_conflict.sum())
        return self.agreement.is_known and doubted >= few_of(len(self.pictures))

    @cached_property
    def _end(self) -> int:
        return self.end(self.forecast, int(self.is_heard.sum()))

    @cached_property
    def is_doubtful(self) -> Bools:
        """The unanswered labels (Q,) that stand out: those before the queue's end, and copies in conflict."""
        before = np.arange(len(self.pictures)) < self._end
        return (before if self.stands_out else self.is_conflict) & self.is_open

    @cached_property
    def is_listed(self) -> Bools:
        """The labels (Q,) to look at: those that stand out, and until FEW were answered as many as make FEW."""
        left = FEW - int(self.pictures["answer"].notna().sum())
        return self.is_doubtful | (self.is_open & (self.is_open.cumsum() <= left))

    def __len__(self) -> int:
        """How many labels are to be looked at: the number that every page, command and report tells."""
        return int(self.is_listed.sum())

    @property
    def rows(self) -> pd.DataFrame:
        """The labels to look at, the most doubtful first: `COLUMNS`, and the `reason` to."""
        return self._shown(self.is_listed)

    def first(self, count: int = FEW) -> pd.DataFrame:
        """So many of the labels that nobody has checked, the most doubtful first, as `rows`."""
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
    def may_be_right(self) -> bool:
        """Whether all labels may be right, as far as can be said."""
        return self.share is None or self.share.low == 0

    @property
    def are_chances_known(self) -> bool:
        """Whether P(wrong) of a label is told: while all may be right, it is true of all labels alone, and not of those
        that are picked as doubtful (docs/labels.md)."""
        return not self.may_be_right

    @property
    def words(self) -> str:
        """For people, without a full stop: "57 labels are doubtful; about 30 of them are wrong (12 to 44)".

        Of ten or fewer: "Look at the 10 most doubtful labels (1 min); up to 25 of 297 may be wrong".
        """
        if self.share is None or self.wrong is None:
            return self.agreement.words
        if len(self) > FEW:
            return f"{len(self):,} labels are doubtful; {wrong_in_words(self.wrong, count=len(self))}"
        most, unchecked = math.ceil(self.share.high * len(self.pictures)), int(self.is_open.sum())
        which = f"{len(self)} most doubtful labels" if len(self) > 1 else "most doubtful label"
        look = f"Look at the {which} ({duration(len(self))})" if len(self) else "No label stands out"
        return look + (f"; up to {min(most, unchecked):,} of {unchecked:,} may be wrong" if most else "")


def few_of(count: int) -> int:
    """So many doubtful labels of `count` do not stand out yet: one in a hundred, FEW at most."""
    return min(FEW, math.ceil(count / 100))


def end_of(ahead: Forecast, first_end: int, answers: int) -> int:
    """Where a queue ends by a forecast of it that has heard so many answers; before any it was `first_end`.

    Answers to the first few say little of labels far below: each prolongs the queue by two at most.
    """
    return min(ahead.end, max(first_end, FEW) + 2 * answers)


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
    return DoubtfulLabels(pictures, is_open, is_heard, is_picked, after, ahead.end, check.agreement, mixed)


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
    """The part of a queue (Q,) up to where MOSTLY_ANSWERED of it is done."""
    share = is_done.cumsum() / np.arange(1, len(is_done) + 1)
    mostly = np.flatnonzero(share >= MOSTLY_ANSWERED)
    return np.arange(len(is_done)) <= (mostly[-1] if len(mostly) else -1)
