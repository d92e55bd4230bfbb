"""The integrity record and the backup copy of the decision log.

Decisions cannot be computed again from the pictures. The record (`decisions.json`) holds the identity, the version and
the CRC of the file of decisions; `mend` restores the copy (`decisions.copy.db`). Both are written after each action. A
file without a record comes from an older version, or from an action that was stopped before it was recorded, and is
accepted.
"""

import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from url_viz.files import replaced
from url_viz.records import read_plain
from url_viz.sealed import sealed, unsealed

LOCK_S = 5.0
RECORD_ENDING = ".json"
COPY_ENDING = ".copy.db"


@dataclass(frozen=True)
class Record:
    """The recorded state of a file of decisions: its random number, its version, and the CRC of its bytes."""

    identity: int
    version: int
    crc: int

    @classmethod
    def of(cls, identity: int, version: int, data: bytes) -> "Record":
        """The record of a file that holds `data`."""
        return cls(identity, version, crc_of(data))


def crc_of(data: bytes) -> int:
    """The CRC of a whole file: it detects any flipped bit, at a quarter of the cost of a digest."""
    return zlib.crc32(data)


class DecisionLogBackup:
    """The record and the copy of the file of decisions at `path`."""

    def __init__(self, path: Path) -> None:
        self.record_path = path.with_suffix(RECORD_ENDING)
        self.copy_path = path.with_suffix(COPY_ENDING)
        self._lock_path = path.with_suffix(".lock")

    @property
    def exists(self) -> bool:
        """Whether a record or a copy shows that decisions were made."""
        return self.record_path.exists() or self.copy_path.exists()

    def record(self) -> Record | None:
        """The record; None if there is none, or it is damaged: the next action writes it again."""
        try:
            return read_plain(Record, unsealed(self.record_path.read_bytes()))
        except (OSError, ValueError):
            return None

    def lock(self) -> FileLock:
        """The lock under which one process at a time creates the file, or writes record and copy."""
        return FileLock(self._lock_path, timeout=LOCK_S)

    def write(self, now: Callable[[], tuple[int, int, bytes]]) -> None:
        """Write copy and record of the file; `now` reads its identity, version and bytes.

        A full disk, or a lock held by another process, is not an error, since the action is committed: the file is then
        one version ahead of its record until the next action, which does not count as damage.
        """
        with suppress(OSError, Timeout), self.lock():
            identity, version, data = now()
            with replaced(self.copy_path) as temporary:
                temporary.write_bytes(data)
            with replaced(self.record_path) as temporary:
                temporary.write_text(sealed(asdict(Record.of(identity, version, data))))

    def clear(self) -> None:
        """Remove record and copy."""
        self.record_path.unlink(missing_ok=True)
        self.copy_path.unlink(missing_ok=True)
