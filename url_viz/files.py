"""Files: replaced in one step, so that each appears whole or not at all; names that no system refuses."""

import os
import re
import shlex
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from url_viz.errors import FolderError


def _umask() -> int:
    """The umask of this process; the only way to read it is to set it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


_UMASK = _umask()
LEFTOVER_S = 600.0
"""A hidden file that nobody has written to for so long belongs to a process that was killed."""


@contextmanager
def replaced(path: Path, *, is_flushed: bool = True, is_new: bool = False) -> Iterator[Path]:
    """Yield a temporary path in the same folder to write to; on success it replaces `path` in one step.

    With `is_new` it replaces nothing: raises FileExistsError if another process was first.

    It lies on the disk before it gets its name, or after a power cut there may be a file of that name without contents;
    not if `is_flushed` is false, for what is verified as it is read, and can be made again.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_UMASK)  # mkstemp's is for secrets; others of a shared workspace read this
        if is_flushed:
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
        if is_new:
            os.link(temporary, path)  # LanceDB needs hard links as well
        else:
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Delete what killed processes left of files that they were writing with `replaced`, below a folder."""
    before = time.time() - LEFTOVER_S
    for path in folder.rglob(".*"):
        with suppress(FileNotFoundError):
            if path.is_file() and path.stat().st_mtime < before:
                path.unlink()


def require_parent(path: Path | None) -> None:
    """Raise FolderError if the folder for a user's file, is missing: it is not created unasked."""
    if path is None:
        return
    parent = path.expanduser().absolute().parent
    if not os.path.lexists(parent):
        raise FolderError(
            f"There is no folder {str(parent)!r} to write {path.name!r} into. Make it first "
            f"(mkdir -p {shlex.quote(str(parent))}), or choose another place."
        )


_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def is_device(name: str) -> bool:
    """Whether Windows takes a file name, with any extension, for one of its devices."""
    return _DEVICES.fullmatch(name) is not None
