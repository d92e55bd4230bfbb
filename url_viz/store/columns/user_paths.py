"""Paths in a user's file matched to pictures: relative, absolute, or base names."""

import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from url_viz.base.errors import FolderError
from url_viz.imaging.places import picture_path
from url_viz.imaging.scan import display_name
from url_viz.store.columns.user_files import UserFile

MOST_EXAMPLES = 5
_DRIVE = re.compile(r"^[A-Za-z]:/")
_SLASHES = re.compile(r"/(?:\./|/)+|/\.$")


@dataclass(frozen=True)
class Matched:
    """`paths` (N) of a file, and `row` (N,) int64: the picture of each, −1 for none.

    Where paths are of whole pictures with objects, `row` is the first object in each, and `whole_of` (P,) the first
    object in the same picture, for each of the set's P objects.
    """

    paths: Sequence[str]
    row: NDArray[np.int64]
    whole_of: NDArray[np.int64] | None = None

    @property
    def pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows of the file (M,), and their pictures or objects (M,); a whole picture has all objects in it."""
        written = np.flatnonzero(self.row >= 0)
        if self.whole_of is None:
            return written, self.row[written]
        written_of = np.full(len(self.whole_of), -1, np.int64)
        written_of[self.row[written]] = written
        row = written_of[self.whole_of]
        return row[row >= 0], np.flatnonzero(row >= 0)

    @property
    def count(self) -> int:
        return int((self.row >= 0).sum())

    @property
    def examples(self) -> tuple[str, ...]:
        """The first paths without a picture."""
        return tuple(self.paths[index] for index in np.flatnonzero(self.row < 0)[:MOST_EXAMPLES])

    def words(self, file: str, *, whole: str) -> list[str]:
        """How many rows of a file match pictures of this set or folder (`whole`), and which do not, a sentence each."""
        sentences = [f"{self.count:,} of {len(self.paths):,} rows of {file!r} are of a picture of this {whole}."]
        if self.examples:
            more = ", …" if len(self.paths) - self.count > len(self.examples) else ""
            sentences.append(f"No picture was found for {', '.join(map(repr, self.examples))}{more}.")
        return sentences


def match_file(file: UserFile, pictures: Sequence[bytes], *, root: Path, or_wholes: bool = False) -> Matched:
    """The picture of each row of a file, as by `match_paths`. Raises FolderError if no row has one.

    With `or_wholes` paths may be of whole pictures with objects, or of files with pages: each stands for all in it.
    """
    matched = match_paths(file.paths, pictures, root=root)
    if or_wholes and not matched.count:
        whole = [picture_path(path) or path for path in pictures]
        first: dict[bytes, int] = {}
        whole_of = np.fromiter((first.setdefault(path, row) for row, path in enumerate(whole)), np.int64, len(whole))
        row = match_paths(file.paths, list(first), root=root).row
        firsts = np.fromiter(first.values(), np.int64, len(first))
        matched = Matched(file.paths, np.where(row >= 0, firsts[row], -1), whole_of)
    if not matched.count:
        ours = ", ".join(repr(display_name(path)) for path in sorted(pictures)[:3])
        raise FolderError(
            f"None of the {len(file.paths):,} paths in the column {file.path_column!r} of {file.name!r} is a "
            f"picture of {str(root)!r}: they are such as {', '.join(map(repr, file.paths[:3]))}, and the pictures "
            f"such as {ours}. Say which column holds the paths, or write them relative to the folder."
        )
    return matched


def match_paths(paths: Sequence[str], pictures: Sequence[bytes], *, root: Path) -> Matched:
    """The picture (index into `pictures`, root-relative paths) that each path means.

    A path may be relative to `root`, absolute (an address in object storage, too), relative to a folder above or below
    it, or a base name that only one picture has, with or without its extension. Backslashes, `./` and case are ignored
    if the result is one picture. Raises FolderError, with the paths, if two rows mean the same picture.
    """
    names = _PathIndex(pictures)
    above = _SLASHES.sub("/", os.fspath(root).replace("\\", "/")).rstrip("/") + "/"
    row = np.fromiter((names.find(path, above) for path in paths), np.int64, len(paths))
    _refuse_doubles(row, paths)
    return Matched(paths, row)


class _PathIndex:
    """The unambiguous names of pictures, from the exact path to a base name that only one picture has."""

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

    def find(self, written: str, above: str) -> int:
        """The index of the picture, −1 if none or several match; `above` is the root with a slash."""
        path = written
        if path not in self._exact:  # a backslash may be part of a file name
            path = _SLASHES.sub("/", path.strip().removeprefix("file://").replace("\\", "/"))
            while path.startswith("./"):
                path = path[2:]
            path = path.removeprefix(above)
        if path in self._exact:
            return self._exact[path]
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
    if table.setdefault(name, index) != index:
        table[name] = -1  # several pictures


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
    first = [paths[index] for index in np.flatnonzero(row == doubled[0])[:MOST_EXAMPLES]]
    examples = ", ".join(dict.fromkeys(repr(path) for path in first))
    others = f" (and {len(doubled) - 1:,} other pictures have several rows)" if len(doubled) > 1 else ""
    raise FolderError(f"{counts[0]:,} rows are of the same picture: {examples}{others}. Keep one row per picture.")
