"""Decisions on pictures (keep, drop, look again), tags and corrected labels, with undo and redo."""

import copy
import getpass
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal, cast, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.errors import DecisionError
from url_viz.latest import Latest
from url_viz.store.decision_log import ABSENT, NOTHING_STORED, DecisionChange, DecisionLog, LoggedAction, Stored
from url_viz.store.decision_matching import FileKeys, match_decisions

Decision = Literal["keep", "drop", "look-again"]
DECISIONS: tuple[Decision, ...] = get_args(Decision)
LONGEST_TAG = 60
LONGEST_LABEL = 255
"""As long as the name of a folder, which is a class too."""
BETWEEN_TAGS = "; "

_NAMES = np.array([None, *DECISIONS], object)
_NO_ROW = (ABSENT, "", "")
"""Code, tags and labels of a file without a stored row."""
_DID: dict[Decision | None, str] = {
    "keep": "kept",
    "drop": "dropped",
    "look-again": "noted to look again at",
    None: "cleared the decision on",
}


@dataclass(frozen=True)
class Decided:
    """The decisions on N files at one version: `code` (N,) int8 into None, *DECISIONS, and `tags` (N,) texts.

    `labels` (N,) are texts of the labels that somebody gave, by what the label was taken from (`label_of`).
    """

    version: int
    code: NDArray[np.int8]
    tags: NDArray[np.object_]
    labels: NDArray[np.object_]

    @property
    def decision(self) -> NDArray[np.object_]:
        """None, "keep", "drop" or "look-again" of each (N,)."""
        return cast("NDArray[np.object_]", _NAMES[self.code])

    def rows_at(self, rows: NDArray[np.integer]) -> "Decided":
        """The decisions on the files at `rows`; of all in their order nothing is copied."""
        if np.array_equal(rows, np.arange(len(self.code))):
            return self
        return Decided(self.version, self.code[rows], self.tags[rows], self.labels[rows])

    def labels_of(self, source: str) -> NDArray[np.object_]:
        """The label that somebody gave each file (N,) where labels are taken from `source`; None if nobody did."""
        codes, texts = pd.factorize(self.labels)
        return np.array([*(label_of(text, source) for text in texts), None], object)[codes]


@dataclass(frozen=True)
class Verdict:
    """All that a review says of one picture: a decision and a label; None for none of them, as before any."""

    decision: Decision | None = None
    label: str | None = None


