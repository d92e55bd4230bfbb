"""Finds journals next to a database that none of our processes wrote: SQLite would act on them when it opens it."""

import os
from pathlib import Path

_MAGIC = bytes.fromhex("d9d505f920a163d7")
_FORMATS = 18, 20
"""Where a database says by which kind of journal it is read and written: 2 is a write-ahead log."""


def strange_journals(database: Path) -> list[Path]:
    """The journals next to a database that must not be there when it is opened.

    Ours are rollback journals of one database. A journal that ends in this magic number names a super-journal, which
    only attached databases have: SQLite deletes the file of that name, whatever it is. A write-ahead log is never ours.
    """
    journal, *logs = (database.with_name(database.name + ending) for ending in ("-journal", "-wal", "-shm"))
    is_strange = _bytes_of(journal, -len(_MAGIC), None) == _MAGIC
    return [*([journal] if is_strange else []), *(log for log in logs if os.path.lexists(log))]


def has_log_ahead(database: Path) -> bool:
    """Whether SQLite would write a write-ahead log next to a database."""
    return b"\2" in _bytes_of(database, *_FORMATS)


def _bytes_of(path: Path, start: int, end: int | None) -> bytes:
    """Some bytes of a file, as a slice of all; none if it cannot be read: a journal goes when an action ends."""
    try:
        with path.open("rb") as file:
            first, last, _ = slice(start, end).indices(os.fstat(file.fileno()).st_size)
            file.seek(first)
            return file.read(last - first)
    except OSError:
        return b""
