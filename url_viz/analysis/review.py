"""The review: a queue of pictures in one order, what is asked of each, and how far it has come."""

import datetime
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.filters import OneOf, in_words
from url_viz.analysis.measures import CONFUSABILITY, TUNED, title_of
from url_viz.analysis.ranking import ends, first_of_each_class, with_percentile
from url_viz.analysis.reasons import Reasons, reasons_by_id, reasons_of
from url_viz.analysis.scope import CHOSEN, Scope, scope_as_query, scope_from_query, scoped
from url_viz.analysis.selective_retrieval import search
from url_viz.analysis.twins import first_of_each, group_codes, twin_members
from url_viz.errors import ImageSetError
from url_viz.pipeline.unit_rows import UnitRows
from url_viz.store.decisions import Action, Decided, Decision, Decisions, Verdict
from url_viz.store.reviews import KeptReview, locked_reviews, read_review, review_key, write_review
from url_viz.store.tables import positions_of
from url_viz.workspace import SetPaths

SUSPECTS, LABELS, TWINS, PAIRS, NAMES = "suspects", "labels", "twins", "pairs", "names"
"""Orders of a review besides the measures.

Doubtful labels; all labels, the doubtful first; groups of twins; pairs to ask about; pictures to name first.
"""
LEAKS, WRONG, MIXED, BURSTS, USELESS, SMALL = "leaks", "wrong-labels", "mixed-up", "bursts", "useless", "small-classes"
"""Orders that findings open: twins in two splits; likely wrong labels; pictures of one class that look like another;
large groups of twins; pictures that show nothing; pictures of classes that have few."""
GROUPS = (TWINS, BURSTS, LEAKS)
"""Orders whose cards are groups of twins."""
OF_LABELS = (SUSPECTS, LABELS, WRONG, MIXED)
"""Orders that ask whether a label is right."""
LISTED = (*OF_LABELS, USELESS, SMALL)
"""Orders that are a list of pictures, each with what is suggested of it."""
TITLES = {
    SUSPECTS: "Doubtful labels",
    LABELS: "All labels, doubtful first",
    WRONG: "Likely wrong labels",
    MIXED: "Classes mixed up",
    LEAKS: "Twins in two splits",
    BURSTS: "Bursts",
    USELESS: "Pictures that show nothing",
    SMALL: "Classes with too few pictures",
    TWINS: "Twins",
    PAIRS: "The same kind or not",
    NAMES: "Name these first",
}
ASKED = 100
"""How many pairs or names a review asks for, if nothing else is said."""
MOST = 10_000
"""A queue is never longer: more pictures than that are not looked at one by one."""
NEAREST_OF_CLASS = 3
NEAREST = 6
MEMBERS = 9
"""How many pictures stand beside the one that is asked about: of each class, without classes, of a group of twins."""
BURST = 4
"""A group of so many twins is a burst."""
TWINS_LOOKED_AT = 4
"""Times as many pictures are looked at, so that of twins one stands beside."""
READY_MOST, READY_PER_CLASS = 200, 10


@dataclass(frozen=True)
class ReviewSpec:
    """What a review is of: the order `by` (a measure, or one of `TITLES`), within a scope.

    `within_class` takes each picture's rank in its class; `per_class` the first so many of each class, class after
    class; `most` so many in all.
    """

    by: str
    scope: Scope = field(default_factory=Scope)
    within_class: bool = False
    per_class: int | None = None
    most: int | None = None

    @property
    def is_of_decided(self) -> bool:
        """Whether the scope asks for decided pictures, or names its pictures: else decided ones are left out."""
        return self.scope.ids is not None or any(
            one.column in ("decision", "label_checked") for one in self.scope.filters
        )

    @property
    def title(self) -> str:
        """For people: "Ambiguity · the first 200 · Label: kiwi"."""
        parts = [TITLES.get(self.by) or title_of(self.by)]
        parts += ["within its class"] if self.within_class else []
        parts += [f"{self.per_class} a class"] if self.per_class else []
        parts += [f"the first {self.most:,}"] if self.most else []
        parts += ["inside a lasso"] if self.scope.polygon is not None else []
        parts += [f"{len(self.scope.ids):,} chosen"] if self.scope.ids is not None else []
        return " · ".join([*parts, *map(in_words, self.scope.filters)])