@dataclass(frozen=True)
class Action:
    """What an action did: `did` in words ("dropped 47 pictures"), `count` of them changed, `unchanged` others.

    `of` says what was counted: pictures, or pairs of them.
    """

    did: str
    count: int
    unchanged: int = 0
    how: Literal["done", "undone", "redone"] = "done"
    of: Literal["picture", "pair"] = "picture"

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
        self._known: Decided | None = None
        self._tags: Latest[dict[str, int]] = Latest()
        self._who: str | None = None

    def by(self, who: str) -> "Decisions":
        """The same decisions, on which somebody else acts."""
        theirs = copy.copy(self)
        theirs._who = who
        return theirs

    @property
    def version(self) -> int:
        """A number that changes with every decision, in any process; 0 before the first."""
        with self._log.reading() as transaction:
            return transaction.version() if transaction else 0

    @property
    def labels_version(self) -> int:
        """A number that changes with every label that is given or taken back; 0 before the first."""
        with self._log.reading() as transaction:
            return transaction.labels_version() if transaction else 0

    def history(self, count: int = 20) -> pd.DataFrame:
        """The latest actions, the last first: at (UTC), who, did, count, state ("done", "undone", "dropped").

        One that was undone is dropped once another action followed: it cannot be done again.
        """
        with self._log.reading() as transaction:
            actions = transaction.latest(count) if transaction else []
        columns = ["at", "who", "did", "count", "state"]
        return pd.DataFrame([asdict(action) for action in actions], columns=columns)

    def now(self) -> Decided:
        """The decision on each file; read again only if something changed."""
        with self._log.reading() as transaction:
            version = transaction.version() if transaction else 0
            known = self._known
            if known is None or known.version != version:
                stored = transaction.stored() if transaction else NOTHING_STORED
                known = self._known = _of_files(self._matches(stored), stored, version)
        return known

    def decide(self, ids: Iterable[int], decision: Decision | None) -> Action:
        """Decide on pictures; None clears their decision. Raises DecisionError for another word or unknown ids."""
        code = _code_of(decision)
        return self._act(ids, lambda before: replace(before, code=np.full_like(before.code, code)), _did_decide)

    def decide_each(self, decisions: dict[int, Decision | None]) -> Action:
        """Decide on pictures one by one, as a single action."""
        codes = np.array([_code_of(decision) for decision in decisions.values()], np.int8)
        return self._act(decisions, lambda before: replace(before, code=codes), _did_decide)

    def label(self, labels: Mapping[int, str | None], *, source: str) -> Action:
        """Give pictures labels, where labels are taken from `source`; None takes a given one back. A single action.

        Raises DecisionError for a label that is empty, too long or has a line break.
        """
        texts = [None if label is None else checked_label(label) for label in labels.values()]

        def did(before: "_States", after: "_States") -> str:
            return _did_label(after, source)

        return self._act(labels, lambda before: before.with_labels(texts, source), did)

    def settle(self, verdicts: Mapping[int, Verdict], *, source: str) -> Action:
        """Give pictures both their decision and their label, in place of what they had; a single action.

        `source` is what labels are taken from. Raises DecisionError as `decide` and `label` do.
        """
        codes = np.array([_code_of(verdict.decision) for verdict in verdicts.values()], np.int8)
        texts = [None if v.label is None else checked_label(v.label) for v in verdicts.values()]

        def did(before: "_States", after: "_States") -> str:
            is_decided, is_labelled = after.code != before.code, after.labels != before.labels
            parts = [_did_decide(before.rows_at(is_decided), after.rows_at(is_decided))] if is_decided.any() else []
            parts += [_did_label(after.rows_at(is_labelled), source)] if is_labelled.any() else []
            return ", and ".join(parts)

        return self._act(verdicts, lambda before: replace(before.with_labels(texts, source), code=codes), did)

    def name(self, verdicts: Mapping[int, Verdict]) -> Action:
        """Give pictures a name, their first tag in place of the one they had, and their decision; a single action.

        The `label` of a verdict is the name, None for none. Raises DecisionError for what cannot be a tag.
        """
        codes = np.array([_code_of(verdict.decision) for verdict in verdicts.values()], np.int8)
        names = [None if v.label is None else checked_tag(v.label) for v in verdicts.values()]

        def did(before: "_States", after: "_States") -> str:
            is_decided, is_named = after.code != before.code, after.tags != before.tags
            parts = [_did_decide(before.rows_at(is_decided), after.rows_at(is_decided))] if is_decided.any() else []
            parts += [_did_name(after.rows_at(is_named))] if is_named.any() else []
            return ", and ".join(parts)

        return self._act(verdicts, lambda before: replace(before.with_names(names), code=codes), did)

    def tag(self, ids: Iterable[int], tag: str) -> Action:
        """Give pictures a tag. Raises DecisionError for one that is empty, too long, or has , ; or a line break."""
        name = checked_tag(tag)

        def did(before: "_States", after: "_States") -> str:
            return f"tagged {_pictures(len(after))} “{name}”"

        return self._act(ids, lambda before: before.with_tags(lambda tags: {*tags, name}), did)

    def untag(self, ids: Iterable[int], tag: str) -> Action:
        """Remove a tag from pictures."""
        name = checked_tag(tag)

        def did(before: "_States", after: "_States") -> str:
            return f"took the tag “{name}” from {_pictures(len(after))}"

        return self._act(ids, lambda before: before.with_tags(lambda tags: {*tags} - {name}), did)

    def undo(self) -> Action | None:
        """Undo the latest action of any user; None if there is none."""
        if not self.can_undo:
            return None
        with self._log.writing() as transaction:
            return _action_of(transaction.undo(), "undone")

    def redo(self) -> Action | None:
        """Redo the action undone last; None if there is none, or another action followed."""
        if not self.can_redo:
            return None
        with self._log.writing() as transaction:
            return _action_of(transaction.redo(), "redone")

    @property
    def can_undo(self) -> bool:
        """Whether there is an action to undo."""
        with self._log.reading() as transaction:
            return transaction is not None and transaction.undoable() is not None

    @property
    def can_redo(self) -> bool:
        """Whether there is an action to redo."""
        with self._log.reading() as transaction:
            return transaction is not None and transaction.redoable() is not None

    def counts(self) -> dict[Decision, int]:
        """How many pictures have each decision."""
        counts = np.bincount(self.now().code, minlength=len(_NAMES)).tolist()
        return {decision: counts[code] for code, decision in enumerate(DECISIONS, start=1)}

    def tag_counts(self) -> dict[str, int]:
        """How many pictures have each tag, by name."""
        now = self.now()
        return dict(self._tags.of(now, lambda: _tag_counts(now)))

    def _matches(self, stored: Stored) -> NDArray[np.int64]:
        is_empty = (stored.code == 0) & (stored.tags == "") & (stored.labels == "")
        return match_decisions(self.files, stored_id=stored.id, stored_content=stored.content, is_empty=is_empty)

    def _act(
        self,
        ids: Iterable[int],
        new: Callable[["_States"], "_States"],
        did: Callable[["_States", "_States"], str],
    ) -> Action:
        """Apply `new` to the states of some files as one action; `did` tells it of those that changed."""
        rows = self._rows_of(ids)
        with self._log.writing() as transaction:
            stored = transaction.stored()
            matched = self._matches(stored)
            row = matched[rows]
            before = _States.of(_of_files(row, stored, 0))
            after = new(before)
            at = np.flatnonzero(after.differs_from(before))
            done = did(before.rows_at(at), after.rows_at(at))
            if len(at):
                files = FileKeys(self.files.id[rows[at]], self.files.content[rows[at]])
                changes = _changes(files, stored, row[at], after.rows_at(at))
                transaction.record(done, len(at), changes + self._copies_of(files, matched), who=self._named())
        return Action(done, len(at), unchanged=len(rows) - len(at))

    def _named(self) -> str:
        return self._who if self._who is not None else process_user()

    def _copies_of(self, files: FileKeys, matched: NDArray[np.int64]) -> list[DecisionChange]:
        """Changes that store undecided rows for other files with the same contents.

        They exist beside `files` now, so they must not get these decisions when `files` are moved.
        """
        is_copy = np.isin(self.files.content, files.content) & (matched < 0) & ~np.isin(self.files.id, files.id)
        pairs = zip(self.files.id[is_copy].tolist(), self.files.content[is_copy].tolist(), strict=True)
        return [
            DecisionChange(
                *pair, ABSENT, tags_before="", labels_before="", code_after=0, tags_after="", labels_after=""
            )
            for pair in pairs
        ]

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


