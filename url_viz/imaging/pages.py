"""Files of several pages or frames, each of which is a picture, `stack.tif#7`; the facts that are kept of a file."""

import io
import os
import struct
from functools import lru_cache
from typing import Any, BinaryIO, NamedTuple

from url_viz.base.errors import ImageError
from url_viz.imaging.deep import read_tiff
from url_viz.imaging.dicom import MARK, MARK_AT, dicom_facts, dicom_frame, is_dicom, read_dicom
from url_viz.imaging.places import SEPARATOR
from url_viz.imaging.rendering import PageChoice

ENDINGS = (b".tif", b".tiff", b".dcm", b".dicom", b".ima", b"")
"""The endings of files that may have pages; DICOM files may have none."""
MOST_PAGES = 10_000
FILE = "stack"
"""The column with the path of the file that a page is in."""
APART = ("patient", FILE)
"""The columns that pictures of a new set are kept apart by: the first one that tells them apart."""
_REDUCED = 1
_SUBFILE, _BITS, _BANDS = 254, 258, 277
_BEYOND = 1 << 40
"""Past the end of every file that is read, and a place that every file system knows."""
_COPIED_TAGS = (274, 281, 341)
"""What a page states about its orientation and its values."""
_TIFF = {b"II*\0": ("<", 4, 2, 12), b"MM\0*": (">", 4, 2, 12), b"II+\0": ("<", 8, 8, 20), b"MM\0+": (">", 8, 8, 20)}
"""By a file's start: byte order, bytes of an offset, of the number of tags, and of a tag."""


class PagedFile(NamedTuple):
    """How many pages a file has, and the `facts` about it that become columns."""

    pages: int
    facts: dict[str, str]


def page_of(path: bytes) -> tuple[bytes, int] | None:
    """The file and the number (from 1) in the path of a page; None for the path of a file."""
    file, mark, number = path.rpartition(SEPARATOR)
    if not mark or not number.isdigit() or number.startswith(b"0") or len(number) > len(str(MOST_PAGES)):
        return None
    return (file, int(number)) if ending_of(file) in ENDINGS else None


def page_path(file: bytes, number: int) -> bytes:
    """The path of the page with this number, from 1."""
    return file + SEPARATOR + str(number).encode()


def ending_of(path: bytes) -> bytes:
    """The extension of a file in lower case; empty if it is a number, as in many names of DICOM files."""
    ending = os.path.splitext(os.path.basename(path))[1].lower()
    return b"" if ending[1:].isdigit() else ending


def paged(file: BinaryIO) -> PagedFile | None:
    """The pages and facts of an open file; None if it has one page and no facts.

    Raises ImageError if it has too many pages, or directories that form a ring.
    """
    start = file.read(MARK_AT + len(MARK))
    file.seek(0)
    if is_dicom(start):
        pages, bits, bands, facts = dicom_facts(file)
    elif start[:4] in _TIFF:
        (places, bits, bands), facts = _pages_of_tiff(file, start[:4]), {}
        pages = len(places)
    else:
        return None
    if pages > 1 or bits > 8 or bands not in (1, 3, 4):
        facts = {**facts, "pages": str(pages), "bits": str(bits), "bands": str(bands)}
    if pages > MOST_PAGES:
        raise ImageError(f"has {pages:,} pages; more than {MOST_PAGES:,} are not read")
    return PagedFile(pages, facts) if pages > 1 or facts else None


