"""Where pictures are read from: folders, buckets, shards, objects of annotations; their rendering; a preview."""

import os
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Protocol

from url_viz.base.errors import BucketError, FolderError, ImageError, NoImagesError
from url_viz.base.processes import read_each
from url_viz.base.wording import command, counted, first_of
from url_viz.base.workspace import is_in_bucket
from url_viz.imaging.annotations.annotated import AnnotatedObject, AnnotatedPicture, Annotations
from url_viz.imaging.annotations.formats import annotations_in, format_at
from url_viz.imaging.bucket import Bucket, refuse_outside
from url_viz.imaging.containers.picture_lists import Listing, is_listing
from url_viz.imaging.containers.python_dataset import ClosedDataset, is_dataset, source_of_dataset
from url_viz.imaging.containers.shards import Shards, is_sharded
from url_viz.imaging.decode import PNG_START, read_file, size_and_time
from url_viz.imaging.folder_classes import find_classes
from url_viz.imaging.limited_readers import ask_paths, readers, with_pages
from url_viz.imaging.pages import ending_of, page_of
from url_viz.imaging.places import Box, PictureSize, Place, content_key
from url_viz.imaging.rendering import (
    MOST_OUTSIDE,
    Rendering,
    ValueSample,
    number_words,
    range_of,
    share_outside,
)
from url_viz.imaging.scan import Scan, ScannedFile, Walk, absolute, display_name, refuse_bucket, scan, why_empty
from url_viz.imaging.workers import decoders

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


class Source(Protocol):
    """Where the pictures of a set are."""

    @property
    def root(self) -> Path:
        """The folder, or the address."""

    @property
    def base(self) -> Path:
        """The folder that paths are relative to: the root, or that of an annotation file's pictures."""

    @property
    def within(self) -> Sequence[Path] | None:
        """The only folders from which files are read; None without such a limit, and in object storage."""

    @property
    def at_a_time(self) -> int | None:
        """How many files are read at the same time; None means one per core."""

    def list(self) -> Scan:
        """Every candidate file by path, with its size and time. Raises FolderError if they cannot be listed."""

    def read(self, file: ScannedFile) -> bytes:
        """The bytes of a file. Raises ImageError for a fault of the file, BucketError for one of the store."""


@dataclass(frozen=True)
class Folder:
    """A folder, in which each page of a file may be a picture; nothing outside `within` is listed or read."""

    root: Path
    within: Sequence[Path] | None = None
    is_each_page: bool = True
    at_a_time = None  # a disk is faster than decoding

    @property
    def base(self) -> Path:
        return self.root

    def list(self) -> Scan:
        ask = ask_paths(lambda file: absolute(self.root, file.path), self.within)
        return with_pages(scan(self.root, within=self.within), ask, is_each=self.is_each_page)

    def read(self, file: ScannedFile) -> bytes:
        path = absolute(self.root, file.path)
        page = None if os.path.lexists(path) else page_of(path)
        return read_file(path, within=self.within) if page is None else readers.page(*page, within=self.within)


def source_of(root: Path, *, within: Sequence[Path] | None = None) -> Source:
    """The source at `root` (from `root_of`); nothing outside `within` is read.

    Raises FolderError for an address in object storage outside `within`, BucketError if it cannot be read here.
    """
    if is_in_bucket(root):
        if within is not None:
            refuse_outside(root, within)
        return Bucket(root)
    kind = next((kind for kind, is_one in _KINDS if is_one(root)), Folder)
    return kind(root, within)


_KINDS: Sequence[tuple[Callable[[Path, Sequence[Path] | None], Source], Callable[[Path], bool]]] = (
    (Objects, lambda root: format_at(root) is not None),
    (Listing, is_listing),
    (source_of_dataset, is_dataset),
    (Shards, is_sharded),
)


def by_page(source: Source, *, is_each: bool) -> Source:
    """The same source, in which each page of a file is a picture, or each file is one."""
    if isinstance(source, Folder):
        return replace(source, is_each_page=is_each)
    if isinstance(source, Listing | Shards):
        source.is_each_page = is_each
    return source


def has_files(source: Source) -> bool:
    """Whether each picture lies in a file of its own (or in a bucket), and not in a shard or a Dataset."""
    is_listed = isinstance(source, Listing) and source.at_a_time is None
    return is_listed or isinstance(source, Folder | Objects | Bucket)


def refuse_without_files(root: Path) -> None:
    """Raise FolderError where pictures are no files of one folder, which is needed."""
    refuse_bucket(root)
    if not isinstance(source_of(root), Folder | Objects):
        raise FolderError(
            f"The pictures of {str(root)!r} are no files of one folder, and this works on such only. Write them into "
            f"one (`{command('sort', root, 'OUT', '--by', 'label')}`; those without labels by `share … "
            "--as huggingface`), and read that."
        )


def refuse_what_is_no_source(root: Path) -> None:
    """Raise FolderError for a path that does not exist, and for a file without pictures."""
    if isinstance(source_of(root), Folder):
        Walk(root)


SAMPLED_FILES, SAMPLED_OBJECTS = 64, 16
"""The second of object storage, where each is a request."""
_ENDINGS = (b".png", b".tif", b".tiff", b".pgm", b".ppm", b".pnm", b".jp2", b".j2k", b".dcm", b".dicom", b".ima", b"")
"""Of files that may have more than 8 bits; a file in a shard may have no ending."""
_DEPTH_OF_PNG = 24


def rendering_of_new(source: Source, files: Sequence[ScannedFile], wanted: Rendering | None) -> Rendering | None:
    """How a new set is seen: in the range and bands that are wanted, in place of a range else that of a sample."""
    if wanted is not None and wanted.range is not None:
        return wanted
    shown_range = range_of(value_samples(source, files))
    if shown_range is None:
        return wanted
    return replace(wanted or Rendering(), black=shown_range[0], white=shown_range[1])


