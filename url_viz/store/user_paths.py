"""Matching of paths in a user's file to pictures: relative, absolute, or base names."""

import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from url_viz.errors import FolderError
from url_viz.formulas import without_apostrophe
from url_viz.imaging.scan import display_name

EXAMPLES = 5
_DRIVE = re.compile(r"^[A-Za-z]:/")
_SLASHES = re.compile(r"/(?:\./|/)+|/\.$")


@dataclass(frozen=True)
class Matched:
    """`row` (N,) int64: the picture of each path, −1 for none; `examples` are some paths without one."""

    row: NDArray[np.int64]
    examples: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many paths have a picture."""
        return int((self.row >= 0).sum())


def match(paths: Sequence[str], pictures: Sequence[bytes], *, root: Path, is_csv: bool = False) -> Matched:
    """The picture (index into `pictures`, root-relative paths) that each path means.

    A path may be relative to `root`, absolute (an address in object storage, too), relative to a folder above or below
    it, or a base name, with or without its extension, if only one picture has it. Backslashes, `./` and case are
    ignored if the result is one picture. One of a CSV (`is_csv`) may have the apostrophe that exports put before what
    a spreadsheet would run.
    Raises FolderError, with the paths, if two rows mean the same picture.
    """
    names = _PathIndex(pictures)
    above = _SLASHES.sub("/", os.fspath(root).replace("\\", "/")).rstrip("/") + "/"
    row = np.fromiter((names.find(path, above, is_csv=is_csv) for path in paths), np.int64, len(paths))
    _refuse_doubles(row, paths)
    missing = np.flatnonzero(row < 0)[:EXAMPLES]
    return Matched(row, tuple(paths[index] for index in missing))


def _plain(path: str, root: str) -> str:
    """A path with slashes, without `./` and, if it is below the root, without the root."""
    plain = path.strip().removeprefix("file://").replace("\\", "/")
    plain = _SLASHES.sub("/", plain)
    while plain.startswith("./"):
        plain = plain[2:]
    return plain.removeprefix(root)


class _PathIndex:
    """Index of all unambiguous names of pictures, from the exact path to a base name that only one picture has."""

    def __init__(self, pictures: Sequence[bytes]) -> None:
        self._exact: dict[str, int] = {}
        self._folded: dict[str, int] = {}
        self._ends: dict[str, int] = {}
        for index, path in enumerate(pictures):
            shown = display_name(path)
            self._exact[shown] = self._exact[os.fsdecode(path)] = index
            folded = _folded(shown)
            _note(self._folded, folded, index)
            for end in _ends(folded):
                _note(self._ends, end, index)
                _note(self._ends, os.path.splitext(end)[0], index)

    def find(self, written: str, above: str, *, is_csv: bool) -> int:
        """The index of the picture, −1 if none or several match."""
        before = without_apostrophe(written) if is_csv else written
        if before in self._exact:
            return self._exact[before]
        index = self._meant(written, above)
        return index if index >= 0 or before == written else self._meant(before, above)

    def _meant(self, written: str, above: str) -> int:
        path = written if written in self._exact else _plain(written, above)  # a backslash may be part of a file name
        exact = self._exact.get(path)
        if exact is not None:
            return exact
        folded = _folded(_DRIVE.sub("", path).lstrip("/"))
        for table in (self._folded, self._ends):
            if folded in table:
                return table[folded]
        for end in _ends(folded):  # relative to a folder above the root
            index = self._folded.get(end, -1)
            if index >= 0 and ("/" in end or self._ends.get(end, -1) == index):
                return index
        return -1


def _note(table: dict[str, int], name: str, index: int) -> None:
    """Record which picture a name means; −1 if it means several."""
    if table.setdefault(name, index) != index:
        table[name] = -1


def _ends(path: str) -> Iterator[str]:
    """The path, and the path without its first folder, its first two folders, and so on."""
    yield path
    while "/" in path:
        path = path.partition("/")[2]
        yield path


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def _refuse_doubles(row: NDArray[np.int64], paths: Sequence[str]) -> None:
    pictures_meant = row[row >= 0]
    if len(np.unique(pictures_meant)) == len(pictures_meant):
        return
    pictures, counts = np.unique(pictures_meant, return_counts=True)
    doubled, counts = pictures[counts > 1], counts[counts > 1]
    first = [paths[index] for index in np.flatnonzero(row == doubled[0])[:EXAMPLES]]
    examples = ", ".join(dict.fromkeys(repr(path) for path in first))
    others = f" (and {len(doubled) - 1:,} other pictures have several rows)" if len(doubled) > 1 else ""
    raise FolderError(f"{counts[0]:,} rows are of the same picture: {examples}{others}. Keep one row per picture.")
