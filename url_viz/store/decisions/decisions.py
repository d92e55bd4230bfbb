"""Decisions on pictures (keep, drop, look again), tags and corrected labels, with undo and redo."""

import copy
import getpass
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import repeat
from pathlib import Path
from types import EllipsisType
from typing import Literal, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.base.errors import DecisionError
from url_viz.base.wording import NO_NAME, counted
from url_viz.capability import capability
from url_viz.store.decisions.decision_log import DecisionLog
from url_viz.store.decisions.decision_rows import (
    BETWEEN_TAGS,
    DECISIONS,
    NOTHING,
    Both,
    Decided,
    Decision,
    FileKeys,
    LabelAnswer,
    Value,
    match_decisions,
    tags_of,
)
from url_viz.store.decisions.decision_transaction import PICTURE, Event, Transaction

Given = TypeVar("Given")

LONGEST_TAG = 60
LONGEST_LABEL = 1_000
LONGEST_AUTHOR = 254
"""Longer than the name of any folder, which is a class too."""

Step = Literal["undo", "redo"]
"""A step back or forth in the log."""

DECIDED: dict[Decision, str] = {"keep": "kept", "drop": "dropped", "look-again": "put aside"}


@dataclass(frozen=True)
class Judgement:
    """A review's answer on one picture: a decision, a label and a tag, each None for none.

    It rightly is `either`, too, if that is another class. What is not its author's own word stood before.
    """

    decision: Decision | None = None
    label: str | None = None
    tag: str | None = None
    either: str | None = None
    is_own: bool = True

    @property
    def answer(self) -> LabelAnswer | None:
        """What it says of the label."""
        return self.label if self.label is None or self.either is None else (self.label, self.either)


@dataclass(frozen=True)
class Action:
    """What an action did: `did` in words ("dropped 47 pictures"), `count` of them changed, `unchanged` others.

    `of` says what was counted: pictures, objects, or pairs. `ids` are those that undo or redo changed back; a `note`
    is what its author should know of it.
    """

    did: str
    count: int
    unchanged: int = 0
    how: Literal["done", "undone", "redone"] = "done"
    of: str = "picture"
    ids: tuple[int, ...] = ()
    note: str = ""

    def about(self, name: str) -> "Action":
        """This action on one picture, which is called by its `name`: "dropped a.jpg"."""
        return replace(self, did=self.did.replace(f"1 {self.of}", name, 1))

    @property
    def sentence(self) -> str:
        """For people: "Dropped 47 pictures", "Undone: dropped 47 pictures", "Nothing to change: …"."""
        if self.how != "done":
            return f"{self.how.capitalize()}: {self.did}"
        if not self.count + self.unchanged:
            return f"No {self.of} was chosen"
        if not self.count:
            are = f"the {self.of} is" if self.unchanged == 1 else f"all {self.unchanged:,} {self.of}s are"
            return f"Nothing to change: {are} so already"
        already = f" ({self.unchanged:,} {'was' if self.unchanged == 1 else 'were'} already)" if self.unchanged else ""
        return self.did[0].upper() + self.did[1:] + already + (f". {self.note}" if self.note else "")

    @property
    def words(self) -> str:
        return f"{self.sentence}."


@dataclass(frozen=True)
class _Edit:
    """What changes on a picture: None takes away, `...` leaves; a label is in its `source`, by the word of `who`.

    Raises DecisionError for what is no decision, label or name.
    """

    decision: Decision | EllipsisType | None = ...
    label: LabelAnswer | EllipsisType | None = ...
    source: str = ""
    who: str = ""
    is_own: bool = True
    name: str | EllipsisType | None = ...
    added: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()
    merged: tuple[str, str] | None = None
    """One class, and the other that takes its place."""

    def __post_init__(self) -> None:
        if self.decision not in (..., None, *DECISIONS):
            raise DecisionError(
                f"{self.decision!r} is not a decision. There are {', '.join(DECISIONS)}, and None for none."
            )
        if isinstance(self.label, str):
            checked_label(self.label)
        elif isinstance(self.label, tuple):
            checked_both(self.label)
        if isinstance(self.name, str):
            object.__setattr__(self, "name", checked_tag(self.name, what="name"))

    def on(self, value: Value) -> Value:
        if self.decision is not ...:
            value = value._replace(decision=self.decision or "")
        if self.label is not ...:
            value = value.with_answer(self.source, self.label, who=self.who, is_own=self.is_own)
        if self.merged is not None:
            value = value.merged(self.source, *self.merged)
        if self.name is not ...:
            value = value._replace(name=self.name or "")
        if self.added or self.removed:
            tags = ({*tags_of(value.tags)} | self.added) - self.removed
            value = value._replace(tags=BETWEEN_TAGS.join(sorted(tags)))
        return value


