"""Sorting of pictures into folders, as links or copies, by decision, by label as corrected, or by a measure."""

import hashlib
import json
import os
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path
from typing import Annotated, BinaryIO

import numpy as np
import pandas as pd
from typing_extensions import Doc

from url_viz.base.command_line import Output, Percentile
from url_viz.base.errors import FolderError, ImageError, ImageSetError
from url_viz.base.files import record_in
from url_viz.base.wording import counted, first_of
from url_viz.capability import AsKind, capability
from url_viz.columns.ranking import with_percentile
from url_viz.export.picture_files import (
    How,
    left_out_in_words,
    link_or_copy,
    opened_by,
    unwritten,
)
from url_viz.export.table_files import write_table
from url_viz.image_set import ImageSet
from url_viz.imaging.containers.picture_lists import is_listing
from url_viz.imaging.folder_classes import folder_name
from url_viz.imaging.outputs import require_outside
from url_viz.imaging.places import SEPARATOR
from url_viz.imaging.scan import display_name, located, refuse_bucket
from url_viz.store.decisions.decision_rows import DECISIONS

LONGEST_NAME = 255
"""Bytes of one part of a path, on most file systems."""


def corrected_paths(
    table: pd.DataFrame, paths: Sequence[bytes], *, level: int | None = None, make_folder: bool = False
) -> list[bytes]:
    """Root-relative paths (N) with the folder of the given label replaced by that of the label now; all different.

    `table` has the rows of `ImageSet.table()` at these paths; `level` is that of the folders (from 1) that are labels,
    None to look for a folder of the label's name. A picture whose given label is no folder of its path keeps its path
    or, with `make_folder`, lies in a folder of its label. If a place is taken, the folder that the picture came from
    gets into its name.
    """
    levels = [_level_of(path, given, level) for path, given in zip(paths, table["label_given"], strict=True)]
    parts = {path.split(b"/")[at] for path, at in zip(paths, levels, strict=True) if at is not None}
    folders = {folder_name(part): part for part in sorted(parts)}  # a name that is no text differs from how it is shown
    moved = [
        _moved(path, own_level, folders.get(label) or folder_of(label), make_folder=make_folder)
        if isinstance(label, str)
        else path
        for path, own_level, label in zip(paths, levels, table["label"], strict=True)
    ]
    taken = {wanted for path, wanted in zip(paths, moved, strict=True) if wanted == path}
    for number, path in enumerate(paths):
        if moved[number] != path:
            if moved[number] in taken:
                moved[number] = _free_path(moved[number], path, taken)
            taken.add(moved[number])
    return moved


def chosen_level(image_set: ImageSet) -> int | None:
    """The level of the folders (from 1) that are an image set's labels; None if its labels are something else."""
    return image_set.labels.levels().label


def crop_path(path: bytes) -> bytes:
    """The path of an object's crop as a file, from the object's: "a/9.jpg-3.png"."""
    picture, _, key = path.rpartition(SEPARATOR)
    return picture + b"-" + key.replace(b"/", b"_") + b".png"


def folder_of(label: str) -> bytes:
    """A label as a folder's name; a digest marks what had to be changed, so that no two labels share a folder."""
    name, whole = os.fsencode(label.replace("/", "_").replace("\0", "_")), os.fsencode(label)
    if name == whole and name not in (b"", b".", b"..") and len(name) <= LONGEST_NAME:
        return name
    text = name[: LONGEST_NAME - 10].decode(errors="ignore")  # cut between letters
    return (
        os.fsencode(f"_{text}" if text.strip(".") == "" else text)
        + b"-"
        + hashlib.blake2b(whole, digest_size=4).hexdigest().encode()
    )


def _level_of(path: bytes, given: object, level: int | None) -> int | None:
    """The number (from 0) of the folder in a path that is the given label."""
    parts = path.split(b"/")[:-1]
    numbers = range(len(parts)) if level is None else range(level - 1, min(level, len(parts)))
    return next((number for number in numbers if folder_name(parts[number]) == given), None)