@dataclass(frozen=True)
class _States:
    """What is stored of some files, before or after an action: columns as in `Decided`."""

    code: NDArray[np.int8]
    tags: NDArray[np.object_]
    labels: NDArray[np.object_]

    @classmethod
    def of(cls, decided: Decided) -> "_States":
        return cls(decided.code, decided.tags, decided.labels)

    def __len__(self) -> int:
        return len(self.code)

    def rows_at(self, at: NDArray[np.int64] | NDArray[np.bool_]) -> "_States":
        return _States(self.code[at], self.tags[at], self.labels[at])

    def differs_from(self, other: "_States") -> NDArray[np.bool_]:
        differs: NDArray[np.bool_] = (self.tags != other.tags) | (self.labels != other.labels)
        differs |= self.code != other.code
        return differs

    def with_tags(self, change: Callable[[Sequence[str]], set[str]]) -> "_States":
        """The same with `change` made to each set of tags; there are few distinct ones."""
        index, texts = pd.factorize(self.tags)
        new = np.array([joined(change(tags_of(text))) for text in texts], object)
        return replace(self, tags=new[index] if len(index) else self.tags)

    def with_names(self, names: Sequence[str | None]) -> "_States":
        """The same with a first tag of each file, None for none, in place of the one it had."""
        new = [
            joined({*tags_of(text)[1:], *([] if name is None else [name])})
            for text, name in zip(self.tags, names, strict=True)
        ]
        return replace(self, tags=np.array([*new, None], object)[:-1])

    def with_labels(self, given: Sequence[str | None], source: str) -> "_States":
        """The same with the label of each file (None: none) where labels are taken from `source`."""
        new = [with_label(text, source, label) for text, label in zip(self.labels, given, strict=True)]
        return replace(self, labels=np.array([*new, None], object)[:-1])


def _tag_counts(decided: Decided) -> dict[str, int]:
    total: dict[str, int] = {}
    for text, count in pd.Series(decided.tags, dtype=object).value_counts().items():
        for tag in tags_of(str(text)):
            total[tag] = total.get(tag, 0) + int(count)
    return dict(sorted(total.items()))


def _of_files(row: NDArray[np.int64], stored: Stored, version: int) -> Decided:
    """The decisions on files whose rows among the stored ones are `row` (−1: none)."""
    code = np.zeros(len(row), np.int8)
    tags, labels = (np.full(len(row), "", object) for _ in range(2))
    has = row >= 0
    code[has], tags[has], labels[has] = stored.code[row[has]], stored.tags[row[has]], stored.labels[row[has]]
    return Decided(version, code, tags, labels)


