"""A file lock on an output folder: a second process that writes there is refused with an error."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from url_viz.errors import FolderError


@contextmanager
def locked(folder: Path, *, part: str = "run") -> Iterator[None]:
    """Lock `folder` (created if missing), or that part of it; raises FolderError if another process holds the lock."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f".{part}.lock")
        lock.acquire(timeout=0)
    except Timeout as error:
        raise FolderError(
            f"Another process writes to {str(folder)!r}. Wait until it is done, stop it, or choose another --out."
        ) from error
    except OSError as error:
        raise FolderError(f"Cannot write to {str(folder)!r} ({error.strerror}). Choose another --out.") from error
    try:
        yield
    finally:
        lock.release()