def as_query(spec: ReviewSpec) -> dict[str, list[str]]:
    """A review as parameters of an address: `review=ambiguity&most=200&in.label=kiwi`."""
    numbers = {"each": spec.per_class, "most": spec.most}
    query = {"review": [spec.by], **{name: [str(number)] for name, number in numbers.items() if number is not None}}
    return query | ({"within": ["1"]} if spec.within_class else {}) | scope_as_query(spec.scope)


def from_query(query: Mapping[str, Sequence[str]]) -> ReviewSpec | None:
    """The review of an address; None if it names none, or more pictures than an address can.

    Numbers that are none are passed over.
    """
    by = query.get("review")
    if not by or not by[0]:
        return None
    scope = scope_from_query(query)
    if CHOSEN in query and scope.ids is None:
        return None
    within = query.get("within") == ["1"]
    numbers = {name: _number(query.get(name)) for name in ("each", "most")}
    return ReviewSpec(by[0], scope, within, numbers["each"], numbers["most"])


def _number(values: Sequence[str] | None) -> int | None:
    text = values[0] if values else ""
    return int(text) if text.isascii() and text.isdigit() and 0 < len(text) <= 6 and int(text) else None


def queue_of(table: pd.DataFrame, spec: ReviewSpec, listed: pd.DataFrame | None = None) -> NDArray[np.int64]:
    """Ids of the pictures of a review in their order, at most MOST; of twins one, of a group of them as of a picture.

    `table` is `ImageSet.table()`, `listed` the pictures (id, suggested) that a review of LISTED is of. Decided and
    checked pictures are left out, unless the scope asks for decisions; pictures without the measure come last.
    """
    rows = with_percentile(table, spec.by, within_class=spec.within_class) if spec.by in table else table
    rows = scoped(rows, spec.scope)
    if spec.by in GROUPS:
        ids = _groups(rows, table, spec)
    else:
        rows = rows.filter(list(dict.fromkeys([*_OF_QUEUE, spec.by])))  # taking rows of all columns is most of the work
        rows = rows if spec.is_of_decided else rows[~is_settled(rows)]
        rows = first_of_each(_in_order(rows, spec, listed))
        rows = rows if spec.per_class is None else first_of_each_class(rows, spec.per_class)
        ids = rows["id"].to_numpy(np.int64)
    return ids[: min(spec.most or MOST, MOST)]


_OF_QUEUE = ("id", "label", "twin_group", "decision", "label_checked", "rank_percentile")
"""The columns that a queue is made of, besides its measure."""


def is_settled(table: pd.DataFrame) -> NDArray[np.bool_]:
    """Whether each picture (N,) was decided on, or its label given or confirmed."""
    settled: NDArray[np.bool_] = (table["decision"].notna() | table["label_checked"].notna()).to_numpy(dtype=bool)
    return settled


def _in_order(rows: pd.DataFrame, spec: ReviewSpec, listed: pd.DataFrame | None) -> pd.DataFrame:
    if spec.by in LISTED:
        place = pd.Series(np.arange(len(listed)), index=listed["id"]) if listed is not None else pd.Series()
        rows = rows.assign(place=rows["id"].map(place))
        in_order: pd.DataFrame = rows[rows["place"].notna()].sort_values("place")
        return in_order
    by = "rank_percentile" if spec.within_class else spec.by
    first = ends(rows, by=by, collapse_twins=False).ambiguous
    return pd.concat([first, rows[~rows["id"].isin(first["id"])]])


def _groups(rows: pd.DataFrame, table: pd.DataFrame, spec: ReviewSpec) -> NDArray[np.int64]:
    """One id of each group of twins that has a picture in scope and is not settled: that of the one to keep."""
    members = [of for of in twin_members(table) if spec.by != BURSTS or len(of) >= BURST]
    is_wanted, settled = table["id"].isin(rows["id"]).to_numpy(), is_settled(table)
    is_open = (of for of in members if is_wanted[of].any() and (spec.is_of_decided or not settled[of].all()))
    largest = sorted(is_open, key=len, reverse=True)
    return table["id"].to_numpy(np.int64)[[of[0] for of in largest]]


