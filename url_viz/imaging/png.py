"""What lies beside the pixels of a PNG and can be left out of it."""

import struct
from collections.abc import Iterator

START = b"\x89PNG\r\n\x1a\n"
_BESIDE_THE_PIXELS = frozenset((b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"eXIf"))
_FRAME_BYTES = 12
"""Around a chunk's body: its length, its kind, its checksum."""


def without_metadata(data: bytes) -> bytes:
    """The same PNG without texts, profile and EXIF, for one whose metadata unpack to more than Pillow will hold."""
    kept = [data[start:end] for kind, start, end in _chunks(data) if kind not in _BESIDE_THE_PIXELS]
    return START + b"".join(kept)


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of each chunk; the last one may be cut short."""
    start = len(START)
    while start + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, start)
        end = start + length + _FRAME_BYTES
        yield data[start + 4 : start + 8], start, end
        start = end
