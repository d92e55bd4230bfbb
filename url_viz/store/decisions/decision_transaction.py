"""One open transaction on the log: an append-only table of events, actions with their checksums, and what holds now.

An event changes a picture (its id and content), or a pair (both contents), from `old` to `new`, None for nothing. An
action has a row of `action` and its events; so has the undoing or redoing of one, under the `number` of that action.
No row of these is ever changed. `state` is what holds after all events, and could be made again from these.

Each row of `action` has a digest of itself, of its events and of the row before, and is compared with it when it is
read; its events are when they are. What holds is compared with `total`, the sum that it should have.
"""

import datetime
import secrets
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import groupby
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from url_viz.store.decisions.decision_rows import Decided

PICTURE, PAIR = 0, 1
Event = tuple[int, int, int, str | None, str | None]
"""PICTURE, its id and content, or PAIR and both contents, the smaller first; then old and new: of a picture the text of
a `Value`, of a pair "1" for the same kind and "0" for not; None for no row."""
MOST_STEPS, MOST_CHANGES = 1000, 20_000
"""From more actions or changes on, reading everything again is faster than following them."""
Read = TypeVar("Read")

SCHEMA_VERSION = 6
"""Of these tables: a file of another schema is refused."""
TABLES = (
    "CREATE TABLE action (version INTEGER PRIMARY KEY, number INTEGER NOT NULL, at TEXT NOT NULL, who TEXT NOT NULL, "
    "did TEXT NOT NULL, changed INTEGER NOT NULL, step TEXT NOT NULL, undo INTEGER NOT NULL, redo INTEGER NOT NULL, "
    "labels INTEGER NOT NULL, total INTEGER NOT NULL, events INTEGER NOT NULL, digest INTEGER NOT NULL)",
    "CREATE INDEX action_of_number ON action (number)",
    "CREATE TABLE event (version INTEGER NOT NULL, seq INTEGER NOT NULL, what INTEGER NOT NULL, "
    "first INTEGER NOT NULL, second INTEGER NOT NULL, old TEXT, new TEXT, PRIMARY KEY (version, seq)) WITHOUT ROWID",
    "CREATE TABLE state (row INTEGER PRIMARY KEY, what INTEGER NOT NULL, first INTEGER NOT NULL, "
    "second INTEGER NOT NULL, value TEXT NOT NULL, UNIQUE (what, first, second))",
)
_OURS = {*TABLES, None}
"""The SQL in `sqlite_master`; None of the index that is made for UNIQUE."""
_CHAIN = """
    WITH chain AS (
        SELECT what, first, second, new,
            old IS NOT lag(new) OVER turn AS is_broken, lead(seq) OVER turn IS NULL AS is_last
        FROM event WINDOW turn AS (PARTITION BY what, first, second ORDER BY version, seq))
    SELECT coalesce(sum(is_broken OR (is_last AND new IS NOT value)), 0), count(new) FILTER (WHERE is_last)
    FROM chain LEFT JOIN state ON is_last AND (chain.what, chain.first, chain.second) =
        (state.what, state.first, state.second)"""
"""How many events do not begin with what the one before ended with, or end with other than holds; how much holds."""
_MASK = 2**63 - 1
"""Sums are kept to 63 bits, so that SQLite's numbers hold them."""


class InconsistentLogError(Exception):
    """The file holds foreign or inconsistent content."""


class LoggedAction(NamedTuple):
    """A row of `action`: an action, or its undoing or redoing as `step` says, by whom and when (UTC).

    It says `did` in words, and how many pictures or pairs that changed; the actions that undo and redo would be of
    afterwards, 0 for none; how often labels have changed, and what the state and its own events add up to.
    """

    version: int = 0
    number: int = 0
    at: str = ""
    who: str = ""
    did: str = ""
    changed: int = 0
    step: Literal["done", "undone", "redone"] = "done"
    undo: int = 0
    redo: int = 0
    labels: int = 0
    total: int = 0
    events: int = 0
    digest: int = 0

    def digest_after(self, before: int) -> int:
        return zlib.crc32(repr((before, *self[:-1])).encode("utf-8", "surrogatepass"))


_COLUMNS = ", ".join(f"action.{name}" for name in LoggedAction._fields)
_TYPES = [*map(type, LoggedAction())]


