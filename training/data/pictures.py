"""Lists of picture files with ids and labels."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from url_viz.imaging.decode import read_file
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
        """Whether the files lie in class folders."""
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
        """The files at `positions`, in that order."""
        paths = tuple(self.paths[position] for position in positions)
        return replace(self, paths=paths, ids=self.ids[positions], labels=self.labels[positions])


@dataclass(frozen=True)
class Labelled:
    """One picture of a labelled set: its class and its path."""

    label: str
    path: Path
