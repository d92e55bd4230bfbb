"""Packing an image set into one tar file for another machine, and unpacking files that may be hostile."""

import errno
import io
import os
import re
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Annotated, Any

from filelock import FileLock, Timeout
from typing_extensions import Doc

from url_viz.base.command_line import Output
from url_viz.base.errors import DamageError, FolderError, ImageSetError, WorkspaceError
from url_viz.base.files import replaced
from url_viz.base.printout import Printout
from url_viz.base.records import as_json, read_json
from url_viz.base.wording import command
from url_viz.base.workspace import SCHEMA_VERSION, SetPaths, Workspace, root_of
from url_viz.capability import AsKind, capability
from url_viz.imaging.outputs import require_outside
from url_viz.imaging.scan import display_name
from url_viz.parameters import AnyWorkspace, KnownFolder
from url_viz.store.about import find_set, raising_disk_errors, read_about, read_before, write_about
from url_viz.store.decisions.decision_log import DecisionLog
from url_viz.store.sets import Agreement, check_agreement, refuse_known
from url_viz.store.tables import versions
from url_viz.store.tables.reader import Store
from url_viz.store.tables.writer import Writer
from url_viz.store.training_records import RUN_FILES

LABEL = "url-viz-image-set.json"
FORMAT = "url-viz image set"
FORMAT_VERSION = 1
MOST_FILES = 200_000
_WORD = r"[0-9A-Za-z_-]{1,100}"
_LANCE = "|".join(
    (
        r"checksums\.json",
        rf"_versions/{_WORD}\.(manifest|json)",
        rf"(data|_transactions|_deletions)/{_WORD}\.(lance|txn|arrow|bin)",
    )
)
_PACKED = re.compile(
    r"(set|set\.copy|labels|second)\.json|decisions\.db|reviews/[0-9a-f]{1,40}\.json"
    rf"|versions/[1-9]\d{{0,8}}\.parquet|runs/{RUN_FILES}"
    rf"|columns/[\w-][\w. -]{{0,59}}\.parquet|tables/{_WORD}\.lance/({_LANCE})"
)
"""The names of all files that are packed and unpacked: SQLite and Arrow read none of them unasked."""
_NO_ARCHIVE = (tarfile.TarError, EOFError, ValueError, OverflowError, RecursionError)
"""What tarfile raises for files that are damaged, or not archives."""


@dataclass(frozen=True)
class _Label:
    """The first file of an archive."""

    format: str = FORMAT
    format_version: int = FORMAT_VERSION
    schema_version: int = SCHEMA_VERSION


def _packed(given: dict[str, Any], size: int) -> Printout:
    out = Path(given["out"])
    there = command("sets", "unpack", out.name, "--root", "FOLDER")
    return Printout([f"{out}: {size / 2**20:,.1f} MiB. On the other machine: {there}"])


@capability("sets pack", show=_packed)
def pack(
    folder: KnownFolder,
    out: Annotated[str | Path, AsKind(Path), Doc("the .tar file to write; must not exist"), Output()],
    *,
    workspace: AnyWorkspace = None,
) -> int:
    """Write everything stored for a folder, except the pictures, into one file for another machine.

    In Python it returns the size in bytes. Raises ImageSetError if the folder was never read, FolderError if `out`
    exists or cannot be written, WorkspaceError while the folder is being read.
    """
    home = Workspace.at(workspace)
    paths = home.set_paths(read_before(folder, home))
    target = require_outside(out, Store(paths).about().root)
    if target.exists():
        raise FolderError(f"{str(target)!r} exists already. Choose another name, or remove it first.")
    with Writer(paths, Store(paths).about().root):
        try:
            with replaced(target) as temporary, tarfile.open(temporary, mode="w") as archive:
                _add(archive, LABEL, as_json(_Label()).encode())
                for path in sorted(paths.folder.rglob("*")):
                    name = path.relative_to(paths.folder).as_posix()
                    if not _PACKED.fullmatch(name) or not path.is_file() or path.is_symlink():
                        continue
                    if name == "decisions.db":  # a consistent snapshot: others may write it meanwhile
                        _add(archive, name, DecisionLog(path).snapshot())
                    else:
                        with path.open("rb") as opened:
                            archive.addfile(_member(name, os.fstat(opened.fileno()).st_size), opened)
        except OSError as error:
            raise FolderError(
                f"Cannot write {str(target)!r}: {error.strerror or error}. Choose another place."
            ) from error
    return target.stat().st_size


