"""The folders that the owner of a workspace allowed the app to read, besides `$URL_VIZ_ROOTS`: one small record."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout

from url_viz.errors import WorkspaceError
from url_viz.records import RecordFile
from url_viz.roots import is_in_bucket, root_of
from url_viz.store.set_records import LOCK_S
from url_viz.workspace import Workspace


@dataclass(frozen=True)
class AllowedFolders:
    """Folders and addresses in object storage, each once, in the order in which they were allowed."""

    folders: tuple[str, ...] = ()


def allowed_folders(home: Workspace) -> tuple[Path, ...]:
    """What was allowed and not taken back. Raises DamageError for a damaged record."""
    return tuple(map(root_of, _record(home).read().folders))


def folder_to_allow(root: Path) -> Path:
    """What has to be allowed for a source to be read: a folder or an address itself, of a file its folder."""
    return root if is_in_bucket(root) or os.path.isdir(root) else root.parent


def allow(home: Workspace, source: Path) -> Path:
    """Allow a folder or an address, or the folder of a file; returns what is allowed by that.

    Raises WorkspaceError if the workspace cannot be written, DamageError for a damaged record.
    """
    folder = folder_to_allow(root_of(source))
    _record(home).change(lambda record: AllowedFolders(tuple(dict.fromkeys((*record.folders, str(folder))))))
    return folder


def take_back(home: Workspace, folder: Path) -> None:
    """Allow a folder no longer; image sets that were read of it stay, with their thumbnails. Raises as `allow`."""
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