def _moved(path: bytes, level: int | None, folder: bytes, *, make_folder: bool) -> bytes:
    parts = path.split(b"/")
    if level is None:
        return folder + b"/" + path if make_folder else path
    if folder_name(parts[level]) != folder_name(folder):
        parts[level] = folder
    return b"/".join(parts)


def _free_path(wanted: bytes, path: bytes, taken: set[bytes]) -> bytes:
    """A free path for a picture whose place is taken: named after the folders that it comes from, if they fit."""
    stem, ending = os.path.splitext(wanted)
    came_from = b"-" + os.path.dirname(path).replace(b"/", b"-")
    if 1 < len(came_from) < LONGEST_NAME - 9 - len(os.path.basename(wanted)):
        stem += came_from
    names = chain([b""], (b"-%d" % number for number in count(2)))  # without a folder in it, the first is the taken one
    return next(free for name in names if (free := stem + name + ending) not in taken)


MARKER = ".url-viz-sorted.json"
"""The file in every sorted folder that names the image set: only such a folder may be sorted into again."""

UNDECIDED = "undecided"
IF_FULL = "What is there is whole: make room and sort again, or take links."
BY_LABEL, BY_SPLIT = "label", "split"
SOFT_LABELS = "soft_labels.csv"
MOST_NAMED = 6
"""Folders counted by name in the result."""


@dataclass
class SortedFolders:
    """What sorting into `out` did; it never overwrites or removes anything.

    `created` counts the links or copies made now, by decision, class or side, `tops` by the uppermost folder, such as
    train and test above the classes; `present` are those of earlier runs. `left_out` are pictures
    whose file cannot be opened, with the reason, `blocked` those whose place holds something else or lies outside
    `out`. `elsewhere` are files at no picture's place, such as those of an earlier sorting.
    """

    out: Path
    created: dict[str, int]
    tops: dict[str, int] = field(default_factory=dict)
    present: int = 0
    left_out: list[tuple[str, str]] = field(default_factory=list)
    blocked: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    @property
    def words(self) -> tuple[str, ...]:
        tops = [f"{count:,} in {name}/" for name, count in self.tops.items() if count]
        folders = ", ".join(tops[:MOST_NAMED])
        if (more := len(tops) - MOST_NAMED) > 0:
            folders += f", and the others in {counted(more, 'more folder')}"
        pictures = counted(sum(self.created.values()), "picture")
        sentences = [f"Wrote {pictures} to {str(self.out)!r}{': ' if folders else ''}{folders}."]
        if self.present:
            sentences.append(f"{self.present:,} were there already.")
        sentences += left_out_in_words(self.left_out)
        if self.blocked:
            why = "were left out: something else has their place, or their name leads out of the folder"
            sentences.append(f"{len(self.blocked):,} {why}: {first_of(self.blocked)}.")
        if self.elsewhere:
            files = f"{counted(len(self.elsewhere), 'file')} ({first_of(self.elsewhere)})"
            sentences.append(
                f"At no picture's place: {files}, of an earlier sorting or of yours. Nothing of that was removed."
            )
        return tuple(sentences)


