"""Where pictures are read from: what lies there, the bytes of a file, a preview; of a folder, a bucket, or shards."""

import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from url_viz.errors import FolderError, NoImagesError
from url_viz.imaging.bucket import Bucket, refuse_outside
from url_viz.imaging.containers.picture_lists import Listing, is_listing
from url_viz.imaging.containers.python_dataset import ClosedDataset, is_dataset, source_of_dataset
from url_viz.imaging.containers.shards import Shards, is_sharded
from url_viz.imaging.decode import read_file
from url_viz.imaging.folder_classes import find_classes
from url_viz.imaging.object_source import Objects, annotations_in, is_annotated, read_annotations
from url_viz.imaging.scan import Scan, ScannedFile, Walk, absolute, refuse_bucket, scan, why_empty
from url_viz.roots import is_in_bucket
from url_viz.wording import counted, first_of


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
    """A folder; with `within`, nothing outside these folders is listed or read."""

    root: Path
    within: Sequence[Path] | None = None
    at_a_time = None  # a disk is faster than decoding

    @property
    def base(self) -> Path:
        return self.root

    def list(self) -> Scan:
        return scan(self.root, within=self.within)

    def read(self, file: ScannedFile) -> bytes:
        return read_file(absolute(self.root, file.path), within=self.within)


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
    (Objects, is_annotated),
    (Listing, is_listing),
    (source_of_dataset, is_dataset),
    (Shards, is_sharded),
)


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
            f"one (`python -m url_viz sort {shlex.quote(str(root))} OUT --by label`; those without labels by `share … "
            "--as huggingface`), and read that."
        )


MOST_PICTURES = 10_000
MOST_SECONDS = 20.0
EVERY_S = 0.25
EXAMPLES = 4


@dataclass(frozen=True)
class FolderPreview:
    """Counts of picture files and subfolders so far, and the names of the folders that are classes.

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
    if is_annotated(root):
        found = read_annotations(root, within=within)
        yield FolderPreview(len(found.pictures), 0, is_done=True, is_complete=True, objects=found.summary)
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
            yield FolderPreview(len(paths), walk.folders)
    walk.refuse_unlisted()
    if is_complete and not paths:
        raise NoImagesError(why_empty(root, walk.other.most_common()))
    level = find_classes(paths).class_level if is_complete else None  # more folders may change which level it is
    names = level.names if level else ()
    annotated = annotations_in(root)
    yield FolderPreview(len(paths), walk.folders, names, is_done=True, is_complete=is_complete, annotated=annotated)
