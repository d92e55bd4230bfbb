"""One process a folder: what two would write over each other, the second one is refused, in words."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from url_viz.errors import FolderError


@contextmanager
def alone_in(folder: Path, *, part: str = "run") -> Iterator[None]:
    """Hold `folder` (made where it is new), or that part of it; raises FolderError where another process holds it."""
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
