"""Uploaded files: safe names, copies that overwrite nothing, and zip archives read in memory within limits."""

import io
import stat
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path, PurePosixPath
from typing import Protocol

from url_viz.base.errors import FolderError, ImageError
from url_viz.base.files import is_device
from url_viz.imaging.containers.archives import LEADS_OUT, why_too_tight
from url_viz.imaging.scan import EXTENSIONS, IGNORED_FOLDERS
from url_viz.imaging.workers import decoders

LONGEST_NAME_BYTES = 120
_ENDINGS = {"JPEG": ".jpg", "MPO": ".jpg", "JPEG2000": ".jp2", "TIFF": ".tif", "HEIF": ".heic"}


class Incoming(Protocol):
    """A file from outside. Its name may be hostile: it is shown, never used as a path."""

    @property
    def name(self) -> str:
        """The name of the file at its origin, folders included."""

    def read(self) -> bytes:
        """The bytes of the file. Raises ImageError with the reason if it cannot be read."""


@dataclass(frozen=True)
class IncomingFile:
    """A file whose bytes are in memory."""

    name: str
    data: bytes

    def read(self) -> bytes:
        return self.data


@dataclass(frozen=True)
class RefusedFile:
    """A file that is not read, or that is no readable picture, and why."""

    name: str
    reason: str


def is_ignored(name: str) -> bool:
    """Whether a scan of a folder would ignore this file: hidden, or in a hidden or shadow folder (not `..`)."""
    parts = _posix(name).parts
    is_hidden = any(part.startswith(".") and part.strip(".") for part in parts)
    return is_hidden or any(part.encode("utf-8", "replace") in IGNORED_FOLDERS for part in parts)


def safe_name(name: str) -> str:
    """A plain file name from a hostile one: one part, no control characters, not hidden, at most 120 bytes."""
    text = unicodedata.normalize("NFC", _posix(name).name.encode("utf-8", "replace").decode())
    plain = "".join(c if c.isalnum() or c in " .,_+()@=-" else "_" for c in text).lstrip(" .+@=-").rstrip(" .")
    stem, dot, ending = plain.rpartition(".") if "." in plain else (plain, "", "")
    if not stem or is_device(stem):
        stem = f"picture{'_' if stem else ''}{stem}"
    ending = dot + _cut(ending, 10)
    return _cut(stem, LONGEST_NAME_BYTES - len(ending.encode())) + ending


def free_name(name: str, used: Counter[str], *, folder: str = "") -> str:
    """A name in a folder that is not among the `used`, ignoring case, with `-2` in it if need be; it is added to them.

    `used` counts how often each name was wanted, so that thousands of equal ones are numbered in one pass.
    """
    path, wanted = PurePosixPath(name), (folder + name).casefold()
    unique = folder + name
    while unique.casefold() in used:
        used[wanted] += 1
        unique = f"{folder}{path.stem}-{used[wanted]}{path.suffix}"
    used[unique.casefold()] += 1
    return unique


def copy_into(folder: Path, files: Sequence[Incoming]) -> list[Path]:
    """Copy files into `folder` (created if missing) under safe names; existing files are not overwritten.

    Returns the new files, without those that were there already with the same bytes. A picture without an image
    extension gets the extension of its format, so that a scan finds it. Raises FolderError if the folder cannot be
    written to, ImageError if a file cannot be read.
    """
    written: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            name, data = safe_name(file.name), file.read()
            if PurePosixPath(name).suffix.lower().encode() not in EXTENSIONS and (kind := decoders.format_of(data)):
                name += _ENDINGS.get(kind, f".{kind.lower()}")
            path, is_new = _put(folder, name, data)
            written += [path] if is_new else []
    except OSError as error:
        raise FolderError(
            f"Cannot write into {str(folder)!r}: {error.strerror}. {len(written)} files were written. "
            f"Choose a folder that you may write to."
        ) from error
    return written


def _put(folder: Path, name: str, data: bytes) -> tuple[Path, bool]:
    """The file that holds `data`, and whether it was newly written."""
    plain = PurePosixPath(name)
    for variant in chain([name], (f"{plain.stem}-{number}{plain.suffix}" for number in count(2))):
        path = folder / variant
        try:
            with path.open("xb") as file:
                file.write(data)
        except FileExistsError:
            if path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data:
                return path, False
        else:
            return path, True
    raise AssertionError("there is always another name")