def words_of_outside(source: Source, files: Sequence[ScannedFile], rendering: Rendering | None) -> str:
    """A sentence where pictures of a set are not seen well in the range that it has; else nothing.

    Also nothing of object storage, where each look would be a request.
    """
    samples = [] if source.at_a_time else value_samples(source, files)
    better = range_of(samples)
    if rendering is None or rendering.range is None:
        if better is None:
            return ""
        black, white = map(number_words, better)
        seen = f"Pictures of more than 8 bits have values from {black} to {white}, and are not seen so"
    else:
        outside = share_outside(samples, rendering.range)
        if outside <= MOST_OUTSIDE or better is None:
            return ""
        seen = f"{outside:.0%} of the values of pictures of more than 8 bits lie outside the range of this set"
        better = min(better[0], rendering.range[0]), max(better[1], rendering.range[1])
    return f"{seen}. To read the set anew: `embed FOLDER --range {better[0]:g}:{better[1]:g}`."


def value_samples(source: Source, files: Sequence[ScannedFile]) -> list[ValueSample]:
    """Values of pictures of more than 8 bits among some that may have them by their ending."""
    most = SAMPLED_OBJECTS if source.at_a_time else SAMPLED_FILES
    able = {file.file: file for file in files if may_be_deep(file.file)}
    drawn = random.Random(0).sample(sorted(able), min(most, len(able)))
    samples = read_each([able[path] for path in drawn], partial(_sample, source))
    return [sample for sample in samples if sample is not None and sample.window is None]


def _sample(source: Source, file: ScannedFile) -> ValueSample | None:
    try:
        data = source.read(file)
    except (ImageError, BucketError):  # said where the file is read for good
        return None
    if data.startswith(PNG_START) and data[_DEPTH_OF_PNG : _DEPTH_OF_PNG + 1] <= b"\x08":
        return None
    return decoders.sample_of(data)


def may_be_deep(path: bytes) -> bool:
    """Whether a file, or a page of one, may have more than 8 bits, by its ending."""
    page = page_of(path)
    return ending_of(path if page is None else page[0]) in _ENDINGS


MOST_PICTURES = 10_000
MOST_SECONDS = 20.0
EVERY_S = 0.25
EXAMPLES = 4


@dataclass(frozen=True)
class FolderPreview:
    """Counts of picture files and of subfolders that hold any so far, and the names of the folders that are classes.

    `objects` says what annotations there are, in place of these; `annotated` are annotation files among the pictures.
    `is_done`: counting has ended; `is_complete`: everything was counted, and only then `classes` are known.
    """

    pictures: int
    folders: int
    classes: tuple[str, ...] = ()
    is_done: bool = False
    is_complete: bool = False
    objects: str = ""
    annotated: tuple[Path, ...] = ()

    @property
    def text(self) -> str:
        """One line: "1,296 pictures in 81 folders: 81 classes (anjou, apple, avocado, banana, …)"."""
        if self.objects:
            return self.objects
        over = "" if self.is_complete else "over "
        line = f"{over}{counted(self.pictures, 'picture')}"
        line += f" in {over}{counted(self.folders, 'folder')}" if self.folders else ""
        if self.classes:
            names = first_of(self.classes, EXAMPLES)
            line += f": {counted(len(self.classes), 'class')} ({names})"
        elif self.is_complete:
            line += ", no class folders"
        return line[:1].upper() + line[1:]


def preview_folder(
    root: Path,
    *,
    within: Sequence[Path] | None = None,
    most_pictures: int = MOST_PICTURES,
    most_s: float = MOST_SECONDS,
    every_s: float = EVERY_S,
) -> Iterator[FolderPreview]:
    """Count what is in a folder, with an update every `every_s` seconds; the last one has `is_done`.

    Counting ends at `most_pictures` pictures or after `most_s` seconds. No file is opened. Like reading the folder,
    raises FolderError if `root` is no folder, cannot be listed or lies outside `within`, and NoImagesError if no file
    in it can be a picture.
    """
    if format_at(root) is not None:
        pictures, summary = readers.annotation_summary(root, within=within)
        yield FolderPreview(pictures, 0, is_done=True, is_complete=True, objects=summary)
        return
    source = source_of(root, within=within)
    if isinstance(source, ClosedDataset):
        source.list()  # says how to open it
    if isinstance(source, Listing | Shards):
        yield FolderPreview(1, 0, is_done=True, is_complete=True, objects=source.summary)
        return
    walk = Walk(root, within=within)
    start = updated = time.monotonic()
    paths: list[bytes] = []
    is_complete = True
    for file in walk.steps():
        now = time.monotonic()
        if now - start > most_s or (file is not None and len(paths) == most_pictures):
            is_complete = False
            break
        if file is not None:
            paths.append(file.path)
        if now - updated > every_s:
            updated = now
            yield FolderPreview(len(paths), _folders_of(paths))
    walk.refuse_unlisted()
    if is_complete and not paths:
        raise NoImagesError(why_empty(root, walk.other.most_common()))
    level = find_classes(paths).class_level if is_complete else None  # more folders may change which level it is
    names = level.names if level else ()
    annotated = annotations_in(root)
    folders = _folders_of(paths)
    yield FolderPreview(len(paths), folders, names, is_done=True, is_complete=is_complete, annotated=annotated)


def _folders_of(paths: Sequence[bytes]) -> int:
    """In how many folders pictures lie, 0 where all lie in the root itself."""
    folders = {os.path.dirname(path) for path in paths}
    return len(folders) if folders - {b""} else 0
