"""Decisions on pictures (keep, drop, look again), tags and corrected labels, with undo and redo."""

import copy
import getpass
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.base.errors import DecisionError
from url_viz.base.processes import Latest
from url_viz.base.wording import NO_NAME, counted
from url_viz.capability import capability
from url_viz.store.decisions.decision_log import DecisionLog
from url_viz.store.decisions.decision_rows import (
    ABSENT,
    CHECKSUM_MASK,
    CODES,
    DECISIONS,
    VALUE_COLUMNS,
    Changes,
    Decided,
    Decision,
    FileKeys,
    absent,
    joined_tags,
    label_of,
    match_decisions,
    tags_of,
    texts_of,
    undecided,
)
from url_viz.store.decisions.decision_transaction import InconsistentLogError, LoggedAction, Transaction

LONGEST_TAG = 60
LONGEST_LABEL = 1_000
"""Longer than the name of any folder, which is a class too."""

Step = Literal["undo", "redo"]
"""A step back or forth in the log."""

DECIDED: dict[Decision, str] = {"keep": "kept", "drop": "dropped", "look-again": "put aside"}
_DID: dict[Decision | None, str] = {None: "removed the decision on"} | DECIDED


@dataclass(frozen=True)
class Judgement:
    """A review's answer on one picture: a decision, a label and a tag, each None for none."""

    decision: Decision | None = None
    label: str | None = None
    tag: str | None = None


@dataclass(frozen=True)
class Action:
    """What an action did: `did` in words ("dropped 47 pictures"), `count` of them changed, `unchanged` others.

    `of` says what was counted: pictures, or pairs of them. `ids` are the pictures that undo or redo changed back.
    """

    did: str
    count: int
    unchanged: int = 0
    how: Literal["done", "undone", "redone"] = "done"
    of: Literal["picture", "pair"] = "picture"
    ids: tuple[int, ...] = ()

    def about(self, name: str) -> "Action":
        """This action on one picture, which is called by its `name`: "dropped a.jpg"."""
        return replace(self, did=self.did.replace("1 picture", name, 1))

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
        return self.did[0].upper() + self.did[1:] + already

    @property
    def words(self) -> str:
        return f"{self.sentence}."