@dataclass(frozen=True)
class Choice:
    """A class that a picture may be of, with its share (nan: not known)."""

    label: str
    share: float


@dataclass(frozen=True)
class Question:
    """What is asked of a picture: `text`, and the classes to choose among (none, one or two)."""

    text: str
    choices: tuple[Choice, ...] = ()


def asked_of(row: Mapping[str, Any], *, by: str, suggested: str | None = None) -> Question:
    """The question that an order asks of a row of `ImageSet.table()`.

    `suggested` is the class to try, of a suspect, or why a picture seems to be of no use.
    """
    label, first, second = (row.get(name) for name in ("label", "first_class", "second_class"))
    if by in GROUPS:
        return Question("keep which?")
    if by == USELESS:
        return Question(f"{suggested or 'hardly anything to see'}: of any use?")
    if by == LABELS and suggested is None:
        suggested = first if first != label else second
    if by in OF_LABELS and isinstance(label, str):
        return _of_label(row, label, suggested if isinstance(suggested, str) else None)
    if isinstance(first, str) and isinstance(second, str):
        return Question(f"{first} or {second}?", (_choice(row, first), _choice(row, second)))
    return Question("like this one?")


def _of_label(row: Mapping[str, Any], label: str, other: str | None) -> Question:
    """Whether a label is right, or the other class that it may be of."""
    if other is None:
        return Question(f"labelled {label}, and like no other picture: is it right?", (_choice(row, label),))
    choices = (_choice(row, label), _choice(row, other))
    share = "" if math.isnan(choices[1].share) else f" ({choices[1].share:.2f})".replace("(0.", "(.")
    looks = "looks like" if row.get("first_class") != label else "and if not, like"
    return Question(f"labelled {label}, {looks} {other}{share}", choices)


def _choice(row: Mapping[str, Any], label: str) -> Choice:
    shares = {row.get("first_class"): row.get("first_share"), row.get("second_class"): row.get("second_share")}
    share = shares.get(label)
    return Choice(label, math.nan if share is None else float(share))


QueueCache = Callable[[Callable[[], NDArray[np.int64]]], NDArray[np.int64]]
"""Gives a queue that was made before, else the one that it is handed makes."""
CardKind = Literal["classes", "plain", "twins", "pair", "names"]
"""What a card asks for: one of its classes, a decision alone, which twin to keep, yes or no, a name."""


@dataclass(frozen=True)
class Card:
    """What is shown of one picture of a review.

    `row` is its row of the table, with decision and label as they are now. `near` are rows of the table beside each
    choice of the question; without choices there is one such table: the nearest pictures, or the group of twins with
    their decisions as they are now ("twins"), or its nearest alone, with what was answered as `same` ("pair").
    `twins` counts the others of its group.
    """

    row: Mapping[str, Any]
    question: Question
    near: tuple[pd.DataFrame, ...]
    twins: int
    kind: CardKind
    same: bool | None = None

    @property
    def id(self) -> int:
        return int(self.row["id"])


@dataclass(frozen=True)
class Progress:
    """How far a review has come: of `total` pictures so many are `done`, `skipped` or `left`."""

    total: int
    done: int
    skipped: int

    @property
    def left(self) -> int:
        """Neither done nor skipped."""
        return self.total - self.done - self.skipped


