"""Picture lists from class folders and annotation files: classes by name, checked files, splits drawn by hash."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from training.data.pictures import Labelled, PictureList
from url_viz.errors import FolderError
from url_viz.imaging.digest import image_id


def picture_list(root: Path, entries: Sequence[Labelled]) -> PictureList:
    """Labelled files below `root` as a picture list, in their order; classes are sorted by name.

    Raises FolderError if files are missing, naming the first and how many.
    """
    missing = [entry.path for entry in entries if not entry.path.is_file()]
    if missing:
        raise FolderError(
            f"{len(missing)} of {len(entries)} pictures that {str(root)!r} lists are missing, the first {missing[0]}. "
            f"Unpack the set's archive again."
        )
    classes = tuple(sorted({entry.label for entry in entries}))
    index_of = {name: index for index, name in enumerate(classes)}
    paths = tuple(os.fsencode(entry.path.relative_to(root)) for entry in entries)
    return PictureList(
        root,
        paths,
        np.array([image_id(path) for path in paths], np.int64),
        np.array([index_of[entry.label] for entry in entries], np.int32),
        classes,
    )


def required(root: Path, choices: Iterable[str], *, layout: str) -> Path:
    """The first of the relative paths `choices` that exists; raises FolderError with the expected `layout`."""
    names = list(choices)
    path = next((root / name for name in names if (root / name).exists()), None)
    if path is None:
        raise FolderError(f"{str(root)!r} has no {' and no '.join(names)}. Expected is {layout}.")
    return path


def class_folders(folder: Path) -> dict[str, list[Labelled]]:
    """The files of each class folder, sorted by name; names that begin with a dot (`._x` of archives) are skipped."""
    return {
        sub.name: [Labelled(sub.name, path) for path in sorted(sub.iterdir()) if path.is_file() and path.name[0] != "."]
        for sub in sorted(folder.iterdir())
        if sub.is_dir() and sub.name[0] != "."
    }


def by_hash(entries: Iterable[Labelled]) -> list[Labelled]:
    """Entries ordered by a hash of class and name: mixed over the classes, and the same on every machine."""
    return sorted(entries, key=lambda entry: hashlib.sha256(os.fsencode(f"{entry.label}/{entry.path.name}")).digest())
