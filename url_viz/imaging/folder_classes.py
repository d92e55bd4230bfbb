"""Classes, splits and dates from the levels of folders."""

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from url_viz.base.wording import MOST_NAMED, counted, first_of, listed, one_line
from url_viz.imaging.scan import SHARD_ENDINGS, display_name

SPLIT = "split"
"""The column of splits, whether from folders, lists, containers or annotations."""
BETWEEN = " + "
"""What joins the splits in the cell of a picture that is in several: "train + val"."""
_COLUMN = re.compile(
    r"(is[-_ ]?)?(split|subset|partition|fold|train(ing)?|val(id|idation)?|dev|test(ing)?|holdout)"
    r"([-_ ]?(set|id|no|nr|number|name))?",
    re.IGNORECASE,
)


def is_split_column(name: str) -> bool:
    """Whether a column is named like one of splits: split, subset, fold, is_train."""
    return _COLUMN.fullmatch(name) is not None


def joined_splits(*cells: Any) -> Any:
    """One cell from the splits that several lines give for a picture; None if none of them gives one."""
    names = dict.fromkeys(name for cell in cells if cell is not None for name in parted_splits(cell))
    return next(iter(names), None) if len(names) < 2 else BETWEEN.join(map(str, names))


def parted_splits(cell: object) -> tuple[object, ...]:
    """The splits in a cell that `joined_splits` made; of anything but text, the cell itself."""
    return tuple(filter(None, cell.split(BETWEEN))) if isinstance(cell, str) else (cell,)


def split_remarks(cells: Mapping[bytes, object]) -> Iterator[str]:
    """A sentence on the pictures (cells of splits by path) that are in several splits, if there are any."""
    several = {path: cell for path, cell in cells.items() if len(parted_splits(cell)) > 1}
    if several:
        pictures = counted(len(several), "picture is", "pictures are")
        named = first_of([f"{display_name(path)} ({splits})" for path, splits in several.items()])
        yield f"{pictures} in more than one split: {named}; tests on them are too good, so name each in one."


Kind = Literal["splits", "dates", "single", "names"]
"""What the folders of a level are: all splits, all dates, a single folder around everything (or files that hold the
pictures, in place of folders), or anything else."""
DATE = "date"
COLUMN_OF: dict[Kind, str] = {"splits": SPLIT, "dates": DATE}
"""The column of the table that levels of a kind become."""

_NAME = rb"(?s)/?[^/]*$"
"""What follows the folder in a path."""
_SPLIT = re.compile(r"train(ing)?|val(id|idation)?|dev|test(ing)?|holdout|fold[-_. ]?\d+", re.IGNORECASE)
_GAP = r"[-_. ]"
_YEAR, _MONTH, _DAY = r"(19|20)\d\d", r"(0?[1-9]|1[0-2])", r"(0?[1-9]|[12]\d|3[01])"
_MONTHS = (
    r"jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|"
    r"aug(ust)?|sept?(ember)?|oct(ober)?|nov(ember)?|dec(ember)?"
)
_DATE = re.compile(
    rf"{_YEAR}({_GAP}{_MONTH}({_GAP}{_DAY})?)?"  # 2024, 2024-05, 2024_5_17
    rf"|{_YEAR}(0[1-9]|1[0-2])((0[1-9]|[12]\d|3[01]))?"  # 202405, 20240517
    rf"|(({_DAY}{_GAP})?{_MONTH}|{_MONTH}{_GAP}{_DAY}){_GAP}{_YEAR}"  # 05-2024, 17.05.2024, 05-17-2024
)
_PART_OF_DATE = re.compile(
    rf"{_DAY}|{_MONTH}{_GAP}{_DAY}|{_DAY}{_GAP}{_MONTH}|({_DAY}{_GAP}+)?({_MONTHS})", re.IGNORECASE
)
"""Below a level of dates also months and days: 2024/05/17, 2024/05-17, 2024/May, 2024/05 - May."""


@dataclass(frozen=True)
class FolderLevel:
    """One level of folders: `number` (1 = in the root), its sorted folder `names`, and what they are.

    `holds_most` is whether more than half of all pictures lie in two or more folders of it.
    """

    number: int
    kind: Kind
    names: tuple[str, ...]
    holds_most: bool

    @property
    def choice(self) -> str:
        """How this level is chosen as the label: "level:2"."""
        return f"level:{self.number}"

    @property
    def words(self) -> str:
        """The names of its folders: "train and test", or, of more than three, "81 folders"."""
        return listed(self.names) if len(self.names) <= MOST_NAMED else f"{len(self.names):,} folders"


