"""Pictures in tar and zip archives, read member by member, and what any container states about its pictures."""

import json
import os
import posixpath
import tarfile
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NamedTuple, Protocol

from url_viz.base.errors import ImageError
from url_viz.base.wording import counted
from url_viz.imaging.decode import EMPTY, refuse_large
from url_viz.imaging.scan import is_hidden, other_kind

CLASS = "class"
"""The column that becomes the label of a new set."""
CLASS_NAMES = ("class", "label", "class_name", "category", "labels", "cls", "target", "fine_label")
"""The usual names of columns of classes, the likeliest first, in any case."""
MOST_COLUMNS = 50
LONGEST_CELL = 500
_LARGEST_NUMBER = 1 << 63

Columns = Mapping[str, Sequence[object]]
"""Values by name, one each for every entry: text, a number, or None."""


@dataclass(frozen=True)
class Entries:
    """The pictures in a container, each by its key and its position (an offset or a row).

    Sizes are 0 if they are not known. Pictures of one group and part are best read together, the parts of a group in
    order; both are empty if there are none. `columns` has what the container states about each picture. `faults` are
    the reasons why other entries cannot be read, by their keys, `fault` is why the container ends early, if it does,
    and `other` counts files that are no pictures by extension.
    """

    keys: Sequence[bytes] = ()
    sizes_bytes: Sequence[int] = ()
    positions: Sequence[int] = ()
    groups: Sequence[int] = ()
    parts: Sequence[int] = ()
    columns: Columns = field(default_factory=dict)
    fault: str = ""
    faults: Mapping[bytes, str] = field(default_factory=dict)
    other: Mapping[str, int] = field(default_factory=dict)

    def as_record(self) -> dict[str, Any]:
        """The fields as JSON has them."""
        faults = {os.fsdecode(key): why for key, why in self.faults.items()}
        return {**vars(self), "keys": [*map(os.fsdecode, self.keys)], "faults": faults}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Entries":
        """The entries from what `as_record` gave, also through JSON."""
        faults = {os.fsencode(key): why for key, why in record["faults"].items()}
        return cls(**{**record, "keys": [*map(os.fsencode, record["keys"])], "faults": faults})


class Container(Protocol):
    """A kind of file that holds pictures, read in a process with limits: whatever it raises is a fault of the file."""

    def entries(self, file: BinaryIO) -> Entries:
        """Every picture in an open file."""

    def read(self, file: BinaryIO, position: int, size_bytes: int) -> Sequence[bytes]:
        """The bytes of the picture at a position of an open file, and of those after it that come with it."""


def shortened(value: object) -> object:
    """A value for a cell: text of at most `LONGEST_CELL` characters; a number beyond 64 bits becomes text."""
    if isinstance(value, int) and not -_LARGEST_NUMBER <= value < _LARGEST_NUMBER:
        value = str(value)
    if not isinstance(value, str):
        return value
    return value[:LONGEST_CELL].encode("utf-8", "replace").decode("utf-8")


def class_column(names: Iterable[str]) -> str | None:
    """The name of the column of classes; None if there is none."""
    by_name = {name.casefold(): name for name in names}
    return next((by_name[name] for name in CLASS_NAMES if name in by_name), None)


CUT_OFF = "ends in the middle of its archive"
LEADS_OUT = "has a path that leads out of the archive"
MOST_RATIO, RATIO_FROM_BYTES = 200.0, 1 << 20
"""The most unpacked bytes for each packed one, in files from a size on."""
_SPARSE = "is stored as a sparse file, without its empty parts: pack it without --sparse"
_LINK = "is a link to what is no picture of this archive: pack the file itself (tar --dereference)"
_NO_FILE = "is a device or a pipe, not a file"
_MOST_FACTS_BYTES = 1 << 16
"""A larger member beside a picture is no class and no facts."""
_LARGEST_SIZE = 1 << 62
"""A header may name a larger size, which no table holds."""


