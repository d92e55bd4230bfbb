"""The only way to open a picture's file: it must be a plain file in a folder that may be read, checked once open."""

import fcntl
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from url_viz.errors import ImageError

VANISHED = "no longer exists"
OUTSIDE = "leads out of the folders that may be read"
_LONGEST_PATH = 1024
"""Bytes of a path on macOS (MAXPATHLEN)."""


@contextmanager
def open_plain_file(path: bytes, *, within: Sequence[Path] | None = None) -> Iterator[BinaryIO]:
    """The file at `path`, open for reading; with `within` (real paths) only if it lies in one of these folders.

    The check looks at the open file, not at its path: even if the path is replaced by a link meanwhile, what was
    checked is what is read. Raises ImageError if the file is gone, cannot be opened, lies outside, or is not plain.
    """
    if b"\0" in path:
        raise ImageError("has a zero byte in its name, which no file has")
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except OSError as error:
        raise ImageError(_why_not_opened(path, error) if lies_within(path, within) else OUTSIDE) from error
    try:
        _refuse(handle, within)
        with os.fdopen(handle, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(handle)


def lies_within(path: bytes | Path, within: Sequence[Path] | None) -> bool:
    """Whether a path leads into a folder that may be read: to be asked before whether anything is there."""
    if within is None:
        return True
    try:
        target = Path(os.path.realpath(os.fsdecode(path)))
    except OSError:  # a link that was exchanged while it was followed
        return False
    return any(map(target.is_relative_to, within))


def size_and_time(path: bytes, *, within: Sequence[Path] | None) -> tuple[int, int]:
    """Bytes and time of change, in nanoseconds, of a file; zeros where reading it will give a reason."""
    try:
        status = os.stat(path) if lies_within(path, within) else None
    except (OSError, ValueError):
        status = None
    return (0, 0) if status is None else (status.st_size, status.st_mtime_ns)


def _refuse(handle: int, within: Sequence[Path] | None) -> None:
    """Raise ImageError for an open file that lies outside `within`, or is not a plain file."""
    if within is not None:
        real = _real_path(handle)
        if not any(real.is_relative_to(folder) for folder in within):
            raise ImageError(OUTSIDE)
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        raise ImageError("is a folder" if stat.S_ISDIR(mode) else "is not a plain file (a pipe, socket or device)")


def _real_path(handle: int) -> Path:
    """Where an open file lies, with all links resolved by the system."""
    try:
        if sys.platform == "darwin":
            return Path(os.fsdecode(fcntl.fcntl(handle, fcntl.F_GETPATH, bytes(_LONGEST_PATH)).rstrip(b"\0")))
        return Path(os.readlink(f"/proc/self/fd/{handle}"))
    except OSError as error:
        raise ImageError(f"cannot be said to lie in a folder that may be read: {error.strerror}") from error


def _why_not_opened(path: bytes, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "is a symlink to nothing" if os.path.islink(path) else VANISHED
    if isinstance(error, PermissionError):
        return "cannot be opened: permission denied"
    return f"cannot be opened: {error.strerror or error}"
