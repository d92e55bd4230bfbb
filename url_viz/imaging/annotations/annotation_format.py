"""What a kind of annotations is: which paths name it, how it is read, and how its files are edited."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from url_viz.errors import FolderError, ImageError
from url_viz.imaging.annotations.annotated import Annotations
from url_viz.imaging.decode import read_file

Changes = Mapping[int, str | None]
"""The new class of objects of one file, None for one to be taken out, by `AnnotatedObject.place`."""


class AnnotationFormat(Protocol):
    """A kind of annotations, read in a process with limits: whatever it raises is a fault of the files."""

    @property
    def name(self) -> str:
        """What people call it, and `Annotations.kind`."""

    @property
    def usual_names(self) -> Sequence[str]:
        """Patterns of the names that its files have in a folder of pictures."""

    @property
    def numbers_classes(self) -> bool:
        """Whether a class is a number in its files, so that a new one needs a number first."""

    @property
    def numbers_as_detectors(self) -> bool:
        """Whether these numbers are those that detectors trained on it predict."""

    def is_at(self, path: Path) -> bool:
        """Whether a path, of a file or a folder, names such annotations."""

    def read(self, path: Path, *, within: Sequence[Path] | None = None) -> Annotations:
        """The objects that they say of. Raises FolderError if they cannot be read as such."""

    def files(self, root: Path, annotations: Annotations) -> Iterator[tuple[bytes, bytes]]:
        """The path in a copy of each annotation file of `root`, and where it lies."""

    def edited(self, data: bytes, changes: Changes, numbers: Mapping[str, str]) -> bytes:
        """A file with other classes of some objects, and without some; all else byte for byte.

        `numbers` are of the classes. Raises FolderError for an encoding that it cannot have.
        """


def annotation_bytes(path: Path, *, within: Sequence[Path] | None) -> bytes:
    """The bytes of a file of annotations. Raises FolderError if they cannot be read."""
    try:
        return read_file(os.fsencode(path), within=within)
    except ImageError as error:
        raise FolderError(f"{str(path)!r} {error}. Give a file of annotations that can be read.") from error


def files_below(base: Path, paths: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Those of the paths below a base that are there, once each, and where they lie."""
    for path in dict.fromkeys(paths):
        place = os.path.join(os.fsencode(base), path)
        if os.path.exists(place):
            yield path, place
