"""The file of an image set's decisions: SQLite, every user's action one batch of changes that can be taken back."""

import datetime
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from url_viz.errors import WorkspaceError

SCHEMA_VERSION = 1
BUSY_S = 30.0
"""How long an action waits for another process that writes."""

ABSENT = -1
"""The code, in a change, of a file of which no row is stored; a row of code 0 says that nothing is decided of it."""

Side = Literal["before", "after"]

_TABLES = (
    """CREATE TABLE decision (
        row INTEGER PRIMARY KEY, id INTEGER NOT NULL, content INTEGER NOT NULL,
        code INTEGER NOT NULL, tags TEXT NOT NULL, UNIQUE (id, content))""",
    """CREATE TABLE batch (
        number INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, did TEXT NOT NULL, count INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('done', 'undone', 'dropped')))""",
    """CREATE TABLE change (
        batch INTEGER NOT NULL, id INTEGER NOT NULL, content INTEGER NOT NULL,
        code_before INTEGER NOT NULL, tags_before TEXT NOT NULL,
        code_after INTEGER NOT NULL, tags_after TEXT NOT NULL)""",
    "CREATE INDEX change_of_batch ON change (batch)",
    "CREATE TABLE version (number INTEGER NOT NULL)",
)


@dataclass(frozen=True)
class Stored:
    """What is stored of S files, oldest first: `id` and `content` (S,) int64, `code` (S,) int8, `tags` (S,) texts."""

    id: NDArray[np.int64]
    content: NDArray[np.int64]
    code: NDArray[np.int8]
    tags: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.id)


NOTHING_STORED = Stored(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int8), np.zeros(0, object))


@dataclass(frozen=True)
class Change:
    """What one file (`id`, `content`) was given: code and tags, before and after; `ABSENT` where no row is stored."""

    id: int
    content: int
    code_before: int
    tags_before: str
    code_after: int
    tags_after: str


@dataclass(frozen=True)
class Batch:
    """One action: what it did, in words, and how many pictures it changed."""

    number: int
    did: str
    count: int


