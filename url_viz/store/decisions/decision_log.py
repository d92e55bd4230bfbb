"""The SQLite log of decisions on an image set, with the record and the copy that tell and repair damage.

Decisions cannot be computed again from the pictures. The record (`decisions.json`) holds the identity and the version
of the file of decisions: a file that was lost, exchanged, or is older than the last action differs from it. What is in
the file is checked by checksums of its own (`decision_transaction`). The copy (`decisions.copy.db`) is a file of the
same kind, in which each action is repeated and nothing is written over; `mend` restores it. A file without a record
comes from an action that was stopped before it was recorded, and is accepted.
"""

import errno
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from url_viz.base.errors import DamageError, WorkspaceError
from url_viz.base.files import replaced
from url_viz.base.records import RecordFile
from url_viz.store.decisions.decision_transaction import SCHEMA_VERSION, InconsistentLogError, Transaction

BUSY_S = 30.0
"""How long an action waits for another writing process."""
COPY_BUSY_S = 5.0
_SUPER_JOURNAL = bytes.fromhex("d9d505f920a163d7")
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_UNWRITABLE = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR)


@dataclass(frozen=True)
class Record:
    """The recorded state of a file of decisions: its random number and its version."""

    identity: int
    version: int


@dataclass(frozen=True)
class Versions:
    """Numbers that change with every action, and with every label that is given or taken back; 0 before the first."""

    all: int = 0
    labels: int = 0


_SEEN: ContextVar[dict[Path, Versions] | None] = ContextVar("versions of logs", default=None)


@contextmanager
def seen_once() -> Iterator[None]:
    """Ask each log for its versions once within this, and again only after an action within it.

    What is drawn meanwhile then shows one state. Actions of other threads and processes are seen afterwards.
    """
    token = _SEEN.set({})
    try:
        yield
    finally:
        _SEEN.reset(token)


