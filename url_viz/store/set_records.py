"""Small records of an image set, such as what its label is: changed by one process at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout

from url_viz.errors import WorkspaceError
from url_viz.records import Record, RecordFile
from url_viz.store.damage import raising_disk_errors
from url_viz.workspace import SetPaths

LOCK_S = 5.0


def set_record(
    paths: SetPaths, path: Path, kind: type[Record], advice: str, *, default: Record | None = None
) -> RecordFile[Record]:
    """The record in a file of an image set, changed under the set's lock of records."""
    return RecordFile(path, kind, advice, default, writing=partial(changing_records, paths))


@contextmanager
def changing_records(paths: SetPaths) -> Iterator[None]:
    """The lock under which records of an image set are changed; it waits for no reading of the folder.

    Raises WorkspaceError if the image set was forgotten meanwhile, another process holds the lock too long, or the disk
    is full or cannot be written.
    """
    lock = FileLock(paths.records_lock, timeout=LOCK_S)
    with raising_disk_errors(paths):
        try:
            if paths.folder.is_dir():
                lock.acquire()
        except Timeout as error:
            raise WorkspaceError(
                f"Another process has been writing to {str(paths.folder)!r} for {LOCK_S:.0f} s. Try again when it is "
                "done."
            ) from error
        try:
            if not paths.records_lock.exists():
                raise WorkspaceError(
                    f"The image set {paths.folder.name!r} was forgotten meanwhile, and all that was stored of it. Read "
                    "its folder again, or choose another image set."
                )
            yield
        finally:
            lock.release()