class Review:
    """One review of an image set, its order and questions as the set was when it was opened.

    Answers are stored at once. What they change in the order shows in the next review: a queue that moved under the
    hand could not be worked through.
    """

    def __init__(
        self,
        spec: ReviewSpec,
        table: pd.DataFrame,
        unit: UnitRows,
        *,
        listed: Callable[[], pd.DataFrame],
        decisions: Decisions,
        source: str,
        paths: SetPaths,
        leading: str | None = None,
        afresh: bool = False,
        known: QueueCache | None = None,
    ) -> None:
        """`table` is that of the image set, `unit` (N, A) its pictures in the whitened space.

        `listed` gives the pictures of an order of LISTED when they are needed, with what is `suggested`; `source` is
        what labels are taken from, `leading` the measure that orders the set. A review that was begun before goes on
        where it was left, unless it is to begin `afresh`. `known` gives the queue of a review that begins, if it was
        made before for this table and these answers, else what it is handed makes.
        """
        self.spec = spec
        self.table = table
        self._unit = unit
        self._decisions = decisions
        self._source = source
        self._paths = paths
        self._key = review_key(as_query(spec))
        self._listed = listed() if spec.by in LISTED else None
        self._ids = table["id"].to_numpy(np.int64)
        self._file_rows = decisions.files.rows_of(self._ids)
        self._is_afresh = afresh
        resumed = None if afresh else self._resumed()
        self._kept = self._begun(known) if resumed is None else resumed
        self._is_kept = resumed is not None
        self._leading = leading

    # What only an open review needs; many are made to be counted.
    @cached_property
    def _suggested(self) -> dict[int, Any]:
        found = self._listed
        return {} if found is None else dict(zip(found["id"], found["suggested"], strict=True))

    @cached_property
    def _by_lead(self) -> dict[int, NDArray[np.int64]]:
        return {int(self._ids[of[0]]): of for of in twin_members(self.table)} if self.spec.by in GROUPS else {}

    @cached_property
    def _classes(self) -> frozenset[str]:
        return frozenset(self.table["label"].dropna().astype(str).unique())

    def __len__(self) -> int:
        return len(self._kept)

    def is_of(self, ids: NDArray[np.int64], source: str) -> bool:
        """Whether it is of a set with these pictures (N,), whose labels are taken from `source`."""
        return self._source == source and np.array_equal(self._ids, ids)

    @property
    def ids(self) -> NDArray[np.int64]:
        """The pictures (Q,) in their order."""
        return self._kept.ids

    @property
    def begun(self) -> datetime.datetime:
        """When the queue was made: its order is of then."""
        return datetime.datetime.fromisoformat(self._kept.begun)

    @property
    def classes(self) -> list[str]:
        """The classes to choose among, by name: those of the set, and those that somebody gave since."""
        now = self._decisions.now().labels_of(self._source)
        return sorted({*self._classes, *now[pd.notna(now)]})

    def _resumed(self) -> KeptReview | None:
        """What was kept of this review, without pictures that are gone since."""
        kept = read_review(self._paths, self._key)
        if kept is None:
            return None
        is_here = np.isin(kept.ids, self._ids)
        if self.spec.by in GROUPS:
            is_here &= np.array([self._members(int(one)) is not None for one in kept.ids], bool)
        return replace(kept, ids=kept.ids[is_here])

    def _members(self, lead: int) -> NDArray[np.int64] | None:
        """The rows of the group of twins that a picture stands for, that to keep first; None if there is none."""
        return self._by_lead.get(lead)

    def _group(self, lead: int) -> NDArray[np.int64]:
        members = self._members(lead)
        assert members is not None
        return members

    def _begun(self, known: QueueCache | None) -> KeptReview:
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        ids = self._queue() if known is None else known(self._queue)
        return KeptReview(as_query(self.spec), ids, now)

    def _queue(self) -> NDArray[np.int64]:
        """The ids of a queue that begins now."""
        return queue_of(self.table, self.spec, self._listed)

    def _in_scope(self) -> NDArray[np.bool_]:
        """Which pictures (N,) the scope has."""
        return np.isin(self._ids, scoped(self.table, self.spec.scope)["id"].to_numpy(np.int64))

    def settled(self) -> NDArray[np.bool_]:
        """Which pictures of the queue (Q,) are done, as of now."""
        if self.spec.is_of_decided:
            return np.isin(self.ids, list(self._kept.answered))
        now = self._now(self._file_rows)
        settled: NDArray[np.bool_] = (now.code > 0) | pd.notna(now.labels_of(self._source))
        if self.spec.by not in GROUPS:
            return settled[positions_of(self.ids, self._ids)]
        return np.array([settled[self._group(int(one))].all() for one in self.ids], bool)

    def _now(self, file_rows: NDArray[np.int64]) -> Decided:
        return self._decisions.now().rows_at(file_rows)

    def skipped(self) -> NDArray[np.bool_]:
        """Which pictures of the queue (Q,) were passed over."""
        return np.isin(self.ids, list(self._kept.skipped))

    def progress(self) -> Progress:
        """How far it has come, as of now."""
        settled = self.settled()
        return Progress(len(self.ids), int(settled.sum()), int((self.skipped() & ~settled).sum()))

    def place(self) -> int:
        """The position in the queue of the first picture that is neither done nor skipped; Q if there is none."""
        waits = ~self.settled() & ~self.skipped()
        return int(waits.argmax()) if waits.any() else len(self.ids)

    def card(self, image_id: int) -> Card:
        """What is shown of a picture. Raises ImageSetError if it is not in this set."""
        at = self._row(image_id)
        row = {str(name): value for name, value in self.table.iloc[at].items()}
        now = self.verdicts([image_id])[0]
        state = {"decision": now.decision, "label_checked": now.label, "label": now.label or row["label_given"]}
        question = self._question(image_id, row)
        twins = int(self._is_twin(at).sum()) - 1
        return Card(row | state, question, tuple(self._near(at, question)), twins, self._kind(question))

    def _row(self, image_id: int) -> int:
        """The row of a picture in the table. Raises ImageSetError if it is not in this set."""
        at = int(positions_of(np.array([image_id]), self._ids)[0])
        if at < 0:
            raise ImageSetError(f"There is no picture with id {image_id} in this review. Open it again.")
        return at

    def _is_twin(self, at: int) -> NDArray[np.bool_]:
        """Which pictures (N,) are in the group of twins of that at a row, itself too."""
        group = group_codes(self.table)
        is_twin: NDArray[np.bool_] = group == group[at]
        return is_twin

    def _kind(self, question: Question) -> CardKind:
        if self.spec.by in GROUPS:
            return "twins"
        return "classes" if question.choices else "plain"

    def _question(self, image_id: int, row: Mapping[str, Any]) -> Question:
        suggested = self._suggested.get(image_id)
        is_suspect_no_more = self.spec.by in (SUSPECTS, WRONG, MIXED) and image_id not in self._suggested
        by = "" if is_suspect_no_more else self.spec.by
        return asked_of(row, by=by, suggested=suggested if isinstance(suggested, str) else None)

    def _near(self, at: int, question: Question) -> list[pd.DataFrame]:
        if self.spec.by in GROUPS:
            members = self._group(int(self._ids[at]))[:MEMBERS]
            return [self.table.iloc[members].assign(decision=self._now(self._file_rows[members]).decision)]
        is_out = self._is_twin(at)
        labels = self.table["label"].to_numpy(object)
        if question.choices:
            return [self._found(at, is_out | (labels != one.label), NEAREST_OF_CLASS) for one in question.choices]
        return [self._found(at, is_out, NEAREST)]

    def _found(self, at: int, exclude: NDArray[np.bool_], k: int) -> pd.DataFrame:
        rows = self.table.iloc[search(self._unit[at], self._unit, k=k * TWINS_LOOKED_AT, exclude=exclude).rows]
        return first_of_each(rows).head(k)

    def verdicts(self, ids: Sequence[int]) -> list[Verdict]:
        """What is decided of pictures as of now, and the labels that somebody gave them."""
        now = self._now(self._file_rows[positions_of(np.array(ids, np.int64), self._ids)])
        return [Verdict(*both) for both in zip(now.decision, now.labels_of(self._source), strict=True)]

    def settle(self, verdicts: Mapping[int, Verdict], *, with_twins: bool = False, who: str | None = None) -> Action:
        """Store what is said of pictures, a single action; `with_twins` of their twins too.

        A twin keeps its label unless another one is given to its picture. Raises DecisionError as `Decisions.settle`.
        """
        verdicts = self._of_twins_too(verdicts) if with_twins else verdicts
        decisions = self._decisions if who is None else self._decisions.by(who)
        action = decisions.settle(verdicts, source=self._source)
        self._keep_answered(verdicts)
        return action

    def _of_twins_too(self, verdicts: Mapping[int, Verdict]) -> dict[int, Verdict]:
        found = dict(verdicts)
        for image_id, verdict in verdicts.items():
            group = self._ids[self._is_twin(self._row(image_id))]
            twins = [int(one) for one in group if int(one) not in verdicts]
            is_labelled = verdict.label != self.verdicts([image_id])[0].label
            for one, now in zip(twins, self.verdicts(twins), strict=True):
                found[one] = Verdict(verdict.decision, verdict.label if is_labelled else now.label)
        return found

    def decide_group(self, image_id: int, *, keep: Collection[int], others: Decision, who: str | None = None) -> Action:
        """Keep some of the group of twins that a picture stands for, and decide on its other members; one action."""
        members = self._ids[self._group(image_id)].tolist()
        decisions = self._decisions if who is None else self._decisions.by(who)
        action = decisions.decide_each({one: "keep" if one in keep else others for one in members})
        self._keep_answered([image_id])
        return action

    @cached_property
    def _reasons(self) -> Reasons:
        return reasons_of(self.table, leading=self._leading)

    def reasons(self, image_id: int) -> pd.DataFrame:
        """Why a picture is ambiguous, as `ImageSet.reasons` tells it."""
        return reasons_by_id(self.table, self._reasons, [image_id])

    def skip(self, image_id: int) -> None:
        """Pass over a picture: it comes again once all others are done."""
        self._keep(lambda kept: replace(kept, skipped=kept.skipped | {image_id}))

    def unskip(self) -> None:
        """Come back to all that was skipped."""
        self._keep(lambda kept: replace(kept, skipped=frozenset()))

    def _keep_answered(self, ids: Collection[int]) -> None:
        """Pictures that were answered are not skipped any more; noted only where decided ones are asked about."""
        noted = frozenset(ids) if self.spec.is_of_decided else frozenset()
        self._keep(lambda kept: replace(kept, skipped=kept.skipped - set(ids), answered=kept.answered | noted))

    def _latest(self) -> KeptReview:
        """What is kept now, by this window or by another one in which the same review is open."""
        kept = read_review(self._paths, self._key)
        if kept is None:
            return self._kept
        if self._is_kept:
            return kept if kept.begun == self._kept.begun else self._kept
        return self._kept if self._is_afresh else replace(self._kept, skipped=kept.skipped, answered=kept.answered)

    def _keep(self, change: Callable[[KeptReview], KeptReview]) -> None:
        """Keep the queue, with a change to what is kept of it."""
        with locked_reviews(self._paths):
            before = self._latest()
            after = change(replace(before, ids=self.ids))
            if not self._is_kept or (after.skipped, after.answered) != (before.skipped, before.answered):
                write_review(self._paths, after)
        self._kept, self._is_kept = after, True