class Ledger:
    """Reads and writes one file; every call is one transaction, so many processes may use it at once.

    A plain rollback journal, not a write-ahead log: that one needs memory shared between processes, which folders on
    a network do not have.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def reading(self) -> Iterator["Transaction | None"]:
        """A consistent view; None where nothing was ever decided. Raises WorkspaceError for a damaged file."""
        if not self.path.exists():
            yield None
            return
        with self._transaction("BEGIN", mode="rw") as transaction:
            yield transaction if transaction.schema_version else None

    @contextmanager
    def writing(self) -> Iterator["Transaction"]:
        """The one writer for the moment; all it does is kept, or nothing where an error passes.

        Raises WorkspaceError where the file is damaged, cannot be written, or another process holds it too long.
        """
        with self._transaction("BEGIN IMMEDIATE", mode="rwc") as transaction:
            if not transaction.schema_version:
                transaction.make_tables()
            yield transaction

    @contextmanager
    def _transaction(self, begin: str, *, mode: str) -> Iterator["Transaction"]:
        connection: sqlite3.Connection | None = None
        try:
            connection = sqlite3.connect(self._address(mode), uri=True, timeout=BUSY_S, isolation_level=None)
            connection.execute(begin)
            transaction = Transaction(connection)
            self._check_schema(transaction.schema_version)
            yield transaction
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise WorkspaceError(self._told(error)) from error
        finally:
            if connection is not None:
                connection.close()  # takes back what was not committed

    def _address(self, mode: str) -> str:
        return f"file:{quote(os.fsencode(self.path.absolute()))}?mode={mode}"

    def _check_schema(self, found: int) -> None:
        if found > SCHEMA_VERSION:
            raise WorkspaceError(
                f"{self.path} was written by a newer version (schema {found}, this one reads up to {SCHEMA_VERSION}). "
                "Update URL-Viz."
            )

    def _told(self, error: sqlite3.Error) -> str:
        """A sentence with the next step for what SQLite says."""
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return f"Another process has been writing to {self.path} for {BUSY_S:.0f} s. Try again when it is done."
        if code == sqlite3.SQLITE_FULL:
            return f"The disk of {self.path} is full. Nothing was changed: make room and try again."
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR):
            return f"Cannot write to {self.path} ({error}). Check that its folder is there and may be written to."
        return (
            f"{self.path} is damaged ({error}). Move it away to begin with no decisions; "
            "`sqlite3 FILE .recover` may save what is in it."
        )


class Transaction:
    """What can be done with the file while it is open; made by `Ledger`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @property
    def schema_version(self) -> int:
        """0 where the file has no tables yet."""
        return self._number("PRAGMA user_version")

    def make_tables(self) -> None:
        """Lay out a new file; its versions start at the time, so that no two files share one."""
        for table in _TABLES:
            self._connection.execute(table)
        self._connection.execute("INSERT INTO version VALUES (?)", (time.time_ns() // 1000,))
        self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def version(self) -> int:
        """A number that every change raises."""
        return self._number("SELECT number FROM version")

    def stored(self) -> Stored:
        """All that is decided. The numbers come as one text, which numpy reads several times faster than rows."""
        text = self._connection.execute(
            "SELECT group_concat(row || ' ' || id || ' ' || content || ' ' || code, ' ') FROM decision"
        ).fetchone()[0]
        if not text:
            return NOTHING_STORED
        numbers = np.fromstring(text, np.int64, sep=" ").reshape(-1, 4)
        numbers = numbers[np.argsort(numbers[:, 0], kind="stable")]
        tags = np.full(len(numbers), "", object)
        tagged = self._connection.execute("SELECT row, tags FROM decision WHERE tags <> ''").fetchall()
        if tagged:
            rows, texts = zip(*tagged, strict=True)
            tags[np.searchsorted(numbers[:, 0], np.array(rows, np.int64))] = texts
        return Stored(numbers[:, 1].copy(), numbers[:, 2].copy(), numbers[:, 3].astype(np.int8), tags)

    def record(self, did: str, count: int, changes: Sequence[Change]) -> Batch:
        """Make changes as one batch. What was undone before it can no longer be redone."""
        self._connection.execute("UPDATE batch SET state = 'dropped' WHERE state = 'undone'")
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        number = self._connection.execute(
            "INSERT INTO batch (at, did, count, state) VALUES (?, ?, ?, 'done')", (now, did, count)
        ).lastrowid
        assert number is not None
        rows = ((number, c.id, c.content, c.code_before, c.tags_before, c.code_after, c.tags_after) for c in changes)
        self._connection.executemany("INSERT INTO change VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        self._take_on(number, "after")
        return Batch(number, did, count)

    def undoable(self) -> Batch | None:
        """The batch that `undo` would take back."""
        return self._batch("SELECT number, did, count FROM batch WHERE state = 'done' ORDER BY number DESC LIMIT 1")

    def redoable(self) -> Batch | None:
        """The batch that `redo` would do again."""
        return self._batch("SELECT number, did, count FROM batch WHERE state = 'undone' ORDER BY number LIMIT 1")

    def undo(self) -> Batch | None:
        """Take the latest batch back; None where there is none."""
        return self._turned(self.undoable(), "undone", "before")

    def redo(self) -> Batch | None:
        """Do the batch that was undone last again; None where there is none."""
        return self._turned(self.redoable(), "done", "after")

    def _turned(self, batch: Batch | None, state: str, side: Side) -> Batch | None:
        if batch is not None:
            self._connection.execute("UPDATE batch SET state = ? WHERE number = ?", (state, batch.number))
            self._take_on(batch.number, side)
        return batch

    def _take_on(self, number: int, side: Side) -> None:
        """Store one side of a batch's changes."""
        is_absent = f"code_{side} = {ABSENT}"
        self._connection.execute(
            "DELETE FROM decision WHERE (id, content) IN "
            f"(SELECT id, content FROM change WHERE batch = ? AND {is_absent})",
            (number,),
        )
        self._connection.execute(
            f"INSERT INTO decision (id, content, code, tags) SELECT id, content, code_{side}, tags_{side} "
            f"FROM change WHERE batch = ? AND NOT {is_absent} ORDER BY rowid "
            "ON CONFLICT (id, content) DO UPDATE SET code = excluded.code, tags = excluded.tags",
            (number,),
        )
        self._connection.execute("UPDATE version SET number = number + 1")

    def _batch(self, query: str) -> Batch | None:
        row = self._connection.execute(query).fetchone()
        return None if row is None else Batch(*row)

    def _number(self, query: str) -> int:
        return int(self._connection.execute(query).fetchone()[0])
