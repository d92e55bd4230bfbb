"""Lists of picture files with ids and labels: read from class folders, checked, drawn by hash."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from url_viz.base.errors import FolderError
from url_viz.imaging.decode import read_file
from url_viz.imaging.places import image_id
from url_viz.imaging.scan import absolute

NO_LABEL = -1


@dataclass(frozen=True)
class PictureList:
    """N files below `root`. `ids` (N,) int64, `labels` (N,) int32 into `classes`, −1 for none.

    With `within`, no file outside these folders is read.
    """

    root: Path
    paths: tuple[bytes, ...]
    ids: NDArray[np.int64]
    labels: NDArray[np.int32]
    classes: tuple[str, ...]
    within: Sequence[Path] | None = None

    def __post_init__(self) -> None:
        assert len(self.paths) == len(self.ids) == len(self.labels)

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def is_labelled(self) -> bool:
        return bool(self.classes)

    @property
    def digest(self) -> str:
        """16 hexadecimal digits: a hash of the paths and labels, in order."""
        state = hashlib.blake2b(b"\0".join(self.paths), digest_size=8)
        state.update(self.labels.tobytes())
        return state.hexdigest()

    def read(self, path: bytes) -> bytes:
        """The bytes of one of the files. Raises ImageError, with the reason, if it cannot be read."""
        return read_file(absolute(self.root, path), within=self.within)

    def subset(self, positions: NDArray[np.int64]) -> "PictureList":
        paths = tuple(self.paths[position] for position in positions)
        return replace(self, paths=paths, ids=self.ids[positions], labels=self.labels[positions])


@dataclass(frozen=True)
class Labelled:
    """A picture's class and path."""

    label: str
    path: Path


def picture_list(root: Path, entries: Sequence[Labelled]) -> PictureList:
    """Labelled files below `root`, in their order; classes are sorted by name. Raises FolderError for missing files."""
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
    """Entries in the order of a hash of class and name: mixed, and the same on every machine."""
    return sorted(entries, key=lambda entry: hashlib.sha256(os.fsencode(f"{entry.label}/{entry.path.name}")).digest())