class DecisionLog:
    """Reads and writes one database file; every call is one transaction, so many processes may use it at once.

    It uses a rollback journal, not a write-ahead log, which needs shared memory and so fails on network folders.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.record_path, self.copy_path = path.with_suffix(".json"), path.with_suffix(".copy.db")
        self._is_verified = False
        self._is_copied = False

    @contextmanager
    def reading(self) -> Iterator[Transaction | None]:
        """A consistent view; None if nothing was ever decided.

        Raises DamageError if the file is damaged, lost or of another image set.
        """
        record = self._record()  # before the file: a concurrent write makes the file newer, not older
        if not self._is_there():
            yield None
            return
        with self._transaction("BEGIN") as transaction:
            self._check(transaction, record)
            yield transaction

    def versions(self) -> Versions:
        """The versions, as of the last action that was seen (`seen_once`). Raises DamageError as `reading` does."""
        seen = _SEEN.get()
        if seen is not None and self.path in seen:
            return seen[self.path]
        with self.reading() as transaction:
            versions = Versions(transaction.last().version, transaction.last().labels) if transaction else Versions()
        if seen is not None:
            seen[self.path] = versions
        return versions

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """An exclusive write transaction: committed as a whole, or rolled back on an error.

        Raises DamageError as `reading` does, WorkspaceError if the file cannot be written, or another process holds
        it too long.
        """
        if not self._is_there():
            self._make()
        record = self._record()
        with self._transaction("BEGIN IMMEDIATE") as transaction:
            self._check(transaction, record)
            yield transaction
        (_SEEN.get() or {}).pop(self.path, None)
        self.note()

    def note(self) -> None:
        """Repeat the latest actions in the copy, and record the version for the next reader.

        Where there is no copy that they can be repeated in, the file is copied as a whole. A full disk, or another
        process that writes the copy, is not an error, since the action is committed: copy and record are then behind
        until the next action, which is no damage.
        """
        is_known, self._is_copied = self._is_copied, False  # what fails half done is looked at next time
        with suppress(OSError, WorkspaceError):
            if not self._is_repeated(is_known=is_known):
                with self._transaction("BEGIN") as now:
                    self._record_file().write(Record(now.identity, now.last().version))
                    now.verify_actions()  # nothing damaged may take the place of the copy
                    self._write_copy(now.data())
                self._is_repeated(is_known=True)  # what another process did meanwhile
            self._is_copied = True

    def _is_repeated(self, *, is_known: bool) -> bool:
        """Whether the copy has all actions of the file, after those that it lacked were repeated in it.

        One that this process does not know yet is read first: it may be damaged. Who writes it writes the record too.
        """
        if not self.copy_path.exists():
            return False
        copy = DecisionLog(self.copy_path)
        settings = "PRAGMA synchronous = OFF", f"ATTACH '{self._address('ro')}' AS log"
        try:
            with copy._transaction("BEGIN IMMEDIATE", settings, busy_s=COPY_BUSY_S) as transaction:
                if not is_known:
                    transaction.verify_pages("quick_check")
                    transaction.verify()
                if not transaction.follow():
                    return False
                self._record_file().write(Record(transaction.identity, transaction.last().version))
        except DamageError:
            return False
        return True

    def snapshot(self) -> bytes:
        """All bytes of the file at one version. Raises DamageError as `reading` does, and if there is no file."""
        with self.reading() as transaction:
            if transaction is None:
                raise self._lost("is not there")
            return transaction.data()

    def verify(self) -> bool:
        """Whether anything was ever decided. Raises DamageError if not all of it can be read as it was written."""
        with self.reading() as transaction:
            if transaction is not None:
                transaction.verify()
                transaction.verify_actions()
            return transaction is not None

    def is_whole(self) -> bool:
        """Whether all stored decisions can be read as written, or nothing was ever decided."""
        try:
            self.verify()
        except DamageError:
            return False
        return True

    def renew_copy(self) -> bool:
        """Copy the file as a whole if its copy is damaged or lost; returns whether it was."""
        copy = DecisionLog(self.copy_path)
        if not self.path.exists() or (copy.path.exists() and copy.is_whole()):
            return False
        with self._raising_disk_errors():
            self._write_copy(self.snapshot())
        return True

    def put_back(self) -> bool:
        """Restore the file from its copy; returns whether there was an undamaged copy, which stays.

        Raises WorkspaceError if the disk is full or cannot be written: the copy is as it was then.
        """
        copy = DecisionLog(self.copy_path)
        if not (copy.path.exists() and copy.is_whole()):
            return False
        data = copy.snapshot()
        with self._raising_disk_errors(), replaced(self.path) as temporary:
            temporary.write_bytes(data)
            if not DecisionLog(temporary).is_whole():
                raise self._lost("could not be put back from its copy")
        self._is_verified = False
        self.note()
        return True

    def _record(self) -> Record | None:
        """The record; None if there is none, or it is damaged: the next action writes it again."""
        with suppress(DamageError):
            return self._record_file().find()
        return None

    def _record_file(self) -> RecordFile[Record]:
        """The record. It is verified as it is read: none after a power cut is no damage."""
        return RecordFile(self.record_path, Record, "The next action writes it again.", is_flushed=False)

    def _write_copy(self, data: bytes) -> None:
        """Write the copy as a whole. The journal of an interrupted action would not fit it, and is removed."""
        with replaced(self.copy_path) as temporary:
            temporary.write_bytes(data)
            self.copy_path.with_name(f"{self.copy_path.name}-journal").unlink(missing_ok=True)

    def _is_there(self) -> bool:
        # Traces are looked for before the file: another process may make it, and then them, between the two looks.
        is_traced = self.record_path.exists() or self.copy_path.exists()
        if self.path.exists():
            return True
        if is_traced:
            raise self._lost("is lost: decisions were made, and their file is not there")
        return False

    def _make(self) -> None:
        """Create the file with its tables under a temporary name, so that a file without tables is always damaged."""
        if not self.path.parent.is_dir():  # the image set was forgotten meanwhile: do not create it again
            raise self._unwritable("its folder is gone")
        with (
            self._raising_disk_errors(),
            suppress(FileExistsError),
            replaced(self.path, is_new=True) as temporary,
            closing(sqlite3.connect(temporary, isolation_level=None)) as connection,
        ):
            connection.execute("BEGIN IMMEDIATE")
            Transaction(connection).make_tables()
            connection.execute("COMMIT")

    @contextmanager
    def _raising_disk_errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise self._in_words(error) from error

    def _check(self, transaction: Transaction, record: Record | None) -> None:
        """Raise DamageError if the file does not agree with its record, or, the first time, with its checksums."""
        if not self._is_verified:
            transaction.verify()
        if record is not None and transaction.identity != record.identity:
            raise self._lost("is not the one of this image set, or damaged")
        if record is not None and transaction.last().version < record.version:
            raise self._lost("is older than what was decided last")
        self._is_verified = True

    @contextmanager
    def _transaction(
        self, begin: str, settings: Sequence[str] = (), *, busy_s: float | None = None
    ) -> Iterator[Transaction]:
        connection: sqlite3.Connection | None = None
        try:
            self._check_journals()
            connection = sqlite3.connect(
                self._address("rw"), uri=True, timeout=BUSY_S if busy_s is None else busy_s, isolation_level=None
            )
            _refuse_log_ahead(connection)
            transaction = Transaction(connection)
            self._check_schema(transaction.schema_version)
            for statement in (*settings, begin):
                connection.execute(statement)
            transaction.verify_tables()
            yield transaction
            connection.execute("COMMIT")
        except (InconsistentLogError, sqlite3.Error, UnicodeDecodeError) as error:  # of SQL in its own words
            raise self._in_words(error) from error
        finally:
            if connection is not None:
                connection.close()  # rolls back what was not committed

    def _check_journals(self) -> None:
        """Raise InconsistentLogError before SQLite would act on a journal that is not ours."""
        strange = strange_journals(self.path)
        if strange:
            raise InconsistentLogError(f"lies beside {strange[0].name!r}, which is not ours and may not be trusted")

    def _address(self, mode: str) -> str:
        return f"file:{quote(os.fsencode(self.path.absolute()))}?mode={mode}"

    def _check_schema(self, version: int) -> None:
        """Raise WorkspaceError for a file of another schema, and leave it as it is; 0 stands for no file of ours."""
        if version > SCHEMA_VERSION:
            raise WorkspaceError(
                f"{self.path} was written by a newer version (schema {version}, this one reads up to "
                f"{SCHEMA_VERSION}). Update URL-Viz."
            )
        if 0 < version < SCHEMA_VERSION:
            raise WorkspaceError(
                f"{self.path} has schema {version}, of early development, and only {SCHEMA_VERSION} can be read: "
                f"move all files {self.path.stem}.* of that folder elsewhere to decide anew."
            )

    def _in_words(self, error: Exception) -> WorkspaceError:
        """The error for people: of another process, of the disk, or else of a file that is not as written."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            waited = f"Another process has been writing to {self.path} for {BUSY_S:.0f} s."
            return WorkspaceError(f"{waited} Try again when it is done.")
        if getattr(error, "errno", 0) in _FULL or code == sqlite3.SQLITE_FULL:
            return WorkspaceError(f"The disk of {self.path} is full. Nothing was changed: make room and try again.")
        if isinstance(error, OSError) or code in _UNWRITABLE:
            return self._unwritable(str(getattr(error, "strerror", error)))
        return self._lost(str(error) if isinstance(error, InconsistentLogError) else f"is damaged ({error})")

    def _unwritable(self, why: str) -> WorkspaceError:
        return WorkspaceError(
            f"Cannot write to {self.path} ({why}). Check that its folder is there and may be written to."
        )

    def _lost(self, what: str) -> DamageError:
        """The error for a file that is not as written, with the ways to repair it."""
        return DamageError(
            f"{self.path} {what}. Put the right file back, or run `url-viz sets repair FOLDER` on the folder "
            f"of pictures: it lays this one aside and takes the copy that is kept beside it. Without a whole copy, "
            f"`sqlite3 FILE .recover` may save what is in it."
        )