def ready_reviews(
    table: pd.DataFrame, measure: str | None, *, has_suspects: bool, has_graph: bool = True, has_leaks: bool = False
) -> tuple[ReviewSpec, ...]:
    """Reviews to begin with, for a set that `measure` leads; `table` is `ImageSet.table()`.

    Where no classes lead and there is a graph, pairs come first, and pictures to name where there are no labels: a few
    words on them tell of all others.
    """
    has_classes, has_twins = bool(table["label"].notna().any()), bool(table["twin_group"].dropna().duplicated().any())
    specs = [ReviewSpec(LEAKS)] if has_leaks else []
    specs += [ReviewSpec(SUSPECTS)] if has_suspects else []
    if has_graph and measure in (CONFUSABILITY.name, TUNED.name):
        specs += [ReviewSpec(PAIRS)] if has_classes else [ReviewSpec(PAIRS), ReviewSpec(NAMES)]
    if measure is not None:
        specs += [ReviewSpec(measure, most=READY_MOST)]
        specs += [ReviewSpec(measure, within_class=True, per_class=READY_PER_CLASS)] if has_classes else []
        specs += [ReviewSpec(measure)]
        if (table["decision"] == "look-again").any():
            specs += [ReviewSpec(measure, Scope(filters=(OneOf("decision", ("look-again",)),)))]
    return (*specs, *([ReviewSpec(TWINS)] if has_twins else []))
