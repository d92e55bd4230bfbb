"""Pictures in tar and zip archives, WebDataset's shards among them: members one by one, nothing is unpacked."""

import json
import os
import posixpath
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from url_viz.errors import ImageError
from url_viz.imaging.containers.entries import CLASS, Columns, Entries, Entry, class_column, shortened
from url_viz.imaging.decode import EMPTY, refuse_large
from url_viz.imaging.scan import is_hidden, other_kind

CUT_OFF = "ends in the middle of its archive"
_MOST_SAID_BYTES = 1 << 16
"""Larger members beside a picture are no class and no facts."""
_UNREADABLE = (tarfile.TarError, zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError, zlib.error)


class Tar:
    """Members of an archive that is not compressed; `.cls` and `.json` of WebDataset beside a picture are its columns.

    Files of one name up to the first dot are one sample.
    """

    def entries(self, file: BinaryIO) -> Entries:
        """Every picture; of an archive that is cut off those before its end. Raises ImageError if it is no archive."""
        if os.pread(file.fileno(), 2, 0) == b"\x1f\x8b":
            raise ImageError("is compressed, and pictures in it cannot be reached one by one: decompress it (gunzip)")
        found = _Samples()
        try:
            for name, size_bytes, at in _members(file):
                found.add(name, size_bytes, at, file)
        except _UNREADABLE as error:
            if not found.entries:
                raise ImageError(f"is no archive that can be read: {error}") from error
            return found.ended(fault=f"is cut off or damaged after {len(found.entries):,} pictures: {error}")
        end = os.fstat(file.fileno()).st_size
        is_cut = bool(found.entries) and found.entries[-1].at + found.entries[-1].size_bytes > end
        return found.ended(fault=f"is cut off after {len(found.entries) - 1:,} pictures" if is_cut else "")

    def read(self, file: BinaryIO, entry: Entry) -> bytes:
        return read_at(file, entry.at, entry.size_bytes)


class Zip:
    """Members of a zip file, compressed or not; its list of members is read once. Thread-safe."""

    def __init__(self) -> None:
        self._archive: zipfile.ZipFile | None = None

    def entries(self, file: BinaryIO) -> Entries:
        """Every picture. Raises ImageError if it is no zip file, or cut off (its list of members is at its end)."""
        found = _Samples()
        self._archive = None  # the file may be another one by now
        try:
            for number, member in enumerate(self._opened(file).infolist()):
                if member.filename and not member.is_dir():
                    found.add(os.fsencode(member.filename), member.file_size, number, None)
        except _UNREADABLE as error:
            raise ImageError(f"is no zip file that can be read: {error}") from error
        return found.ended()

    def read(self, file: BinaryIO, entry: Entry) -> bytes:
        """The bytes of a member, unpacked to no more than a picture may have."""
        try:
            archive = self._opened(file)
            member = archive.infolist()[entry.at]
            refuse_large(member.file_size)
            with archive.open(member) as opened:
                data = opened.read(member.file_size)
        except (*_UNREADABLE, RuntimeError, IndexError) as error:  # encrypted, or of another archive by now
            raise ImageError(f"cannot be unpacked: {error}") from error
        if not data:
            raise ImageError(EMPTY)
        return data

    def _opened(self, file: BinaryIO) -> zipfile.ZipFile:
        if self._archive is None:
            self._archive = zipfile.ZipFile(f"/dev/fd/{file.fileno()}")  # opened once more: it outlives what was given
        return self._archive


