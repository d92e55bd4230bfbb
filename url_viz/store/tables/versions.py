"""Digests of LanceDB manifests and deletion files, which detect lost or altered table versions.

Checksums of rows detect damaged rows, but not missing ones: the manifest of a version and the deletion files say which
rows a table has. Their digests are stored in the same folder after each commit. A version without a digest, from a
writer that was stopped in between or from before digests existed, is accepted.
"""

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from url_viz.errors import DamageError
from url_viz.records import RecordFile
from url_viz.store.tables.checksums import ChecksumError

RECORD = "checksums.json"
MOST_VERSIONS = 8
"""How many of the newest versions are recorded: a reader may have opened one before the last few commits."""
_LAST = 2**64 - 1
_MANIFEST = ".manifest"
State = tuple[tuple[str, ...], int, int]
"""The names of a table's manifests, and the inode and time of the first of them."""


@dataclass(frozen=True)
class Noted:
    """The recorded digests of a table: of manifests by version, and of deletion files by name."""

    manifests: dict[int, str] = field(default_factory=dict)
    deletions: dict[str, str] = field(default_factory=dict)

    @property
    def newest(self) -> int:
        return max(self.manifests, default=0)


def noted(table: Path) -> Noted:
    """The recorded digests of the table in the folder `table`; empty if the record is missing or damaged."""
    with suppress(DamageError):  # the data are not affected, and the next commit writes it again
        return _record_of(table).read()
    return Noted()


def _record_of(table: Path) -> RecordFile[Noted]:
    return RecordFile(table / RECORD, Noted, "The next reading writes it again.", Noted(), is_flushed=False)


def note(table: Path, version: int) -> None:
    """Record the version that was just written; under the set's lock."""
    before = noted(table)
    manifests = dict(sorted(before.manifests.items())[1 - MOST_VERSIONS :])
    manifest = _manifest(table, version)
    if manifest is None or version in manifests:
        return
    manifests[version] = _digest(manifest)
    files = _deletions(table)
    deletions = {path.name: before.deletions.get(path.name) or _digest(path) for path in files}
    _record_of(table).write(Noted(manifests, deletions))


def check(table: Path, version: int, *, is_newest: bool = True) -> None:
    """Raise ChecksumError if the manifest of `version`, or a deletion file, is not as written.

    If the version is to be the newest, also if a newer one was recorded, but is lost.
    """
    notes = noted(table)
    if is_newest and notes.newest > version and _manifest(table, notes.newest) is None:
        raise ChecksumError(f"version {notes.newest} is lost")
    manifest = _manifest(table, version)
    pairs = [(manifest, notes.manifests.get(version))] if manifest is not None else []
    pairs += [(path, notes.deletions.get(path.name)) for path in _deletions(table)]
    for path, digest in pairs:
        with suppress(FileNotFoundError):  # an older version's, cleaned up meanwhile
            if digest is not None and _digest(path) != digest:
                raise ChecksumError(f"{path.name} is not as it was written")


def manifest_digest(table: Path, version: int) -> str:
    """A digest of the manifest of a version, which names all of its files; "" where it was cleaned up meanwhile."""
    manifest = _manifest(table, version)
    with suppress(FileNotFoundError):
        return "" if manifest is None else _digest(manifest)
    return ""


def version_folder(table: Path) -> Path:
    """The folder that a table's manifests lie in: another version is another file there."""
    return table / "_versions"


def table_state(table: Path) -> State | None:
    """A value that differs for another version of a table, or another table in its place; None without any version.

    A look at a folder takes a small part of the time in which LanceDB tells its latest version.
    """
    folder = version_folder(table)
    try:
        names = sorted(name for name in os.listdir(folder) if name.removesuffix(_MANIFEST).isdigit())
        status = os.stat(folder / names[0])
    except (OSError, IndexError):
        return None
    return tuple(names), status.st_ino, status.st_mtime_ns


def newest(state: State) -> int:
    """The newest version of a state."""
    return max(map(_version_of, state[0]))


def forget(table: Path) -> None:
    """Remove the record, for a table that goes back to an older version on purpose."""
    (table / RECORD).unlink(missing_ok=True)


def _manifest(table: Path, version: int) -> Path | None:
    path = version_folder(table) / f"{_LAST - version:020d}{_MANIFEST}"  # Lance numbers manifests downwards
    return path if path.is_file() else None


def _version_of(manifest: str) -> int:
    return _LAST - int(manifest.removesuffix(_MANIFEST))


def _deletions(table: Path) -> list[Path]:
    folder = table / "_deletions"
    return sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []


def _digest(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=8).hexdigest()
