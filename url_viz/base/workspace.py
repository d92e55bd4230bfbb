"""Paths of the workspace and its image sets, the check of its version, and where pictures lie: a folder or a bucket."""

import errno
import hashlib
import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PosixPath
from typing import Any, Protocol

from url_viz.base.errors import BucketError, WorkspaceError
from url_viz.base.files import replaced, sealed, unsealed

SCHEMES = ("s3", "gs", "az")
_ADDRESS = re.compile(rf"({'|'.join(SCHEMES)}):/+(.*)", re.DOTALL | re.IGNORECASE)
"""One slash is enough: a Path drops the other."""
_BUCKET = re.compile(r"[A-Za-z0-9$][A-Za-z0-9._-]{0,221}")


class BucketAddress(PosixPath):
    """An address in object storage, "s3://bucket/photos", made by `root_of`; can stand for the path of a folder.

    It has the name, parents and text of a path; nothing lies at it on this machine.
    """

    def __str__(self) -> str:
        scheme, *rest = self.parts or (".",)  # the last of its parents is empty, as of every relative path
        return f"{scheme}//{'/'.join(rest)}" if rest else scheme

    def __fspath__(self) -> str:
        return str(self)

    def resolve(self, strict: bool = False) -> "BucketAddress":  # noqa: FBT001, FBT002 - as in Path
        return self

    def absolute(self) -> "BucketAddress":
        return self

    def is_dir(self, **_: Any) -> bool:
        return False

    def stat(self, **_: Any) -> os.stat_result:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self))


def root_of(named: str | Path) -> Path:
    """The folder `named`, with its links resolved, or the address in object storage, as a `BucketAddress`.

    Raises BucketError for an address that cannot be one, or that holds credentials.
    """
    address = address_in(named)
    # unlike Path.resolve, it raises nothing for loops and endless names
    return Path(os.path.realpath(Path(named).expanduser())) if address is None else address


def address_in(named: str | Path) -> BucketAddress | None:
    """`named` as an address in object storage; None for the path of a folder. Raises BucketError as `root_of`."""
    if isinstance(named, BucketAddress):
        return named
    found = _ADDRESS.fullmatch(str(named))
    if found is None:
        return None
    scheme, rest = found[1].lower(), found[2]
    bucket, *keys = [part for part in rest.split("/") if part] or [""]
    if ":" in bucket or "@" in rest or "?" in rest:
        raise BucketError(
            f"An address {scheme}://… with '@', '?' or a ':' is not read, because credentials stand in these; it is "
            f"not shown for the same reason. Give {scheme}://bucket/folder alone, and the credentials in the "
            "environment (docs/scale.md)."
        )
    if not _BUCKET.fullmatch(bucket) or {".", ".."} & set(keys):
        raise BucketError(f"What follows {scheme}:// is no bucket with a folder. Give {scheme}://bucket/folder.")
    return BucketAddress(f"{scheme}:", bucket, *keys)


def refuse_credentials(words: Iterable[str]) -> None:
    """Raise BucketError if a word of a command is, or ends with, an address with credentials, before it is printed."""
    for word in words:
        start = re.search(rf"(?:^|[=:])({'|'.join(SCHEMES)}):/", word, re.IGNORECASE)
        if start is not None:
            address_in(word[start.start(1) :])


def is_in_bucket(root: Path) -> bool:
    """Whether a root lies in object storage."""
    return isinstance(root, BucketAddress)


SCHEMA_VERSION = 2
"""A workspace of another schema is refused as a whole, and so are sets packed in one."""
HOME_VARIABLE = "URL_VIZ_HOME"


def default_workspace() -> Path:
    """The folder of `$URL_VIZ_HOME`, else `~/.url_viz`."""
    named = os.environ.get(HOME_VARIABLE)
    return Path(named).expanduser() if named else Path.home() / ".url_viz"


def set_id_of(root: Path, number: int = 0) -> str:
    """The id of an image set, 16 hexadecimal digits from its root's bytes; another one for each `number`."""
    salt = b"\0%d" % number if number else b""
    return hashlib.blake2b(os.fsencode(root) + salt, digest_size=8).hexdigest()


def has_control_characters(path: Path) -> bool:
    """Whether a path holds line breaks, other control characters, or bytes that are not UTF-8."""
    return any(c < " " or c == "\x7f" or "\ud800" <= c <= "\udfff" for c in str(path))


class HasFolder(Protocol):
    """Names the files of a folder."""

    @property
    def folder(self) -> Path: ...


