"""Translation of LanceDB and disk errors (damaged table, full or read-only disk) into errors for users."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from url_viz.errors import DamageError, WorkspaceError
from url_viz.workspace import SetPaths

LANCE_ERRORS = (RuntimeError, ValueError, OSError, OverflowError, KeyError, IndexError, pa.ArrowException)
"""What LanceDB and Arrow raise for unreadable or inconsistent data; there is no common class."""
_PANIC = "pyo3"
"""Where the classes of panics of native code are at home, one of them no Exception; they cannot be imported."""
_FULL = (errno.ENOSPC, errno.EDQUOT)
_CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM)


def was_written(table: Path) -> bool:
    """Whether a table's folder holds a version, so that one that cannot be opened is damaged, not new."""
    return any((table / "_versions").glob("*.manifest"))


@contextmanager
def raising_damage_errors(table: Path) -> Iterator[None]:
    """Raise a DamageError with the way to repair for whatever LanceDB raises while `table` is read."""
    try:
        yield
    except BaseException as error:
        if not isinstance(error, LANCE_ERRORS) and not type(error).__module__.startswith(_PANIC):
            raise
        why = str(error).partition("\n")[0][:200]
        raise DamageError(
            f"The table {table} cannot be read ({why}). Run `python -m url_viz mend FOLDER` on its folder of pictures, "
            f"then read that again: what is whole stays, what is not is made again."
        ) from error


@contextmanager
def raising_disk_errors(paths: SetPaths) -> Iterator[None]:
    """Raise a WorkspaceError for errors of a full or read-only disk; other errors pass."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        disk_error = disk_error_of(error, paths)
        if disk_error is None:
            raise
        raise disk_error from error


def disk_error_of(error: BaseException, paths: SetPaths) -> WorkspaceError | None:
    """The error for users if `error` came from a full, over-quota or read-only disk; None for any other."""
    if not isinstance(error, OSError | RuntimeError):
        return None
    folder = paths.folder
    if _is_one_of(_FULL, error):
        home = next(path for path in (folder, *folder.parents) if path.exists())
        is_kept = any(map(was_written, paths.tables.glob("*.lance")))
        kept = "What was read is kept" if is_kept else "Nothing is kept yet"
        return WorkspaceError(
            f"The disk of the workspace folder {str(folder)!r} is full "
            f"({shutil.disk_usage(home).free / 2**20:,.1f} MiB are free). {kept}: make room and run the "
            f"same command again, or choose another disk with --workspace."
        )
    path = str(getattr(error, "filename", None) or error)
    if _is_one_of(_CLOSED, error) and str(folder.parent.parent) in path:  # another file's permissions are not ours
        return WorkspaceError(
            f"The workspace folder {str(folder)!r} may not be written to "
            f"({getattr(error, 'strerror', None) or str(error)[:200]}). "
            f"What is there stays: make it writable, or choose another workspace with --workspace."
        )
    return None


def _is_one_of(numbers: tuple[int, ...], error: Exception) -> bool:
    """Whether an OS error has one of these numbers; LanceDB leaves the number only in its message."""
    return getattr(error, "errno", 0) in numbers or any(f"os error {number})" in str(error) for number in numbers)
