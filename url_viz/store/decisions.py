"""Decisions on pictures (keep, drop, look again) and tags, with undo and redo."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.errors import DecisionError
from url_viz.store.decision_log import ABSENT, NOTHING_STORED, DecisionChange, DecisionLog, LoggedAction, Stored
from url_viz.store.decision_matching import FileKeys, match_decisions
from url_viz.store.tables import positions_of

Decision = Literal["keep", "drop", "look-again"]
DECISIONS: tuple[Decision, ...] = get_args(Decision)
LONGEST_TAG = 60
BETWEEN_TAGS = "; "

_NAMES = np.array([None, *DECISIONS], object)
_DID: dict[Decision | None, str] = {
    "keep": "kept",
    "drop": "dropped",
    "look-again": "noted to look again at",
    None: "cleared the decision on",
}


@dataclass(frozen=True)
class Decided:
    """The decisions on N files at one version: `code` (N,) int8 into None, *DECISIONS, and `tags` (N,) texts."""

    version: int
    code: NDArray[np.int8]
    tags: NDArray[np.object_]

    @property
    def decision(self) -> NDArray[np.object_]:
        """None, "keep", "drop" or "look-again" of each (N,)."""
        return cast("NDArray[np.object_]", _NAMES[self.code])

    def rows_at(self, rows: NDArray[np.integer]) -> "Decided":
        """The decisions on the files at `rows`."""
        return Decided(self.version, self.code[rows], self.tags[rows])


@dataclass(frozen=True)
class Action:
    """What an action did: `did` in words ("dropped 47 pictures"), `count` pictures changed, `unchanged` others."""

    did: str
    count: int
    unchanged: int = 0
    how: Literal["done", "undone", "redone"] = "done"

    @property
    def sentence(self) -> str:
        """For people: "Dropped 47 pictures", "Undone: dropped 47 pictures", "Nothing to change: …"."""
        if self.how != "done":
            return f"{self.how.capitalize()}: {self.did}"
        if not self.count + self.unchanged:
            return "No picture was chosen"
        if not self.count:
            return f"Nothing to change: that is so already of {_pictures(self.unchanged)}"
        already = f" ({self.unchanged:,} {'was' if self.unchanged == 1 else 'were'} already)" if self.unchanged else ""
        return self.did[0].upper() + self.did[1:] + already


class Decisions:
    """The decisions of one image set, as its files are now. Many sessions and processes may read and write at once.

    A decision belongs to a file and its content: it follows a file that is moved, and stays when it is edited
    (`match_decisions` has the rule). Every call that changes something is one action for `undo` and `redo`, which
    belong to the image set, not to a session, and survive a restart.
    """

    def __init__(self, path: Path, files: FileKeys) -> None:
        self.files = files
        self._log = DecisionLog(path)
        self._known: Decided | None = None

    @property
    def version(self) -> int:
        """A number that changes with every decision, in any process; 0 before the first."""
        with self._log.reading() as transaction:
            return transaction.version() if transaction else 0

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
        return self._act(ids, lambda before: _CodesAndTags(np.full_like(before.code, code), before.tags), _did_decide)

    def decide_each(self, decisions: dict[int, Decision | None]) -> Action:
        """Decide on pictures one by one, as a single action."""
        codes = np.array([_code_of(decision) for decision in decisions.values()], np.int8)
        return self._act(decisions, lambda before: _CodesAndTags(codes, before.tags), _did_decide)

    def tag(self, ids: Iterable[int], tag: str) -> Action:
        """Give pictures a tag. Raises DecisionError for one that is empty, too long, or has , ; or a line break."""
        name = checked_tag(tag)

        def did(changed: NDArray[np.int8]) -> str:
            return f"tagged {_pictures(len(changed))} “{name}”"

        return self._act(ids, lambda before: before.with_tags(lambda tags: {*tags, name}), did)

    def untag(self, ids: Iterable[int], tag: str) -> Action:
        """Remove a tag from pictures."""
        name = checked_tag(tag)

        def did(changed: NDArray[np.int8]) -> str:
            return f"took the tag “{name}” from {_pictures(len(changed))}"

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
        total: dict[str, int] = {}
        for text, count in pd.Series(self.now().tags, dtype=object).value_counts().items():
            for tag in tags_of(str(text)):
                total[tag] = total.get(tag, 0) + int(count)
        return dict(sorted(total.items()))

    def _matches(self, stored: Stored) -> NDArray[np.int64]:
        is_empty = (stored.code == 0) & (stored.tags == "")
        return match_decisions(self.files, stored_id=stored.id, stored_content=stored.content, is_empty=is_empty)

    def _act(
        self,
        ids: Iterable[int],
        new: Callable[["_CodesAndTags"], "_CodesAndTags"],
        did: Callable[[NDArray[np.int8]], str],
    ) -> Action:
        """Apply `new` to codes and tags of some files as one action; `did` gives its words from the new codes."""
        rows = self._rows_of(ids)
        with self._log.writing() as transaction:
            stored = transaction.stored()
            matched = self._matches(stored)
            row = matched[rows]
            has = _of_files(row, stored, 0)
            before = _CodesAndTags(has.code, has.tags)
            after = new(before)
            at = np.flatnonzero((after.code != before.code) | (after.tags != before.tags))
            done = did(after.code[at])
            if len(at):
                files = FileKeys(self.files.id[rows[at]], self.files.content[rows[at]])
                changes = _changes(files, stored, row[at], after.rows_at(at))
                transaction.record(done, len(at), changes + self._copies_of(files, matched))
        return Action(done, len(at), unchanged=len(rows) - len(at))

    def _copies_of(self, files: FileKeys, matched: NDArray[np.int64]) -> list[DecisionChange]:
        """Changes that store undecided rows for other files with the same contents.

        They exist beside `files` now, so they must not get these decisions when `files` are moved.
        """
        is_copy = np.isin(self.files.content, files.content) & (matched < 0) & ~np.isin(self.files.id, files.id)
        pairs = zip(self.files.id[is_copy].tolist(), self.files.content[is_copy].tolist(), strict=True)
        return [
            DecisionChange(*pair, code_before=ABSENT, tags_before="", code_after=0, tags_after="") for pair in pairs
        ]

    def _rows_of(self, ids: Iterable[int]) -> NDArray[np.int64]:
        wanted = np.fromiter((int(i) for i in ids), np.int64)
        rows = positions_of(wanted, self.files.id)
        if (rows < 0).any():
            raise DecisionError(
                f"There is no picture with id {wanted[rows < 0][0]} in this image set. Ids are in its table()."
            )
        return cast("NDArray[np.int64]", pd.unique(rows))


@dataclass(frozen=True)
class _CodesAndTags:
    """Codes and tags of some files, before or after an action."""

    code: NDArray[np.int8]
    tags: NDArray[np.object_]

    def rows_at(self, at: NDArray[np.int64]) -> "_CodesAndTags":
        return _CodesAndTags(self.code[at], self.tags[at])

    def with_tags(self, change: Callable[[Sequence[str]], set[str]]) -> "_CodesAndTags":
        """The same with `change` made to each set of tags; there are few distinct ones."""
        index, texts = pd.factorize(self.tags)
        new = np.array([joined(change(tags_of(text))) for text in texts], object)
        return _CodesAndTags(self.code, new[index] if len(index) else self.tags)


def _of_files(row: NDArray[np.int64], stored: Stored, version: int) -> Decided:
    """The decisions on files whose rows among the stored ones are `row` (−1: none)."""
    code = np.zeros(len(row), np.int8)
    tags = np.full(len(row), "", object)
    code[row >= 0] = stored.code[row[row >= 0]]
    tags[row >= 0] = stored.tags[row[row >= 0]]
    return Decided(version, code, tags)


def _changes(files: FileKeys, stored: Stored, row: NDArray[np.int64], after: _CodesAndTags) -> list[DecisionChange]:
    """The changes that give `files` the state `after`, and remove their rows under an older id or content."""
    matched = np.maximum(row, 0) if len(stored) else row
    is_own = np.zeros(len(row), bool)
    if len(stored):
        is_own = (row >= 0) & (stored.id[matched] == files.id) & (stored.content[matched] == files.content)
    own = _of_files(np.where(is_own, row, -1), stored, 0)
    old = np.unique(row[(row >= 0) & ~is_own])
    was = (stored.id[old].tolist(), stored.content[old].tolist(), stored.code[old].tolist(), stored.tags[old].tolist())
    gone = [DecisionChange(*values, code_after=ABSENT, tags_after="") for values in zip(*was, strict=True)]
    code_before = np.where(is_own, own.code, ABSENT)
    columns = (files.id, files.content, code_before, own.tags, after.code, after.tags)
    return gone + [DecisionChange(*values) for values in zip(*(c.tolist() for c in columns), strict=True)]


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


def _did_decide(changed: NDArray[np.int8]) -> str:
    """ "kept 12 and dropped 31 pictures", from the codes (M,) that pictures were given."""
    counts = np.bincount(changed, minlength=len(_NAMES)).tolist()
    given = [(decision, counts[code]) for code, decision in enumerate((None, *DECISIONS)) if counts[code]]
    parts = [f"{_DID[decision]} {count:,}" for decision, count in given]
    return f"{' and '.join(parts)} {'picture' if given[-1:] and given[-1][1] == 1 else 'pictures'}"


def _action_of(action: LoggedAction | None, how: Literal["undone", "redone"]) -> Action | None:
    return None if action is None else Action(action.did, action.count, how=how)


def _pictures(count: int) -> str:
    return f"{count:,} {'picture' if count == 1 else 'pictures'}"