class Tar:
    """Members of an archive that is not compressed; `.cls` and `.json` beside a picture (WebDataset) are its columns.

    Files with the same name up to the first dot are one sample.
    """

    def entries(self, file: BinaryIO) -> Entries:
        """Every picture, also in an archive that is cut off. Raises ImageError if it is compressed."""
        if os.pread(file.fileno(), 2, 0) == b"\x1f\x8b":
            raise ImageError("is compressed, and pictures in it cannot be reached one by one: decompress it (gunzip)")
        samples = _Samples()
        try:
            for member in _members(file):
                samples.add(member, file)
        except Exception as error:
            if not samples.count:
                raise
            why = str(error) or type(error).__name__
            return samples.ended(f"is cut off or damaged after {counted(samples.count, 'picture')}: {why}")
        end = os.fstat(file.fileno()).st_size
        return samples.ended(f"is cut off after {counted(samples.count - 1, 'picture')}" if samples.end > end else "")

    def read(self, file: BinaryIO, position: int, size_bytes: int) -> Sequence[bytes]:
        return (read_at(file, position, size_bytes),)


class Zip:
    """Members of a zip file, compressed or not; its list of members is read once."""

    def __init__(self) -> None:
        self._archive: zipfile.ZipFile | None = None

    def entries(self, file: BinaryIO) -> Entries:
        """Every picture; none of an archive that is cut off, whose list of members is missing."""
        samples = _Samples()
        for number, member in enumerate(self._opened(file).infolist()):
            if member.filename and not member.is_dir():
                samples.add(_ArchiveMember(os.fsencode(member.filename), member.file_size, number), None)
        return samples.ended()

    def read(self, file: BinaryIO, position: int, size_bytes: int) -> Sequence[bytes]:
        """The bytes of a member. Raises ImageError if it unpacks to more than a picture may have, or to nothing."""
        archive = self._opened(file)
        member = archive.infolist()[position]
        refuse_large(member.file_size)
        if (why := why_too_tight(member)) is not None:
            raise ImageError(why)
        with archive.open(member) as opened:
            data = opened.read(member.file_size)
        if not data:
            raise ImageError(EMPTY)
        return (data,)

    def _opened(self, file: BinaryIO) -> zipfile.ZipFile:
        if self._archive is None:
            self._archive = zipfile.ZipFile(f"/dev/fd/{file.fileno()}")  # opened once more: it outlives `file`
        return self._archive


def why_too_tight(member: zipfile.ZipInfo) -> str | None:
    """Why a member is packed too tightly to be unpacked; None if it is not."""
    ratio = member.file_size / max(1, member.compress_size)
    if member.file_size < RATIO_FROM_BYTES or ratio <= MOST_RATIO:
        return None
    return f"is packed {ratio:,.0f} to 1; more than {MOST_RATIO:,.0f} to 1 is not unpacked"


class _ArchiveMember(NamedTuple):
    name: bytes
    size_bytes: int
    offset: int
    why: str = ""
    target: bytes = b""
    """Of a link, hard or soft: the name of the member that it stands for."""


