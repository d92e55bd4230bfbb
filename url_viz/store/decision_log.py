"""The SQLite log of decisions on an image set: each action of a user is a batch of changes that can be undone."""

import datetime
import errno
import os
import secrets
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import numpy as np
from filelock import Timeout
from numpy.typing import NDArray

from url_viz.errors import DamageError, WorkspaceError
from url_viz.files import replaced
from url_viz.sealed import record_in
from url_viz.store.decision_log_copy import DecisionLogBackup, Record, crc_of
from url_viz.store.decision_tables import RAISED, SCHEMA_VERSION, TABLES, one_line, tables_of
from url_viz.store.journals import has_log_ahead, strange_journals

BUSY_S = 30.0
"""How long an action waits for another writing process."""

CODES = range(4)
"""Stored codes of decisions: 0 for none, then the positions in `decisions.DECISIONS` from 1."""
ABSENT = -1
"""The code, in a change, of a file without a stored row; a row of code 0 is an undecided file."""

Side = Literal["before", "after"]

_MOST_OBJECTS = 20


@dataclass(frozen=True)
class Stored:
    """Stored decisions on S files, oldest first: `id`, `content` (S,) int64, `code` (S,) int8.

    `tags` and `labels` (S,) are texts; `decisions` says what they hold.
    """

    id: NDArray[np.int64]
    content: NDArray[np.int64]
    code: NDArray[np.int8]
    tags: NDArray[np.object_]
    labels: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.id)


NOTHING_STORED = Stored(
    np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int8), np.zeros(0, object), np.zeros(0, object)
)


@dataclass(frozen=True)
class DecisionChange:
    """The change of one file (`id`, `content`): its state before and after; code `ABSENT` if no row is stored."""

    id: int
    content: int
    code_before: int
    tags_before: str
    labels_before: str
    code_after: int
    tags_after: str
    labels_after: str


@dataclass(frozen=True)
class AnswerChange:
    """The change of the answer on a pair of contents, the smaller `first`: 1 the same, 0 not, `ABSENT` for none."""

    first: int
    second: int
    same_before: int
    same_after: int


@dataclass(frozen=True)
class LoggedAction:
    """One action in the log: what it did, in words, and how many pictures or pairs it changed; when (UTC), and who.

    `state` is "done", "undone", or "dropped" if it was undone before another action.
    """

    number: int
    did: str
    count: int
    at: str
    who: str
    state: str