def _refuse_log_ahead(connection: sqlite3.Connection) -> None:
    """Raise InconsistentLogError for a file that is written by a write-ahead log.

    SQLite is asked, since the file itself must never be opened in another way: to close it again would drop the locks
    that other threads of this process hold on it (https://sqlite.org/howtocorrupt.html, 2.2), and their answers with
    them.
    """
    if connection.execute("PRAGMA journal_mode").fetchone() == ("wal",):
        raise InconsistentLogError("is written by a write-ahead log, which none of ours is")


def strange_journals(database: Path) -> list[Path]:
    """The journals next to a database that must not be there when it is opened: SQLite would act on them.

    Ours are rollback journals of one database. One that ends in that magic number names a super-journal, which only
    attached databases have: SQLite deletes the file of that name, whatever it is. A write-ahead log is never ours.
    """
    journal, *logs = (database.with_name(database.name + ending) for ending in ("-journal", "-wal", "-shm"))
    is_strange = _end_of(journal) == _SUPER_JOURNAL
    return [*([journal] if is_strange else []), *(log for log in logs if os.path.lexists(log))]


def _end_of(journal: Path) -> bytes:
    """The last bytes of a journal; none if it cannot be read: it goes when an action ends."""
    try:
        with journal.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - len(_SUPER_JOURNAL)))
            return file.read()
    except OSError:
        return b""