@dataclass(frozen=True)
class FolderClasses:
    """The levels of folders of N pictures.

    `folders` (F) has the distinct folders, as names from the root, `folder` (N,) int64 the place of each picture's.
    """

    levels: tuple[FolderLevel, ...]
    folders: tuple[tuple[str, ...], ...]
    folder: NDArray[np.int64]

    @cached_property
    def class_level(self) -> FolderLevel | None:
        """The first level that is neither splits, dates nor a single folder, if most pictures lie in its folders."""
        first = next((level for level in self.levels if level.kind == "names"), None)
        return first if first is not None and first.holds_most else None

    @property
    def class_names(self) -> NDArray[np.object_]:
        """The class of each picture (N,), None for none."""
        return self.names_at(self.class_level.number if self.class_level else None)

    def names_at(self, number: int | None) -> NDArray[np.object_]:
        """The folder of each picture (N,) at a level; None for a picture that is not that deep, and without a level."""
        return self._per_image([_joined(names, [number] if number else []) for names in self.folders])

    @property
    def columns(self) -> dict[str, NDArray[np.object_]]:
        """The split and date of each picture (N,), by column, if there are such levels; several are joined by `/`."""
        numbers: dict[str, list[int]] = {}
        for level in self.levels:
            if level.kind in COLUMN_OF:
                numbers.setdefault(COLUMN_OF[level.kind], []).append(level.number)
        return {name: self._per_image([_joined(f, number) for f in self.folders]) for name, number in numbers.items()}

    def _per_image(self, values: Sequence[str | None]) -> NDArray[np.object_]:
        return np.array([*values, None], dtype=object)[self.folder]


def _joined(names: tuple[str, ...], numbers: Sequence[int]) -> str | None:
    return "/".join(names[number - 1] for number in numbers if number <= len(names)) or None


def find_classes(paths: Sequence[bytes] | pa.ChunkedArray) -> FolderClasses:
    """The levels of folders in root-relative paths (N) in bytes, and which of them has the classes."""
    return classes_of(folder_of_each(paths))


def folder_of_each(paths: Sequence[bytes] | pa.ChunkedArray) -> pa.ChunkedArray:
    """The folder of each path (N), "" for the root, dictionary-encoded, in one chunk."""
    column = paths if isinstance(paths, pa.ChunkedArray) else pa.chunked_array([paths], pa.binary())
    parents = pc.replace_substring_regex(column, pattern=_NAME, replacement=b"")
    return pa.chunked_array([parents.combine_chunks().dictionary_encode()])


def classes_of(folder_of_each: pa.ChunkedArray) -> FolderClasses:
    """As `find_classes`, from the result of `folder_of_each`."""
    is_whole = folder_of_each.num_chunks == 1
    parents = folder_of_each.chunk(0) if is_whole else folder_of_each.combine_chunks()
    folder = parents.indices.to_numpy().astype(np.int64)
    folders = tuple(
        tuple(map(folder_name, name.split(b"/"))) if name else () for name in parents.dictionary.to_pylist()
    )
    return FolderClasses(_levels(folders, np.bincount(folder, minlength=len(folders))), folders, folder)


def folder_name(folder: bytes) -> str:
    """The name of a folder as a class, with odd bytes, line breaks and control characters as escapes."""
    return one_line(folder.decode("utf-8", "backslashreplace"))


def _levels(folders: Sequence[tuple[str, ...]], pictures: NDArray[np.int64]) -> tuple[FolderLevel, ...]:
    """The levels of folders; `pictures` (F,) counts those in each, without those in its subfolders."""
    levels: list[FolderLevel] = []
    inside = np.array([len(names) for names in folders], np.int64)
    for number in range(1, int(inside.max(initial=0)) + 1):
        names = {folder[number - 1] for folder in folders if len(folder) >= number}
        is_most = 2 * pictures[inside >= number].sum() > pictures.sum()
        kind = _kind_of(names, below_dates=any(level.kind == "dates" for level in levels))
        levels.append(FolderLevel(number, kind, tuple(sorted(names)), bool(len(names) > 1 and is_most)))
    return tuple(levels)


def split_in_name(name: bytes) -> str | None:
    """The split at the start of a file's name, "train" in "train-00000-of-00002.parquet"; None without one."""
    match = re.match(rf"({_SPLIT.pattern})(?![a-zA-Z])", display_name(name), re.IGNORECASE)
    return match[1] if match else None


def _kind_of(names: Collection[str], *, below_dates: bool) -> Kind:
    if all(name.lower().endswith(tuple(map(os.fsdecode, SHARD_ENDINGS))) for name in names):
        return "single"
    if all(map(_SPLIT.fullmatch, names)):
        return "splits"
    if all(_DATE.fullmatch(name) or (below_dates and _PART_OF_DATE.fullmatch(name)) for name in names):
        return "dates"
    return "single" if len(names) == 1 else "names"