def _cut(text: str, most_bytes: int) -> str:
    return text.encode()[:most_bytes].decode(errors="ignore")


_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst")
_ENCRYPTED = 0x1


MOST_FILES = 5_000
MOST_BYTES = 2 << 30
MOST_FILE_BYTES = 256 << 20
"""Limits on what is read from one archive; sizes are unpacked sizes."""


@dataclass(frozen=True)
class ZipMember:
    """A file in an archive, unpacked when it is read."""

    name: str
    archive: zipfile.ZipFile
    info: zipfile.ZipInfo

    def read(self) -> bytes:
        """The bytes of the file. Raises ImageError if the archive is damaged here."""
        try:
            with self.archive.open(self.info) as file:
                return file.read(self.info.file_size)
        except Exception as error:  # a damaged member may raise anything
            raise ImageError(f"cannot be unpacked: {error}") from error


def open_archive(name: str, data: bytes) -> tuple[list[ZipMember], list[RefusedFile]]:
    """The pictures in the zip `data` (`name` is for messages), and the refused files; nothing is unpacked yet.

    Hidden files and shadow folders are left out. Raises FolderError if it is not a zip, or holds more files or bytes
    than are read. A bad file is refused and does not affect the others.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except Exception as error:  # a damaged list of members may raise anything
        raise FolderError(f"{name!r} is not a readable zip archive ({error}). Pack it again.") from error
    infos = [i for i in archive.infolist() if not i.is_dir() and not is_ignored(i.filename)]
    if len(infos) > MOST_FILES:
        raise _too_large(name, f"{len(infos):,} files", f"{MOST_FILES:,}")
    total = sum(info.file_size for info in infos)
    if total > MOST_BYTES:
        raise _too_large(name, f"{total / 2**20:,.0f} MiB unpacked", f"{MOST_BYTES / 2**20:,.0f} MiB")
    checked = [(f"{name}/{info.filename}", info, _why_refused(info)) for info in infos]
    members = [ZipMember(shown, archive, info) for shown, info, reason in checked if reason is None]
    return members, [RefusedFile(shown, reason) for shown, _, reason in checked if reason is not None]


def sorted_zip(folders: Mapping[str, Sequence[Incoming]], *, top_level: Mapping[str, bytes] | None = None) -> bytes:
    """A zip with the files of each folder under safe unique names, and the `top_level` files beside the folders.

    Pictures are compressed already, and are only stored. Raises ImageError if a file cannot be read.
    """
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        used = Counter[str]()
        for folder, files in folders.items():
            archive.mkdir(folder)
            for file in files:
                archive.writestr(free_name(safe_name(file.name), used, folder=f"{folder}/"), file.read())
        for name, data in (top_level or {}).items():
            archive.writestr(name, data, zipfile.ZIP_DEFLATED)
    return target.getvalue()


def _posix(name: str) -> PurePosixPath:
    """The path in a name from outside; those from Windows may hold backslashes."""
    return PurePosixPath(name.replace("\\", "/"))


def _too_large(name: str, holds: str, most: str) -> FolderError:
    return FolderError(f"{name!r} holds {holds}; at most {most} are read out of one zip. Open it as a folder instead.")


def _why_refused(info: zipfile.ZipInfo) -> str | None:
    path = _posix(info.filename)
    kind = stat.S_IFMT(info.external_attr >> 16)
    ending = path.suffix.lower()
    if path.is_absolute() or str(path)[1:2] == ":" or ".." in path.parts:
        return LEADS_OUT
    if kind not in (0, stat.S_IFREG):
        return "is a symlink or another special file, and those are not followed"
    if ending in _ARCHIVES:
        return "is an archive inside the archive, and those are not opened"
    if ending.encode() not in EXTENSIONS:
        return f"is not a picture by its extension ({ending or 'none'})"
    if info.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if info.file_size > MOST_FILE_BYTES:
        most = f"{MOST_FILE_BYTES / 2**20:,.0f} MiB"
        return f"is {info.file_size / 2**20:,.0f} MiB; files over {most} are not unpacked"
    return why_too_tight(info)
