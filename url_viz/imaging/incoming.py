"""Files that come in from outside, such as uploads: what they may be called, and copies that overwrite nothing."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from url_viz.errors import FolderError
from url_viz.imaging.scan import EXTENSIONS, PASSED_OVER_FOLDERS
from url_viz.imaging.workers import decoders

LONGEST_NAME_BYTES = 120
_NAMES_OF_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)
_ENDINGS = {"JPEG": ".jpg", "MPO": ".jpg", "JPEG2000": ".jp2", "TIFF": ".tif", "HEIF": ".heic"}


class Incoming(Protocol):
    """A file from outside. Its name says where it comes from and is only ever shown: it may hold anything."""

    @property
    def name(self) -> str:
        """What the file is called where it comes from, folders included."""

    def read(self) -> bytes:
        """The bytes of the file. Raises ImageError with the reason where it cannot be read."""


@dataclass(frozen=True)
class IncomingFile:
    """A file whose bytes are at hand."""

    name: str
    data: bytes

    def read(self) -> bytes:
        """The bytes of the file."""
        return self.data


@dataclass(frozen=True)
class Copies:
    """What became of files copied into a folder: newly written ones, and ones that lay there byte for byte."""

    written: tuple[Path, ...]
    already_there: tuple[Path, ...]


def is_passed_over(name: str) -> bool:
    """Whether a scan of a folder would pass this file over: hidden, or in a hidden or shadow folder (not `..`)."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    is_hidden = any(part.startswith(".") and part.strip(".") for part in parts)
    return is_hidden or any(part.encode("utf-8", "replace") in PASSED_OVER_FOLDERS for part in parts)


def safe_name(name: str) -> str:
    """A plain file name made from a hostile one: one part, no control characters, not hidden, at most 120 bytes."""
    last = PurePosixPath(name.replace("\\", "/")).name
    text = unicodedata.normalize("NFC", last.encode("utf-8", "replace").decode())
    kept = "".join(c if c.isalnum() or c in " ._-()" else "_" for c in text).strip(" .")
    stem, dot, ending = kept.rpartition(".") if "." in kept else (kept, "", "")
    if not stem or _NAMES_OF_DEVICES.fullmatch(stem.split(".")[0]):
        stem = f"picture{'_' if stem else ''}{stem}"
    ending = dot + _cut(ending, 10)
    return _cut(stem, LONGEST_NAME_BYTES - len(ending.encode())) + ending


def unique_names(names: Iterable[str]) -> Iterator[str]:
    """Each name once, also where case does not count: a later one of the same name gets `-2` before its ending."""
    taken: set[str] = set()
    for name in names:
        found = next(candidate for candidate in _variants(name) if candidate.casefold() not in taken)
        taken.add(found.casefold())
        yield found


def copy_into(folder: Path, files: Sequence[Incoming]) -> Copies:
    """Copy files into `folder` (made where it is new) under safe names; nothing that lies there is written over.

    A picture whose ending does not say so gets the ending of its format, so that a scan finds it. Raises FolderError
    where the folder cannot be written to, ImageError where a file cannot be read.
    """
    written: list[Path] = []
    already_there: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            data = file.read()
            path, is_new = _put(folder, _with_ending(safe_name(file.name), data), data)
            (written if is_new else already_there).append(path)
    except OSError as error:
        raise FolderError(
            f"Cannot write into {str(folder)!r}: {error.strerror}. {len(written)} files were written. "
            f"Choose a folder that you may write to."
        ) from error
    return Copies(tuple(written), tuple(already_there))


def _put(folder: Path, name: str, data: bytes) -> tuple[Path, bool]:
    """The file that holds `data` now, and whether it was written just now."""
    for variant in _variants(name):
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


def _variants(name: str) -> Iterator[str]:
    yield name
    path = PurePosixPath(name)
    number = 2
    while True:
        yield f"{path.stem}-{number}{path.suffix}"
        number += 1


def _with_ending(name: str, data: bytes) -> str:
    if PurePosixPath(name).suffix.lower().encode() in EXTENSIONS:
        return name
    kind = decoders.format_of(data)
    if kind is None:  # no picture: it keeps its name, and the scan says what it passed over
        return name
    return name + _ENDINGS.get(kind, f".{kind.lower()}")


def _cut(text: str, most_bytes: int) -> str:
    return text.encode()[:most_bytes].decode(errors="ignore")
