"""Reviews of an image set: opened by what they ask of, and those that were begun before."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any
from weakref import WeakKeyDictionary

from url_viz.analysis.findings.findings import findings
from url_viz.analysis.labels.label_issues import NO_CLASSES
from url_viz.analysis.review.queues import QueueRow, queue_rows
from url_viz.analysis.review.review import REVIEWS, open_review, ready_reviews
from url_viz.analysis.review.review_queue import Review, ReviewContext
from url_viz.analysis.scope import ReviewSpec, review_from_query
from url_viz.analysis.table import table
from url_viz.errors import ImageSetError
from url_viz.store.decisions.reviews import list_reviews
from url_viz.subjects.set_core import SetCore
from url_viz.subjects.set_labels import SetLabels
from url_viz.subjects.set_splits import SetSplits


class SetReviews:
    """The reviews of an image set, as `image_set.reviews`."""

    def __init__(self, core: SetCore, *, labels: SetLabels, splits: SetSplits) -> None:
        self._core, self._labels, self._splits = core, labels, splits
        self.open_by = WeakKeyDictionary[object, Any]()
        """What callers have open of these reviews: it is freed with them, and with this snapshot."""

    def open(self, spec: ReviewSpec | str, *, afresh: bool = False) -> Review:
        """A review of this set, picture after picture; one that was begun before goes on, unless `afresh`.

        `spec` may be just what is reviewed: a measure, or a key of `analysis.review.review.REVIEWS` such as "suspects".
        Raises ImageSetError for what this set does not have: doubtful labels without labels to check, leaks without
        splits, or of objects, since dropping one leaves its picture where it is.
        """
        spec = ReviewSpec(spec) if isinstance(spec, str) else spec
        if spec.by == "leaks" and self._core.is_of_objects:
            raise ImageSetError(self._splits.listed_only)
        if spec.by not in REVIEWS:
            self._core.check_measure(spec.by)
        elif REVIEWS[spec.by].needs == "graph":
            self._core.require_graph()
        context = ReviewContext(
            self._core.for_filters(self._core.frame.copy(deep=False), spec.scope.filters),
            self._core.unit,
            self._core.decisions,
            self._labels.source,
            self._core.store.paths,
            self._core.answer_log,
            self._core.derived,
            {
                **dict.fromkeys(("label_check", "doubtful"), NO_CLASSES),
                **dict.fromkeys(("splits", "leaks"), self._splits.missing),
            },
            is_of_objects=self._core.is_of_objects,
            named_classes=self._labels.named_classes(),
            afresh=afresh,
            cached_queue=lambda queue: self._core.derived.result(table, ("queue", spec), lambda _: queue()),
        )
        return open_review(spec, context)

    def queues(self, most: int | None = None, *, hides_tiny: bool = False) -> list[QueueRow]:
        """What there is to review, what matters most first: findings, ready reviews, and others that were begun.

        With `hides_tiny`, as pages have it, the most ambiguous are without objects that are too small to recognise.
        """
        leaks = self._splits.leaks()
        ready = ready_reviews(
            self._core.frame,
            self._core.leading_order.measure,
            has_graph=self._core.has_graph,
            has_leaks=leaks is not None and not leaks.empty and not self._core.is_of_objects,
            hides_tiny=hides_tiny,
        )
        found = self._core.derived.get(findings)
        rows = queue_rows(found, ready, self._begun(), open_review=self.open)
        return list(islice(rows, most))

    def kept(self, most: int | None = None) -> list[Review]:
        """The reviews that were begun, the one that was worked on last first, at most so many.

        Those that cannot go on are left out.
        """
        return list(islice(self._begun(), most))

    def _begun(self) -> Iterator[Review]:
        for spec in (review_from_query(stored.query) for stored in list_reviews(self._core.store.paths)):
            with suppress(ImageSetError):  # of an order that does not exist any more
                if spec is not None:
                    yield self.open(spec)
