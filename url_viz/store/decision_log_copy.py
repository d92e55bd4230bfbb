"""The record and the copy of the decision log, by which damage and loss are detected and repaired.

Decisions cannot be computed again from the pictures. The record (`decisions.json`) holds the identity and the version
of the file of decisions: a file that was lost, exchanged, or is older than the last action differs from it. What is in
the file is checked by checksums of its own (`decision_rows`). The copy (`decisions.copy.db`) is a file of the same
kind, in which each action is made again; `mend` restores it. A file without a record comes from an older version, or
from an action that was stopped before it was recorded, and is accepted.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock

from url_viz.files import replaced
from url_viz.records import read_plain
from url_viz.sealed import sealed, unsealed

LOCK_S = 5.0


@dataclass(frozen=True)
class Record:
    """The recorded state of a file of decisions: its random number and its version."""

    identity: int
    version: int


class DecisionLogBackup:
    """The record and the copy of the file of decisions at `path`."""

    def __init__(self, path: Path) -> None:
        self.record_path = path.with_suffix(".json")
        self.copy_path = path.with_suffix(".copy.db")
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

    def write_record(self, record: Record) -> None:
        """Write the record. It is verified as it is read: none after a power cut is no damage."""
        with replaced(self.record_path, is_flushed=False) as temporary:
            temporary.write_text(sealed(asdict(record)))

    def write_copy(self, data: bytes) -> None:
        """Write the copy as a whole. The journal of an interrupted action would not fit it, and is removed."""
        with replaced(self.copy_path) as temporary:
            temporary.write_bytes(data)
            self.copy_path.with_name(f"{self.copy_path.name}-journal").unlink(missing_ok=True)
