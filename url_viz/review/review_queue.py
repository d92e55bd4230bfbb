"""The queue of a review, pictures that are asked about one by one; its place is stored with the image set."""

import datetime
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.base.errors import ImageSetError
from url_viz.base.wording import twins_in_words
from url_viz.base.workspace import SetPaths
from url_viz.columns.engine import Column, Derived
from url_viz.columns.filters import ReviewSpec, review_as_query, scoped
from url_viz.columns.twin_groups import COPIES, first_of_each, group_codes
from url_viz.columns.undecided import Bools, Ids, make_queue
from url_viz.evidence.selective_retrieval import search
from url_viz.findings.checks import Need
from url_viz.findings.reasons import reason_table, reasons
from url_viz.labels.apart import sources
from url_viz.labels.questions import Ask, Question, between_classes
from url_viz.pictures.named_groups import is_like, named_groups
from url_viz.pipeline.nearest import UnitRows
from url_viz.review.cards import AnswerKind, Card, CardAnswer, Queue, Stepped
from url_viz.store.columns.source_columns import NO_SUCH_OBJECT, VERDICTS
from url_viz.store.decisions.answers import Answers, StoredReview, change_review, read_review, review_key
from url_viz.store.decisions.decision_rows import Decided, tags_of
from url_viz.store.decisions.decisions import Action, Decisions, Judgement, Step
from url_viz.store.tables.tables import positions_of

Value = TypeVar("Value")
QueueCache = Callable[[Callable[[], Ids]], Ids]
"""Gives a queue that was made before, else the one that it is handed makes."""

NEAREST_OF_CLASS = 3
NEAREST = 6
"""How many neighbours are shown with the picture that is asked about: of each class, and without classes."""
TWINS_LOOKED_AT = 4
"""How many times as many neighbours are searched, since of twins one is shown."""


@dataclass(frozen=True)
class ReviewContext:
    """What a review is opened in: an image set as it is now, and where the place of the review is stored.

    `unit` (N, A) are the pictures of `table` in the whitened space; `source` is what labels are taken from; `derived`
    are the columns of the set. `missing` says what to do about a set without what a check needs. `named_classes` can be
    chosen though no picture has them. A review that was begun before goes on where it was left, unless it is to begin
    `afresh`. `cached_queue` is called with what makes a queue, and calls it unless it has that of this table and these
    answers.
    """

    table: pd.DataFrame
    unit: UnitRows
    decisions: Decisions
    source: str
    paths: SetPaths
    answers: Answers
    derived: Derived
    missing: Mapping[Need, str] = field(default_factory=dict)
    is_of_objects: bool = False
    named_classes: tuple[str, ...] = ()
    afresh: bool = False
    cached_queue: QueueCache | None = None

    def required(self, column: Column[..., Value | None], need: Need) -> Value:
        """The value of a column; raises ImageSetError where the set has none, since it lacks what that needs."""
        value = self.derived.get(column)
        if value is None:
            raise ImageSetError(self.missing.get(need, f"This set has no {need}."))
        return value


