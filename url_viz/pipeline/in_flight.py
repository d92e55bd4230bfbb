"""Which pictures a run has in hand, on disk: where it dies, the next run knows which one may have been the reason."""

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType

from url_viz.workspace import SetPaths

_SLOT = struct.Struct("<?q")
_FREE = _SLOT.pack(False, 0)


def notes_of(paths: SetPaths) -> Path:
    """Where the runs of an image set note what they have in hand; hidden, so that packing leaves it out."""
    return paths.folder / ".in-hand"


def interrupted(notes: Path) -> frozenset[int]:
    """Ids of the pictures that a run had in hand as it died; none where the last run ended by itself."""
    try:
        data = notes.read_bytes()
    except FileNotFoundError:
        return frozenset()
    whole = len(data) - len(data) % _SLOT.size
    return frozenset(image_id for is_taken, image_id in _SLOT.iter_unpack(data[:whole]) if is_taken)


class InHand:
    """The notes of one run, a slot a thread; use it as a context manager, which removes them as the run ends.

    Plain writes, without a sync: they outlive the process, and a crash of the machine is not what they are for. A
    mapped file would be killed by a full disk, where a write raises.
    """

    def __init__(self, notes: Path, *, slots: int) -> None:
        self._notes = notes
        self._slots = slots
        self._free: SimpleQueue[int] = SimpleQueue()

    def __enter__(self) -> "InHand":
        self._notes.write_bytes(_FREE * self._slots)
        self._file = os.open(self._notes, os.O_WRONLY | os.O_CLOEXEC)
        for slot in range(self._slots):
            self._free.put(slot)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)
        self._notes.unlink(missing_ok=True)

    @contextmanager
    def holding(self, image_id: int) -> Iterator[None]:
        """Note that a picture is being read, as long as the block lasts."""
        slot = self._free.get()
        try:
            os.pwrite(self._file, _SLOT.pack(True, image_id), slot * _SLOT.size)
            yield
            os.pwrite(self._file, _FREE, slot * _SLOT.size)
        finally:
            self._free.put(slot)