def _members(file: BinaryIO) -> Iterator[_ArchiveMember]:
    """Everything in a tar archive but its folders.

    Headers of the plainest kind are read here, in a third of the time that `tarfile` takes, which reads the rest.
    """
    position, handle = 0, file.fileno()
    while True:
        header = os.pread(handle, _BLOCK, position)
        size = _size_if_plain(header)
        if size is None:
            break
        yield _ArchiveMember(header[:100].partition(b"\0")[0], size, position + _BLOCK)
        position += _BLOCK + -(-size // _BLOCK) * _BLOCK
    if position and not header.strip(b"\0"):  # the end of the archive
        return
    file.seek(position)
    with tarfile.open(fileobj=file, mode="r:") as archive:
        for member in archive:
            archive.members = []  # type: ignore[attr-defined]  # else each is held until the end
            if member.size < 0 or archive.offset <= position:  # tarfile would return to the same header for ever
                raise tarfile.ReadError("a header has a size that cannot be")
            position = archive.offset
            if not member.isdir():
                name, is_link = os.fsencode(member.name), member.islnk() or member.issym()
                why = _LINK if is_link else _NO_FILE if not member.isreg() else _SPARSE if member.issparse() else ""
                yield _ArchiveMember(name, member.size, member.offset_data, why, _target(member) if is_link else b"")
        if os.pread(handle, _BLOCK, archive.offset).strip(b"\0"):  # tarfile ends here silently
            raise tarfile.ReadError("a header is damaged")


def _target(link: tarfile.TarInfo) -> bytes:
    """The name of the member that a link stands for; one that leads out of the archive has no member."""
    beside = posixpath.dirname(link.name) if link.issym() else ""
    return os.fsencode(posixpath.normpath(posixpath.join(beside, link.linkname)))


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
    """Bytes from an offset of an open file. Raises ImageError if they are none, too many, or not there."""
    refuse_large(size_bytes)
    if not size_bytes:
        raise ImageError(EMPTY)
    data = os.pread(file.fileno(), size_bytes, offset)
    if len(data) < size_bytes:
        raise ImageError(CUT_OFF)
    return data


class _Samples:
    def __init__(self) -> None:
        self.end = 0  # of the last picture, if it is stored as it is
        self._pictures: list[tuple[bytes, int, int]] = []
        self._facts: list[dict[str, object]] = []
        self._other = Counter[str]()
        self._faults: dict[bytes, str] = {}
        self._links: list[tuple[bytes, bytes, dict[str, object]]] = []
        self._names: dict[str, None] = {}
        self._sample = b""
        self._sample_facts: dict[str, object] = {}

    @property
    def count(self) -> int:
        return len(self._pictures)

    def add(self, member: _ArchiveMember, file: BinaryIO | None) -> None:
        """Add a member; facts are read from the `file`, if it is given."""
        name = member.name.removeprefix(b"./")
        parts = name.split(b"/")
        leads_out = b".." in parts
        if not leads_out and any(map(is_hidden, parts)):
            return
        folder, base = posixpath.split(name)
        sample, _, ending = base.partition(b".")
        if (key := posixpath.join(folder, sample)) != self._sample:
            self._sample, self._sample_facts = key, {}  # which the pictures of a sample share
        kind = other_kind(base)
        if kind is None and (why := LEADS_OUT if leads_out else member.why):
            self._faults[name] = why
            if member.target and not leads_out:
                self._links.append((name, member.target, self._sample_facts))
        elif kind is None:
            self.end = member.offset + member.size_bytes
            self._pictures.append((name, min(member.size_bytes, _LARGEST_SIZE), member.offset))
            self._facts.append(self._sample_facts)
        elif file and not member.why and ending in (b"cls", b"json") and member.size_bytes <= _MOST_FACTS_BYTES:
            data = os.pread(file.fileno(), member.size_bytes, member.offset)
            for column, value in _facts_in(data, is_class=ending == b"cls"):
                if len(self._names) < MOST_COLUMNS or column.casefold() in CLASS_NAMES:
                    self._names[column] = None
                if column in self._names:
                    self._sample_facts[column] = value
        else:
            self._other[kind] += 1

    def ended(self, fault: str = "") -> Entries:
        """The pictures, also by links, the last one of each name as unpacking would leave it, and their facts."""
        last = {name: number for number, (name, _, _) in enumerate(self._pictures)}
        for link, target, sample_facts in self._links:
            if (number := last.get(target)) is not None:
                last[link] = len(self._pictures)
                self._pictures.append((link, *self._pictures[number][1:]))
                self._facts.append(sample_facts)
        rows = sorted(last.values())
        pictures, facts = [self._pictures[row] for row in rows], [self._facts[row] for row in rows]
        of_class = class_column(self._names)
        return Entries(
            [name for name, _, _ in pictures],
            [size_bytes for _, size_bytes, _ in pictures],
            [position for _, _, position in pictures],
            columns={CLASS if name == of_class else name: [row.get(name) for row in facts] for name in self._names},
            fault=fault,
            faults={name: why for name, why in self._faults.items() if name not in last},
            other=self._other,
        )


def _facts_in(data: bytes, *, is_class: bool) -> Iterator[tuple[str, object]]:
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
            yield str(shortened(name)), shortened(value)