class Transaction:
    """One open transaction on the file; made by `DecisionLog`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection.execute
        self._many = connection.executemany
        self.data = connection.serialize
        """All bytes of the file. Closing a second handle on it would release the locks that this process holds."""

    @property
    def schema_version(self) -> int:
        """The schema of its tables; 0 if the file has none yet."""
        return self._number("PRAGMA user_version")

    @property
    def identity(self) -> int:
        return self._number("PRAGMA application_id")

    def make_tables(self) -> None:
        for table in TABLES:
            self._sql(table)
        self._sql(f"PRAGMA user_version = {SCHEMA_VERSION}")
        self._sql(f"PRAGMA application_id = {1 + secrets.randbelow(2**31 - 1)}")

    def verify_tables(self) -> None:
        """Raise InconsistentLogError unless the file holds our tables and nothing else; must be called first.

        A view or a trigger could execute anything.
        """
        rows = self._sql("SELECT name, sql FROM sqlite_master LIMIT 20").fetchall()
        if not rows:
            raise InconsistentLogError("is damaged: it holds no tables")
        if not self.schema_version:
            raise InconsistentLogError("is damaged: there is no schema 0")
        unknown = [name for name, sql in rows if sql not in _OURS]
        if unknown:
            name = str(unknown[0])[:60]
            raise InconsistentLogError(f"holds something that is not ours ({name!r}) and may not be trusted")
        if {sql for _, sql in rows} < _OURS:
            raise InconsistentLogError("is damaged: it lacks tables")

    def verify_pages(self, check: Literal["quick_check", "integrity_check"] = "integrity_check") -> None:
        """Raise InconsistentLogError if SQLite finds pages inconsistent, or an index; the quick check leaves these."""
        verdict = self._sql(f"PRAGMA {check}(1)").fetchone()[0]
        if verdict != "ok":
            raise InconsistentLogError(f"is damaged ({verdict})")

    def verify(self) -> None:
        """Raise InconsistentLogError if decisions or answers are not as they were written."""
        stored, answers = self.stored, self.answers
        texts = np.array([*(_word(value.text) for value in stored.values), 0], np.uint64)[stored.at]
        same = np.array([_word("0"), _word("1")], np.uint64)[answers[:, 2]]
        total = _total(_row_sums(PICTURE, stored.id, stored.content, texts))
        if (total + _total(_row_sums(PAIR, *answers.T[:2], same))) & _MASK != self.last().total:
            raise InconsistentLogError("is damaged: its decisions are not as they were written")

    def verify_actions(self) -> None:
        """Raise InconsistentLogError if pages or any action are not as they were written, or do not lead to what holds.

        Each change of a picture or pair must begin with what the one before ended with.
        """
        self.verify_pages()
        self.verify_events(0)
        if self._sql(_CHAIN).fetchone() != (0, self._number("SELECT count(*) FROM state")):
            raise InconsistentLogError("is damaged: what holds is not what its actions made")

    def verify_events(self, version: int) -> None:
        """Raise InconsistentLogError if an action after a version, or its events, are not as they were written."""
        actions = self._actions("version > ? ORDER BY action.version", version)
        parts = np.cumsum([action.changed for action in actions]) // MOST_CHANGES
        for _, some in groupby(zip(parts.tolist(), actions, strict=True), key=lambda pair: pair[0]):
            self._events([action for _, action in some])

    def last(self) -> LoggedAction:
        """The latest row; one of zeros before the first."""
        return next(iter(self._actions("version = (SELECT max(version) FROM action)")), LoggedAction())

    @cached_property
    def _pictures(self) -> list[tuple[int, int, str]]:  # SQL's plus: without the index, which is in another order
        return self._sql("SELECT first, second, value FROM state WHERE +what = 0 ORDER BY row").fetchall()

    @cached_property
    def stored(self) -> Decided:
        """All stored decisions, oldest first."""
        return _decided(self._pictures)

    @cached_property
    def answers(self) -> NDArray[np.int64]:
        """All answers (A, 3), oldest first: both contents of a pair, the smaller first, and 1 if they are the same."""
        rows = self._sql("SELECT first, second, value FROM state WHERE what = 1 ORDER BY row").fetchall()
        if not all(value in ("0", "1") for *_, value in rows):
            raise InconsistentLogError("is damaged: there are answers of an unknown kind")
        pairs = [(first, second, value == "1") for first, second, value in rows]
        return _read(lambda: np.array(pairs, np.int64).reshape(-1, 3), "answers that are not numbers")

    def answer_on(self, first: int, second: int) -> str | None:
        """What was answered on a pair of contents; None for nothing."""
        found = self._sql("SELECT value FROM state WHERE (what, first, second) = (?, ?, ?)", (PAIR, first, second))
        return next((value for (value,) in found), None)

    def record(self, did: str, count: int, events: Sequence[Event], *, who: str) -> None:
        """Store changes as one action of `who`. Actions undone before it can no longer be redone."""
        number = self._number("SELECT coalesce(max(number), 0) FROM action") + 1
        self._append(events, LoggedAction(number=number, who=who, did=did, changed=count, undo=number))

    def turn(self, step: Literal["undone", "redone"], *, who: str) -> LoggedAction | None:
        """Undo the latest action, or redo the one that was undone last and no other followed; None without one."""
        last = self.last()
        number = last.undo if step == "undone" else last.redo
        if not number:
            return None
        rows = self.logged(number)
        if not rows:
            raise InconsistentLogError("is damaged: it lacks an action")
        before = self._before(rows[0] if step == "undone" else rows[-1])
        undo, redo = (before.undo, number) if step == "undone" else (number, before.redo)
        action = rows[-1]._replace(who=who, step=step, undo=undo, redo=redo)
        events = self.events(rows[-1])
        self._append([(what, first, second, new, old) for what, first, second, old, new in events], action)
        return action

    def _before(self, action: LoggedAction) -> LoggedAction:
        return next(iter(self._actions("version = ?", action.version - 1)), LoggedAction())

    def _append(self, events: Sequence[Event], action: LoggedAction) -> None:
        """Store an action with its events; its version, time, digest and sums become those of a new row."""
        last = self.last()
        version = last.version + 1 if last.version else time.time_ns() // 1000  # so that no two files share one
        self._many(
            "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?)", ((version, seq, *each) for seq, each in enumerate(events))
        )
        self._apply(version)
        sums, old, new = _sums(events)
        action = action._replace(
            version=version,
            at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            labels=last.labels + any(_labels(each[3]) != _labels(each[4]) for each in events if each[0] == PICTURE),
            total=(last.total - old + new) & _MASK,
            events=_total(sums),
        )
        row = action._replace(digest=action.digest_after(last.digest))
        self._sql(f"INSERT INTO action VALUES ({', '.join('?' * len(row))})", row)

    def _apply(self, version: int) -> None:
        """Make what holds what the events of a version say. Raises InconsistentLogError if they begin elsewhere."""
        differ = self._number(
            "SELECT count(*) FROM event LEFT JOIN state USING (what, first, second) "
            "WHERE version = ? AND event.old IS NOT state.value",
            version,
        )
        if differ:
            raise InconsistentLogError("is damaged: what holds is not what its actions made")
        keys = "SELECT what, first, second FROM event WHERE version = ? AND new IS NULL"
        self._sql(f"DELETE FROM state WHERE (what, first, second) IN ({keys})", (version,))
        self._sql(
            "INSERT INTO state (what, first, second, value) SELECT what, first, second, new FROM event "
            "WHERE version = ? AND new IS NOT NULL ORDER BY seq "
            "ON CONFLICT (what, first, second) DO UPDATE SET value = excluded.value",
            (version,),
        )
        for name in ("_pictures", "stored", "answers"):
            self.__dict__.pop(name, None)

    def follow(self) -> bool:
        """Repeat what the attached database `log` has and this does not; False if this is no earlier state of it.

        What is appended is read again and compared with its checksums: damage of the other file does not get here.
        """
        last = self.last()
        (identity,), (newest,) = (
            self._sql("PRAGMA log.application_id"),
            self._sql("SELECT coalesce(max(version), 0) FROM log.action"),
        )
        known = self._sql("SELECT digest FROM log.action WHERE version = ?", (last.version,)).fetchone()
        if identity != (self.identity,) or known != (last.digest,) or newest[0] - last.version > MOST_STEPS:
            return False
        for table in ("event", "action"):
            self._sql(f"INSERT INTO {table} SELECT * FROM log.{table} WHERE version > ?", (last.version,))
        for version in range(last.version + 1, newest[0] + 1):
            self._apply(version)
        self.verify_events(last.version)
        return True

    def events(self, action: LoggedAction) -> list[Event]:
        return self._events([action])

    def events_since(self, version: int) -> list[Event] | None:
        """What changed since a version, in order; None if that is not known, or too much to follow."""
        count = self.last().version - version
        if not 0 <= count <= MOST_STEPS:
            return None
        actions = self._actions("version > ? ORDER BY action.version", version)
        is_followed = len(actions) == count and sum(action.changed for action in actions) <= MOST_CHANGES
        return self._events(actions) if is_followed else None

    def stored_at(self, version: int) -> Decided:
        """The decisions that were stored at a version: those of now, with every later event taken back."""
        then: dict[tuple[int, int], str | None] = {(first, second): text for first, second, text in self._pictures}
        for what, first, second, old, _ in reversed(
            self._events(self._actions("version > ? ORDER BY action.version", version))
        ):
            if what == PICTURE:
                then.pop((first, second), None)  # what was taken back last comes last
                then[first, second] = old
        return _decided([(*key, text) for key, text in then.items() if text is not None])

    def version_at(self, until: str) -> int:
        """The version that the last action until a time (UTC) made when it was first done; 0 without any."""
        return self._number("SELECT coalesce(max(version), 0) FROM action WHERE step = 'done' AND at <= ?", until)

    def _events(self, actions: Sequence[LoggedAction]) -> list[Event]:
        """The events of actions that follow one another. Raises InconsistentLogError if they are not as written."""
        if not actions:
            return []
        rows = self._sql(
            "SELECT what, first, second, old, new, version FROM event WHERE version BETWEEN ? AND ? "
            "ORDER BY version, seq",
            (actions[0].version, actions[-1].version),
        ).fetchall()
        events = [row[:5] for row in rows]
        versions = np.array([row[5] for row in rows])
        starts = np.flatnonzero(np.diff(versions, prepend=-1))
        sums = np.split(_sums(events)[0], starts[1:]) if rows else []
        found = {version: _total(some) for version, some in zip(versions[starts].tolist(), sums, strict=True)}
        if found != {action.version: action.events for action in actions if action.events}:
            raise InconsistentLogError("is damaged: the changes of an action are not as they were written")
        return events

    def latest(self, count: int | None) -> Iterator[tuple[LoggedAction, str]]:
        """The latest actions (all if None), the last first, each with its state.

        That is "done", "undone", or "undone for good", if it was undone before another action.
        """
        done = self._actions("step = 'done' ORDER BY action.version DESC LIMIT ?", -1 if count is None else count)
        rows = self._actions("version >= ? ORDER BY action.version", done[-1].version) if done else []
        steps = {row.number: row for row in rows}
        for action in done:
            step = steps[action.number]
            undone = "undone for good" if step.version < done[0].version else "undone"
            yield action, undone if step.step == "undone" else "done"

    def logged(self, number: int) -> list[LoggedAction]:
        """The rows of an action: as it was done, undone, redone."""
        return self._actions("number = ? ORDER BY action.version", number)

    def _actions(self, condition: str, *values: int) -> list[LoggedAction]:
        """The rows that meet a condition in SQL. Raises InconsistentLogError for one that is not as written."""
        rows = self._sql(
            f"SELECT {_COLUMNS}, coalesce(before.digest, 0) FROM action LEFT JOIN action AS before "
            f"ON before.version = action.version - 1 WHERE action.{condition}",
            values,
        ).fetchall()
        actions = [LoggedAction(*row[:-1]) for row in rows]
        for action, row in zip(actions, rows, strict=True):
            if [*map(type, action)] != _TYPES or action.digest_after(row[-1]) != action.digest:
                raise InconsistentLogError("is damaged: an action is not as it was written")
        return actions

    def _number(self, query: str, *values: int | str) -> int:
        row = self._sql(query, values).fetchone()
        if row is None or not isinstance(row[0], int):
            raise InconsistentLogError("is damaged: it has no version")
        return row[0]


def _labels(text: str | None) -> list[str]:
    """The lines of labels of the text of a `Value`, if it has them."""
    return (text or "").split("\n", 3)[3:]


def _decided(rows: Sequence[tuple[int, int, str]]) -> Decided:
    return _read(lambda: Decided.from_rows(rows), "decisions that are no rows")


def _read(read: Callable[[], Read], what: str) -> Read:
    """What is read of values from the file. Raises InconsistentLogError if they are of another kind."""
    try:
        return read()
    except (ValueError, OverflowError, TypeError) as error:
        raise InconsistentLogError(f"is damaged: {what} ({error})") from error


_ODD = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)


def _sums(events: Sequence[Event]) -> tuple[NDArray[np.uint64], int, int]:
    """The checksum of each event (M,), and those of all rows as they were and as they are, each in any order."""
    if not events:
        return np.zeros(0, np.uint64), 0, 0

    columns: list[tuple[Any, ...]] = [*zip(*events, strict=True)]
    keys = _read(lambda: np.array(columns[:3], np.int64), "changes that are not numbers")
    words = {text: _word(text) for text in {*columns[3], *columns[4]}}
    old, new = (np.array([words[text] for text in texts], np.uint64) for texts in columns[3:])
    was, now = (_total(np.where(each == 0, np.uint64(0), _row_sums(*keys, each))) for each in (old, new))
    return _row_sums(*keys, old, new), was, now


def _row_sums(*columns: NDArray[np.int64] | NDArray[np.uint64] | int) -> NDArray[np.uint64]:
    """Sums of rows (M,): another for any change to one of its values, as each step can be reversed."""
    mixed = np.zeros(np.shape(columns[-1]), np.uint64)
    for column in columns:
        mixed = (mixed ^ np.asarray(column).astype(np.uint64)) * _ODD
        mixed ^= mixed >> _HALF
    return mixed


def _total(sums: NDArray[np.uint64]) -> int:
    return int(sums.sum(dtype=np.uint64)) & _MASK


def _word(text: str | None) -> int:
    """A text as a number; 0 for none."""
    if text is None:
        return 0
    data = str(text).encode("utf-8", "surrogatepass")
    return (len(data) + 1) << 32 | zlib.crc32(data)
