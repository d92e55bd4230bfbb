"""What the app may read: `$URL_VIZ_ROOTS`, by default the home folder and the working directory, and no bucket.

Where nobody but the owner of the workspace reaches it, also what was allowed there.
"""

import json
import os
import re
import shlex
from contextlib import suppress
from pathlib import Path

import streamlit as st

from url_viz.errors import FolderError, NotAllowedError
from url_viz.escaping import command
from url_viz.imaging.containers.picture_lists import ENDINGS
from url_viz.imaging.scan import SHARD_ENDINGS
from url_viz.models.model_names import WeightsFile
from url_viz.processes.app_server import GIVEN_VARIABLE, ROOTS_VARIABLE
from url_viz.roots import SCHEMES, address_in, root_of
from url_viz.store.allowed_folders import allowed_folders
from url_viz.ui.auth import is_shared
from url_viz.workspace import Workspace

_FILES = (*map(os.fsdecode, SHARD_ENDINGS), *(ending for ending in ENDINGS if ending != ".txt"))
"""Endings of files that are offered; text files are mostly something else."""
MOST_LISTED = 500
_PART = re.compile(rf"(?:(?:{'|'.join(SCHEMES)}):(?=//))?[^{os.pathsep}]+")


def roots() -> tuple[Path, ...]:
    """The folders that the app may read, resolved, then what was allowed in it; what does not exist is left out."""
    named = os.environ.get(ROOTS_VARIABLE)
    chosen = [Path(part).expanduser() for part in _parts(named)] if named else [Path.home(), Path.cwd()]
    there = (*filter(Path.is_dir, chosen), *filter(os.path.exists, _allowed_here()))
    return tuple(dict.fromkeys(path.resolve() for path in there))


def _allowed_here() -> tuple[Path, ...]:
    """What the command that started this server was given; and what was allowed, where nobody else reaches the app."""
    given = json.loads(os.environ.get(GIVEN_VARIABLE, "[]"))
    return (*map(root_of, given), *(() if is_shared() else allowed_folders(Workspace.at())))


def may_allow() -> bool:
    """Whether who looks at this page may allow folders: the owner, and nobody who comes through a proxy."""
    return not is_shared() and not any("forwarded" in name.lower() for name in st.context.headers)


def bucket_roots() -> tuple[Path, ...]:
    """The addresses in object storage that the app may read: those that `$URL_VIZ_ROOTS` names, or were allowed."""
    named = _parts(os.environ.get(ROOTS_VARIABLE, ""))
    addresses = (*map(address_in, named), *map(address_in, _allowed_here()))
    return tuple(dict.fromkeys(address for address in addresses if address is not None))


def may_read() -> tuple[Path, ...]:
    """What the app does not leave as it reads pictures: its roots, folders and addresses, and the demo's."""
    return (*roots(), *bucket_roots(), demo())


def demo() -> Path:
    """The folder of the demo pictures, resolved."""
    return Workspace.at().demo.resolve()


def _parts(named: str) -> list[str]:
    """The folders and addresses of a list like that of $PATH; the colon of an address does not end it."""
    return _PART.findall(named)


def allowed(path: Path, *, also: tuple[Path, ...] = ()) -> Path:
    """`path` with symlinks resolved. Raises NotAllowedError if it lies outside every root and `also`, FolderError
    for what cannot be a path.

    An address in object storage is given back as it is. Raises BucketError if it holds credentials.
    """
    address = address_in(path)
    if address is not None:
        return _allowed_address(address, also)
    try:
        resolved = path.expanduser().resolve()
        with suppress(FileNotFoundError, NotADirectoryError):
            resolved.stat()  # `resolve` accepts a name that is too long and, since Python 3.13, a link to itself
    except (OSError, RuntimeError, ValueError) as error:  # a link to itself, no such user, a null byte
        raise FolderError(f"{str(path)!r} is not a readable path ({error}). Choose another.") from error
    inside = roots()
    if not any(resolved.is_relative_to(root) for root in (*inside, *also)):
        listed = ", ".join(map(str, inside)) or "none"
        raise NotAllowedError(
            f"{str(path)!r} is outside the folders that this app may read ({listed}). "
            f"Choose a folder inside them, or start the app with "
            f"{ROOTS_VARIABLE}={shlex.quote(str(resolved))} (several as in $PATH)."
        )
    return resolved


def proposed_folder(folder: Path, name: str) -> Path:
    """Where a new folder of that name may be made: beside a folder, or else in the first of the roots."""
    parent = folder.resolve().parent
    bases = roots()
    is_allowed = any(parent.is_relative_to(base) for base in bases)
    return (parent if is_allowed or not bases else bases[0]) / name


def _allowed_address(address: Path, also: tuple[Path, ...]) -> Path:
    if not any(address.is_relative_to(root) for root in (*bucket_roots(), *also)):
        raise NotAllowedError(
            f"This app may not read {str(address)!r}: it opens no bucket that ${ROOTS_VARIABLE} does not name. Read it "
            f"on the command line ({command('embed', address)}), and it is shown here."
        )
    return address


def allowed_model(name: str) -> str:
    """`name`, unchanged. Raises NotAllowedError if it is the path of a checkpoint outside the roots and the workspace.

    A link from somebody else can name a model: it must not reveal which files exist, nor load one.
    """
    path = _file_in(name)
    if path is not None:
        workspace = Workspace.at()
        allowed(path, also=tuple(map(Path.resolve, (workspace.heads, workspace.jobs, workspace.checkpoints))))
    return name


def _file_in(name: str) -> Path | None:
    """The file or folder that a model's name refers to; None for a plain name."""
    if (weights := WeightsFile.named(name)) is not None:
        return weights.path
    _, is_local, folder = name.partition("local-dir:")
    return Path(folder or name) if is_local or name.endswith(".safetensors") else None


def openable(path: Path) -> list[Path]:
    """The visible folders in `path` that may be opened, by name, then files of pictures, and lists of them as tables.

    Raises FolderError if `path` cannot be listed.
    """
    try:
        inside = sorted(allowed(path).iterdir(), key=lambda p: (not p.is_dir(), p.name.lower()))
    except OSError as error:
        raise FolderError(f"{str(path)!r} cannot be listed: {error.strerror}.") from error
    visible = [p for p in inside if not p.name.startswith(".") and (p.is_dir() or p.suffix.lower() in _FILES)]
    within = roots()
    return [p for p in visible if any(p.resolve().is_relative_to(root) for root in within)][:MOST_LISTED]
