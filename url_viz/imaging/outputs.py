"""Outputs, which never change what is read."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from url_viz.base.errors import FolderError, UsageError
from url_viz.base.files import require_parent
from url_viz.base.workspace import Workspace, is_in_bucket, root_of
from url_viz.imaging.source import source_of


def require_outside(out: str | Path, *sources: str | Path, home: Path | None = None) -> Path:
    """The absolute path of a file or folder to write. Raises as `refuse_source`, and FolderError without its parent."""
    target = Path(out).expanduser().absolute()
    refuse_source(target, *sources, home=home)
    require_parent(target)
    return target


def refuse_source(target: Path, *sources: str | Path, home: Path | None = None) -> None:
    """Raise UsageError if writing at an absolute path would change what is read from `sources`.

    These are roots of image sets and other files. They are refused themselves, with what lies in them, and the
    pictures and label files that they name; but not what lies in a workspace `home` below them, nor what it exports
    where it is one of them. What a workspace knows of image sets is read, too.
    """
    real = Path(os.path.realpath(target))
    own = None if home is None else Workspace(Path(os.path.realpath(home)))
    if own is not None and (real.is_relative_to(own.sets) or real in (own.about, own.allowed)):
        raise UsageError(f"{str(target)!r} is a place of the workspace for its own records. Write it elsewhere.")
    for source in map(root_of, sources):
        if is_in_bucket(source) or (own is not None and _is_of_workspace(real, own, source)):
            continue
        if real.is_relative_to(source):
            where = "is what is read" if real == source else f"lies in {str(source)!r}, which is only read"
            raise UsageError(f"{str(target)!r} {where}. Write it elsewhere.")
        if os.path.isfile(real) and _is_named(real, source):
            raise UsageError(f"{str(target)!r} is a file of {str(source)!r}, which is only read. Write it elsewhere.")


def _is_of_workspace(real: Path, own: Workspace, source: Path) -> bool:
    """Whether a path is the workspace's, though it lies in a source."""
    if own.root == source:
        return any(real.is_relative_to(each) for each in (own.exports, own.heads, own.jobs))
    return own.root.is_relative_to(source) and real.is_relative_to(own.root)


def _is_named(file: Path, root: Path) -> bool:
    named: Iterable[bytes] = ()
    with suppress(FolderError):  # what cannot be read names nothing
        named = getattr(source_of(root), "named_files", ()) if os.path.isfile(root) else ()
    status = file.stat()
    for path in named:
        with suppress(OSError, ValueError):
            if os.path.samestat(os.stat(path), status):
                return True
    return False