def chosen_page(data: bytes, choice: PageChoice) -> bytes:
    """The first, middle or brightest page of a file, as a file; the file as it is if it has one page or each counts.

    Raises ImageError if it cannot be read.
    """
    document = paged(io.BytesIO(data)) if choice != "each" or data[:4] in _TIFF else None
    if document is None or document.pages == 1 or choice == "each":
        return data
    if choice == "brightest":
        return max((page_bytes(data, number) for number in range(1, document.pages + 1)), key=_brightness)
    return page_bytes(data, 1 if choice == "first" else (document.pages + 1) // 2)


def _brightness(page: bytes) -> float:
    deep = read_dicom(page) if is_dicom(page) else read_tiff(page, None)[0]
    total = sum(float(strip.sum()) for strip in deep.strips())
    return -total if deep.is_inverted else total


def page_bytes(data: bytes, number: int) -> bytes:
    """One page (from 1) of a file, as a file of its own. Raises ImageError if there is none."""
    return dicom_frame(data, number - 1) if is_dicom(data) else _tiff_page(data, number)


def _pages_of_tiff(file: BinaryIO, start: bytes) -> tuple[list[int], int, int]:
    """Where the directory of each page of a TIFF lies, without reduced copies, and bits and bands of the first.

    No pixels are read. Raises ImageError if the directories form a ring.
    """
    order, offset_bytes, count_bytes, tag_bytes = _TIFF[start]
    formats = {2: "H", 4: "I", 8: "Q"}

    def read(offset: int, size: int) -> bytes:
        file.seek(min(offset, _BEYOND))
        return file.read(size)

    def number(offset: int, size: int) -> int:
        data = read(offset, size)
        return int(struct.unpack(order + formats[size], data)[0]) if len(data) == size else 0

    offset, seen, pages, depth = number(4 if offset_bytes == 4 else 8, offset_bytes), set[int](), list[int](), (1, 1)
    while offset and len(pages) <= MOST_PAGES:
        if offset in seen:
            raise ImageError("is damaged: the directories of its pages form a ring")
        seen.add(offset)
        tags = min(number(offset, count_bytes), 1 << 12)
        directory = _directory(read(offset + count_bytes, tags * tag_bytes), order, tag_bytes)
        if len(seen) == 1:
            count, bits, place = directory.get(_BITS, (1, 1, 0))
            bits = bits if 2 * count <= offset_bytes else number(place, 2)
            depth = bits, directory.get(_BANDS, (1, 1, 0))[1]
        if not directory.get(_SUBFILE, (0, 0, 0))[2] & _REDUCED:
            pages.append(offset)
        offset = number(offset + count_bytes + tags * tag_bytes, offset_bytes)
    return pages, *depth


@lru_cache(maxsize=1)
def _page_places(data: bytes) -> list[int]:
    """The offsets of a file's pages, which are asked for one after another."""
    return _pages_of_tiff(io.BytesIO(data), data[:4])[0]


def _directory(data: bytes, order: str, tag_bytes: int) -> dict[int, tuple[int, int, int]]:
    """For each tag, the number of its values, its first short value, and its value or where its values are."""
    wide = "I" if tag_bytes == 12 else "Q"
    tags = {}
    for position in range(0, len(data) - tag_bytes + 1, tag_bytes):
        tag, _, count, value = struct.unpack_from(f"{order}HH{wide}{wide}", data, position)
        (short,) = struct.unpack_from(order + "H", data, position + tag_bytes - struct.calcsize(wide))
        tags[tag] = count, short, value
    return tags


def _tiff_page(data: bytes, number: int) -> bytes:
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            places = _page_places(data)
            if not 1 <= number <= len(places):
                raise ImageError(f"has no page {number}")
            file.filehandle.seek(places[number - 1])
            page = tifffile.TiffPage(file, index=number - 1)
            out = io.BytesIO()
            how: dict[str, Any] = {"photometric": page.photometric, "planarconfig": page.planarconfig}
            tags = [tag for code in _COPIED_TAGS if (tag := page.tags.get(code)) is not None]
            how["extratags"] = [(tag.code, int(tag.dtype), tag.count, tag.value, True) for tag in tags]
            tifffile.imwrite(out, page.asarray(), metadata=None, **how)
    except ImageError:
        raise
    except Exception as error:  # a hostile file makes a reader raise nearly anything; each is shown as a failure
        text = str(error).partition("\n")[0]
        raise ImageError(f"has a page {number} that cannot be read: {text or type(error).__name__}") from error
    return out.getvalue()