class FileInside:
    """An attribute that is a path inside the folder of its owner."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, owner: "HasFolder | Workspace", _: type | None = None) -> Path:
        return (owner.root if isinstance(owner, Workspace) else owner.folder) / self._name


@dataclass(frozen=True)
class SetPaths:
    """The files of one image set."""

    folder: Path
    about = FileInside("set.json")
    about_copy = FileInside("set.copy.json")
    tables = FileInside("tables")
    lock = FileInside("writer.lock")
    """Held by the one process that writes tables."""
    records_lock = FileInside("records.lock")
    """Held while a small record is changed."""
    columns = FileInside("columns")
    labels = FileInside("labels.json")
    second = FileInside("second.json")
    decisions = FileInside("decisions.db")
    reviews = FileInside("reviews")
    runs = FileInside("runs")
    """Logits of a user's own model, a folder a run."""
    versions = FileInside("versions")
    """The set at the end of each reading that changed it."""
    stash = FileInside("stash")
    """Crops of pictures that wait for a second model, while that is to read."""
    derived = FileInside("derived")
    """Cached columns, a folder for each; all of it can be deleted."""


@dataclass(frozen=True)
class Workspace:
    """A folder that holds image sets, prepared models and jobs."""

    root: Path
    about = FileInside("workspace.json")
    allowed = FileInside("allowed.json")
    """The folders that the app was allowed to read."""
    sets = FileInside("sets")
    models = FileInside("models")
    heads = FileInside("heads")
    jobs = FileInside("jobs")
    exports = FileInside("exports")
    datasets = FileInside("datasets")
    """Files that stand for Datasets of Python, by name."""
    demo = FileInside("demo")
    checkpoints = FileInside("checkpoints")
    """The folder that a user puts files of models into; it may not exist."""

    @classmethod
    def at(cls, root: str | Path | None = None) -> "Workspace":
        """Open the workspace at `root` (by default `$URL_VIZ_HOME`, else `~/.url_viz`), creating it if it is new.

        Raises WorkspaceError if it cannot be made, is an address in object storage, has another schema, or
        LanceDB cannot open its path.
        """
        named = root or default_workspace()
        if address_in(named) is not None:
            raise WorkspaceError(
                f"{str(named)!r} is an address in object storage, and the workspace lies in a folder of this machine. "
                f"Choose one with ${HOME_VARIABLE} or --workspace; pictures may lie in object storage."
            )
        workspace = cls(Path(named).expanduser().absolute())
        if has_control_characters(workspace.root):
            raise WorkspaceError(
                f"The path of the workspace, {str(workspace.root)!r}, holds a line break, another control character or "
                f"bytes that are not UTF-8. Choose another folder with ${HOME_VARIABLE} or --workspace."
            )
        folder = workspace.root
        try:
            if not folder.is_dir():
                for missing in reversed([place for place in (folder, *folder.parents) if not place.exists()]):
                    missing.mkdir(mode=0o700, exist_ok=True)
                folder.mkdir(exist_ok=True)  # raises where it is a file
            if not workspace.about.exists():
                with replaced(workspace.about) as temporary:
                    temporary.write_text(sealed({"schema_version": SCHEMA_VERSION}))
        except OSError as error:
            raise WorkspaceError(
                f"Cannot write to the workspace {workspace.root} ({error.strerror}). "
                f"Choose another folder with ${HOME_VARIABLE} or --workspace."
            ) from error
        workspace.check_version()
        return workspace

    def check_version(self) -> None:
        """Raise WorkspaceError for a workspace of another schema, or with a damaged label."""
        try:
            version = unsealed(self.about.read_bytes())["schema_version"]
            if not isinstance(version, int):
                raise ValueError(f"{version!r} is no version")
        except OSError as error:
            raise WorkspaceError(f"Cannot read {self.about}: {error.strerror}. Check its permissions.") from error
        except (ValueError, KeyError) as error:
            raise WorkspaceError(
                f"{self.about} is damaged. If this folder is a workspace, remove that file, which is written again; "
                f"else choose another folder with ${HOME_VARIABLE}."
            ) from error
        if version > SCHEMA_VERSION:
            raise WorkspaceError(
                f"The workspace {self.root} has schema {version}, and this version reads schema {SCHEMA_VERSION}. "
                f"Update URL-Viz, or choose another folder with ${HOME_VARIABLE}."
            )
        if version < SCHEMA_VERSION:
            raise WorkspaceError(
                f"The workspace {self.root} has schema {version}, of early development, and cannot be read: choose "
                f"another folder with ${HOME_VARIABLE}, and read your pictures anew: `url-viz embed FOLDER`."
            )

    def set_paths(self, set_id: str) -> SetPaths:
        """The files of the image set with this id. Raises WorkspaceError for what is no id."""
        if len(set_id) != 16 or not all(c in "0123456789abcdef" for c in set_id):
            raise WorkspaceError(f"{set_id!r} is not an image-set id (16 hexadecimal digits). See `url-viz sets list`.")
        return SetPaths(self.sets / set_id)


IN_ENVIRONMENT = Workspace(Path(sys.prefix) / "share" / "url-viz")
"""Models that the command `prepare` put here serve all workspaces of this Python, such as a virtual environment."""
