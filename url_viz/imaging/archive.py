"""Zip archives, guarded: reading pictures out of hostile ones in memory, and writing pictures sorted into folders."""

import io
import stat
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from url_viz.errors import FolderError, ImageError
from url_viz.imaging.incoming import Incoming, is_passed_over, safe_name, unique_names
from url_viz.imaging.scan import EXTENSIONS

_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst")
_ENCRYPTED = 0x1


@dataclass(frozen=True)
class Limits:
    """How much is read out of one archive; sizes are of what lies in it, unpacked."""

    most_files: int = 5_000
    most_bytes: int = 2 << 30
    most_file_bytes: int = 256 << 20
    most_ratio: float = 200.0
    """Unpacked to packed, of one file; files below `ratio_from_bytes` may be packed as tightly as they like."""
    ratio_from_bytes: int = 1 << 20


LIMITS = Limits()


@dataclass(frozen=True)
class ZipMember:
    """A file in an archive, unpacked when it is read."""

    name: str
    archive: zipfile.ZipFile
    info: zipfile.ZipInfo

    def read(self) -> bytes:
        """The bytes of the file. Raises ImageError where the archive is damaged here."""
        try:
            with self.archive.open(self.info) as file:
                return file.read(self.info.file_size)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
            raise ImageError(f"cannot be unpacked: {error}") from error


@dataclass(frozen=True)
class RefusedMember:
    """A file of an archive that is not read, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Archive:
    """What lies in a zip: pictures to read, and what is refused. Hidden files and shadow folders are passed over."""

    members: tuple[ZipMember, ...]
    refused: tuple[RefusedMember, ...]


def is_zip(name: str) -> bool:
    """Whether a file is a zip by its name."""
    return name.lower().endswith(".zip")


def open_archive(name: str, data: bytes, *, limits: Limits = LIMITS) -> Archive:
    """What lies in the zip `data` (`name` is for messages); nothing is unpacked yet, and nothing ever to the disk.

    Raises FolderError where it is no zip, or holds more files or bytes than `limits` allow. A single bad file is
    refused by itself: one that is too large, packed too tightly, encrypted, a symlink, an archive, no picture by its
    ending, or has a path that leads out of the archive.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise FolderError(f"{name!r} is no zip archive that can be read ({error}). Pack it again.") from error
    infos = [i for i in archive.infolist() if not i.is_dir() and not is_passed_over(i.filename)]
    _check_whole(name, infos, limits)
    members: list[ZipMember] = []
    refused: list[RefusedMember] = []
    for info in infos:
        shown = f"{name}/{info.filename}"
        reason = _why_refused(info, limits)
        if reason is None:
            members.append(ZipMember(shown, archive, info))
        else:
            refused.append(RefusedMember(shown, reason))
    return Archive(tuple(members), tuple(refused))


def sorted_zip(folders: Mapping[str, Sequence[Incoming]], *, beside: Mapping[str, bytes] | None = None) -> bytes:
    """A zip with the files of each folder under safe names of their own, and the files of `beside` at its top.

    Pictures are packed already, so nothing is compressed again. Raises ImageError where a file cannot be read.
    """
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for folder, files in folders.items():
            archive.mkdir(folder)
            for file, name in zip(files, unique_names(safe_name(f.name) for f in files), strict=True):
                archive.writestr(f"{folder}/{name}", file.read())
        for name, data in (beside or {}).items():
            archive.writestr(name, data, zipfile.ZIP_DEFLATED)
    return target.getvalue()


def _path(info: zipfile.ZipInfo) -> PurePosixPath:
    """The path that a file has in its archive; archives made on Windows may hold backslashes."""
    return PurePosixPath(info.filename.replace("\\", "/"))


def _check_whole(name: str, infos: Sequence[zipfile.ZipInfo], limits: Limits) -> None:
    if len(infos) > limits.most_files:
        raise FolderError(
            f"{name!r} holds {len(infos):,} files; at most {limits.most_files:,} are read out of one zip. "
            f"Open it as a folder instead."
        )
    total = sum(info.file_size for info in infos)
    if total > limits.most_bytes:
        raise FolderError(
            f"{name!r} holds {total / 2**20:,.0f} MiB unpacked; at most {limits.most_bytes / 2**20:,.0f} MiB are read "
            f"out of one zip. Open it as a folder instead."
        )


def _why_refused(info: zipfile.ZipInfo, limits: Limits) -> str | None:
    """The reason not to read a file of an archive; None where there is none."""
    path = _path(info)
    kind = stat.S_IFMT(info.external_attr >> 16)
    ending = path.suffix.lower()
    if path.is_absolute() or str(path)[1:2] == ":" or ".." in path.parts:
        return "has a path that leads out of the archive"
    if kind not in (0, stat.S_IFREG):
        return "is a symlink or another special file, and those are not followed"
    if ending in _ARCHIVES:
        return "is an archive inside the archive, and those are not opened"
    if ending.encode() not in EXTENSIONS:
        return f"is no picture by its ending ({ending or 'none'})"
    if info.flag_bits & _ENCRYPTED:
        return "is encrypted"
    return _too_much(info, limits)


def _too_much(info: zipfile.ZipInfo, limits: Limits) -> str | None:
    if info.file_size > limits.most_file_bytes:
        return (
            f"is {info.file_size / 2**20:,.0f} MiB; files over {limits.most_file_bytes / 2**20:,.0f} MiB "
            f"are not unpacked"
        )
    ratio = info.file_size / max(1, info.compress_size)
    if info.file_size >= limits.ratio_from_bytes and ratio > limits.most_ratio:
        return f"is packed {ratio:,.0f} to 1; more than {limits.most_ratio:,.0f} to 1 is not unpacked"
    return None
