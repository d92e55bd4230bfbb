"""The queues of an image set: what was found and what else there is to review, in one list with one set of words."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from url_viz.analysis.findings.findings import Finding
from url_viz.analysis.review.review import REVIEWS, short_title
from url_viz.analysis.review.review_queue import Review
from url_viz.analysis.scope import ReviewSpec
from url_viz.wording import counted

SHOWN = 3
"""So many pictures are shown of a queue."""
SECONDS = 5
"""What an answer is taken to last: people differ, so this only orders queues by length."""


@dataclass(frozen=True)
class QueueRow:
    """One queue: in `words` what it holds, `why` it matters, the review it `opens` (None: a list), how far that has come.

    `left` pictures, groups or pairs wait (of a list: are listed), of which `first` are the ids of a few; `done` are done.
    """

    kind: str
    words: str
    why: str
    opens: ReviewSpec | None
    left: int
    done: int = 0
    first: tuple[int, ...] = ()

    @property
    def minutes(self) -> str:
        """How long it may take: "about 5 min"; nothing for a list."""
        if self.opens is None or not self.left:
            return ""
        minutes = self.left * SECONDS / 60
        return f"about {math.ceil(minutes)} min" if minutes < 90 else f"about {round(minutes / 60)} h"

    @property
    def progress(self) -> str:
        """How far it has come, once begun: "12 of 40 done"."""
        return f"{self.done:,} of {self.done + self.left:,} done" if self.done else ""


def queue_rows(
    findings: Iterable[Finding],
    ready: Iterable[ReviewSpec],
    begun: Iterable[Review],
    *,
    open_review: Callable[[ReviewSpec], Review],
    noun: str,
) -> tuple[QueueRow, ...]:
    """What was found, what matters most first, then the `ready` reviews, then others that were `begun`; none twice."""
    rows = [*_found(findings, open_review)]
    known = {row.opens for row in rows}
    others = [open_review(spec) for spec in ready if spec not in known]
    known |= {review.spec for review in others}
    rows += [_row_of(review, noun) for review in (*others, *(one for one in begun if one.spec not in known))]
    return tuple(row for row in rows if row.left or row.opens is None)


def _found(findings: Iterable[Finding], open_review: Callable[[ReviewSpec], Review]) -> Iterator[QueueRow]:
    for finding in findings:
        if finding.opens is None:
            yield QueueRow(finding.kind, finding.words, finding.why, None, finding.count)
        else:
            yield _with_progress(finding.kind, finding.words, finding.why, open_review(finding.opens))


def _row_of(review: Review, noun: str) -> QueueRow:
    kind = REVIEWS.get(review.spec.by)
    words = f"{short_title(review.spec)}: {counted(review.progress().left, 'picture' if kind is None else kind.unit)}"
    return _with_progress(review.spec.by, words.replace("picture", noun), "", review)


def _with_progress(kind: str, words: str, why: str, review: Review) -> QueueRow:
    progress, start = review.progress(), review.next_index()
    first = tuple(review.ids[start : start + SHOWN].tolist())
    return QueueRow(kind, words, why, review.spec, progress.left, progress.done, first)
