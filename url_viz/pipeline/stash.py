"""Crops that wait for a second opinion: cut while a first model reads, so that no file is fetched or decoded again."""

import hashlib
import json
import os
import shutil
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from url_viz.base.workspace import SetPaths
from url_viz.imaging.decode import Preprocessing

MOST_PICTURES = 20_000
"""The most pictures that a second model reads without being asked, and so the most whose crops wait."""
MOST_BYTES = 8 << 30
"""The most that crops take, and no more than half of what was free on their disk; other files are read again."""

Crops = tuple[NDArray[np.uint8], ...]


class Stash:
    """A file in the folder of an image set, of crops that were cut of its pictures as `sheets` say, by content.

    They are what reading the pictures again would give, bit for bit. Only the holder of the writer's lock opens it,
    which deletes crops of other sheets; a record that a killed run left unfinished is ignored.
    """

    def __init__(self, paths: SetPaths, sheets: Sequence[Preprocessing]) -> None:
        self.sheets = tuple(sheets)
        named = hashlib.blake2b(json.dumps([sheet.as_record() for sheet in sheets]).encode(), digest_size=8).hexdigest()
        self._path = paths.stash / f"{named}.crops"
        shapes = [(sheet.size_px, sheet.size_px, 3) for sheet in sheets]
        crops = [(f"crop {number}", "u1", shape) for number, shape in enumerate(shapes)]
        self._record = np.dtype([("content", "<i8"), ("digest", "<u4"), *crops])
        self._folder = paths.stash
        for other in paths.stash.glob("*"):
            if other != self._path:
                other.unlink(missing_ok=True)
        self._row: dict[int, int] = {}
        if self._path.exists() and (count := self._path.stat().st_size // self.record_bytes):
            os.truncate(self._path, count * self.record_bytes)
            records = np.memmap(self._path, self._record, mode="r", shape=(count,))
            self._row = {content: row for row, content in enumerate(records["content"].tolist())}

    @property
    def record_bytes(self) -> int:
        return self._record.itemsize

    def __contains__(self, content: int) -> bool:
        return content in self._row

    def begin(self) -> None:
        """Make its file, empty if nothing waits yet: a second opinion is to follow."""
        self._folder.mkdir(exist_ok=True)
        self._path.touch()

    def add(self, pictures: Mapping[int, Crops]) -> None:
        """Keep the crops of contents that have none here, as far as there is room."""
        fresh = {content: crops for content, crops in pictures.items() if content not in self._row}
        size = (len(self._row) + len(fresh)) * self.record_bytes
        with suppress(OSError):  # a full disk, or a stash that was deleted meanwhile: these pictures are read again
            if not fresh or size > MOST_BYTES or size > shutil.disk_usage(self._folder).free:
                return
            with self._path.open("r+b") as file:
                file.seek(len(self._row) * self.record_bytes)  # over what an error has cut off
                for content, crops in fresh.items():
                    body = b"".join(crop.tobytes() for crop in crops)
                    header = np.array([content], "<i8").tobytes() + np.array([zlib.crc32(body)], "<u4").tobytes()
                    file.write(header + body)
            self._row |= {content: row for row, content in enumerate(fresh, len(self._row))}

    def crops(self, content: int) -> Crops | None:
        """The crops of a content, one for each sheet; None if it has none, or they are not as they were written."""
        if content not in self._row:
            return None
        with self._path.open("rb") as file:
            file.seek(self._row[content] * self.record_bytes)
            record = np.frombuffer(file.read(self.record_bytes), self._record)[0]
        crops = tuple(record[f"crop {number}"] for number in range(len(self.sheets)))
        body = b"".join(crop.tobytes() for crop in crops)
        return crops if (record["content"], record["digest"]) == (content, zlib.crc32(body)) else None


def stash_waits(paths: SetPaths) -> bool:
    """Whether a second opinion of a set is to follow, or was killed."""
    return any(paths.stash.glob("*.crops"))


def delete_stash(paths: SetPaths) -> None:
    """Delete all crops that wait in a set: the second opinion has read them, or none follows."""
    shutil.rmtree(paths.stash, ignore_errors=True)
