"""One open transaction on a file of decisions: its tables read and checked, and actions recorded, undone, repeated."""

import datetime
import secrets
import sqlite3
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.base.files import record_in
from url_viz.store.decisions.decision_rows import (
    ABSENT,
    CHECKSUM_MASK,
    CODES,
    OURS,
    SCHEMA_VERSION,
    TABLES,
    Changes,
    Decided,
    answer_sums,
    one_line,
    total_of,
)

MOST_STEPS, MOST_CHANGES = 1000, 20_000
"""From more steps or changes on, reading everything again is faster than following them."""

Side = Literal["before", "after"]
Step = tuple[int, Side]
"""What made one version: an action, by its number, and one side of its changes."""
Read = TypeVar("Read")

_MOST_OBJECTS = 20
_BATCH = "number, at, who, did, count, state, total"
_SEAL = f"seal({_BATCH})"
_SEAL_DROPPED = _SEAL.replace("state", "'dropped'")
_CHANGED = (
    ("decision", "change", "id, content", ("code", "tags", "labels", "name")),
    ("answer", "answer_change", "first, second", ("same",)),
)
"""The tables of what holds now: that of their changes, the key, and the columns, the first ABSENT for no row."""


class InconsistentLogError(Exception):
    """The file holds foreign or inconsistent content."""


@dataclass(frozen=True)
class LoggedAction:
    """One action in the log: what it did, in words, and how many pictures or pairs it changed; when (UTC), and who.

    `state` is "done", "undone", or "dropped" if it was undone before another action. `total` is what it adds to the
    checksum of all decisions and answers.
    """

    number: int
    at: str
    who: str
    did: str
    count: int
    state: str
    total: int