@capability("export folders", reads_files=True)
def sort_into_folders(
    image_set: ImageSet,
    out: Annotated[str | Path, AsKind(Path), Doc("a new or empty folder, or one sorted into before"), Output()],
    *,
    by: Annotated[str, Doc("decision, label (as corrected), split, or a measure such as ambiguity")] = "decision",
    how: Annotated[How, Doc("links to the pictures, or copies of them")] = "link",
    threshold: Annotated[Percentile, Doc("with a measure: the percentile from which a picture is ambiguous")] = 90.0,
    undecided: Annotated[bool, Doc("also make undecided/")] = False,
    soft: Annotated[bool, Doc("also write soft_labels.csv: the share of each class in the label of each file")] = False,
    ids: Collection[int] | None = None,
) -> SortedFolders:
    """Sort pictures by decision, label as corrected, split, or as ambiguous and clear; overwrites and removes nothing.

    Each lies at its path within the image set, as an absolute link or as a copy. By decision there are keep/, drop/ and
    look-again/ (and undecided/ if asked); by label the class folders as corrected, without pictures that were dropped
    or have no label; by split the same below train/ and test/; pictures without a value of a measure are left out. Of
    objects the crops are written, as PNG.

    In Python `ids` are those to sort, None for all. Raises UsageError if `out` lies within the pictures, FolderError if
    it cannot be written, or is not empty and not from an earlier sorting of this set (which left the file `MARKER`);
    ImageSetError if no picture would be sorted.
    """
    refuse_bucket(image_set.root)
    table = image_set.table()
    folders = _folders(table, by, threshold, with_undecided=undecided)
    if ids is not None:
        folders = folders[table["id"].isin(ids).to_numpy()[folders.index]]
        if folders.empty:
            raise ImageSetError(
                "None of these pictures would be written. Take more of them, or sort by another column."
            )
    target = Path(out).expanduser().absolute()
    all_folders = _known_folders(by, with_undecided=undecided)
    done = SortedFolders(target, {name: 0 for name in all_folders or folders.unique() if (folders == name).any()})
    paths = image_set.core.paths_of(table["id"])
    opened, how = opened_by(image_set, how=how, is_cut=image_set.is_of_objects)
    try:
        _claim(target, image_set)
        sorted_into = _TargetFolder(target, how=how)
        places = _places(image_set, table, paths, folders, by)
        tops = {path: display_name(place.split(b"/")[0]) for path, place in places.items()}
        done.tops |= dict.fromkeys(tops.values() if by == BY_LABEL else done.created, 0)
        there: dict[int, bytes] = {}
        done.elsewhere += sorted_into.others(places.values(), all_folders or ("",))
        for row, folder in zip(folders.index, folders, strict=True):
            path, became = paths[row], "blocked"
            try:
                if _is_plain(places[path]):
                    with opened(path) as file:
                        became = sorted_into.put(file, image_set.files.place(path), places[path])
            except ImageError as error:
                done.left_out.append((display_name(path), str(error)))
                continue
            done.created[folder] += became == "created"
            if became == "created":
                done.tops[tops[path]] += 1
            done.present += became == "present"
            if became != "blocked":
                there[row] = places[path]
            done.blocked += [display_name(path)] if became == "blocked" else []
        if soft:
            _write_soft(image_set, target, there)
    except OSError as error:
        raise unwritten(target, error, if_full=IF_FULL, how=how) from error
    return done


def _write_soft(image_set: ImageSet, target: Path, places: Mapping[int, bytes]) -> None:
    """Write SOFT_LABELS: the file of each picture that was sorted and has a label, and the share of each class."""
    table = image_set.labels.soft().table
    row = {image_id: number for number, image_id in enumerate(image_set.core.ids.tolist())}
    files = [places.get(row[image_id]) for image_id in table["id"].tolist()]
    table = table.drop(columns=["id", "path"])
    table.insert(0, "file", [None if file is None else display_name(file) for file in files])
    write_table(table[table["file"].notna()], target / SOFT_LABELS)


def paths_text(image_set: ImageSet, ids: Iterable[int], *, nul: bool = False) -> bytes:
    """The files of pictures as a list for other programs: absolute paths or addresses, each ended by a line break.

    With `nul`, by a NUL (for `xargs -0`); without, raises FolderError for a line break in a path.
    """
    paths = [located(image_set.folder, path) for path in image_set.core.paths_of(ids)]
    if not nul and (odd := next((path for path in paths if b"\n" in path or b"\r" in path), None)) is not None:
        raise FolderError(
            f"{display_name(odd)!r} has a line break in its name, so a list with one path a line cannot hold it. "
            "Ask for a list that is separated by NUL (--nul)."
        )
    end = b"\0" if nul else b"\n"
    return b"".join(path + end for path in paths)


