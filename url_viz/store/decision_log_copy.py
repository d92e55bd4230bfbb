"""What stands beside a file of decisions: a record that tells whether it is whole and the right one, and a copy.

Decisions are the one thing that cannot be made again from the pictures. The record (`decisions.json`) notes that there
are some, whose they are, at which version, and the CRC of all bytes at that version; the copy (`decisions.copy.db`)
is what `mend` puts back. Both are written after each action. A file without a record is of before, or of an action that
was stopped before it was noted, and is taken as it is.
"""

import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from url_viz.files import replaced
from url_viz.sealed import sealed, unsealed

LOCK_S = 5.0
RECORD_ENDING = ".json"
COPY_ENDING = ".copy.db"


@dataclass(frozen=True)
class Record:
    """What was noted of a file of decisions: a number of its own, its version, and the CRC of its bytes then."""

    identity: int
    version: int
    crc: int

    @classmethod
    def of(cls, identity: int, version: int, data: bytes) -> "Record":
        """The record of a file that holds `data`."""
        return cls(identity, version, crc_of(data))


def crc_of(data: bytes) -> int:
    """The CRC of a whole file: it tells any flipped bit, at a quarter of what a digest costs."""
    return zlib.crc32(data)


class DecisionLogBackup:
    """The record and the copy of the file of decisions at `path`."""

    def __init__(self, path: Path) -> None:
        self.record_path = path.with_suffix(RECORD_ENDING)
        self.copy_path = path.with_suffix(COPY_ENDING)
        self._lock_path = path.with_suffix(".lock")

    @property
    def exists(self) -> bool:
        """Whether something says that decisions were made."""
        return self.record_path.exists() or self.copy_path.exists()

    def record(self) -> Record | None:
        """What was noted; None where nothing was, or the record is damaged itself: the next action writes it again."""
        try:
            record = unsealed(self.record_path.read_bytes())
            return Record(int(record["identity"]), int(record["version"]), int(record["crc"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def lock(self) -> FileLock:
        """One process at a time makes the file, or writes what stands beside it."""
        return FileLock(self._lock_path, timeout=LOCK_S)

    def write(self, now: Callable[[], tuple[int, int, bytes]]) -> None:
        """Copy and note the file; `now` reads its identity, version and bytes.

        The action that went before is done whatever comes of this: where the disk is full, or another process holds the
        lock, the file is one version ahead of its record until the next action, which is no damage.
        """
        with suppress(OSError, Timeout), self.lock():
            identity, version, data = now()
            with replaced(self.copy_path) as temporary:
                temporary.write_bytes(data)
            with replaced(self.record_path) as temporary:
                temporary.write_text(sealed(asdict(Record.of(identity, version, data))))

    def clear(self) -> None:
        """Remove both."""
        self.record_path.unlink(missing_ok=True)
        self.copy_path.unlink(missing_ok=True)