class Transaction:
    """One open transaction on the file; made by `DecisionLog`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.create_function("seal", -1, _seal, deterministic=True)

    @property
    def schema_version(self) -> int:
        """The schema of its tables; 0 if the file has none yet."""
        return self._number("PRAGMA user_version")

    def make_tables(self) -> None:
        """Create the tables; versions start at the current time, so that two files never share one."""
        for table in TABLES:
            self._connection.execute(table)
        self._connection.execute("INSERT INTO version VALUES (?, 0, 0)", (time.time_ns() // 1000,))
        self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        self._connection.execute(f"PRAGMA application_id = {1 + secrets.randbelow(2**31 - 1)}")

    def verify_tables(self) -> None:
        """Raise InconsistentLogError unless the file holds our tables and nothing else; must be called first.

        A view or a trigger could execute anything.
        """
        rows = self._connection.execute(f"SELECT type, name, sql FROM sqlite_master LIMIT {_MOST_OBJECTS}").fetchall()
        if not rows:
            raise InconsistentLogError("is damaged: it holds no tables")
        if not self.schema_version:
            raise InconsistentLogError("is damaged: there is no schema 0")
        unknown = [name for _, name, sql in rows if one_line(sql) not in OURS]
        if unknown:
            name = str(unknown[0])[:60]
            raise InconsistentLogError(f"holds something that is not ours ({name!r}) and may not be trusted")
        if {one_line(sql) for _, _, sql in rows} < OURS:
            raise InconsistentLogError("is damaged: it lacks tables")

    def verify(self) -> None:
        """Raise InconsistentLogError if decisions or answers are not as they were written."""
        if self._counted != self.total():
            raise InconsistentLogError("is damaged: its decisions are not as they were written")

    def verify_actions(self) -> None:
        """Raise InconsistentLogError if pages, or the log of all actions, are not as they were written."""
        self.verify_pages()
        actions = self.latest(None)
        if self._totals_of_actions() != {action.number: action.total for action in actions if action.total}:
            raise InconsistentLogError("is damaged: the changes of its actions are not as they were written")

    def verify_pages(self) -> None:
        """Raise InconsistentLogError if SQLite finds the pages of the file inconsistent."""
        verdict = self._connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise InconsistentLogError(f"is damaged ({verdict})")

    @cached_property
    def _counted(self) -> int:
        return total_of(self.stored.sums(), answer_sums(self.answers))

    def data(self) -> bytes:
        """All bytes of the file, as this transaction sees them.

        Through SQLite: closing a second handle would release the locks that this process holds.
        """
        return self._connection.serialize()

    def identity(self) -> int:
        return self._number("PRAGMA application_id")

    def version(self) -> int:
        """A number that every change raises."""
        return self._number("SELECT number FROM version")

    def labels_version(self) -> int:
        """A number that every change of a label raises, from 0."""
        return self._number("SELECT labels FROM version")

    def total(self) -> int:
        """The checksum of all decisions and answers, as the last action noted it."""
        return self._number("SELECT total FROM version")

    @cached_property
    def answers(self) -> NDArray[np.int64]:
        """All answers (A, 3), oldest first: both contents of a pair, the smaller first, and 1 if they are the same."""
        rows = self._connection.execute("SELECT first, second, same FROM answer ORDER BY row").fetchall()
        answers = _read(lambda: np.array(rows, np.int64).reshape(-1, 3), "answers that are not numbers")
        if not np.isin(answers[:, 2], (0, 1)).all():
            raise InconsistentLogError("is damaged: there are answers of an unknown kind")
        return answers

    def answer_on(self, first: int, second: int) -> int:
        """What was answered on a pair of contents; ABSENT for nothing."""
        row = self._connection.execute("SELECT same FROM answer WHERE first = ? AND second = ?", (first, second))
        return int(next(row, (ABSENT,))[0])

    @cached_property
    def stored(self) -> Decided:
        """All stored decisions, oldest first."""
        rows = self._connection.execute(
            "SELECT id, content, code, tags, labels, name FROM decision ORDER BY row"
        ).fetchall()
        decisions = _read(
            lambda: Decided.from_columns(list(zip(*rows, strict=True)) or [()] * 6), "decisions that are no rows"
        )
        if not np.isin(decisions.code, range(len(CODES))).all():
            raise InconsistentLogError("is damaged: there are decisions of an unknown kind")
        if not all(map(_are_labels, set(decisions.labels))):
            raise InconsistentLogError("is damaged: labels that cannot be read")
        return decisions

    def record(self, did: str, count: int, changes: Changes, *, who: str) -> None:
        """Store changes as one action of `who`. Actions undone before it can no longer be redone."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self._insert(LoggedAction(0, now, who, did, count, "done", changes.total()), changes)

    def _insert(self, action: LoggedAction, changes: Changes) -> None:
        """Store an action that is done now, with its changes; one of number 0 gets the next one."""
        self._connection.execute(f"UPDATE batch SET state = 'dropped', seal = {_SEAL_DROPPED} WHERE state = 'undone'")
        number = self._connection.execute(
            f"INSERT INTO batch ({_BATCH}, seal) VALUES (?, ?, ?, ?, ?, 'done', ?, 0)",
            (action.number or None, action.at, action.who, action.did, action.count, action.total),
        ).lastrowid
        assert number is not None
        self._connection.execute(f"UPDATE batch SET seal = {_SEAL} WHERE number = ?", (number,))
        columns = [column.tolist() for column in (*changes.before.columns, *changes.after.values)]
        self._connection.executemany(
            "INSERT INTO change VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            ((number, *row) for row in zip(*columns, strict=True)),
        )
        answers = ((number, *row) for row in changes.answers.tolist())
        self._connection.executemany("INSERT INTO answer_change VALUES (?, ?, ?, ?, ?)", answers)
        self._store_side(number, "after", action.total)

    def repeat(self, step: Step, source: "Transaction") -> None:
        """Repeat a step of another file, of which this one is a copy."""
        number, side = step
        (action,) = source._actions("number = ?", number)
        if self._actions("number = ?", number):
            self._set_state(action, "done" if side == "after" else "undone", side)
        else:
            self._insert(action, source.changes_of(number))

    def steps_since(self, version: int) -> list[Step] | None:
        """What was done since a version; None if that is not known, or too much to follow."""
        count = self.version() - version
        if not 0 <= count <= MOST_STEPS:
            return None
        steps = self._steps(version)
        changes = sum(self._number("SELECT count FROM batch WHERE number = ?", number) for number, _ in steps)
        return steps if len(steps) == count and changes <= MOST_CHANGES else None

    def _steps(self, version: int) -> list[Step]:
        return self._connection.execute(
            "SELECT batch, side FROM step WHERE version > ? ORDER BY version", (version,)
        ).fetchall()

    def changes_since(self, version: int) -> Changes | None:
        """The changes since a version, in order; None as of `steps_since`."""
        steps = self.steps_since(version)
        if steps is None:
            return None
        done = ((self.changes_of(number), side) for number, side in steps)
        return Changes.joined([Changes(), *(each if side == "after" else each.reversed() for each, side in done)])

    def stored_at(self, version: int) -> Decided:
        """The decisions that were stored at a version: those of now, with every later step taken back."""
        parts = [self.stored]
        for number, side in reversed(self._steps(version)):
            changes = self.changes_of(number)
            parts.append(changes.before if side == "after" else changes.after)
        rows = Decided.joined(parts)
        is_last = ~pd.DataFrame({"id": rows.id, "content": rows.content}).duplicated(keep="last").to_numpy(bool)
        return rows.rows_at(np.flatnonzero(is_last & (rows.code != ABSENT)))

    def version_at(self, time: str) -> int:
        """The version that the last action until a time (UTC) made when it was first done; 0 without any."""
        return self._number(
            "SELECT coalesce(max(first), 0) FROM (SELECT min(version) AS first FROM step JOIN batch ON number = batch "
            "WHERE side = 'after' AND at <= ? GROUP BY batch)",
            time,
        )

    def changes_of(self, number: int | None) -> Changes:
        """The changes of an action; of all actions if None."""
        names = "code_{0}, tags_{0}, labels_{0}, name_{0}"
        rows = self._changed("change", f"id, content, {names.format('before')}, {names.format('after')}", number)
        columns = list(zip(*rows, strict=True)) or [()] * 10
        answers = self._changed("answer_change", "first, second, same_before, same_after", number)

        def read() -> Changes:
            before, after = (Decided.from_columns(each) for each in (columns[:6], [*columns[:2], *columns[6:]]))
            return Changes(before, after, np.array(answers, np.int64).reshape(-1, 4))

        return _read(read, "changes that cannot be read")

    def _changed(self, table: str, columns: str, number: int | None) -> list[tuple[Any, ...]]:
        where = "" if number is None else "WHERE batch = ?"
        values = () if number is None else (number,)
        return self._connection.execute(f"SELECT {columns} FROM {table} {where} ORDER BY rowid", values).fetchall()

    def _totals_of_actions(self) -> dict[int, int]:
        """What each action adds to the checksum, by its changes; of those that add something."""
        totals: dict[int, int] = {}
        for table, sums in zip(("change", "answer_change"), self.changes_of(None).sums(), strict=True):
            numbers = self._connection.execute(f"SELECT batch FROM {table} ORDER BY rowid").fetchall()
            for (number,), value in zip(numbers, sums.tolist(), strict=True):
                totals[number] = (totals.get(number, 0) + value) & CHECKSUM_MASK
        return {number: total for number, total in totals.items() if total}

    def undoable(self) -> LoggedAction | None:
        return next(iter(self._actions("state = 'done' ORDER BY number DESC LIMIT 1")), None)

    def redoable(self) -> LoggedAction | None:
        return next(iter(self._actions("state = 'undone' ORDER BY number LIMIT 1")), None)

    def latest(self, count: int | None) -> list[LoggedAction]:
        """The latest actions (all if None), the last first, undone ones too."""
        return self._actions("true ORDER BY number DESC LIMIT ?", -1 if count is None else count)

    def _actions(self, condition: str, *values: int) -> list[LoggedAction]:
        """The actions that meet a condition in SQL. Raises InconsistentLogError for one that is not as written."""
        rows = self._connection.execute(f"SELECT {_BATCH}, seal FROM batch WHERE {condition}", values).fetchall()
        if any(_seal(*row[:-1]) != row[-1] for row in rows):
            raise InconsistentLogError("is damaged: an action is not as it was written")
        return [LoggedAction(*row[:-1]) for row in rows]

    def undo(self) -> LoggedAction | None:
        return self._set_state(self.undoable(), "undone", "before")

    def redo(self) -> LoggedAction | None:
        return self._set_state(self.redoable(), "done", "after")

    def _set_state(self, action: LoggedAction | None, state: str, side: Side) -> LoggedAction | None:
        if action is None:
            return None
        if self.changes_of(action.number).total() != action.total:
            raise InconsistentLogError("is damaged: the changes of an action are not as they were written")
        self._connection.execute("UPDATE batch SET state = ? WHERE number = ?", (state, action.number))
        self._connection.execute(f"UPDATE batch SET seal = {_SEAL} WHERE number = ?", (action.number,))
        self._store_side(action.number, side, action.total)
        return action

    def _store_side(self, number: int, side: Side, total: int) -> None:
        """Store one side (before or after) of an action's changes, as a new version."""
        for table, changes, keys, columns in _CHANGED:
            sided, code = (", ".join(f"{name}_{side}" for name in some) for some in (columns, columns[:1]))
            self._connection.execute(
                f"DELETE FROM {table} WHERE ({keys}) IN "
                f"(SELECT {keys} FROM {changes} WHERE batch = ? AND {code} = {ABSENT})",
                (number,),
            )
            self._connection.execute(
                f"INSERT INTO {table} ({keys}, {', '.join(columns)}) "
                f"SELECT {keys}, {sided} FROM {changes} WHERE batch = ? AND {code} <> {ABSENT} ORDER BY rowid "
                f"ON CONFLICT ({keys}) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in columns)}",
                (number,),
            )
        after = (self.total() + (total if side == "after" else -total)) & CHECKSUM_MASK
        self._connection.execute(
            "UPDATE version SET number = number + 1, total = ?, labels = labels + "
            "EXISTS (SELECT 1 FROM change WHERE batch = ? AND labels_before <> labels_after)",
            (after, number),
        )
        self._connection.execute("INSERT INTO step SELECT number, ?, ? FROM version", (number, side))
        for name in ("stored", "answers", "_counted"):
            self.__dict__.pop(name, None)

    def _number(self, query: str, *values: int | str) -> int:
        row = self._connection.execute(query, values).fetchone()
        if row is None or not isinstance(row[0], int):
            raise InconsistentLogError("is damaged: it has no version")
        return row[0]


def _seal(*values: object) -> int:
    return zlib.crc32(repr(values).encode("utf-8", "surrogatepass"))


def _read(read: Callable[[], Read], what: str) -> Read:
    """What is read of values from the file. Raises InconsistentLogError if they are of another kind."""
    try:
        return read()
    except (ValueError, OverflowError, TypeError) as error:
        raise InconsistentLogError(f"is damaged: {what}") from error


def _are_labels(text: str) -> bool:
    """Whether a stored text holds labels as `decisions.with_label` writes them."""
    try:
        labels = record_in(text) if text else {}
    except ValueError:
        return False
    return all(isinstance(label, str) for label in labels.values())
