"""What was measured of pictures while they were decoded, and read of their files, on its way to the store."""

from collections.abc import Iterable, Sequence

import numpy as np

from url_viz.imaging.encoding import Encoding
from url_viz.imaging.quality import Assessment
from url_viz.pipeline.embedded import Row
from url_viz.store.tables.writer import Writer

AT_ONCE = 4096
"""Assessments that are stored at once: of what a killed run had not stored, thumbnails are measured by the next one."""


class Assessments:
    """Assessments and encodings of contents that lack one, one each; they wait to be stored in few steps."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._measured = set(writer.quality(["content"])["content"].to_pylist())
        self._hashed = set(writer.hashed().tolist())
        self._encoded = set(writer.encodings(["content"])["content"].to_pylist())
        self._waiting: dict[int, Assessment] = {}
        self._encodings: dict[int, Encoding] = {}

    def take(self, rows: Iterable[Row]) -> None:
        """Let the assessments of rows that were stored wait, and store what waits if it is enough."""
        for row in rows:
            if row.content is not None and row.assessment is not None:
                self._waiting.setdefault(row.content, row.assessment)
            if row.content is not None and row.encoding is not None:
                self._encodings.setdefault(row.content, row.encoding)
        if len(self._waiting) >= AT_ONCE:
            self.store()

    def store(self) -> None:
        """Store what waits."""
        waiting, self._waiting = self._waiting, {}
        encodings, self._encodings = self._encodings, {}
        if contents := self._lacking(encodings, self._encoded):
            self._writer.add_encodings(np.array(contents, np.int64), [encodings[content] for content in contents])
        if contents := self._lacking(waiting, self._measured):
            self._writer.add_quality(np.array(contents, np.int64), [waiting[content].quality for content in contents])
        if contents := self._lacking(waiting, self._hashed):
            self._writer.add_hashes(np.array(contents, np.int64), [waiting[content].hashes for content in contents])

    @staticmethod
    def _lacking(contents: Iterable[int], stored: set[int]) -> Sequence[int]:
        """The contents that are not stored yet, which they are from now on."""
        lacking = [content for content in contents if content not in stored]
        stored.update(lacking)
        return lacking
