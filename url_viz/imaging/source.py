"""The sources of pictures: folders, buckets, shards, objects of annotations; the range of a new set; a preview."""

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
    common_range,
    number_words,
    share_outside,
)
from url_viz.imaging.scan import Scan, ScannedFile, Walk, absolute, display_name, refuse_bucket, scan, why_empty
from url_viz.imaging.workers import decoders

MARGIN = 0.1
"""Context around a box, as a fraction of its size on each side."""


class Objects:
    """The objects of the annotations at `root`; nothing outside `within` is read. Their paths are below `base`."""

    at_a_time = None

    def __init__(self, root: Path, within: Sequence[Path] | None = None, *, margin: float = MARGIN) -> None:
        self.root, self.within, self._margin = root, within, margin
        self._frames: dict[bytes, PictureSize | None] = {}

    @cached_property
    def annotations(self) -> Annotations:
        """What the file says. Raises FolderError if it cannot be read as annotations."""
        return readers.annotations(self.root, within=self.within)

    @property
    def base(self) -> Path:
        return self.annotations.base

    @property
    def named_files(self) -> Iterator[bytes]:
        """The paths of the pictures, and of the other files that say what is in them."""
        return map(self._place, (*self.annotations.pictures, *self.annotations.files))

    @property
    def facts(self) -> Mapping[int, tuple[AnnotatedPicture, AnnotatedObject, Place]]:
        """Each object by its id, with its picture in its upright size, and its place there."""
        return {file.id: fact for file, fact in self._objects}

    def list(self) -> Scan:
        """Every object by path, and a candidate for every line that makes no sense, whose reading gives the reason."""
        files = [file for file, _ in self._objects]
        files += [ScannedFile(path, 0, content_key(why.encode())) for path, why in self._faults.items()]
        remarks = *self.annotations.remarks, *self._remarks_on_turned()
        return Scan(self.root, tuple(sorted(files, key=lambda file: file.path)), within=self.within, remarks=remarks)

    def read(self, file: ScannedFile) -> bytes:
        """The bytes of an object's picture. Raises ImageError for a fault of the file or of its annotation."""
        if file.path in self._faults:
            raise ImageError(self._faults[file.path])
        return read_file(self._place(file.file), within=self.within)

    def box(self, box: Box, picture: AnnotatedPicture, *, is_relative: bool) -> Box:
        """The box of an object, or of one that was predicted, in pixels of the upright picture, to a hundredth."""
        frame = self._frame(picture.path) or PictureSize(1, 1)
        x, y, width, height = box
        if is_relative:
            across, down = frame.upright
            x, y, width, height = x * across, y * down, width * across, height * down
        elif picture.size == frame.stored and (frame.stored != frame.upright or self._are_boxes_of_stored):
            x, y, width, height = frame.turned((x, y, width, height))
        return round(x, 2), round(y, 2), max(0.01, round(width, 2)), max(0.01, round(height, 2))

    @cached_property
    def _objects(self) -> Sequence[tuple[ScannedFile, tuple[AnnotatedPicture, AnnotatedObject, Place]]]:
        objects = []
        for picture, frame in self._annotated:
            size_bytes, mtime_ns = size_and_time(self._place(picture.path), within=self.within)
            if _why_another_size(picture, frame) is not None:
                continue
            upright = picture if frame is None else replace(picture, size=frame.upright)
            for item in picture.objects.values():
                box = self.box(item.box, picture, is_relative=item.is_relative)
                place = Place(picture.path, item.key, box, self._margin)
                stamp = content_key(f"{mtime_ns} {place.box} {place.margin}".encode())
                objects.append((ScannedFile(place.path, size_bytes, stamp, place=place), (upright, item, place)))
        return objects

    @cached_property
    def _faults(self) -> Mapping[bytes, str]:
        faults = {os.fsencode(path): why for path, why in self.annotations.failures}
        for picture, frame in self._annotated:
            if (why := _why_another_size(picture, frame)) is not None:
                faults |= {Place(picture.path, item.key, item.box).path: why for item in picture.objects.values()}
        return faults

    @cached_property
    def _annotated(self) -> Sequence[tuple[AnnotatedPicture, PictureSize | None]]:
        pictures = self.annotations.pictures.values()
        return [(picture, self._frame(picture.path)) for picture in pictures if picture.objects]

    def _frame(self, path: bytes) -> PictureSize | None:
        """The size and orientation of a picture; None if it cannot be read: reading an object gives the reason."""
        if path not in self._frames:
            self._frames[path] = None
            with suppress(ImageError):
                data = read_file(self._place(path), within=self.within)
                self._frames[path] = PictureSize(*decoders.header_of(data))
        return self._frames[path]

    @cached_property
    def _are_boxes_of_stored(self) -> bool:
        """Whether the size of some picture shows that boxes are of pictures as stored, and not upright."""
        return any(frame and picture.size == frame.stored != frame.upright for picture, frame in self._annotated)

    def _remarks_on_turned(self) -> Iterator[str]:
        """A sentence on pictures that EXIF turns or mirrors, whose size does not tell what their boxes are of."""
        turned = [
            display_name(picture.path)
            for picture, frame in self._annotated
            if frame and frame.orientation > 1 and (picture.size is None or frame.stored == frame.upright)
        ]
        if turned:
            taken = "as stored, as those of another are" if self._are_boxes_of_stored else "as they are shown upright"
            yield (
                f"{counted(len(turned), 'picture is', 'pictures are')} turned or mirrored by EXIF, and no size tells "
                f"whether their boxes are of them as stored: they are taken {taken} ({first_of(turned)}). Look at them."
            )

    def _place(self, path: bytes) -> bytes:
        return os.path.join(os.fsencode(self.base), path)


