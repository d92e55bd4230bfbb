"""The folders that the owner of a workspace allowed the app to read, besides `$URL_VIZ_ROOTS`."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout

from url_viz.base.errors import FolderError, WorkspaceError
from url_viz.base.records import RecordFile
from url_viz.base.workspace import Workspace, address_in, is_in_bucket, root_of
from url_viz.imaging.annotations.formats import format_at
from url_viz.imaging.decode import lies_within
from url_viz.imaging.source import source_of
from url_viz.store.about import LOCK_S


@dataclass(frozen=True)
class AllowedFolders:
    """Folders, files and addresses in object storage, each once, in the order in which they were allowed.

    Raises ValueError for a path that is not absolute: the record may have been written by hand.
    """

    folders: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for folder in self.folders:
            if address_in(folder) is None and (not os.path.isabs(folder) or b"\0" in os.fsencode(folder)):
                raise ValueError(f"{folder!r} is no absolute path")


def allowed_folders(home: Workspace) -> tuple[Path, ...]:
    """The folders that are allowed now. Raises DamageError for a damaged record."""
    return tuple(folder for folder in map(root_of, _record(home).read().folders) if not _holds_homes(folder))


def refuse_to_allow(root: Path) -> None:
    """Raise FolderError for a root that is missing, or holds the folders of all users, as `/` does."""
    if not is_in_bucket(root) and not os.path.exists(root):
        raise FolderError(f"{str(root)!r} does not exist. Choose another.")
    if _holds_homes(root):
        raise FolderError(f"{str(root)!r} holds the folders of all users, and is not allowed whole. Choose one in it.")


def needed_for(root: Path) -> tuple[Path, ...]:
    """The paths to allow for a source: itself, and, for a file that lists pictures near it, their common folder.

    Raises FolderError as `refuse_to_allow`.
    """
    refuse_to_allow(root)
    if is_in_bucket(root) or os.path.isdir(root):
        return (root,)
    near = root.parent.parent if format_at(root) else root.parent  # `annotations/` may lie beside `images/`
    folders: set[bytes] = set()
    with suppress(FolderError):  # a file that cannot be read as a list lists nothing
        named = getattr(source_of(root, within=[near]), "named_files", ())
        folders = {os.path.dirname(os.path.realpath(path)) for path in named if b"\0" not in path}
    inside = [folder for folder in folders if lies_within(folder, [near])]
    listed = [Path(os.fsdecode(os.path.commonpath(inside)))] if inside else []
    return (root, *(folder for folder in listed if not _holds_homes(folder)))


def _holds_homes(folder: Path) -> bool:
    return any(root_of(homes).is_relative_to(folder) for homes in ("/home", "/Users", Path.home().parent))


def allow(home: Workspace, source: Path) -> tuple[Path, ...]:
    """Allow the paths that `needed_for` a source names, and return them.

    Raises FolderError as `refuse_to_allow`, WorkspaceError if the workspace cannot be written, DamageError for a
    damaged record.
    """
    needed = needed_for(root_of(source))
    _record(home).change(lambda record: AllowedFolders(tuple(dict.fromkeys((*record.folders, *map(str, needed))))))
    return needed


def take_back(home: Workspace, folder: Path) -> None:
    """Allow a folder no longer; image sets of it stay, with their thumbnails. Raises as `allow`."""
    _record(home).change(lambda record: AllowedFolders(tuple(one for one in record.folders if one != str(folder))))


def _record(home: Workspace) -> RecordFile[AllowedFolders]:
    advice = "Remove the file, and allow the folders again."
    return RecordFile(home.allowed, AllowedFolders, advice, default=AllowedFolders(), writing=partial(_writing, home))


@contextmanager
def _writing(home: Workspace) -> Iterator[None]:
    try:
        with FileLock(home.allowed.with_suffix(".lock"), timeout=LOCK_S):
            yield
    except Timeout as error:
        raise WorkspaceError(f"Another process is writing to {home.allowed}. Try again when it is done.") from error
    except OSError as error:
        raise WorkspaceError(
            f"Cannot write {home.allowed} ({error.strerror}). Make room or check permissions."
        ) from error
