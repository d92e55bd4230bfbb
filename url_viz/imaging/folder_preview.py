"""A first look into a folder: how many pictures and folders are there and which classes, counted for a bounded time."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from url_viz.errors import NoImagesError
from url_viz.imaging.folder_classes import find_classes
from url_viz.imaging.scan import Walk, why_empty

MOST_PICTURES = 10_000
MOST_SECONDS = 20.0
EVERY_S = 0.25
EXAMPLES = 4


@dataclass(frozen=True)
class FolderPreview:
    """What was met in a folder: picture files, subfolders, and the names of the folders that are its classes.

    `is_done`: counting has ended; `is_complete`: nothing is left to count, and only then classes are known.
    """

    pictures: int
    folders: int
    classes: tuple[str, ...] = ()
    is_done: bool = False
    is_complete: bool = False

    @property
    def text(self) -> str:
        """In a line: "1,296 pictures in 81 folders: 81 classes (anjou, apple, avocado, banana, …)"."""
        over = "" if self.is_complete else "over "
        said = f"{over}{_counted(self.pictures, 'picture')}"
        said += f" in {over}{_counted(self.folders, 'folder')}" if self.folders else ""
        if self.classes:
            names = ", ".join(self.classes[:EXAMPLES]) + (", …" if len(self.classes) > EXAMPLES else "")
            said += f": {_counted(len(self.classes), 'class')} ({names})"
        elif self.is_complete:
            said += ", no class folders"
        return said[:1].upper() + said[1:]


def _counted(count: int, noun: str) -> str:
    plural = "es" if noun.endswith("s") else "s"
    return f"{count:,} {noun}{plural * (count != 1)}"


def preview_folder(
    root: Path, *, within: Sequence[Path] | None = None, most_s: float = MOST_SECONDS
) -> Iterator[FolderPreview]:
    """What is in a folder, a few times a second while it is counted; the last one has `is_done`.

    Counting ends at `MOST_PICTURES` pictures or after `most_s` seconds. Nothing is opened. Raises FolderError, as a
    reading would at once, if `root` is no folder, cannot be listed or lies outside `within`, NoImagesError if no file
    in it can be a picture.
    """
    walk = Walk.into(root, within=within)
    start = told = time.monotonic()
    paths: list[bytes] = []
    is_complete = True
    for file in walk.steps():
        now = time.monotonic()
        if now - start > most_s or (file is not None and len(paths) == MOST_PICTURES):
            is_complete = False
            break
        if file is not None:
            paths.append(file.path)
        if now - told > EVERY_S:
            told = now
            yield FolderPreview(len(paths), walk.folders)
    walk.refuse_unlisted()
    if is_complete and not paths:
        raise NoImagesError(why_empty(root, walk.other.most_common()))
    level = find_classes(paths).class_level if is_complete else None  # of some folders alone it may be another level
    yield FolderPreview(len(paths), walk.folders, level.names if level else (), is_done=True, is_complete=is_complete)
