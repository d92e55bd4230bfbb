"""Finds journals next to a database that none of our processes wrote: SQLite would act on them when it opens it."""

import os
from pathlib import Path

_MAGIC = bytes.fromhex("d9d505f920a163d7")


def strange_journals(database: Path) -> list[Path]:
    """The journals next to a database that must not be there when it is opened.

    Ours are rollback journals of one database. A journal that ends in this magic number names a super-journal, which
    only attached databases have: SQLite deletes the file of that name, whatever it is. A write-ahead log is never ours.
    """
    journal, *logs = (database.with_name(database.name + ending) for ending in ("-journal", "-wal", "-shm"))
    is_strange = _end_of(journal) == _MAGIC
    return [*([journal] if is_strange else []), *(log for log in logs if os.path.lexists(log))]


def _end_of(journal: Path) -> bytes:
    """The last bytes of a journal; none if it cannot be read: it goes when an action ends."""
    try:
        with journal.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - len(_MAGIC)))
            return file.read()
    except OSError:
        return b""