class Decisions:
    """The decisions of one image set, as its files are now. Many sessions and processes may read and write at once.

    A decision belongs to a file and its content: it follows a file that is moved, and stays when it is edited
    (`match_decisions` has the rule). Every call that changes something is one action for `undo` and `redo`, which
    belong to the image set, not to a session, and survive a restart. The log says who did it: the user of this
    process, or who is named by `by`.
    """

    def __init__(self, path: Path, files: FileKeys, *, noun: str = "picture") -> None:
        self.files, self._noun = files, noun
        self._log = DecisionLog(path)
        self._latest: list[_Assignment] = []
        """The one that was known last, for all authors; threads may share it: each is whole."""
        self._who: str | None = None

    def by(self, who: str) -> "Decisions":
        """The same decisions, with another user as the author of actions.

        Raises DecisionError for what cannot be a name of a person.
        """
        if not who.strip() or len(who) > LONGEST_AUTHOR or NO_NAME.search(who):
            raise DecisionError(
                f"{who[:80]!r} cannot be a person's name. Take 1 to {LONGEST_AUTHOR} characters, without a line break."
            )
        theirs = copy.copy(self)
        theirs._who = who
        return theirs

    @property
    def version(self) -> int:
        """A number that changes with every decision, in any process; 0 before the first."""
        return self._log.versions().all

    @property
    def labels_version(self) -> int:
        """A number that changes with every label that is given or taken back; 0 before the first."""
        return self._log.versions().labels

    def history(self, count: int | None = 20) -> pd.DataFrame:
        """The latest actions, the last first: number, at (UTC), who, did, count, state.

        All of them where `count` is None. A state is "done", "undone" or "undone for good": once another action
        followed, it cannot be done again.
        """
        with self._log.reading() as transaction:
            actions = [*transaction.latest(count)] if transaction else []
        rows = [(each.number, each.at, each.who, each.did, each.changed, state) for each, state in actions]
        return pd.DataFrame(rows, columns=["number", "at", "who", "did", "count", "state"])

    def now(self) -> Decided:
        """The decision on each file; read again only if something changed."""
        with self._log.reading() as transaction:
            return self._assignment(transaction).decided

    def as_of(self, version: int, files: FileKeys) -> Decided:
        """The decision on each of `files` at a `version` of the log; at one from before the log as the log begins."""
        with self._log.reading() as transaction:
            stored = transaction.stored_at(version) if transaction else _NONE
        return _Assignment.matching(files, stored, version).decided

    def version_at(self, time: str) -> int:
        """The `version` after the last action until a `time` (UTC, as in `history`); 0 for before the first."""
        with self._log.reading() as transaction:
            return transaction.version_at(time) if transaction else 0

    def _assignment(self, transaction: Transaction | None) -> "_Assignment":
        """What is decided as of a transaction: what changed since the last look, or all if that is not known."""
        version, latest = transaction.last().version if transaction else 0, next(iter(self._latest), None)
        if latest is None or latest.version != version:
            events = transaction.events_since(latest.version) if transaction and latest else None
            followed = latest.after(events, self.files, version) if latest and events is not None else None
            if followed is None:
                followed = _Assignment.matching(self.files, transaction.stored if transaction else _NONE, version)
            self._latest[:] = [latest := followed]
        return latest

    def decide(self, ids: Iterable[int], decision: Decision | None) -> Action:
        """Decide on pictures; None clears their decision. Raises DecisionError for another word or unknown ids."""
        return self.decide_each(dict.fromkeys(map(int, ids), decision))

    def decide_each(self, decisions: dict[int, Decision | None]) -> Action:
        """Decide on pictures one by one, as a single action."""
        return self._act(_each(decisions, _Edit))

    def label(self, labels: Mapping[int, LabelAnswer | None], *, source: str) -> Action:
        """Give pictures labels, where labels are taken from `source`; None takes a given one back. A single action.

        Two classes say that a picture rightly is both; the first counts as its label. Raises DecisionError for a label
        that is empty, too long or has a line break, and for two that are one.
        """
        who = self._author
        return self._act(_each(labels, lambda label: _Edit(label=label, source=source, who=who)), source)

    def merge(self, ids: Iterable[int], label: str, into: str, *, source: str) -> Action:
        """Put one class in another's place on pictures that have it, or of which somebody said so; a single action.

        Nobody's answer becomes another's: each is as before, by another name. Raises DecisionError for what cannot be a
        label, and for one class with itself.
        """
        checked_both((label, into))
        edit = _Edit(source=source, merged=(label, into))
        return self._act(dict.fromkeys(map(int, ids), edit), source, did=f"merged “{label}” into “{into}”")

    def judge(self, judgements: Mapping[int, Judgement], *, source: str, among: Collection[str] = ()) -> Action:
        """Give pictures their decision, label, and one of the tags `among`, in place of what they had; a single action.

        `source` is what labels are taken from. Other tags stay. Raises DecisionError as `decide` and `label` do.
        """

        def edit(given: Judgement) -> _Edit:
            tags, removed = frozenset([given.tag] if given.tag else []), frozenset(among)
            said = source, self._author, given.is_own
            return _Edit(given.decision, given.answer, *said, added=tags, removed=removed - tags)

        return self._act(_each(judgements, edit), source)

    def name(self, judgements: Mapping[int, Judgement]) -> Action:
        """Give pictures a name in place of the one they had, and their decision; a single action. Tags stay.

        The `label` of a judgement is the name, None for no name. Raises DecisionError for an invalid name.
        """
        return self._act(_each(judgements, lambda given: _Edit(given.decision, name=given.label)))

    def name_each(self, names: Mapping[int, str | None]) -> Action:
        """Give pictures a name, None takes it away; decisions and tags stay. A single action."""
        return self._act(_each(names, lambda name: _Edit(name=name)))

    def tag(self, ids: Iterable[int], tag: str) -> Action:
        """Give pictures a tag. Raises DecisionError for one that is empty, too long, or has , ; or a line break."""
        return self.change(ids, tag=[tag])

    def untag(self, ids: Iterable[int], tag: str) -> Action:
        return self.change(ids, untag=[tag])

    def change(
        self,
        ids: Iterable[int],
        *,
        decision: Decision | Literal["none"] | None = None,
        tag: Iterable[str] = (),
        untag: Iterable[str] = (),
        name: str | None = None,
    ) -> Action:
        """Decide on pictures, tag and name them, all as a single action; "none" clears a decision, "" takes a name.

        What is None stays as it is. Raises DecisionError as `decide`, `tag` and `name` do; then nothing was done.
        """
        added, removed = (frozenset(map(checked_tag, tags)) for tags in (tag, untag))
        edit = _Edit(
            ... if decision is None else None if decision == "none" else decision,
            name=... if name is None else name or None,
            added=added,
            removed=removed,
        )
        return self._act(dict.fromkeys(map(int, ids), edit))

    @capability("undo", missing="There is nothing to undo: nothing was decided, or all of it was undone.")
    def undo(self) -> Action | None:
        """Undo the latest decision, tag or label of any user.

        In Python None if there is none.
        """
        return self.step("undo")

    @capability("redo", missing="There is nothing to redo: only what was undone last can be done again.")
    def redo(self) -> Action | None:
        """Redo the action that was undone last.

        In Python None if there is none, or another action followed.
        """
        return self.step("redo")

    def step(self, command: Step) -> Action | None:
        """Undo or redo, with who is named by `by`."""
        if not (self.can_undo if command == "undo" else self.can_redo):
            return None
        with self._log.writing() as transaction:
            action = transaction.turn("undone" if command == "undo" else "redone", who=self._author)
            events = transaction.events(action) if action else []
        if action is None:
            return None
        ids = np.array([first for what, first, *_ in events if what == PICTURE], np.int64)
        here = ids[self.files.rows_of(ids) >= 0]
        return Action(action.did, action.changed, how=action.step, of=self._noun, ids=tuple(here.tolist()))

    def take_back(self, number: int) -> Action:
        """Take one action of the `history` back: files that are as it left them get what they had. An action, too.

        Raises DecisionError if there is no such action, it was undone, or nothing of it is left.
        """
        with self._log.writing() as transaction:
            rows = transaction.logged(number)
            if not rows or rows[-1].step == "undone":
                raise DecisionError(f"Action {number} is not in the log, or was undone. The history has their numbers.")
            latest = self._assignment(transaction)
            before = self._standing(transaction.events(rows[0]), latest)
            if not before:
                raise DecisionError(f"Nothing is left of what was done ({rows[0].did}): other answers followed.")
            did = f"took back: {rows[0].did}"
            events = latest.events(np.array([*before], np.int64), [*before.values()])
            transaction.record(did, len(before), events, who=self._author)
        return Action(did, len(before), of=self._noun)

    def _standing(self, events: Iterable[Event], latest: "_Assignment") -> dict[int, Value]:
        """The rows of files that are as the events left them, and what was decided on each before."""
        pictures = [event for event in events if event[0] == PICTURE]
        rows = self.files.rows_of(np.array([first for _, first, *_ in pictures], np.int64)).tolist()
        before = {}
        for row, (_, _, content, old, new) in zip(rows, pictures, strict=True):
            if row >= 0 and self.files.content[row] == content:
                now, was = latest.decided.values[latest.decided.at[row]], Value.read(old or "")
                if now == Value.read(new or "") != was:
                    before[row] = was
        return before

    @property
    def can_undo(self) -> bool:
        with self._log.reading() as transaction:
            return transaction is not None and transaction.last().undo > 0

    @property
    def can_redo(self) -> bool:
        with self._log.reading() as transaction:
            return transaction is not None and transaction.last().redo > 0

    def counts(self) -> dict[Decision, int]:
        counts = np.bincount(self.now().code, minlength=1 + len(DECISIONS)).tolist()
        return dict(zip(DECISIONS, counts[1:], strict=True))

    def tag_counts(self) -> dict[str, int]:
        """How many pictures have each tag, by name."""
        now, counts = self.now(), Counter[str]()
        for value, count in zip(now.values, np.bincount(now.at, minlength=len(now.values)).tolist(), strict=True):
            counts.update(dict.fromkeys(tags_of(value.tags) if count else (), count))
        return dict(sorted(counts.items()))

    def _act(self, edits: Mapping[int, _Edit], source: str = "", *, did: str = "") -> Action:
        """Edit what is decided on pictures, by id, as one action; labels are taken from `source`.

        `did` says what was done, to which the number of pictures is added; by default what changed on them.
        """
        wanted = np.fromiter(edits, np.int64, len(edits))
        rows = self.files.rows_of(wanted)
        if (rows < 0).any():
            raise DecisionError(
                f"There is no {self._noun} with id {wanted[rows < 0][0]} in this image set. Ids are in its table()."
            )
        with self._log.writing() as transaction:
            latest = self._assignment(transaction)
            now, made = latest.decided, {}
            keys = [*zip(latest.decided.at[rows].tolist(), map(id, edits.values()), strict=True)]
            for key, edit in zip(keys, edits.values(), strict=True):
                if key not in made:  # pictures that are alike are edited once
                    made[key] = now.values[key[0]], edit.on(now.values[key[0]])
            changed = [row for row, key in enumerate(keys) if made[key][0] != made[key][1]]
            counts = Counter(keys[row] for row in changed)
            what = _did([(*made[key], count) for key, count in counts.items()], source, self._noun)
            did = f"{did}: {counted(len(changed), self._noun)}" if did else what
            if changed:
                events = latest.events(rows[changed], [made[keys[row]][1] for row in changed])
                transaction.record(did, len(changed), events, who=self._author)
        return Action(did, len(changed), unchanged=len(rows) - len(changed), of=self._noun)

    @property
    def _author(self) -> str:
        return self._who if self._who is not None else process_user()