def paths_file(image_set: ImageSet, ids: Sequence[int]) -> bytes:
    """The files of pictures as a list, one a line; each ended by a NUL where one has a line break in its name."""
    try:
        return paths_text(image_set, ids)
    except FolderError:
        return paths_text(image_set, ids, nul=True)


def _places(
    image_set: ImageSet, table: pd.DataFrame, paths: Sequence[bytes], folders: "pd.Series[str]", by: str
) -> dict[bytes, bytes]:
    """Where each picture that is sorted goes, by its path."""
    files = paths
    if image_set.is_of_objects:
        files = [crop_path(path) for path in paths]
    elif is_listing(image_set.root) and any(path.startswith((b"/", b"../")) for path in paths):
        # A list that leads out of its folder: paths are those below the nearest folder of all its pictures.
        whole = [os.path.normpath(located(image_set.folder, path)) for path in paths]
        top = os.path.commonpath(map(os.path.dirname, whole))
        files = [os.path.relpath(path, top) for path in whole]
    if by == BY_LABEL:
        places = corrected_paths(table, files, level=chosen_level(image_set), make_folder=True)
        return {paths[row]: places[row] for row in folders.index}
    if by == BY_SPLIT:
        files = corrected_paths(table, files, level=chosen_level(image_set), make_folder=True)
    return {
        paths[row]: os.path.join(folder.encode(), files[row])
        for row, folder in zip(folders.index, folders, strict=True)
    }


def _known_folders(by: str, *, with_undecided: bool) -> Sequence[str]:
    """The folders in the order of the result; none for labels and splits, which are not known beforehand."""
    if by in (BY_LABEL, BY_SPLIT):
        return ()
    if by == "decision":
        return (*DECISIONS, UNDECIDED) if with_undecided else DECISIONS
    return "ambiguous", "clear"


def _folders(table: pd.DataFrame, by: str, threshold_percentile: float, *, with_undecided: bool) -> "pd.Series[str]":
    """The folder of each row that is sorted, by its number."""
    if by == "decision":
        decision = table["decision"].reset_index(drop=True)
        folders = decision.fillna(UNDECIDED) if with_undecided else decision.dropna()
        if folders.empty:
            raise ImageSetError(
                "Nothing is decided in this image set yet. Decide on Explore or with `url-viz decide`, "
                "or sort by a measure: by='confusability'."
            )
        return folders
    if by == BY_LABEL:
        labels = table["label"].reset_index(drop=True)
        labels = labels[labels.notna() & (table["decision"] != "drop").to_numpy(dtype=bool)]
        if labels.empty:
            raise ImageSetError(
                "No picture that is not dropped has a label. Choose what the label is with `url-viz labels "
                "list FOLDER`, or sort by another column: by='decision'."
            )
        return labels
    if by == BY_SPLIT:
        splits = table[BY_SPLIT].reset_index(drop=True) if BY_SPLIT in table else pd.Series([], dtype=object)
        splits = splits[splits.notna() & (table["decision"] != "drop").to_numpy(dtype=bool)[splits.index]]
        if splits.empty:
            raise ImageSetError("No picture is in a split. Make splits: `url-viz splits make FOLDER`.")
        return splits
    if by not in table or not pd.api.types.is_numeric_dtype(table[by]):
        raise ImageSetError(
            f"There is no measure {by!r} to sort by. Take 'decision', or a numeric column of the table."
        )
    rank = with_percentile(table, by)["rank_percentile"].to_numpy(dtype=float)
    rows = np.flatnonzero(np.isfinite(rank))
    if not len(rows):
        raise ImageSetError(f"No picture has a value of {by!r}. Sort by another measure, such as 'confusability'.")
    return pd.Series(np.where(rank[rows] >= threshold_percentile, "ambiguous", "clear"), index=rows, dtype=object)