class Decisions:
    """The decisions of one image set, as its files are now. Many sessions and processes may read and write at once.

    A decision belongs to a file and its content: it follows a file that is moved, and stays when it is edited
    (`match_decisions` has the rule). Every call that changes something is one action for `undo` and `redo`, which
    belong to the image set, not to a session, and survive a restart. The log says who did it: the user of this
    process, or who is named by `by`.
    """

    def __init__(self, path: Path, files: FileKeys) -> None:
        self.files = files
        self._log = DecisionLog(path)
        self._latest = _LatestAssignment()
        self._tags: Latest[dict[str, int]] = Latest()
        self._who: str | None = None

    def by(self, who: str) -> "Decisions":
        """The same decisions, with another user as the author of actions."""
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
        """The latest actions, the last first: number, at (UTC), who, did, count, state ("done", "undone", "dropped").

        All of them where `count` is None. One that was undone is dropped once another action followed: it cannot be
        done again.
        """
        with self._log.reading() as transaction:
            actions = transaction.latest(count) if transaction else []
        columns = ["number", "at", "who", "did", "count", "state"]
        return pd.DataFrame([asdict(action) for action in actions], columns=columns)

    def now(self) -> Decided:
        """The decision on each file; read again only if something changed."""
        with self._log.reading() as transaction:
            return self._assignment(transaction).decided

    def as_of(self, version: int, files: FileKeys) -> Decided:
        """The decision on each of `files` at a `version` of the log; at one from before the log as the log begins."""
        with self._log.reading() as transaction:
            stored = transaction.stored_at(version) if transaction else undecided()
        return _Assignment.matching(files, stored, version=version, total=0).decided

    def version_at(self, time: str) -> int:
        """The `version` after the last action until a `time` (UTC, as in `history`); 0 for before the first."""
        with self._log.reading() as transaction:
            return transaction.version_at(time) if transaction else 0

    def _assignment(self, transaction: Transaction | None) -> "_Assignment":
        """What is decided as of a transaction: what changed since the last look, or all if that is not known."""
        latest, version = self._latest.assignment, transaction.version() if transaction else 0
        if latest is None or latest.version != version:
            latest = self._latest.assignment = (latest and self._followed(latest, transaction)) or self._all(
                transaction
            )
        return latest

    def _followed(self, latest: "_Assignment", transaction: Transaction | None) -> "_Assignment | None":
        changes = transaction.changes_since(latest.version) if transaction else None
        if transaction is None or changes is None:
            return None
        if (latest.total + changes.total() - transaction.total()) & CHECKSUM_MASK:
            raise InconsistentLogError("is damaged: the changes of its actions are not as they were written")
        return latest.after(changes, self.files, version=transaction.version(), total=transaction.total())

    def _all(self, transaction: Transaction | None) -> "_Assignment":
        stored = transaction.stored if transaction else undecided()
        version, total = (transaction.version(), transaction.total()) if transaction else (0, 0)
        return _Assignment.matching(self.files, stored, version=version, total=total)

    def decide(self, ids: Iterable[int], decision: Decision | None) -> Action:
        """Decide on pictures; None clears their decision. Raises DecisionError for another word or unknown ids."""
        return self.decide_each(dict.fromkeys(map(int, ids), decision))

    def decide_each(self, decisions: dict[int, Decision | None]) -> Action:
        """Decide on pictures one by one, as a single action."""
        codes = _codes_of(decisions.values())
        return self._act(decisions, lambda before: replace(before, code=codes), _did)

    def label(self, labels: Mapping[int, str | None], *, source: str) -> Action:
        """Give pictures labels, where labels are taken from `source`; None takes a given one back. A single action.

        Raises DecisionError for a label that is empty, too long or has a line break.
        """
        texts = [None if label is None else checked_label(label) for label in labels.values()]
        return self._act(labels, lambda before: before.with_labels(texts, source), partial(_did, source=source))

    def judge(self, judgements: Mapping[int, Judgement], *, source: str, among: Collection[str] = ()) -> Action:
        """Give pictures their decision, label, and one of the tags `among`, in place of what they had; a single action.

        `source` is what labels are taken from. Other tags stay. Raises DecisionError as `decide` and `label` do.
        """
        codes = _codes_of(judgement.decision for judgement in judgements.values())
        texts = [None if v.label is None else checked_label(v.label) for v in judgements.values()]

        def new(before: Decided) -> Decided:
            tags = [
                joined_tags({*tags_of(text)} - {*among} | ({judgement.tag} if judgement.tag else set()))
                for text, judgement in zip(before.tags, judgements.values(), strict=True)
            ]
            return replace(before.with_labels(texts, source), code=codes, tags=np.array([*tags, None], object)[:-1])

        return self._act(judgements, new, partial(_did, source=source))

    def name(self, judgements: Mapping[int, Judgement]) -> Action:
        """Give pictures a name in place of the one they had, and their decision; a single action. Tags stay.

        The `label` of a judgement is the name, None for no name. Raises DecisionError for an invalid name.
        """
        codes = _codes_of(judgement.decision for judgement in judgements.values())
        names = _names_of(judgement.label for judgement in judgements.values())
        return self._act(judgements, lambda before: replace(before, names=names, code=codes), _did)

    def name_each(self, names: Mapping[int, str | None]) -> Action:
        """Give pictures a name, None takes it away; decisions and tags stay. A single action."""
        texts = _names_of(names.values())
        return self._act(names, lambda before: replace(before, names=texts), _did)

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
        code = None if decision is None else _code_of(None if decision == "none" else decision)
        added, removed = ({checked_tag(each) for each in tags} for tags in (tag, untag))
        names = None if name is None else _names_of([name or None])

        def new(before: Decided) -> Decided:
            after = before.with_tags(lambda tags: {*tags, *added} - removed) if added or removed else before
            after = after if code is None else replace(after, code=np.full(len(before), code, np.int8))
            return after if names is None else replace(after, names=np.repeat(names, len(before)))

        return self._act(ids, new, _did)

    @capability("undo", missing="There is nothing to undo: nothing was decided, or all of it was undone.")
    def undo(self) -> Action | None:
        """Undo the latest decision, tag or label of any user.

        In Python None if there is none.
        """
        if not self.can_undo:
            return None
        with self._log.writing() as transaction:
            return self._stepped(transaction, transaction.undo(), "undone")

    @capability("redo", missing="There is nothing to redo: only what was undone last can be done again.")
    def redo(self) -> Action | None:
        """Redo the action that was undone last.

        In Python None if there is none, or another action followed.
        """
        if not self.can_redo:
            return None
        with self._log.writing() as transaction:
            return self._stepped(transaction, transaction.redo(), "redone")

    def step(self, command: Step) -> Action | None:
        """Undo or redo, with who is named by `by`."""
        return self.undo() if command == "undo" else self.redo()

    def take_back(self, number: int) -> Action:
        """Take one action of the `history` back: files that are as it left them get what they had. An action, too.

        Raises DecisionError if there is no such action, it was undone, or nothing of it is left.
        """
        with self._log.writing() as transaction:
            logged = next((each for each in transaction.latest(None) if each.number == number), None)
            if logged is None or logged.state != "done":
                raise DecisionError(f"Action {number} is not in the log, or was undone. The history has their numbers.")
            latest = self._assignment(transaction)
            rows, before = self._standing(transaction.changes_of(number), latest)
            if not len(rows):
                raise DecisionError(f"Nothing is left of what was done ({logged.did}): other answers followed.")
            did = f"took back: {logged.did}"
            transaction.record(did, len(rows), latest.changes(rows, before), who=self._named())
        return Action(did, len(rows))

    def _standing(self, changes: Changes, latest: "_Assignment") -> tuple[NDArray[np.int64], Decided]:
        """The rows (M,) of files that are as the changes left them, and what was decided on these before."""
        rows = self.files.rows_of(changes.after.id)
        is_here = np.flatnonzero((rows >= 0) & (self.files.content[rows] == changes.after.content))
        before, after = (side.rows_at(is_here) for side in (changes.before, changes.after))
        now = latest.decided.rows_at(rows[is_here])
        before, after = (
            replace(now, **dict(zip(VALUE_COLUMNS, (np.maximum(side.code, 0), *side.values[1:]), strict=True)))
            for side in (before, after)
        )
        stands = np.flatnonzero(~now.differs_from(after) & before.differs_from(after))
        return rows[is_here][stands], before.rows_at(stands)

    @property
    def can_undo(self) -> bool:
        with self._log.reading() as transaction:
            return transaction is not None and transaction.undoable() is not None

    @property
    def can_redo(self) -> bool:
        with self._log.reading() as transaction:
            return transaction is not None and transaction.redoable() is not None

    def counts(self) -> dict[Decision, int]:
        counts = np.bincount(self.now().code, minlength=len(CODES)).tolist()
        return {decision: counts[code] for code, decision in enumerate(DECISIONS, start=1)}

    def tag_counts(self) -> dict[str, int]:
        """How many pictures have each tag, by name."""
        now = self.now()
        return dict(self._tags.get(now, lambda: _tag_counts(now)))

    def _act(
        self,
        ids: Iterable[int],
        new: Callable[[Decided], Decided],
        did: Callable[[Decided, Decided], str],
    ) -> Action:
        """Apply `new` to the decisions on some files as one action; `did` puts into words what changed."""
        rows = self._rows_of(ids)
        with self._log.writing() as transaction:
            latest = self._assignment(transaction)
            before = latest.decided.rows_at(rows)
            after = new(before)
            changed = np.flatnonzero(after.differs_from(before))
            done = did(before.rows_at(changed), after.rows_at(changed))
            if len(changed):
                changes = latest.changes(rows[changed], after.rows_at(changed))
                transaction.record(done, len(changed), changes, who=self._named())
        return Action(done, len(changed), unchanged=len(rows) - len(changed))

    def _stepped(
        self, transaction: Transaction, action: LoggedAction | None, how: Literal["undone", "redone"]
    ) -> Action | None:
        if action is None:
            return None
        ids = transaction.changes_of(action.number).after.id
        is_here = self.files.rows_of(ids) >= 0
        return Action(action.did, action.count, how=how, ids=tuple(ids[is_here].tolist()))

    def _named(self) -> str:
        return self._who if self._who is not None else process_user()

    def _rows_of(self, ids: Iterable[int]) -> NDArray[np.int64]:
        wanted = np.fromiter((int(i) for i in ids), np.int64)
        rows = self.files.rows_of(wanted)
        if (rows < 0).any():
            raise DecisionError(
                f"There is no picture with id {wanted[rows < 0][0]} in this image set. Ids are in its table()."
            )
        return cast("NDArray[np.int64]", pd.unique(rows))


