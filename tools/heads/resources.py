"""Reader for Qt resource files (`.rcc`): paths and bytes."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from url_viz.errors import FolderError

MAGIC = b"qres"
COMPRESSED, FOLDER = 1, 2
ENTRY_BYTES = {1: 14, 2: 22, 3: 22}


@dataclass(frozen=True)
class Resource:
    """One packed file: its path in the pack, and its bytes."""

    path: str
    data: bytes


def resources_of(file: Path) -> Iterator[Resource]:
    """Every file in a `.rcc`; raises FolderError if it is not one. Files packed with zstd are skipped."""
    packed = file.read_bytes()
    if packed[:4] != MAGIC or len(packed) < 20:
        raise FolderError(f"{str(file)!r} is not a resource file of Qt. Fetch its package again.")
    version, tree, data, names = struct.unpack_from(">iiii", packed, 4)
    if version not in ENTRY_BYTES:
        raise FolderError(f"{str(file)!r} is of version {version}; {sorted(ENTRY_BYTES)} are read.")
    waiting = [(0, "")]
    while waiting:
        number, folder = waiting.pop()
        at = tree + number * ENTRY_BYTES[version]
        name_at, flags = struct.unpack_from(">ih", packed, at)
        path = f"{folder}/{_name(packed, names + name_at)}".lstrip("/")
        if flags & FOLDER:
            count, first = struct.unpack_from(">ii", packed, at + 6)
            waiting += [(child, path) for child in range(first, first + count)]
        elif flags in (0, COMPRESSED):
            content = _content(packed, data + struct.unpack_from(">i", packed, at + 10)[0])
            yield Resource(path, zlib.decompress(content[4:]) if flags else content)


def _name(packed: bytes, at: int) -> str:
    length = struct.unpack_from(">h", packed, at)[0]
    return packed[at + 6 : at + 6 + 2 * length].decode("utf-16-be")


def _content(packed: bytes, at: int) -> bytes:
    size = struct.unpack_from(">i", packed, at)[0]
    return packed[at + 4 : at + 4 + size]