def _claim(target: Path, image_set: ImageSet) -> None:
    """Mark `target` as sorted: a new or empty folder, or one from an earlier sorting of the same set."""
    root = image_set.root
    require_outside(target, root, image_set.folder, home=image_set.workspace.root)
    if target.exists() and not target.is_dir():
        raise FolderError(f"{str(target)!r} is a file. Choose a new or empty folder.")
    marker = target / MARKER
    if not marker.is_symlink() and marker.is_file():
        with suppress(ValueError):  # damaged: not ours
            if record_in(marker.read_bytes()).get("image_set") == os.fspath(root):
                return
    if target.is_dir() and any(target.iterdir()):
        raise FolderError(
            f"{str(target)!r} is not empty, and no earlier sorting of {str(root)!r} made it (it has no {MARKER} that "
            "says so). Choose a new or empty folder."
        )
    target.mkdir(exist_ok=True)
    with marker.open("x", encoding="utf-8") as file:
        json.dump({"image_set": os.fspath(root)}, file)


class _TargetFolder:
    """The folder that pictures are sorted into, and never anything outside it."""

    def __init__(self, target: Path, *, how: How) -> None:
        self._target, self._how = os.path.realpath(os.fsencode(target)), how
        self._is_folder: dict[bytes, bool] = {}

    def put(self, file: BinaryIO, source: bytes, place: bytes) -> str:
        """Put an open picture, whose file is `source`, into its place: "created", "present", or "blocked"."""
        target = os.path.join(self._target, place)
        if not self._has_folder(os.path.dirname(target)):
            return "blocked"
        if os.path.lexists(target):
            return "present" if _is_same(source, os.fstat(file.fileno()), target) else "blocked"
        if self._how == "link":
            link_or_copy(file, source, target, how="link")
            return "created"
        part = os.path.join(os.path.dirname(target), b".url-viz-" + secrets.token_hex(8).encode())
        try:
            link_or_copy(file, source, part, how="copy")
            os.rename(part, target)  # nothing lay there a moment ago
        finally:
            with suppress(FileNotFoundError):
                os.unlink(part)
        return "created"

    def others(self, places: Iterable[bytes], folders: Iterable[str]) -> list[str]:
        """The files in `folders` of the target that lie at none of the `places`."""
        ours = {os.fsencode(MARKER), os.fsencode(SOFT_LABELS), *places}
        tops = [os.path.join(self._target, folder.encode()) for folder in folders]
        walks = chain.from_iterable(os.walk(top) for top in tops if not os.path.islink(top))
        entries = (
            os.path.relpath(os.path.join(folder, name), self._target) for folder, _, names in walks for name in names
        )
        return sorted(display_name(path) for path in entries if path not in ours)

    def _has_folder(self, folder: bytes) -> bool:
        """Create a subfolder; False if another file has its name, or a link in it leads elsewhere."""
        if folder not in self._is_folder:
            self._is_folder[folder] = os.path.realpath(folder) == folder
            with suppress(FileExistsError, NotADirectoryError):
                if self._is_folder[folder]:
                    os.makedirs(folder, exist_ok=True)
            self._is_folder[folder] &= os.path.isdir(folder)
        return self._is_folder[folder]


def _is_plain(path: bytes) -> bool:
    """Whether a relative path names a file inside the folder."""
    return not {b"", b".", b".."} & set(path.split(b"/")) and b"\0" not in path


def _is_same(source: bytes, first: os.stat_result, destination: bytes) -> bool:
    """Whether an earlier sorting put the same picture there: a link to it, or a copy of the same size and time."""
    if os.path.islink(destination):
        return os.readlink(destination) == source
    if not os.path.isfile(destination):
        return False
    second = os.stat(destination)
    return first.st_size == second.st_size and abs(first.st_mtime - second.st_mtime) < 2  # FAT counts in steps of 2 s