def _changes(files: FileKeys, stored: Stored, row: NDArray[np.int64], after: _States) -> list[DecisionChange]:
    """The changes that give `files` the state `after`, and remove their rows under an older id or content."""
    matched = np.maximum(row, 0) if len(stored) else row
    is_own = np.zeros(len(row), bool)
    if len(stored):
        is_own = (row >= 0) & (stored.id[matched] == files.id) & (stored.content[matched] == files.content)
    own = _of_files(np.where(is_own, row, -1), stored, 0)
    old = np.unique(row[(row >= 0) & ~is_own])
    was = (column[old].tolist() for column in (stored.id, stored.content, stored.code, stored.tags, stored.labels))
    gone = [DecisionChange(*(*values, *_NO_ROW)) for values in zip(*was, strict=True)]
    code_before = np.where(is_own, own.code, ABSENT)
    before = (files.id, files.content, code_before, own.tags, own.labels)
    columns = (*before, after.code, after.tags, after.labels)
    return gone + [DecisionChange(*values) for values in zip(*(c.tolist() for c in columns), strict=True)]


def checked_label(label: str) -> str:
    """The label, as it is: the class of a folder may end in a space. Raises DecisionError for what cannot be one."""
    if not label.strip() or len(label) > LONGEST_LABEL or not label.isprintable():
        raise DecisionError(
            f"{label[:80]!r} cannot be a label. Take 1 to {LONGEST_LABEL} characters, without a line break."
        )
    return label


def label_of(text: str, source: str) -> str | None:
    """The label in a stored text where labels are taken from `source`; None if it has none."""
    if not text:
        return None
    label = json.loads(text).get(source)
    return label if isinstance(label, str) else None


def with_label(text: str, source: str, label: str | None) -> str:
    """A stored text with another label for `source`, None for none."""
    labels = {**(json.loads(text) if text else {}), source: label}
    kept = {name: value for name, value in labels.items() if value is not None}
    return json.dumps(kept, sort_keys=True, ensure_ascii=False) if kept else ""


def checked_tag(tag: str) -> str:
    """The tag without space around it; raises DecisionError if it is not a valid tag."""
    name = tag.strip()
    if not name or len(name) > LONGEST_TAG or any(c in ",;" or not c.isprintable() for c in name):
        raise DecisionError(
            f"{tag[:80]!r} cannot be a tag. Take 1 to {LONGEST_TAG} characters, without comma, semicolon or line break."
        )
    return name


def tags_of(text: str) -> list[str]:
    """The tags in a text of the table's column `tags`."""
    return text.split(BETWEEN_TAGS) if text else []


def joined(tags: Iterable[str]) -> str:
    """Tags as the table shows them: sorted, with semicolons between."""
    return BETWEEN_TAGS.join(sorted(tags))


def _code_of(decision: Decision | None) -> int:
    if decision is not None and decision not in DECISIONS:
        raise DecisionError(f"{decision!r} is not a decision. There are {', '.join(DECISIONS)}, and None for none.")
    return 0 if decision is None else 1 + DECISIONS.index(decision)


def _did_decide(before: _States, after: _States) -> str:
    """ "kept 12 and dropped 31 pictures", from the decisions that pictures were given."""
    counts = np.bincount(after.code, minlength=len(_NAMES)).tolist()
    given = [(decision, counts[code]) for code, decision in enumerate((None, *DECISIONS)) if counts[code]]
    parts = [f"{_DID[decision]} {count:,}" for decision, count in given]
    return f"{' and '.join(parts)} {'picture' if given[-1:] and given[-1][1] == 1 else 'pictures'}"


def _did_label(after: _States, source: str) -> str:
    """ "labelled 12 pictures “kiwi” and took back the label of 1 picture", from what pictures were given."""
    given = [label_of(text, source) for text in after.labels]
    names = {label for label in given if label is not None}
    taken_back = given.count(None)
    of = f" “{next(iter(names))}”" if len(names) == 1 else ""
    parts = [f"labelled {_pictures(len(given) - taken_back)}{of}"] if names else []
    parts += [f"took back the label of {_pictures(taken_back)}"] if taken_back else []
    return " and ".join(parts)


def _did_name(after: _States) -> str:
    """ "named 12 pictures “kiwi” and took the name of 1 picture", from the tags that pictures have now."""
    given = [next(iter(tags_of(text)), None) for text in after.tags]
    names = {name for name in given if name is not None}
    taken = given.count(None)
    of = f" “{next(iter(names))}”" if len(names) == 1 else ""
    parts = [f"named {_pictures(len(given) - taken)}{of}"] if names else []
    parts += [f"took the name of {_pictures(taken)}"] if taken else []
    return " and ".join(parts)


def _action_of(action: LoggedAction | None, how: Literal["undone", "redone"]) -> Action | None:
    return None if action is None else Action(action.did, action.count, how=how)


def _pictures(count: int) -> str:
    return f"{count:,} {'picture' if count == 1 else 'pictures'}"
