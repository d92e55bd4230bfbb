"""The objects of an annotation file as a source of pictures: each is a place in a file, decoded with its others."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from url_viz.errors import ImageError
from url_viz.imaging.annotations.annotated import AnnotatedObject, AnnotatedPicture, Annotations, Box, Size
from url_viz.imaging.annotations.reading import read_annotations
from url_viz.imaging.decode import read_file
from url_viz.imaging.digest import content_key
from url_viz.imaging.places import Place
from url_viz.imaging.scan import Scan, ScannedFile
from url_viz.imaging.workers import decoders

MARGIN = 0.1
"""Context around a box, as a fraction of its size on each side."""


class Objects:
    """The objects of the annotations at `root`; nothing outside `within` is read. Their paths are below `base`."""

    at_a_time = None

    def __init__(self, root: Path, within: Sequence[Path] | None = None, *, margin: float = MARGIN) -> None:
        self.root, self.within, self._margin = root, within, margin

    @cached_property
    def annotations(self) -> Annotations:
        """What the file says. Raises FolderError if it cannot be read as annotations."""
        return read_annotations(self.root, within=self.within)

    @property
    def base(self) -> Path:
        """The folder that paths of pictures are relative to."""
        return self.annotations.base

    @property
    def facts(self) -> Mapping[int, tuple[AnnotatedPicture, AnnotatedObject, Place]]:
        """What is said of each object, by its id; pictures with their sizes, unless they cannot be read."""
        return {file.id: fact for file, fact in self._objects}

    @cached_property
    def _objects(self) -> Sequence[tuple[ScannedFile, tuple[AnnotatedPicture, AnnotatedObject, Place]]]:
        return [pair for picture in self.annotations.pictures for pair in self._of(picture)]

    def list(self) -> Scan:
        """Every object by path, and a candidate for every line that makes no sense, whose reading gives the reason."""
        files = [file for file, _ in self._objects]
        files += [ScannedFile(path, 0, content_key(why.encode()), is_plain=False) for path, why in self._faults.items()]
        return Scan(self.root, tuple(sorted(files, key=lambda file: file.path)), within=self.within)

    def read(self, file: ScannedFile) -> bytes:
        """The bytes of an object's picture. Raises ImageError for a fault of the file or of its annotation."""
        if file.path in self._faults:
            raise ImageError(self._faults[file.path])
        return self._data(file.file)

    @cached_property
    def _faults(self) -> Mapping[bytes, str]:
        return {os.fsencode(at): why for at, why in self.annotations.failures}

    def _data(self, path: bytes) -> bytes:
        return read_file(os.path.join(os.fsencode(self.base), path), within=self.within)

    def _of(
        self, picture: AnnotatedPicture
    ) -> Iterator[tuple[ScannedFile, tuple[AnnotatedPicture, AnnotatedObject, Place]]]:
        try:
            status = os.stat(os.path.join(os.fsencode(self.base), picture.path))
            size_bytes, mtime_ns = status.st_size, status.st_mtime_ns
        except (OSError, ValueError):  # reading it gives the reason
            size_bytes = mtime_ns = 0
        if picture.size is None and picture.objects and size_bytes:
            picture = replace(picture, size=self._size(picture.path))
        for one in picture.objects:
            place = Place(picture.path, one.key, in_pixels(one, picture.size or (1, 1)), self._margin)
            stamp = content_key(f"{mtime_ns} {place.box} {place.margin}".encode())
            yield ScannedFile(place.path, size_bytes, stamp, place=place), (picture, one, place)

    def _size(self, path: bytes) -> Size | None:
        try:
            return decoders.size_of(self._data(path))
        except ImageError:  # reading it gives the reason
            return None


def in_pixels(one: AnnotatedObject, size: Size) -> Box:
    """The box of an object in pixels of a picture of this width and height, to a hundredth."""
    width, height = size if one.is_relative else (1, 1)
    x, y, w, h = one.box
    return round(x * width, 2), round(y * height, 2), round(w * width, 2), round(h * height, 2)