def _unpacked(given: dict[str, Any], done: Agreement) -> Printout:
    return Printout([f"{given['root']} is an image set now: {done.words}."])


@capability("sets unpack", show=_unpacked)
def unpack(
    file: Annotated[str | Path, AsKind(Path), Doc("a file that `sets pack` wrote")],
    *,
    root: Annotated[str | Path, AsKind(Path), Doc("where the same pictures lie on this machine")],
    workspace: AnyWorkspace = None,
) -> Agreement:
    """Import an image set that was packed on another machine.

    Nothing is written if a name leads out of the archive, and the image set appears whole or not at all.

    In Python it returns how many pictures were compared. Raises
    FolderError if the file is not such an archive or damaged, or `root` holds other pictures; ImageSetError if `root`
    was read already, or its stored data are damaged; WorkspaceError while it is being read.
    """
    home = Workspace.at(workspace)
    here = root_of(root)
    with _unpacking(home) as temporary:
        _refuse_kept(here, home)
        paths = SetPaths(temporary / "set")
        store = Store(paths)
        with raising_disk_errors(store.paths):
            _extract(Path(file).expanduser(), paths.folder)
            write_about(paths, replace(read_about(paths), root=here))
        _check_tables(paths, Path(file))
        _check_paths(store, Path(file))
        log = DecisionLog(paths.decisions)
        try:
            if log.verify():  # their file may be no valid one, or hold more
                log.note()
        except DamageError as error:
            raise _damaged(Path(file), paths.decisions.name) from error
        agreement = check_agreement(store, here)
        _rename_unpacked(paths.folder, here, home, aside=temporary / "replaced")
    return agreement


def _refuse_kept(root: Path, home: Workspace) -> SetPaths:
    """The paths for the image set of `root`. Raises ImageSetError if there is stored data that must not be lost."""
    refuse_known(root, home)
    paths = home.set_paths(find_set(root, home))
    if paths.about.exists() or paths.decisions.exists():
        raise ImageSetError(
            f"{str(paths.folder)!r} holds a damaged image set, its decisions perhaps among what is whole. Move that "
            f"folder out of the workspace, or remove it, and unpack again."
        )
    return paths


def _rename_unpacked(unpacked: Path, root: Path, home: Workspace, *, aside: Path) -> None:
    """Rename the unpacked folder to its final path. Raises WorkspaceError if another process began to read `root`.

    A folder there without set.json, left by a set that was only half removed, is moved to `aside`.
    """
    final = _refuse_kept(root, home)
    final.folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(final.lock, timeout=0):
            _refuse_kept(root, home)  # again: it may have been read before we had the lock
            os.rename(final.folder, aside)
            os.rename(unpacked, final.folder)
    except OSError as error:  # a Timeout is one
        if not isinstance(error, Timeout) and error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        raise WorkspaceError(
            f"Another process began to read {str(root)!r} meanwhile. Nothing of it was touched: wait until it is done, "
            f"and forget it before you unpack again."
        ) from error


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    archive.addfile(_member(name, len(data)), io.BytesIO(data))


def _member(name: str, size: int) -> tarfile.TarInfo:
    """A tar member without owner or time, which are private."""
    member = tarfile.TarInfo(name)
    member.size = size
    return member


@contextmanager
def _unpacking(home: Workspace) -> Iterator[Path]:
    """A temporary folder to unpack into, on the disk of the workspace; for one process at a time."""
    home.sets.mkdir(parents=True, exist_ok=True)
    folder = home.root / "unpacking"
    with FileLock(home.root / "unpacking.lock"):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _extract(file: Path, target: Path) -> None:
    """Write the files of an image set in the archive below `target`. Raises FolderError for any other member."""
    target.mkdir()
    try:
        with _opened(file) as raw, tarfile.open(fileobj=raw, mode="r:") as archive:
            _check_label(archive, file)
            for number, member in enumerate(archive):
                if number > MOST_FILES:
                    raise FolderError(f"{str(file)!r} holds more than {MOST_FILES:,} files: that is not an image set.")
                if not member.isdir() and _is_taken(member, file):
                    path, source = target / member.name, archive.extractfile(member)
                    assert source is not None
                    path.parent.mkdir(parents=True, exist_ok=True)
                    with source, path.open("xb") as written:
                        shutil.copyfileobj(source, written, 1 << 20)
                    if path.stat().st_size != member.size:
                        raise tarfile.ReadError(f"{member.name} ends too early")
    except FileExistsError as error:
        raise _distrusted(file, "one name twice") from error
    except _NO_ARCHIVE as error:
        raise FolderError(f"{str(file)!r} is damaged or not a tar file ({error}). Pack the image set again.") from error
    if not (target / "set.json").is_file():
        raise FolderError(f"{str(file)!r} is incomplete: it has no set.json. Pack the image set again.")


