"""The versions of a LanceDB table, and digests of its files, by which lost or altered ones are found.

Lance writes a file once. Manifests and deletion files, which say which rows a table has, are compared with their
digests whenever it is opened; its data, which can be read again, by `mend`, on unpacking, and before small files are
merged. A file without a digest, from a writer that was stopped in between, is accepted.
"""

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from url_viz.base.errors import DamageError
from url_viz.base.records import RecordFile

RECORD = "checksums.json"
MOST_VERSIONS = 8
"""How many of the newest versions are recorded: a reader may have opened one before the last few commits."""
_LAST = 2**64 - 1
"""Lance numbers manifests downwards from here."""
_MANIFEST = ".manifest"
_VERSIONS, _DELETIONS, _DATA = "_versions/", "_deletions/", "data/"
State = tuple[tuple[str, ...], int, int]
"""The names of a table's manifests, and the inode and time of the first of them."""


@dataclass(frozen=True)
class Digests:
    """The digests of a table's files, by their paths in its folder."""

    files: dict[str, str] = field(default_factory=dict)


def _record_file(table: Path) -> RecordFile[Digests]:
    return RecordFile(table / RECORD, Digests, "The next reading writes it again.", Digests(), is_flushed=False)


def _recorded(table: Path) -> dict[str, str]:
    with suppress(DamageError):  # the data are not affected, and the next commit writes it again
        files = _record_file(table).read().files
        return {name: files[name] for name in files if (table / name).parent.parent == table}  # others may have made it
    return {}


def note(table: Path) -> None:
    """Record the files of a table that was just written, or is whole; under the set's lock."""
    before = _recorded(table)
    manifests = sorted((table / _VERSIONS).glob(f"*{_MANIFEST}"))[:MOST_VERSIONS]  # the newest come first
    files = [*manifests, *(file for part in (_DELETIONS, _DATA) for file in (table / part).glob("*"))]
    names = [file.relative_to(table).as_posix() for file in files]
    _record_file(table).write(Digests({name: before.get(name) or _digest(table / name) for name in names}))


def check(table: Path, version: int, *, is_newest: bool = True, with_data: bool = False) -> None:
    """Raise ValueError if the manifest of `version` or a deletion file is not as written; `with_data` also a data file.

    With `is_newest` also if a newer version was recorded, but is lost.
    """
    recorded, manifest = _recorded(table), _manifest(version)
    newest = min((name for name in recorded if name.endswith(_MANIFEST)), default=manifest)
    if is_newest and newest < manifest and not (table / newest).is_file():
        raise ValueError(f"version {_number(newest.removeprefix(_VERSIONS))} is lost")
    for name in recorded:
        if name == manifest or name.startswith(_DELETIONS):
            with suppress(FileNotFoundError):  # an older version's, cleaned up meanwhile
                _compare(table, name, recorded[name])
    if with_data:
        named = (table / manifest).read_bytes()  # the names of a version's data files stand in its manifest as they are
        for name in recorded:
            if name.startswith(_DATA) and name.removeprefix(_DATA).encode() in named:
                _compare(table, name, recorded[name])


def _compare(table: Path, name: str, digest: str) -> None:
    if _digest(table / name) != digest:
        raise ValueError(f"{name} is not as it was written")


def manifest_digest(table: Path, version: int) -> str:
    """A digest of the manifest of a version, which names all of its files; "" where it was cleaned up meanwhile."""
    with suppress(FileNotFoundError):
        return _digest(table / _manifest(version))
    return ""


def table_state(table: Path) -> State | None:
    """A value that differs for another version of a table, or another table in its place; None without any version.

    Looking into the folder takes far less time than asking LanceDB for the latest version.
    """
    folder = table / _VERSIONS
    try:
        names = sorted(name for name in os.listdir(folder) if name.removesuffix(_MANIFEST).isdigit())
        status = os.stat(folder / names[0])
    except (OSError, IndexError):
        return None
    return tuple(names), status.st_ino, status.st_mtime_ns


def newest(state: State) -> int:
    """The newest version of a state."""
    return max(map(_number, state[0]))


def _manifest(version: int) -> str:
    return f"{_VERSIONS}{_LAST - version:020d}{_MANIFEST}"


def _number(manifest: str) -> int:
    return _LAST - int(manifest.removesuffix(_MANIFEST))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, partial(hashlib.blake2b, digest_size=8)).hexdigest()