class DecisionLog:
    """Reads and writes one database file; every call is one transaction, so many processes may use it at once.

    It uses a rollback journal, not a write-ahead log, which needs shared memory and so fails on network folders.
    `decision_log_copy` describes how damage is detected.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._backup = DecisionLogBackup(path)
        self._verified: int | None = None

    @property
    def databases(self) -> tuple[Path, Path]:
        """The file, and its copy."""
        return self.path, self._backup.copy_path

    @contextmanager
    def reading(self) -> Iterator["Transaction | None"]:
        """A consistent view; None if nothing was ever decided.

        Raises DamageError if the file is damaged, lost or of another image set.
        """
        record = self._backup.record()  # before the file: a concurrent write makes the file newer, not older
        if not self._is_there():
            yield None
            return
        with self._transaction("BEGIN", mode="rw") as transaction:
            self._check(transaction, record)
            yield transaction

    @contextmanager
    def writing(self) -> Iterator["Transaction"]:
        """An exclusive write transaction: committed as a whole, or rolled back on an error.

        Raises DamageError as `reading` does, WorkspaceError if the file cannot be written, or another process holds
        it too long.
        """
        if not self._is_there():
            self._make()
        record = self._backup.record()
        with self._transaction("BEGIN IMMEDIATE", mode="rw") as transaction:
            self._check(transaction, record)
            if transaction.schema_version < SCHEMA_VERSION:
                self._copy_aside(transaction)
                transaction.raise_schema()
            transaction.identify()
            yield transaction
        self.note()

    def _copy_aside(self, transaction: "Transaction") -> None:
        """Keep the file as it is, before its schema rises: an older version of the program can read only that."""
        try:
            with replaced(self.path.with_suffix(f".schema-{transaction.schema_version}.db")) as temporary:
                temporary.write_bytes(transaction.data())
        except OSError as error:
            raise WorkspaceError(self._unwritable(str(error.strerror))) from error

    def note(self) -> None:
        """Copy the file, and record its identity, version and CRC for the next reader."""
        self._backup.write(self._now)

    def snapshot(self) -> bytes:
        """All bytes of the file at one version. Raises DamageError as `reading` does, and if there is no file."""
        with self.reading() as transaction:
            if transaction is None:
                raise self._lost("is not there")
            return transaction.data()

    def is_whole(self) -> bool:
        """Whether all stored decisions can be read as written, or nothing was ever decided."""
        try:
            with self.reading() as transaction:
                if transaction is not None:
                    transaction.verify_pages()
                    transaction.stored()
                    transaction.answers()
        except DamageError:
            return False
        return True

    def put_back(self) -> bool:
        """Restore the file from its copy; returns whether there was an undamaged copy."""
        copy = DecisionLog(self._backup.copy_path)
        is_back = copy.path.exists() and copy.is_whole()
        data = copy.snapshot() if is_back else b""
        self._backup.clear()
        if is_back:
            with replaced(self.path) as temporary:
                temporary.write_bytes(data)
            self.note()
        return is_back

    def _is_there(self) -> bool:
        if self.path.exists():
            return True
        if self._backup.exists:
            raise self._lost("is lost: decisions were made, and their file is not there")
        return False

    def _make(self) -> None:
        """Create the file with its tables under a temporary name, so that a file without tables is always damaged."""
        if not self.path.parent.is_dir():  # the image set was forgotten meanwhile: do not create it again
            raise WorkspaceError(self._unwritable("its folder is gone"))
        try:
            with self._backup.lock():
                if not self.path.exists():
                    with replaced(self.path) as temporary:
                        _lay_out(temporary)
        except Timeout as error:
            raise WorkspaceError(self._busy()) from error
        except sqlite3.Error as error:
            raise WorkspaceError(self._in_words(error)) from error
        except OSError as error:
            is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            raise WorkspaceError(self._full() if is_full else self._unwritable(str(error.strerror))) from error

    def _check(self, transaction: "Transaction", record: Record | None) -> None:
        """Raise DamageError if the file does not agree with its record."""
        if record is None or (self._verified is not None and self._verified == transaction.version()):
            return
        for known in (record, self._backup.record()):  # again: the last writer may have recorded it just now
            if known is not None and crc_of(transaction.data()) == known.crc:
                self._verified = known.version
                return
        if transaction.identity() != record.identity:
            raise self._lost("is not the one of this image set, or damaged")
        if transaction.version() < record.version:
            raise self._lost("is older than what was decided last")
        if transaction.version() == record.version:
            raise self._lost("is damaged: it is not as it was written")
        transaction.verify_pages()  # an action that is not recorded yet

    def _now(self) -> tuple[int, int, bytes]:
        with self._transaction("BEGIN", mode="rw") as transaction:
            return transaction.identity(), transaction.version(), transaction.data()

    @contextmanager
    def _transaction(self, begin: str, *, mode: str) -> Iterator["Transaction"]:
        connection: sqlite3.Connection | None = None
        try:
            self._check_journals()
            connection = sqlite3.connect(self._address(mode), uri=True, timeout=BUSY_S, isolation_level=None)
            connection.execute(begin)
            transaction = Transaction(connection)
            self._check_schema(transaction.schema_version)
            transaction.verify_tables()
            yield transaction
            connection.execute("COMMIT")
        except _NotOursError as error:
            raise self._lost(str(error)) from error
        except sqlite3.Error as error:
            raise (DamageError if _is_damage(error) else WorkspaceError)(self._in_words(error)) from error
        finally:
            if connection is not None:
                connection.close()  # rolls back what was not committed

    def _check_journals(self) -> None:
        """Raise _NotOursError before SQLite would act on a journal that is not ours."""
        strange = strange_journals(self.path)
        if strange:
            raise _NotOursError(f"lies beside {strange[0].name!r}, which is not ours and may not be trusted")
        if has_log_ahead(self.path):
            raise _NotOursError("is written by a write-ahead log, which none of ours is")

    def _address(self, mode: str) -> str:
        return f"file:{quote(os.fsencode(self.path.absolute()))}?mode={mode}"

    def _check_schema(self, version: int) -> None:
        if version > SCHEMA_VERSION:
            raise WorkspaceError(
                f"{self.path} was written by a newer version (schema {version}, this one reads up to "
                f"{SCHEMA_VERSION}). Update URL-Viz."
            )

    def _busy(self) -> str:
        return f"Another process has been writing to {self.path} for {BUSY_S:.0f} s. Try again when it is done."

    def _full(self) -> str:
        return f"The disk of {self.path} is full. Nothing was changed: make room and try again."

    def _unwritable(self, why: str) -> str:
        return f"Cannot write to {self.path} ({why}). Check that its folder is there and may be written to."

    def _lost(self, what: str) -> DamageError:
        """The error for a file that is not as written, with the ways to repair it."""
        return DamageError(
            f"{self.path} {what}. Put the right file back, or run `python -m url_viz mend FOLDER` on the folder of "
            f"pictures: it lays this one aside and takes the copy that is kept beside it. Without a whole copy, "
            f"`sqlite3 FILE .recover` may save what is in it."
        )

    def _in_words(self, error: sqlite3.Error) -> str:
        """The message, with the next step, for an error of SQLite."""
        code = _code(error)
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return self._busy()
        if code == sqlite3.SQLITE_FULL:
            return self._full()
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR):
            return self._unwritable(str(error))
        return str(self._lost(f"is damaged ({error})"))


class _NotOursError(Exception):
    """The file holds foreign or inconsistent content."""


def _code(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)) & 0xFF


def _is_damage(error: sqlite3.Error) -> bool:
    """Whether the error comes from the file's content, not from the disk or another process."""
    elsewhere = (
        *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY),
        *(sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR),
    )
    return _code(error) not in elsewhere