@lru_cache(maxsize=1)
def process_user() -> str:
    """The name of the user of this process; empty if the system knows none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


_NONE = Decided.from_rows([])


@dataclass(frozen=True)
class _Assignment:
    """What is decided on N files at a `version` of the log, and where it is stored.

    `is_stored` (N,): whether there is a row of the file's own id and content. `moved` (N,) is the position in `free` of
    the row that belongs to a file without one; −1 for none. `free` are the stored rows of files that are not there, or
    have another content now. `places` are those of the values in `decided`.
    """

    version: int
    decided: Decided
    is_stored: NDArray[np.bool_]
    moved: NDArray[np.int64]
    free: Decided
    places: dict[Value, int]

    @classmethod
    def matching(cls, files: FileKeys, stored: Decided, version: int) -> "_Assignment":
        row = match_decisions(files, stored)
        has = row >= 0
        at = np.full(len(files), len(stored.values))
        at[has] = stored.at[row[has]]
        is_stored = has.copy()
        is_stored[has] = (stored.id[row[has]] == files.id[has]) & (stored.content[row[has]] == files.content[has])
        is_free = np.ones(len(stored), bool)
        is_free[row[is_stored]] = False
        moved = np.where(has & ~is_stored, (np.cumsum(is_free) - 1)[row] if len(stored) else -1, -1)
        decided = Decided(files.id, files.content, at, [*stored.values, NOTHING])
        places = {value: at for at, value in enumerate(decided.values)}
        return cls(version, decided, is_stored, moved, stored.rows_at(np.flatnonzero(is_free)), places)

    def after(self, events: Iterable[Event], files: FileKeys, version: int) -> "_Assignment | None":
        """The same after some events; None if they may change which row belongs to which file."""
        last = {(first, second): new for what, first, second, _, new in events if what == PICTURE}
        new = Decided.from_rows([(*key, text or "") for key, text in last.items()])
        goes = np.array([text is None for text in last.values()], bool)
        row = files.rows_of(new.id)
        if (row < 0).any() or (files.content[row] != new.content).any() or (self.moved[row] >= 0).any():
            return None
        if np.isin(new.id[goes], self.free.id).any() or np.isin(new.content[goes], self.free.content).any():
            return None
        added = [value for value in dict.fromkeys(new.values) if value not in self.places]
        values = [*self.decided.values, *added] if added else self.decided.values
        places = self.places | {value: len(self.decided.values) + at for at, value in enumerate(added)}
        at, is_stored = self.decided.at.copy(), self.is_stored.copy()
        at[row] = np.array([places[value] for value in new.values], np.int64)[new.at]
        is_stored[row] = ~goes
        decided = Decided(files.id, files.content, at, values)
        return replace(self, version=version, decided=decided, is_stored=is_stored, places=places)

    def events(self, rows: NDArray[np.int64], values: Sequence[Value]) -> list[Event]:
        """What gives the files at `rows` (M,) values, and removes their rows under an older id or content.

        Other files with the same contents get rows without a decision: they are present too, and must not get these
        decisions when the others are moved.
        """
        now = self.decided
        gone = self.free.rows_at(np.unique(self.moved[rows][self.moved[rows] >= 0]))
        is_copy = np.isin(now.content, now.content[rows]) & ~self.is_stored & (self.moved < 0)
        is_copy[rows] = False
        copies = now.rows_at(np.flatnonzero(is_copy))
        old = np.where(self.is_stored[rows], now.at[rows], -1).tolist()
        texts = {at: None if at < 0 else now.values[at].text for at in {*old}}
        return [
            *_events(gone, [gone.values[at].text for at in gone.at], [None] * len(gone)),
            *_events(now.rows_at(rows), [texts[at] for at in old], [value.text for value in values]),
            *_events(copies, [None] * len(copies), [NOTHING.text] * len(copies)),
        ]


def _events(files: Decided, old: Sequence[str | None], new: Sequence[str | None]) -> Iterator[Event]:
    return zip(repeat(PICTURE, len(files)), files.id.tolist(), files.content.tolist(), old, new, strict=True)


def checked_label(label: str) -> str:
    """The label, as it is: the class of a folder may end in a space. Raises DecisionError for what cannot be one."""
    if not label.strip() or len(label) > LONGEST_LABEL or NO_NAME.search(label):
        raise DecisionError(
            f"{label[:80]!r} cannot be a label. Take 1 to {LONGEST_LABEL} characters, without a line break."
        )
    return label


def checked_both(classes: Both) -> Both:
    """Two classes as they are. Raises DecisionError for one that cannot be a label, or where both are one."""
    first, second = map(checked_label, classes)
    if first == second:
        raise DecisionError(f"{first[:80]!r} is one class, given twice. Name the two that a picture rightly is.")
    return first, second


def checked_tag(tag: str, *, what: str = "tag") -> str:
    """The tag, or name, without space around it; raises DecisionError if it is not a valid one."""
    name = tag.strip()
    if not name or len(name) > LONGEST_TAG or NO_NAME.search(name) or {*",;"} & {*name}:
        raise DecisionError(
            f"{tag[:80]!r} cannot be a {what}. Take 1 to {LONGEST_TAG} characters, without comma, semicolon or line "
            "break."
        )
    return name


def _each(values: Mapping[int, Given], edit: Callable[[Given], _Edit]) -> dict[int, _Edit]:
    """The edit of each picture, by id; one object for equal values."""
    edits = {value: edit(value) for value in dict.fromkeys(values.values())}
    return {int(image_id): edits[value] for image_id, value in values.items()}


def _did(changes: Sequence[tuple[Value, Value, int]], source: str, noun: str) -> str:
    """What was decided, labelled, named, tagged: "kept 12 and dropped 31 pictures, and labelled 2 pictures “kiwi”"."""
    decided, tagged, untagged = Counter[str](), Counter[str](), Counter[str]()
    labelled, named, both = Counter[str | None](), Counter[str | None](), Counter[Both]()
    for old, new, count in changes:
        if old.decision != new.decision:
            decided[new.decision] += count
        answer = new.answer(source)
        if isinstance(answer, tuple) and old[3:] != new[3:]:
            both[min(answer), max(answer)] += count
        elif old[3:] != new[3:]:
            labelled[new.label(source)] += count
        if old.name != new.name:
            named[new.name or None] += count
        tagged.update(dict.fromkeys({*tags_of(new.tags)} - {*tags_of(old.tags)}, count))
        untagged.update(dict.fromkeys({*tags_of(old.tags)} - {*tags_of(new.tags)}, count))
    verbs = {"": "removed the decision on"} | DECIDED
    parts = [f"{verb} {decided[decision]:,}" for decision, verb in verbs.items() if decided[decision]]
    last = next((decided[decision] for decision in reversed(verbs) if decided[decision]), 0)
    tags = [f"tagged {counted(tagged[tag], noun)} “{tag}”" for tag in sorted(tagged)]
    tags += [f"removed the tag “{tag}” from {counted(untagged[tag], noun)}" for tag in sorted(untagged)]
    said = [
        f"{' and '.join(parts)} {noun if last == 1 else f'{noun}s'}" if parts else "",
        _did_give(labelled, noun, "labelled", "took back the label of"),
        " and ".join(
            f"said that {counted(count, noun)} {'is' if count == 1 else 'are'} rightly both “{a}” and “{b}”"
            for (a, b), count in both.items()
        ),
        _did_give(named, noun, "named", "took the name of"),
        " and ".join(tags),
    ]
    return ", and ".join(filter(None, said))


def _did_give(given: "Counter[str | None]", noun: str, gave: str, took: str) -> str:
    """ "labelled 12 pictures “kiwi” and took back the label of 1 picture", from what pictures were given."""
    texts, taken = [text for text in given if text is not None], given[None]
    quoted = f" “{texts[0]}”" if len(texts) == 1 else ""
    parts = [f"{gave} {counted(given.total() - taken, noun)}{quoted}"] if texts else []
    parts += [f"{took} {counted(taken, noun)}"] if taken else []
    return " and ".join(parts)
