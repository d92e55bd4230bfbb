"""The objects of annotations as a source of pictures, each a place in a file."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from url_viz.errors import ImageError
from url_viz.imaging.annotations.annotated import AnnotatedObject, AnnotatedPicture, Annotations
from url_viz.imaging.decode import read_file
from url_viz.imaging.digest import content_key
from url_viz.imaging.limited_readers import readers
from url_viz.imaging.places import Box, PictureSize, Place
from url_viz.imaging.plain_file import size_and_time
from url_viz.imaging.scan import Scan, ScannedFile, display_name
from url_viz.imaging.workers import decoders
from url_viz.wording import counted, first_of

MARGIN = 0.1
"""Context around a box, as a fraction of its size on each side."""


def read_annotations(path: Path, *, within: Sequence[Path] | None = None) -> Annotations:
    """The objects that a file or folder says of, read in a process with limits.

    Raises FolderError if it cannot be read as annotations.
    """
    return readers.annotations(path, within=within)


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
        return self.annotations.base

    @property
    def named_files(self) -> Iterator[bytes]:
        """The pictures, and the other files that say what is in them."""
        named = (*self.annotations.pictures, *self.annotations.files)
        return (os.path.join(os.fsencode(self.base), path) for path in named)

    @property
    def facts(self) -> Mapping[int, tuple[AnnotatedPicture, AnnotatedObject, Place]]:
        """What is said of each object, by its id; pictures with their upright size."""
        return {file.id: fact for file, fact in self._objects}

    @cached_property
    def _objects(self) -> Sequence[tuple[ScannedFile, tuple[AnnotatedPicture, AnnotatedObject, Place]]]:
        return [pair for picture in self.annotations.pictures.values() for pair in self._of(picture)]

    def list(self) -> Scan:
        """Every object by path, and a candidate for every line that makes no sense, whose reading gives the reason."""
        files = [file for file, _ in self._objects]
        files += [ScannedFile(path, 0, content_key(why.encode())) for path, why in self._faults.items()]
        remarks = *self.annotations.remarks, *self._turned_remarks()
        return Scan(self.root, tuple(sorted(files, key=lambda file: file.path)), within=self.within, remarks=remarks)

    def read(self, file: ScannedFile) -> bytes:
        """The bytes of an object's picture. Raises ImageError for a fault of the file or of its annotation."""
        if file.path in self._faults:
            raise ImageError(self._faults[file.path])
        return self._data(file.file)

    @cached_property
    def _faults(self) -> Mapping[bytes, str]:
        faults = {os.fsencode(path): why for path, why in self.annotations.failures}
        for picture in self.annotations.pictures.values():
            if (why := self._why_no_size(picture)) is not None:
                faults |= {Place(picture.path, item.key, item.box).path: why for item in picture.objects.values()}
        return faults

    def _why_no_size(self, picture: AnnotatedPicture) -> str | None:
        """Why boxes cannot be of the picture that lies there; None if they can."""
        frame = self._frames.get(picture.path)
        if frame is None or picture.size in (None, frame.stored, frame.upright):
            return None
        return "is of a picture of {:g} × {:g} pixels, and the file there has {:g} × {:g}: correct one of them".format(
            *picture.size, *frame.upright
        )

    @cached_property
    def _frames(self) -> dict[bytes, PictureSize]:
        """The frame of each picture with objects, by path, where it can be read; later of others that are asked for."""
        frames = {}
        for picture in self.annotations.pictures.values():
            if picture.objects:
                with suppress(ImageError):  # reading the object gives the reason
                    frames[picture.path] = self._read_frame(picture.path)
        return frames

    def _frame(self, path: bytes) -> PictureSize:
        with suppress(ImageError):
            self._frames[path] = self._frames.get(path) or self._read_frame(path)
        return self._frames.get(path, PictureSize(1, 1))

    def _read_frame(self, path: bytes) -> PictureSize:
        return PictureSize(*decoders.header_of(self._data(path)))

    @cached_property
    def _are_of_stored(self) -> bool:
        """Whether a picture whose size tells says that boxes are of pictures as stored, and not upright."""
        frames = ((picture.size, self._frames.get(picture.path)) for picture in self.annotations.pictures.values())
        return any(frame and size == frame.stored != frame.upright for size, frame in frames)

    def _turned_remarks(self) -> Iterator[str]:
        """A sentence on pictures that EXIF turns or mirrors, whose size does not tell what their boxes are of."""
        pictures = self.annotations.pictures
        turned = [
            display_name(path)
            for path, frame in self._frames.items()
            if frame.orientation > 1 and (pictures[path].size is None or frame.stored == frame.upright)
        ]
        if turned:
            taken = "as stored, as those of another are" if self._are_of_stored else "as they are shown upright"
            yield (
                f"{counted(len(turned), 'picture is', 'pictures are')} turned or mirrored by EXIF, and no size tells "
                f"whether their boxes are of them as stored: they are taken {taken} ({first_of(turned)}). Look at them."
            )

    def _data(self, path: bytes) -> bytes:
        return read_file(os.path.join(os.fsencode(self.base), path), within=self.within)

    def _of(
        self, picture: AnnotatedPicture
    ) -> Iterator[tuple[ScannedFile, tuple[AnnotatedPicture, AnnotatedObject, Place]]]:
        file = os.path.join(os.fsencode(self.base), picture.path)
        size_bytes, mtime_ns = size_and_time(file, within=self.within)
        if self._why_no_size(picture) is not None:
            return
        frame = self._frames.get(picture.path)
        upright = picture if frame is None else replace(picture, size=frame.upright)
        for item in picture.objects.values():
            box = self.box(item.box, picture, is_relative=item.is_relative)
            place = Place(picture.path, item.key, box, self._margin)
            stamp = content_key(f"{mtime_ns} {place.box} {place.margin}".encode())
            yield ScannedFile(place.path, size_bytes, stamp, place=place), (upright, item, place)

    def box(self, box: Box, picture: AnnotatedPicture, *, is_relative: bool) -> Box:
        """The box of an object, or of one that was predicted, in pixels of the upright picture, to a hundredth."""
        frame = self._frame(picture.path)
        x, y, width, height = box
        if is_relative:
            across, down = frame.upright
            x, y, width, height = x * across, y * down, width * across, height * down
        elif picture.size == frame.stored and (frame.stored != frame.upright or self._are_of_stored):
            x, y, width, height = frame.turned((x, y, width, height))
        return round(x, 2), round(y, 2), max(0.01, round(width, 2)), max(0.01, round(height, 2))
