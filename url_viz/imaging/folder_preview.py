"""A preview of a folder before it is read: its pictures, subfolders and classes, counted for a bounded time."""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from url_viz.errors import NoImagesError
from url_viz.imaging.annotations.formats import annotations_in, format_at
from url_viz.imaging.containers.picture_lists import Listing
from url_viz.imaging.containers.python_dataset import ClosedDataset
from url_viz.imaging.containers.shards import Shards
from url_viz.imaging.folder_classes import find_classes
from url_viz.imaging.limited_readers import readers
from url_viz.imaging.scan import Walk, why_empty
from url_viz.imaging.source import source_of
from url_viz.wording import counted, first_of

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