def _lay_out(path: Path) -> None:
    """Make the tables of a new file."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        Transaction(connection).make_tables()
        connection.execute("COMMIT")


class Transaction:
    """One open transaction on the file; made by `DecisionLog`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @property
    def schema_version(self) -> int:
        """0 if the file has no tables yet."""
        return self._number("PRAGMA user_version")

    def make_tables(self) -> None:
        """Create the tables; versions start at the current time, so that two files never share one."""
        for table in TABLES:
            self._connection.execute(table)
        self._connection.execute("INSERT INTO version VALUES (?, 0)", (time.time_ns() // 1000,))
        self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        self.identify()

    def raise_schema(self) -> None:
        """Give tables of an older schema the columns of this one."""
        raised = RAISED[self.schema_version]
        for name, _ in raised:
            self._connection.execute(f"ALTER TABLE {name} RENAME TO older_{name}")
            if name == "change":
                self._connection.execute("DROP INDEX change_of_batch")
        there = {one_line(sql) for (sql,) in self._connection.execute("SELECT sql FROM sqlite_master")}
        for table in TABLES:
            if one_line(table) not in there:
                self._connection.execute(table)
        for name, columns in raised:
            self._connection.execute(f"INSERT INTO {name} SELECT {columns} FROM older_{name} ORDER BY rowid")
            self._connection.execute(f"DROP TABLE older_{name}")
        self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def verify_tables(self) -> None:
        """Raise _NotOursError unless the file holds our tables and nothing else; must be called first.

        A view or a trigger could execute anything.
        """
        rows = self._connection.execute(f"SELECT type, name, sql FROM sqlite_master LIMIT {_MOST_OBJECTS}").fetchall()
        if not rows:
            raise _NotOursError("is damaged: it holds no tables")
        ours = tables_of(self.schema_version)
        if ours is None:
            raise _NotOursError(f"is damaged: there is no schema {self.schema_version}")
        unknown = [name for _, name, sql in rows if one_line(sql) not in ours]
        if unknown:
            raise _NotOursError(f"holds something that is not ours ({str(unknown[0])[:60]!r}) and may not be trusted")
        if {one_line(sql) for _, _, sql in rows} < ours:
            raise _NotOursError("is damaged: it lacks tables")

    def verify_pages(self) -> None:
        """Raise _NotOursError if SQLite finds the pages of the file inconsistent."""
        verdict = self._connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise _NotOursError(f"is damaged ({verdict})")

    def data(self) -> bytes:
        """All bytes of the file, as this transaction sees them.

        Through SQLite: closing a second handle would release the locks that this process holds.
        """
        return self._connection.serialize()

    def identity(self) -> int:
        """The random number of this file; 0 in a file of an older version."""
        return self._number("PRAGMA application_id")

    def identify(self) -> None:
        """Give a file without a number a random one."""
        if not self.identity():
            self._connection.execute(f"PRAGMA application_id = {1 + secrets.randbelow(2**31 - 1)}")

    def version(self) -> int:
        """A number that every change raises."""
        return self._number("SELECT number FROM version")

    def labels_version(self) -> int:
        """A number that every change of a label raises, from 0."""
        return self._number("SELECT labels FROM version") if self._has_labels else 0

    @property
    def _has_labels(self) -> bool:
        return self.schema_version > 1

    @property
    def _has_answers(self) -> bool:
        return self.schema_version > 2

    def answers(self) -> NDArray[np.int64]:
        """All answers (A, 3), oldest first: both contents of a pair, the smaller first, and 1 if they are the same."""
        if not self._has_answers:
            return np.zeros((0, 3), np.int64)
        rows = self._connection.execute("SELECT first, second, same FROM answer ORDER BY row").fetchall()
        try:
            found = np.array(rows, np.int64).reshape(-1, 3)
        except (ValueError, OverflowError, TypeError) as error:
            raise _NotOursError("is damaged: answers that are not numbers") from error
        if not np.isin(found[:, 2], (0, 1)).all():
            raise _NotOursError("is damaged: there are answers of an unknown kind")
        return found

    def stored(self) -> Stored:
        """All stored decisions. The numbers come as one text, which numpy reads several times faster than rows."""
        text, count = self._connection.execute(
            "SELECT group_concat(row || ' ' || id || ' ' || content || ' ' || code, ' '), count(*) FROM decision"
        ).fetchone()
        if not count:
            return NOTHING_STORED
        numbers = _numbers_in(text, count)
        numbers = numbers[np.argsort(numbers[:, 0], kind="stable")]
        tags = self._texts("tags", numbers[:, 0])
        labels = self._texts("labels", numbers[:, 0]) if self._has_labels else np.full(len(numbers), "", object)
        if not all(map(_are_labels, set(labels))):
            raise _NotOursError("is damaged: labels that cannot be read")
        return Stored(numbers[:, 1].copy(), numbers[:, 2].copy(), numbers[:, 3].astype(np.int8), tags, labels)

    def _texts(self, column: str, row: NDArray[np.int64]) -> NDArray[np.object_]:
        """A column of texts of all decisions, whose sorted numbers are `row` (S,); most are empty."""
        texts = np.full(len(row), "", object)
        found = self._connection.execute(f"SELECT row, {column} FROM decision WHERE {column} <> ''").fetchall()
        if found:
            rows, values = zip(*found, strict=True)
            texts[np.searchsorted(row, np.array(rows, np.int64))] = values
        return texts

    def record(self, did: str, count: int, changes: Sequence[DecisionChange], *, who: str) -> None:
        """Store changes as one action of `who`. Actions undone before it can no longer be redone."""
        number = self._new_batch(did, count, who)
        rows = ((number, *astuple(change)) for change in changes)
        self._connection.executemany("INSERT INTO change VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        self._store_side(number, "after")

    def record_answers(self, did: str, changes: Sequence[AnswerChange], *, who: str) -> None:
        """Store changes of answers as one action of `who`, like `record`."""
        number = self._new_batch(did, len(changes), who)
        rows = ((number, *astuple(change)) for change in changes)
        self._connection.executemany("INSERT INTO answer_change VALUES (?, ?, ?, ?, ?)", rows)
        self._store_side(number, "after")

    def _new_batch(self, did: str, count: int, who: str) -> int:
        self._connection.execute("UPDATE batch SET state = 'dropped' WHERE state = 'undone'")
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        number = self._connection.execute(
            "INSERT INTO batch (at, who, did, count, state) VALUES (?, ?, ?, ?, 'done')", (now, who, did, count)
        ).lastrowid
        assert number is not None
        return number

    def undoable(self) -> LoggedAction | None:
        """The action that `undo` would undo."""
        return next(iter(self._actions("state = 'done' ORDER BY number DESC LIMIT 1")), None)

    def redoable(self) -> LoggedAction | None:
        """The action that `redo` would redo."""
        return next(iter(self._actions("state = 'undone' ORDER BY number LIMIT 1")), None)

    def latest(self, count: int) -> list[LoggedAction]:
        """The latest actions, the last first, undone ones too."""
        return self._actions(f"true ORDER BY number DESC LIMIT {int(count)}")

    def _actions(self, condition: str) -> list[LoggedAction]:
        """The actions that meet a condition in SQL."""
        who = "who" if self._has_labels else "''"
        query = f"SELECT number, did, count, at, {who}, state FROM batch WHERE {condition}"
        return [LoggedAction(*row) for row in self._connection.execute(query)]

    def undo(self) -> LoggedAction | None:
        """Undo the latest action; None if there is none."""
        return self._set_state(self.undoable(), "undone", "before")

    def redo(self) -> LoggedAction | None:
        """Redo the action that was undone last; None if there is none."""
        return self._set_state(self.redoable(), "done", "after")

    def _set_state(self, action: LoggedAction | None, state: str, side: Side) -> LoggedAction | None:
        if action is not None:
            self._connection.execute("UPDATE batch SET state = ? WHERE number = ?", (state, action.number))
            self._store_side(action.number, side)
        return action

    def _store_side(self, number: int, side: Side) -> None:
        """Store one side (before or after) of an action's changes."""
        is_absent = f"code_{side} = {ABSENT}"
        self._connection.execute(
            "DELETE FROM decision WHERE (id, content) IN "
            f"(SELECT id, content FROM change WHERE batch = ? AND {is_absent})",
            (number,),
        )
        self._connection.execute(
            "INSERT INTO decision (id, content, code, tags, labels) "
            f"SELECT id, content, code_{side}, tags_{side}, labels_{side} "
            f"FROM change WHERE batch = ? AND NOT {is_absent} ORDER BY rowid "
            "ON CONFLICT (id, content) "
            "DO UPDATE SET code = excluded.code, tags = excluded.tags, labels = excluded.labels",
            (number,),
        )
        self._store_answers(number, side)
        self._connection.execute(
            "UPDATE version SET number = number + 1, labels = labels + "
            "EXISTS (SELECT 1 FROM change WHERE batch = ? AND labels_before <> labels_after)",
            (number,),
        )

    def _store_answers(self, number: int, side: Side) -> None:
        """Store one side of an action's changes of answers."""
        self._connection.execute(
            "DELETE FROM answer WHERE (first, second) IN "
            f"(SELECT first, second FROM answer_change WHERE batch = ? AND same_{side} = {ABSENT})",
            (number,),
        )
        self._connection.execute(
            "INSERT INTO answer (first, second, same) "
            f"SELECT first, second, same_{side} FROM answer_change "
            f"WHERE batch = ? AND same_{side} <> {ABSENT} ORDER BY rowid "
            "ON CONFLICT (first, second) DO UPDATE SET same = excluded.same",
            (number,),
        )

    def _number(self, query: str) -> int:
        row = self._connection.execute(query).fetchone()
        if row is None or not isinstance(row[0], int):
            raise _NotOursError("is damaged: it has no version")
        return row[0]


def _are_labels(text: str) -> bool:
    """Whether a stored text holds labels as `decisions.with_label` writes them."""
    try:
        labels = record_in(text) if text else {}
    except ValueError:
        return False
    return all(isinstance(label, str) for label in labels.values())


def _numbers_in(text: str, count: int) -> NDArray[np.int64]:
    """row, id, content and code (count, 4) of all decisions. Raises _NotOursError if they are not valid."""
    try:
        numbers = np.fromstring(text or "", np.int64, sep=" ").reshape(count, 4)
    except (ValueError, DeprecationWarning) as error:  # numpy warns of text that is not a number
        raise _NotOursError("is damaged: decisions that are not numbers") from error
    if not np.isin(numbers[:, 3], CODES).all():
        raise _NotOursError("is damaged: there are decisions of an unknown kind")
    return numbers
