"""The doubtful labels of an image set: their queue, how many of them are wrong, and what answers say of the others."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.derived import column
from url_viz.analysis.filters import SEPARATOR
from url_viz.analysis.findings.twin_groups import first_of_each
from url_viz.analysis.labels.forecast import Expected, Forecast, WrongLabels, forecast, wrong_share
from url_viz.analysis.labels.label_issues import COLUMNS, CONFLICTING, UNSEEN, LabelCheck
from url_viz.analysis.review.review_queue import is_resolved
from url_viz.wording import counted

FEW = 10
"""So few doubtful labels do not stand out; of a small set one in a hundred. On request so many are shown."""
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
    ended before any.
    """

    pictures: pd.DataFrame
    is_open: Bools
    is_heard: Bools
    is_picked: Bools
    forecast: Forecast
    first_end: int

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
        return doubted >= few_of(len(self.pictures))

    @cached_property
    def _end(self) -> int:
        return self.end(self.forecast, int(self.is_heard.sum()))

    @cached_property
    def is_doubtful(self) -> Bools:
        """The labels (Q,) that are still to be asked about: those before the queue's end; none if few stand out."""
        before = np.arange(len(self.pictures)) < self._end
        return (before if self.stands_out else self.is_conflict) & self.is_open

    def __len__(self) -> int:
        """How many labels are doubtful: the number that every page, command and report tells."""
        return int(self.is_doubtful.sum())

    @property
    def is_worth_asking(self) -> bool:
        """Whether labels are doubtful, or none stands out and few were answered: the most doubtful ten tell more."""
        few_answered = int(self.pictures["answer"].notna().sum()) < FEW and bool(self.is_open.any())
        return len(self) > 0 or (not self.stands_out and few_answered)

    @property
    def rows(self) -> pd.DataFrame:
        """The doubtful labels, the most doubtful first: `COLUMNS`."""
        return self._shown(self.is_doubtful)

    def first(self, count: int = FEW) -> pd.DataFrame:
        """So many of the labels that nobody has checked, doubtful or not, the most doubtful first: `COLUMNS`."""
        return self._shown(self.is_open).head(count)

    def _shown(self, which: Bools) -> pd.DataFrame:
        return self.pictures.loc[which, list(COLUMNS)].reset_index(drop=True)

    @property
    def wrong(self) -> Expected:
        """How many of the doubtful labels are wrong."""
        return self.forecast.among(np.flatnonzero(self.is_doubtful))

    @property
    def share(self) -> WrongLabels:
        """The fraction of labels that is wrong, as they are now; those of dropped pictures are not."""
        is_unchecked = self.pictures["answer"].isna().to_numpy() & self.is_open
        wrong, unsure = (self.pictures[name].to_numpy(np.float64)[is_unchecked] for name in ("wrong", "unsure"))
        mean = float(unsure.mean()) if len(unsure) else 0.0
        unchecked = wrong_share(wrong, unsure=mean, shift=self.forecast.shift)
        part = float(is_unchecked.mean()) if len(is_unchecked) else 0.0
        return WrongLabels(part * unchecked.share, part * unchecked.low, part * unchecked.high)

    @property
    def may_be_right(self) -> bool:
        """Whether all labels may be right, as far as can be said."""
        return self.share.low == 0

    @property
    def are_chances_known(self) -> bool:
        """Whether P(wrong) of a label is told: while all may be right, it is true of all labels alone, and not of those
        that are picked as doubtful (docs/labels.md)."""
        return not self.may_be_right

    @property
    def words(self) -> str:
        """For people, without a full stop: "57 labels are doubtful; about 30 (12 to 44) of them are wrong"."""
        if not len(self):
            most, unchecked = math.ceil(self.share.high * len(self.pictures)), int(self.is_open.sum())
            return "No label stands out" + (f"; up to {most:,} of {unchecked:,} may be wrong" if most else "")
        doubtful = counted(len(self), "label is doubtful", "labels are doubtful")
        return f"{doubtful}; {wrong_in_words(self.wrong)}"


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


def wrong_in_words(wrong: Expected, whole: str = "of them ") -> str:
    """For people: "about 30 of them are wrong (12 to 44)", "at most 3 of them are wrong"."""
    low, high = int(wrong.low), math.ceil(wrong.high)
    if low < NEARLY_NONE:
        return f"at most {high:,} {whole}{'is' if high == 1 else 'are'} wrong"
    return f"about {wrong.value:,.0f} {whole}are wrong ({low:,} to {high:,})"


def doubtful_labels(check: LabelCheck, table: pd.DataFrame) -> DoubtfulLabels:
    """The doubtful labels by a check, and by what `table`, `ImageSet.table()`, says is decided."""
    pictures = check.pictures[(check.pictures["kind"] != UNSEEN).to_numpy()]
    decided = pd.Series(is_resolved(table), index=table["id"])
    is_open = ~decided.loc[pictures["id"]].to_numpy(dtype=bool)
    firsts = pd.concat([first_of_each(pictures[part]) for part in (is_open, ~is_open)]).index
    is_first = pictures.index.isin(firsts)
    pictures, is_open = pictures[is_first].reset_index(drop=True), is_open[is_first]
    ahead = forecast(pictures["wrong"].to_numpy(np.float64))
    answer = pictures["answer"].to_numpy(np.float64)
    is_done = ~is_open | (pictures["kind"] == CONFLICTING).to_numpy(dtype=bool)
    is_heard = ~np.isnan(answer) & _is_mostly_answered(is_done)
    is_listed = (np.arange(len(pictures)) < ahead.end) & ~is_heard
    is_picked = is_listed & (answer == 1)
    heard = ahead.heard(ahead.wrong[is_heard], answer[is_heard] == 1)
    after = heard.picked(ahead.wrong[is_picked], ahead.wrong[is_listed & is_open])
    return DoubtfulLabels(pictures, is_open, is_heard, is_picked, after, ahead.end)


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