def _why_another_size(picture: AnnotatedPicture, frame: PictureSize | None) -> str | None:
    """Why boxes cannot be of the picture that lies there; None if they can."""
    if frame is None or picture.size in (None, frame.stored, frame.upright):
        return None
    return "is of a picture of {:g} × {:g} pixels, and the file there has {:g} × {:g}: correct one of them".format(
        *picture.size, *frame.upright
    )


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
        return readers.file_or_page(absolute(self.root, file.path), within=self.within)


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
            f"one (`{command('export', 'folders', root, 'OUT', '--by', 'label')}`; those without labels by `export "
            "huggingface …`), and read that."
        )


def refuse_what_is_no_source(root: Path) -> None:
    """Raise FolderError for a path that does not exist, and for a file without pictures."""
    if isinstance(source_of(root), Folder):
        Walk(root)


SAMPLED_FILES, SAMPLED_OBJECTS = 64, 16
"""The second in object storage, where each is a request."""
_DEEP_ENDINGS = frozenset(b".png .tif .tiff .pgm .ppm .pnm .jp2 .j2k .dcm .dicom .ima".split()) | {b""}
"""Of files that may have more than 8 bits; a file in a shard may have no ending."""
_PNG_DEPTH_AT = 24


def rendering_for_new_set(source: Source, files: Sequence[ScannedFile], wanted: Rendering | None) -> Rendering | None:
    """The rendering of a new set: what is wanted, with the range of a sample if it has none."""
    if wanted is not None and wanted.range is not None:
        return wanted
    shown = common_range(_value_samples(source, files))
    return wanted if shown is None else replace(wanted or Rendering(), black=shown[0], white=shown[1])


def remark_on_range(source: Source, files: Sequence[ScannedFile], rendering: Rendering | None) -> str:
    """A sentence if the range of a set does not fit its pictures; else nothing, and nothing in object storage."""
    if source.at_a_time:  # each look would be a request
        return ""
    samples = _value_samples(source, files)
    better = common_range(samples)
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


def _value_samples(source: Source, files: Sequence[ScannedFile]) -> list[ValueSample]:
    most = SAMPLED_OBJECTS if source.at_a_time else SAMPLED_FILES
    able = {file.file: file for file in files if may_be_deep(file.file)}
    drawn = random.Random(0).sample(sorted(able), min(most, len(able)))
    samples = read_each([able[path] for path in drawn], partial(_sample, source))
    return [sample for sample in samples if sample is not None and sample.window is None]


def _sample(source: Source, file: ScannedFile) -> ValueSample | None:
    try:
        data = source.read(file)
    except (ImageError, BucketError):  # reading the file for good gives the reason
        return None
    is_shallow = data.startswith(PNG_START) and data[_PNG_DEPTH_AT : _PNG_DEPTH_AT + 1] <= b"\x08"
    return None if is_shallow else decoders.sample_of(data)


def may_be_deep(path: bytes) -> bool:
    """Whether a file, or a page of one, may have more than 8 bits, by its ending."""
    page = page_of(path)
    return ending_of(path if page is None else page[0]) in _DEEP_ENDINGS


MOST_PICTURES = 10_000
MOST_SECONDS = 20.0
EVERY_S = 0.25
EXAMPLES = 4


@dataclass(frozen=True)
class FolderPreview:
    """How many pictures, and subfolders with pictures, were counted so far, and the names of the class folders.

    `objects` is a sentence on annotations or containers, in place of these; `annotated` are annotation files among the
    pictures. `is_done`: counting has ended; `is_complete`: all was counted, and only then `classes` are known.
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

    Counting ends at `most_pictures` pictures or after `most_s` seconds. No picture is opened. Raises FolderError and
    NoImagesError as reading the folder does.
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
