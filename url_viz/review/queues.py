"""The queues of an image set in one list, and what became of its pictures in them."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.base.printout import Printout
from url_viz.base.wording import counted, duration, first_of
from url_viz.columns.filters import ReviewSpec, Scope
from url_viz.findings.findings import Finding, check_of
from url_viz.labels.label_choice import CONFIRMED, EITHER, relabelled
from url_viz.review.cards import CardAnswer
from url_viz.review.review import title_of_review
from url_viz.review.review_queue import Review
from url_viz.store.columns.source_columns import VERDICTS
from url_viz.store.decisions.decisions import DECIDED

SHOWN = 3
"""How many pictures of a queue are shown."""


def findings_printout(image_set: Any, findings: Sequence[Finding]) -> Printout:
    """Findings, then all else that there is to review: each in words, and below it what lists its pictures."""
    words = [] if findings else ["Nothing that stands out."]
    for row in image_set.reviews.queues():
        to_go = "" if row.opens is None else f"{row.left:,} to review"
        how = (_command_of(image_set, row), to_go, row.minutes, row.progress)
        words += [" ".join(filter(None, (f"{row.words}.", row.why))), "    " + " · ".join(filter(None, how))]
    return Printout(words, figures={"findings": findings})


def _command_of(image_set: Any, row: "QueueRow") -> str:
    spec = row.opens
    if spec is None:
        return check_of(row.kind).listed_by or first_of(image_set.files.without_objects())
    per_class = f" --within-class --per-class {spec.per_class}" if spec.per_class else ""
    return f"review --by {spec.by}{per_class}" + (f" --top {spec.most}" if spec.most else "")


@dataclass(frozen=True)
class QueueRow:
    """One queue: in `words` what it holds, `why` it matters, the review that it `opens` (None: a list).

    `left` pictures wait (or are listed), with the ids of the `first` few; `done` are done.
    """

    kind: str
    words: str
    why: str
    opens: ReviewSpec | None
    left: int
    done: int = 0
    first: tuple[int, ...] = ()
    has_ended: bool = False

    @property
    def opening(self) -> str:
        """What the button says that opens it: how many it opens, as a choice where it `has_ended`."""
        if self.opens is None:
            return f"List {self.left:,}"
        if self.has_ended:
            return f"Look at the other {self.left:,}"
        return f"Continue: {self.left:,}" if self.done else f"Review {self.left:,}"

    @property
    def key(self) -> str:
        """A name that no other row has."""
        spec = self.opens
        if spec is None or spec == ReviewSpec(spec.by):
            return self.kind
        return ".".join([self.kind, str(spec.most or ""), str(spec.per_class or ""), *map(str, spec.scope.filters)])

    @property
    def minutes(self) -> str:
        """How long it may take: "about 5 min"; nothing for a list, or where the words say it."""
        if self.opens is None or not self.left or f"({duration(self.left)})" in self.words:
            return ""
        return f"about {duration(self.left)}"

    @property
    def progress(self) -> str:
        """How far it has come, once begun: "12 of 40 done, 28 not looked at"."""
        if not self.done:
            return ""
        return f"{self.done:,} of {self.done + self.left:,} done, {self.left:,} not looked at"


def queue_rows(
    findings: Iterable[Finding],
    ready: Iterable[ReviewSpec],
    begun: Iterable[Review],
    *,
    open_review: Callable[[ReviewSpec], Review],
) -> Iterator[QueueRow]:
    """What was found, what matters most first, then the `ready` reviews, then others that were `begun`; none twice."""
    listed = set[ReviewSpec | None]()
    for finding in findings:
        about = finding.kind, finding.words, finding.why
        if finding.opens is None:
            row = QueueRow(*about, None, finding.count)
        else:
            row = _with_progress(*about, open_review(finding.opens))
        listed.add(row.opens)
        yield from _to_show(row, open_review, listed)
    for review in chain(map(open_review, (spec for spec in ready if spec not in listed)), begun):
        if review.spec not in listed:
            yield from _to_show(_review_row(review), open_review, listed)
        listed.add(review.spec)


def _to_show(
    row: QueueRow, open_review: Callable[[ReviewSpec], Review], listed: set[ReviewSpec | None]
) -> Iterator[QueueRow]:
    """A queue in which anything is left; of one that is done, the copies that were not decided with it, if any.

    These are then `listed`, too.
    """
    if row.left:
        yield row
    elif row.opens is not None and row.done and (copies := copies_of(open_review(row.opens))) is not None:
        copied = _review_row(open_review(copies))
        words = f"{row.words}: {undecided_copies(copied.left)}"
        listed.add(copies)
        if copied.left:
            yield replace(copied, words=words, why=row.why)


def copies_of(review: Review) -> ReviewSpec | None:
    """The review of listed copies that were not decided with the pictures of a review that is done; None without."""
    folded = review.folded()
    if not len(folded) or review.progress().left:
        return None
    return ReviewSpec(review.spec.by, Scope(ids=tuple(folded.tolist())))


def undecided_copies(count: int) -> str:
    """How copies and views that wait are named: "1 copy not decided with its original"."""
    return f"{counted(count, 'copy', 'copies')} not decided with {'its original' if count == 1 else 'their originals'}"


@dataclass(frozen=True)
class ListedQueue:
    """A review of a list in numbers: `left` to review, `skipped`, `answered`, and `copies` of these that it folds in.

    `opens` is what there is to open: the review, or that of its copies once all else is answered.
    """

    opens: ReviewSpec
    left: int
    skipped: int
    answered: int
    copies: int

    @property
    def total(self) -> int:
        """How many are listed."""
        return self.left + self.skipped + self.answered + self.copies

    @property
    def words(self) -> str:
        """What is left where that is not all: "16 to review, 4 answered; 1 is a copy of another"."""
        named = {"to review": self.left, "skipped": self.skipped, "answered": self.answered}
        words = ", ".join(f"{count:,} {name}" for name, count in named.items() if count)
        if not self.copies:
            return "" if self.left == self.total else words
        if not self.left:
            return f"{words}; {undecided_copies(self.copies)}"
        return f"{words}: {self.copies:,} {'is a copy of another' if self.copies == 1 else 'are copies of others'}"


def listed_queue(review: Review) -> ListedQueue:
    """A review of a list in numbers, as of now."""
    progress, copies = review.progress(), len(review.folded())
    answered = progress.done + review.decided_elsewhere()
    return ListedQueue(copies_of(review) or review.spec, progress.left, progress.skipped, answered, copies)


def _review_row(review: Review) -> QueueRow:
    return _with_progress(review.spec.by, title_of_review(review.spec), review.why, review)


def _with_progress(kind: str, words: str, why: str, review: Review) -> QueueRow:
    progress, start = review.progress(), review.next_index()
    first = tuple(review.ids[start : start + SHOWN].tolist())
    return QueueRow(kind, words, why, review.spec, progress.left, progress.done, first, review.has_ended)


@dataclass(frozen=True)
class ReviewOutcome:
    """What became of a picture of a review: `what` ("relabelled"), and a label that it was given."""

    id: int
    what: str
    label: str | None = None


def outcomes(review: Review) -> list[ReviewOutcome]:
    """What was answered about the pictures of a review, those that change something first."""
    given = dict(zip(review.table["id"].tolist(), review.table["label_given"], strict=True))
    queue = review.ids
    ids = review.asked_about(queue[review.is_done(queue)]).tolist()
    is_named, is_of_groups = "name" in review.takes, "keep" in review.takes
    answers = zip(ids, Review.state(review, ids) if is_of_groups else review.state(ids), strict=True)
    outcomes_given = [_outcome(image_id, answer, given[image_id], is_named=is_named) for image_id, answer in answers]
    return sorted(outcomes_given, key=lambda outcome: OUTCOMES.index(outcome.what))


def _outcome(image_id: int, answer: CardAnswer, given: object, *, is_named: bool) -> ReviewOutcome:
    if is_named and answer.label is not None:
        return ReviewOutcome(image_id, "named", answer.label)
    if answer.label is not None and answer.either is not None and answer.decision is None:
        return ReviewOutcome(image_id, BOTH, f"{answer.label} or {answer.either}")
    if answer.label is not None and answer.decision is None:
        return ReviewOutcome(image_id, "confirmed" if answer.label == given else "relabelled", answer.label)
    if answer.same is not None:
        return ReviewOutcome(image_id, "the same kind" if answer.same else "not the same kind")
    decided = "decided" if answer.decision is None else DECIDED[answer.decision]
    return ReviewOutcome(image_id, answer.verdict or decided, answer.label)


BOTH = "rightly both"
OUTCOMES = (
    *("relabelled", BOTH, "named", "dropped", "put aside", *VERDICTS, "not the same kind", "the same kind"),
    *("confirmed", "kept", "decided"),
)
"""What can become of a picture, in the order of words."""


def outcomes_in_words(given: Iterable[ReviewOutcome]) -> str:
    """ "9 relabelled, 1 dropped, 1 put aside, 24 kept"."""
    counts = Counter(outcome.what for outcome in given)
    return ", ".join(f"{counts[what]:,} {what}" for what in OUTCOMES if counts[what])


TO_GO = "to go"
PARTS = ("relabelled", BOTH, "confirmed", "kept", "dropped", "put aside", TO_GO)
"""What can become of a picture of the set, in the order of words."""


def became(table: pd.DataFrame) -> NDArray[np.object_]:
    """What became of each picture (N,) of `ImageSet.table()`, one of PARTS.

    One that is dropped or put aside counts as that, whatever its label; one that is kept and relabelled as relabelled.
    """
    decision, checked = table["decision"], table["label_checked"]
    cases = {
        "dropped": decision == "drop",
        "put aside": decision == "look-again",
        BOTH: checked == EITHER,
        "relabelled": pd.Series(relabelled(table), index=table.index),
        "confirmed": checked == CONFIRMED,
        "kept": decision == "keep",
    }
    return np.select([case.to_numpy(bool) for case in cases.values()], [*cases], TO_GO).astype(object)


def progress_counts(table: pd.DataFrame) -> dict[str, int]:
    """The number of pictures by what became of them (PARTS), without zeros; nothing before the first is decided on."""
    counts = pd.Series(became(table)).value_counts()
    return {part: int(counts[part]) for part in PARTS if part in counts} if set(counts.index) != {TO_GO} else {}