def _opened(file: Path) -> IO[bytes]:
    try:
        return file.open("rb")
    except OSError as error:
        raise FolderError(
            f"Cannot read {str(file)!r} ({error.strerror}). Give a file that `url-viz sets pack` wrote."
        ) from error


def _check_label(archive: tarfile.TarFile, file: Path) -> None:
    first = archive.next()
    label = archive.extractfile(first) if first is not None and first.isreg() and first.name == LABEL else None
    try:
        record = read_json(_Label, label.read(4096) if label is not None else b"")
    except ValueError as error:
        raise FolderError(f"{str(file)!r} is not a packed image set. Give a file that `pack` wrote.") from error
    version, schema = record.format_version, record.schema_version
    if record.format != FORMAT or version > FORMAT_VERSION or schema > SCHEMA_VERSION:
        raise WorkspaceError(
            f"{str(file)!r} was packed by a newer version (format {version}, schema {schema}). Update URL-Viz."
        )
    if schema < SCHEMA_VERSION:
        raise WorkspaceError(
            f"{str(file)!r} was packed in early development (schema {schema}), and cannot be unpacked: read its "
            "pictures anew: `url-viz embed FOLDER`."
        )


def refuse_pack(source: str | Path) -> None:
    """Raise FolderError for a file that `pack` wrote, with how to open it."""
    file = Path(source).expanduser()
    with suppress(OSError, *_NO_ARCHIVE):
        if file.is_file() and tarfile.is_tarfile(file):
            with tarfile.open(file, mode="r:") as archive:
                first = archive.next()
            if first is not None and first.name == LABEL:
                raise FolderError(
                    f"{str(source)!r} is a packed image set. Unpack it first: "
                    f"`{command('sets', 'unpack', source, '--root', 'FOLDER')}`, with the folder of its pictures."
                )


def _is_taken(member: tarfile.TarInfo, file: Path) -> bool:
    """Whether a member is a file of an image set, not the archive's label. Raises FolderError for all others."""
    if member.isreg() and not member.issparse() and (member.name == LABEL or _PACKED.fullmatch(member.name)):
        return member.name != LABEL
    shown = display_name(member.name[:200].encode("utf-8", "surrogateescape"))
    raise _distrusted(file, f"{shown!r}, a name or a kind of file that no image set has")


def _distrusted(file: Path, what: str) -> FolderError:
    return FolderError(f"{str(file)!r} holds {what}. Nothing was taken in; do not trust this file.")


def _check_tables(paths: SetPaths, file: Path) -> None:
    for table in sorted(paths.tables.glob("*.lance")):
        state = versions.table_state(table)
        try:
            versions.check(table, versions.newest(state) if state else 0, with_data=state is not None)
        except (OSError, ValueError) as error:
            raise _damaged(file, f"{table.name}: {error}") from error


def _damaged(file: Path, what: str) -> FolderError:
    return FolderError(
        f"{str(file)!r} is damaged ({what}). Nothing was taken in: where it was packed, run "
        "`url-viz sets repair FOLDER` on its folder of pictures, and pack the image set again."
    )


def _check_paths(store: Store, file: Path) -> None:
    """Raise FolderError for paths outside the folder: the app would serve these files."""
    for path in store.images(["path"])["path"].to_pylist():
        if path.startswith(b"/") or b".." in path.split(b"/") or b"\0" in path:
            raise FolderError(
                f"{str(file)!r} names a picture outside its folder ({display_name(path)!r}). Do not trust this file."
            )