@lru_cache(maxsize=1)
def process_user() -> str:
    """The name of the user of this process; empty if the system knows none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def _tag_counts(decided: Decided) -> dict[str, int]:
    total: dict[str, int] = {}
    for text, count in pd.Series(decided.tags, dtype=object).value_counts().items():
        for tag in tags_of(str(text)):
            total[tag] = total.get(tag, 0) + int(count)
    return dict(sorted(total.items()))


@dataclass(frozen=True)
class _Assignment:
    """What is decided on N files at a `version` of the log, and where it is stored.

    `is_stored` (N,): whether there is a row of the file's own id and content. `moved` (N,) is the position in `free` of
    the row that belongs to a file without one; −1 for none. `free` are the stored rows of files that are not there, or
    have another content now. `total` is the checksum of the log at this version.
    """

    version: int
    decided: Decided
    is_stored: NDArray[np.bool_]
    moved: NDArray[np.int64]
    free: Decided
    total: int

    @classmethod
    def matching(cls, files: FileKeys, stored: Decided, *, version: int, total: int) -> "_Assignment":
        row = match_decisions(files, stored)
        has = row >= 0
        matched, decided = stored.rows_at(row[has]), undecided(files.id, files.content)
        for column, values in zip(decided.values, matched.values, strict=True):
            column[has] = values
        is_stored = has.copy()
        is_stored[has] = (matched.id == files.id[has]) & (matched.content == files.content[has])
        is_free = np.ones(len(stored), bool)
        is_free[row[is_stored]] = False
        moved = np.where(has & ~is_stored, (np.cumsum(is_free) - 1)[row] if len(stored) else -1, -1)
        return cls(version, decided, is_stored, moved, stored.rows_at(np.flatnonzero(is_free)), total)

    def after(self, changes: Changes, files: FileKeys, *, version: int, total: int) -> "_Assignment | None":
        """The same after some changes; None if they may change which row belongs to which file."""
        after = changes.after
        row = files.rows_of(after.id)
        goes = after.code == ABSENT
        if (row < 0).any() or (files.content[row] != after.content).any() or (self.moved[row] >= 0).any():
            return None
        if np.isin(after.id[goes], self.free.id).any() or np.isin(after.content[goes], self.free.content).any():
            return None
        decided = replace(self.decided, **{name: getattr(self.decided, name).copy() for name in VALUE_COLUMNS})
        for column, values in zip(decided.values, (np.maximum(after.code, 0), *after.values[1:]), strict=True):
            column[row] = values  # of several changes to one file the last counts
        is_stored = self.is_stored.copy()
        is_stored[row] = ~goes
        return replace(self, version=version, decided=decided, is_stored=is_stored, total=total)

    def changes(self, rows: NDArray[np.int64], after: Decided) -> Changes:
        """The changes that give the files at `rows` (M,) a state, and remove their rows under an older id or content.

        Other files with the same contents get undecided rows: they are present too, and must not get these
        decisions when the others are moved.
        """
        old = np.unique(self.moved[rows][self.moved[rows] >= 0])
        is_copy = np.isin(self.decided.content, after.content) & ~self.is_stored & (self.moved < 0)
        is_copy[rows] = False
        gone, chosen, copied = self.free.rows_at(old), self._stored_at(rows), self._stored_at(np.flatnonzero(is_copy))
        removed, empty = absent(undecided(gone.id, gone.content)), undecided(copied.id, copied.content)
        return Changes(Decided.joined([gone, chosen, copied]), Decided.joined([removed, after, empty]))

    def _stored_at(self, rows: NDArray[np.int64]) -> Decided:
        """The stored rows of some files, with code ABSENT for files without their own row."""
        own, is_stored = self.decided.rows_at(rows), self.is_stored[rows]
        none = absent(undecided(own.id, own.content))
        values = (np.where(is_stored, *columns) for columns in zip(own.values, none.values, strict=True))
        return Decided(own.id, own.content, *values)


@dataclass
class _LatestAssignment:
    """What was known last, for all that act on the same decisions; threads may share it: each result is whole."""

    assignment: _Assignment | None = field(default=None)


def checked_label(label: str) -> str:
    """The label, as it is: the class of a folder may end in a space. Raises DecisionError for what cannot be one."""
    if not label.strip() or len(label) > LONGEST_LABEL or NO_NAME.search(label):
        raise DecisionError(
            f"{label[:80]!r} cannot be a label. Take 1 to {LONGEST_LABEL} characters, without a line break."
        )
    return label


def checked_tag(tag: str, *, what: str = "tag") -> str:
    """The tag, or name, without space around it; raises DecisionError if it is not a valid one."""
    name = tag.strip()
    if not name or len(name) > LONGEST_TAG or NO_NAME.search(name) or {*",;"} & {*name}:
        raise DecisionError(
            f"{tag[:80]!r} cannot be a {what}. Take 1 to {LONGEST_TAG} characters, without comma, semicolon or line "
            "break."
        )
    return name


def _code_of(decision: Decision | None) -> int:
    if decision is not None and decision not in DECISIONS:
        raise DecisionError(f"{decision!r} is not a decision. There are {', '.join(DECISIONS)}, and None for none.")
    return 0 if decision is None else 1 + DECISIONS.index(decision)


def _codes_of(decisions: Iterable[Decision | None]) -> NDArray[np.int8]:
    return np.array([_code_of(decision) for decision in decisions], np.int8)


def _names_of(names: Iterable[str | None]) -> NDArray[np.object_]:
    return texts_of(["" if name is None else checked_tag(name, what="name") for name in names])


def _did(before: Decided, after: Decided, *, source: str = "") -> str:
    """What was decided, labelled, named, tagged: "kept 12 and dropped 31 pictures, and labelled 2 pictures “kiwi”"."""
    decided = after.rows_at(np.flatnonzero(after.code != before.code))
    labelled, named = after.labels[after.labels != before.labels], after.names[after.names != before.names]
    parts = [
        _did_decide(decided),
        _did_give([label_of(text, source) for text in labelled], "labelled", "took back the label of"),
        _did_give([name or None for name in named], "named", "took the name of"),
        _did_tag(before.tags, after.tags),
    ]
    return ", and ".join(filter(None, parts))


def _did_decide(after: Decided) -> str:
    """ "kept 12 and dropped 31 pictures", from the decisions that pictures were given."""
    counts = np.bincount(after.code, minlength=len(CODES)).tolist()
    given = [(decision, counts[code]) for code, decision in enumerate((None, *DECISIONS)) if counts[code]]
    parts = [f"{_DID[decision]} {count:,}" for decision, count in given]
    return f"{' and '.join(parts)} {'picture' if given[-1][1] == 1 else 'pictures'}" if parts else ""


def _did_tag(before: NDArray[np.object_], after: NDArray[np.object_]) -> str:
    """ "tagged 12 pictures “dark” and removed the tag “new” from 1 picture", from what tags were and are."""
    given, taken = Counter[str](), Counter[str]()
    for (old, new), count in Counter(zip(before, after, strict=True)).items():
        given.update(dict.fromkeys({*tags_of(new)} - {*tags_of(old)}, count))
        taken.update(dict.fromkeys({*tags_of(old)} - {*tags_of(new)}, count))
    parts = [f"tagged {counted(given[tag], 'picture')} “{tag}”" for tag in sorted(given)]
    parts += [f"removed the tag “{tag}” from {counted(taken[tag], 'picture')}" for tag in sorted(taken)]
    return " and ".join(parts)


def _did_give(given: Sequence[str | None], gave: str, took: str) -> str:
    """ "labelled 12 pictures “kiwi” and took back the label of 1 picture", from what pictures were given."""
    texts = {text for text in given if text is not None}
    taken = given.count(None)
    quoted = f" “{next(iter(texts))}”" if len(texts) == 1 else ""
    parts = [f"{gave} {counted(len(given) - taken, 'picture')}{quoted}"] if texts else []
    parts += [f"{took} {counted(taken, 'picture')}"] if taken else []
    return " and ".join(parts)