def _members(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Name, size and offset of each plain member.

    Headers of the plainest kind are read here, in a third of `tarfile`'s time; from the first other one on it reads.
    """
    position, handle = 0, file.fileno()
    while True:
        header = os.pread(handle, _BLOCK, position)
        size = _size_if_plain(header)
        if size is None:
            break
        yield header[:100].partition(b"\0")[0], size, position + _BLOCK
        position += _BLOCK + -(-size // _BLOCK) * _BLOCK
    if position and not header.strip(b"\0"):  # the end of the archive
        return
    file.seek(position)
    with tarfile.open(fileobj=file, mode="r:") as archive:
        for member in archive:
            archive.members = []  # type: ignore[attr-defined]  # else each is held until the end
            if member.isreg():
                yield os.fsencode(member.name), member.size, member.offset_data
        if os.pread(handle, _BLOCK, archive.offset).strip(b"\0"):  # where tarfile ends without a word
            raise tarfile.ReadError("a header is damaged")


_BLOCK = 512


def _size_if_plain(header: bytes) -> int | None:
    """The size of a plain file whose whole name stands in this header; None for any other header."""
    if len(header) < _BLOCK or header[156:157] not in (b"0", b"\0") or header[345] or header[0] == 0:
        return None
    size, checksum = header[124:136].strip(b" \0"), header[148:156].strip(b" \0")
    if not size.isdigit() or not checksum.isdigit() or b"8" in size + checksum or b"9" in size + checksum:
        return None
    is_sound = sum(header) - sum(header[148:156]) + 8 * ord(" ") == int(checksum, 8)
    return int(size, 8) if is_sound else None


def read_at(file: BinaryIO, offset: int, size_bytes: int) -> bytes:
    """So many bytes of an open file. Raises ImageError if they are none, too many, or not there."""
    refuse_large(size_bytes)
    if not size_bytes:
        raise ImageError(EMPTY)
    data = os.pread(file.fileno(), size_bytes, offset)
    if len(data) < size_bytes:
        raise ImageError(CUT_OFF)
    return data


@dataclass
class _Samples:
    """Pictures as they come, with the facts that stand beside them in samples."""

    entries: list[Entry] = field(default_factory=list)
    _facts: list[dict[str, object]] = field(default_factory=list)
    _other: list[str] = field(default_factory=list)
    _sample: bytes = b""
    _said: dict[str, object] = field(default_factory=dict)

    def add(self, name: bytes, size_bytes: int, at: int, file: BinaryIO | None) -> None:
        """Take a member; facts are read from the `file`, if it is given."""
        name = name.removeprefix(b"./")
        if any(map(is_hidden, name.split(b"/"))):
            return
        folder, base = posixpath.split(name)
        sample, _, ending = base.partition(b".")
        if (key := posixpath.join(folder, sample)) != self._sample:
            self._sample, self._said = key, {}  # the facts of one sample are shared by its pictures
        kind = other_kind(base)
        if kind is None:
            self.entries.append(Entry(name, size_bytes, at))
            self._facts.append(self._said)
        elif file is not None and ending in (b"cls", b"json") and size_bytes <= _MOST_SAID_BYTES:
            self._said.update(_said(os.pread(file.fileno(), size_bytes, at), is_class=ending == b"cls"))
        else:
            self._other.append(kind)

    def ended(self, fault: str = "") -> Entries:
        """The pictures, one for each name (the last, as unpacking would leave it), with what is said of them."""
        last = {entry.key: number for number, entry in enumerate(self.entries)}
        rows = sorted(last.values())
        facts = [self._facts[row] for row in rows]
        return Entries([self.entries[row] for row in rows], _columns(facts), fault, self._other)


def _said(data: bytes, *, is_class: bool) -> Iterator[tuple[str, object]]:
    text = data.decode("utf-8", "replace")
    if is_class:
        yield CLASS, shortened(text.strip())
        return
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError):
        return
    for name, value in facts.items() if isinstance(facts, dict) else ():
        if isinstance(value, str | int | float):
            yield name, shortened(value)


def _columns(facts: Sequence[dict[str, object]]) -> Columns:
    names = dict.fromkeys(name for one in facts for name in one)
    of_class = class_column(names)
    return {CLASS if name == of_class else name: [one.get(name) for one in facts] for name in names}