class Review(Queue):
    """One review of an image set, its order and questions as the set was when it was opened.

    It asks of pictures one by one, in the order of a measure or of a list; reviews of other things are subclasses.
    Answers are stored at once. What they change in the order shows in the next review: a queue that moved under the
    hand could not be worked through.
    """

    takes: tuple[AnswerKind, ...] = ("decision", "label", "either", "twins")

    def __init__(
        self, spec: ReviewSpec, context: ReviewContext, listed: pd.DataFrame | None = None, ask: Ask = between_classes
    ) -> None:
        """`listed` are the pictures (id, suggested) of a list, `ask` the question to those that are still in it."""
        self.spec, self.table, self._unit = spec, context.table, context.unit
        self._decisions, self._source, self._paths = context.decisions, context.source, context.paths
        self._listed, self._ask = listed, ask  # not `context`: it keeps the snapshot, which may be an old one
        self._reasons = context.derived.get(reasons)  # as they are at the opening
        self._sources, self._named_classes = context.derived.get(sources), context.named_classes
        has_groups = "first_like" in context.table and context.table["first_like"].notna().any()
        self._named_groups = context.derived.get(named_groups) if has_groups else None
        if context.is_of_objects and "label" in self.takes:
            self.takes = (*self.takes, "verdict")
        self._ids = context.table["id"].to_numpy(np.int64)
        self._file_rows = context.decisions.files.rows_of(self._ids)
        self._key = review_key(review_as_query(spec))
        self._is_afresh = context.afresh
        before = None if context.afresh else read_review(self._paths, self._key)
        self._is_stored = before is not None
        if before is None:
            now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
            ids = self._queue() if context.cached_queue is None else context.cached_queue(self._queue)
            self._stored = StoredReview(review_as_query(spec), ids, now)
        else:  # without pictures that are gone since
            self._stored = replace(before, ids=before.ids[self._can_ask(before.ids)])

    # What only an open review needs; many are made to be counted.
    @cached_property
    def _suggested(self) -> dict[int, Any]:
        return self._listed_values("suggested")

    def _listed_values(self, column: str) -> dict[int, Any]:
        listed = self._listed
        return {} if listed is None or column not in listed else dict(zip(listed["id"], listed[column], strict=True))

    @cached_property
    def _classes(self) -> frozenset[str]:
        return frozenset((*self.table["label"].dropna().astype(str).unique(), *self._named_classes))

    def __len__(self) -> int:
        return len(self.ids)

    def is_of(self, ids: Ids, source: str) -> bool:
        """Whether its set has these pictures (N,), with labels from `source`."""
        return self._source == source and np.array_equal(self._ids, ids)

    @property
    def is_begun(self) -> bool:
        """Whether it was begun before."""
        return self._is_stored

    @property
    def why(self) -> str:
        """Why it is worth doing, where its title does not say so."""
        return ""

    @property
    def caution(self) -> str:
        """What to know before answering, in sentences; "" for nothing."""
        return ""

    @property
    def has_ended(self) -> bool:
        """Whether nothing that is left in it is worth asking about any more, as far as was known at its opening."""
        return False

    @property
    def name(self) -> str:
        return f"{self._key}.{self.begun.isoformat()}"

    @property
    def ids(self) -> Ids:
        return self._stored.ids

    @property
    def begun(self) -> datetime.datetime:
        """When the queue was made: its order is of then."""
        return datetime.datetime.fromisoformat(self._stored.begun)

    def _in_scope(self) -> Bools:
        return np.isin(self._ids, scoped(self.table, self.spec.scope)["id"].to_numpy(np.int64))

    def skipped(self, ids: Ids) -> Bools:
        return np.isin(ids, list(self._stored.skipped))

    def skip(self, image_id: int) -> None:
        self._change_stored(lambda stored: replace(stored, skipped=stored.skipped | {image_id}))

    def unskip(self) -> None:
        self._change_stored(lambda stored: replace(stored, skipped=frozenset()))

    def store(self, image_id: int, answer: CardAnswer, *, who: str | None = None) -> Action:
        action = self._store(image_id, answer, who)
        noted = {image_id} if self._notes_answers else set()  # a decision does not show where it was made
        self._change_stored(
            lambda stored: replace(stored, skipped=stored.skipped - {image_id}, answered=stored.answered | noted)
        )
        return action

    def step(self, command: Step, *, who: str | None = None) -> Stepped:
        """As of the image set: the latest action of any user, of a review or not."""
        action = self._decisions_by(who).step(command)
        if action is None:
            return Stepped(f"Nothing to {command}")
        here = set(self.ids[np.isin(self.ids, action.ids)].tolist())
        if self._notes_answers:
            is_back = command == "undo"
            self._change_stored(
                lambda stored: replace(stored, answered=stored.answered - here if is_back else stored.answered | here)
            )
        if len(action.ids) == 1 and np.isin(action.ids[0], self._ids):
            action = action.about(str(self.table["path"].iloc[self._row(action.ids[0])]))
        return Stepped(action.sentence, next(iter(here), None))

    def _change_stored(self, change: Callable[[StoredReview], StoredReview]) -> None:
        """Store the review with a change; another window in which it is open may have changed it meanwhile."""
        changes: list[StoredReview] = []

        def changed(stored: StoredReview) -> StoredReview:
            is_own = stored.begun != self._stored.begun if self._is_stored else self._is_afresh
            before = self._stored if is_own else stored  # of two windows the first one began it
            after = change(replace(before, ids=self._stored.ids))
            changes.append(after)
            is_as_before = (after.skipped, after.answered) == (before.skipped, before.answered)
            return stored if self._is_stored and is_as_before else after

        change_review(self._paths, self._stored, changed)
        self._stored, self._is_stored = changes[-1], True

    # What subclasses override.
    def _queue(self) -> Ids:
        return make_queue(self.table, self.spec, self._listed)

    def asks(self, image_id: int) -> bool:
        return bool(self._can_ask(np.array([image_id], np.int64))[0])

    def _can_ask(self, ids: Ids) -> Bools:
        """Which pictures of a queue that was made before can still be asked about."""
        return np.isin(ids, self._ids)

    @property
    def _notes_answers(self) -> bool:
        """Whether a picture is done once it was answered here: it may have been decided on before."""
        return self.spec.includes_decided

    def is_done(self, ids: Ids) -> Bools:
        if self._notes_answers:
            return np.isin(ids, list(self._stored.answered))
        return self._are_done(ids, self._resolved())

    def folded(self) -> Ids:
        """Listed copies and views of pictures of the queue that are not in it themselves, undecided as of now."""
        if self._listed is None or self.spec.includes_decided:
            return np.zeros(0, np.int64)
        group, is_asked = group_codes(self.table), np.isin(self._ids, self.ids)
        is_twin = np.isin(group, group[is_asked]) & ~is_asked
        return self._ids[is_twin & self._is_listed & self._in_scope() & ~self._resolved()]

    def decided_elsewhere(self) -> int:
        """How many that are listed were decided on, and are not in the queue."""
        return int((self._is_listed & self._in_scope() & ~np.isin(self._ids, self.ids) & self._resolved()).sum())

    @property
    def _is_listed(self) -> Bools:
        return np.isin(self._ids, [] if self._listed is None else self._listed["id"])

    def _resolved(self) -> Bools:
        """Which pictures (N,) are decided on by now."""
        now = self._now()
        return np.asarray((now.code > 0) | pd.notna(now.labels_of(self._source)) | pd.notna(_verdicts(now)))

    def asked_about(self, ids: Ids) -> Ids:
        """The pictures that the cards of these decide on."""
        return ids

    def _are_done(self, ids: Ids, resolved: Bools) -> Bools:
        """Which of some pictures of the queue (M,) are done, where `resolved` (N,) are."""
        return resolved[self._rows(ids)]

    @property
    def classes(self) -> list[str]:
        now = self._decisions.now().labels_of(self._source)
        return [*sorted(self._classes), *sorted({*now[pd.notna(now)]} - self._classes)]

    def card(self, image_id: int) -> Card:
        row_number = self._row(image_id)
        row = {str(name): value for name, value in self.table.iloc[row_number].items()}
        [now] = Review.state(self, [image_id])
        row |= {"decision": now.decision, "label_checked": now.label, "label": now.label or row["label_given"]}
        row |= {"either": now.either}
        question = self._question(row)
        is_twin = self._is_twin(row_number)
        copies = group_codes(self.table.iloc[is_twin], COPIES)
        own = copies[np.flatnonzero(is_twin) == row_number]
        twins = twins_in_words(len(copies) - 1, int((copies == own).sum()) - 1) if "twins" in self.takes else ""
        why = reason_table(self.table, self._reasons, rows=np.array([row_number]))
        return Card(row, question, tuple(self._near(row_number, question)), self.takes, twins, why)

    def _question(self, row: Mapping[str, Any]) -> Question:
        image_id = int(row["id"])
        if self._listed is not None and image_id not in self._suggested:  # one that is no longer a suspect
            return between_classes(row)
        suggested = self._suggested.get(image_id)
        return self._ask(row, suggested if isinstance(suggested, str) else None)

    def _near(self, row: int, question: Question) -> list[pd.DataFrame]:
        is_out = self._sources == self._sources[row]
        labels = self.table["label"].to_numpy(object)
        if question.choices:
            excluded = (is_out | (labels != choice.label) for choice in question.choices)
            return [self._nearest_to(row, exclude, NEAREST_OF_CLASS) for exclude in excluded]
        if question.groups:
            members = (is_like(self._named_groups, name, len(is_out)) for name in question.groups)
            return [self._nearest_to(row, is_out | ~is_member, NEAREST_OF_CLASS) for is_member in members]
        return [self._nearest_to(row, is_out, NEAREST)]

    def _nearest_to(self, row: int, exclude: Bools, k: int) -> pd.DataFrame:
        rows = self.table.iloc[search(self._unit[row], self._unit, k=k * TWINS_LOOKED_AT, exclude=exclude).rows]
        return first_of_each(rows).head(k)

    def state(self, ids: Sequence[int]) -> list[CardAnswer]:
        now = self._now(self._rows(ids))
        labels, eithers = now.labels_of(self._source), now.eithers_of(self._source)
        decided = zip(now.decision, labels, eithers, _verdicts(now), strict=True)
        return [CardAnswer(decision, label, either, verdict=verdict) for decision, label, either, verdict in decided]

    def _store(self, image_id: int, answer: CardAnswer, who: str | None) -> Action:
        return self._decide(self._judgements(image_id, answer), who)

    def _decide(self, judgements: Mapping[int, Judgement], who: str | None) -> Action:
        return self._decisions_by(who).judge(judgements, source=self._source, among=VERDICTS)

    def _judgements(self, image_id: int, answer: CardAnswer) -> dict[int, Judgement]:
        """What an answer says of a picture, and of its twins if asked: they keep their label unless it is changed."""
        [before] = Review.state(self, [image_id])
        is_labelled = (answer.label, answer.either) != (before.label, before.either)
        decision = "drop" if answer.verdict == NO_SUCH_OBJECT else answer.decision
        is_own = not answer.back and answer.decision is None and (answer.verdict is None or is_labelled)
        judgement = Judgement(decision, answer.label, answer.verdict, answer.either, is_own)
        if not answer.twins:
            return {image_id: judgement}
        twins = self._ids[self._is_twin(self._row(image_id))].tolist()
        others = dict.fromkeys(twins, judgement)
        if not is_labelled:
            others = {
                twin: replace(judgement, label=now.label, either=now.either, is_own=False)
                for twin, now in zip(twins, self.state(twins), strict=True)
            }
        return others | {image_id: judgement}

    def _decisions_by(self, who: str | None) -> Decisions:
        return self._decisions if who is None else self._decisions.by(who)

    def _now(self, rows: Ids | None = None) -> Decided:
        """What is decided by now on the pictures at `rows`, by default on all (N,)."""
        return self._decisions.now().rows_at(self._file_rows if rows is None else self._file_rows[rows])

    def _rows(self, ids: Collection[int] | Ids) -> Ids:
        return positions_of(np.asarray(ids, np.int64), self._ids)

    def _row(self, image_id: int) -> int:
        """The row of a picture in the table. Raises ImageSetError if it is not in this set."""
        row = int(self._rows([image_id])[0])
        if row < 0:
            raise ImageSetError(f"There is no picture with id {image_id} in this review. Open it again.")
        return row

    def _is_twin(self, row: int) -> Bools:
        """Which pictures (N,) are in the twin group of the one at a row, itself too."""
        group = group_codes(self.table)
        return np.asarray(group == group[row])


def _verdicts(now: Decided) -> NDArray[np.object_]:
    """The verdict on each object (M,), None if there is none; there are few distinct sets of tags."""
    index, texts = pd.factorize(now.tags)
    verdicts = [next((tag for tag in tags_of(text) if tag in VERDICTS), None) for text in texts]
    return np.array([*verdicts, None], object)[index]
