"""Paths of pictures whose label was corrected: in the folder of the class that they are of now."""

import hashlib
import itertools
import os
from collections.abc import Iterable, Sequence

import pandas as pd

from url_viz.image_set import ImageSet
from url_viz.imaging.places import SEPARATOR
from url_viz.imaging.scan import display_name

LONGEST_NAME = 255
"""Bytes of one part of a path, on most file systems."""


def corrected_paths(
    table: pd.DataFrame, paths: Sequence[bytes], *, level: int | None = None, make_folder: bool = False
) -> list[bytes]:
    """Root-relative paths (N) with the folder of the label as given replaced by that of the label now; all different.

    `table` has the rows of `ImageSet.table()` of these paths, `level` is the level of folders (from 1) that is the
    label; None to look for a folder of its name. A picture whose label as given is no folder of its path keeps its
    path, or, with `make_folder`, lies in a folder of its label. A picture that moves where another stays, or has moved
    before it, gets the folder it came from in its name.
    """
    levels = [_level_of(path, given, level) for path, given in zip(paths, table["label_given"], strict=True)]
    folders = _folders(paths, levels)
    moved = [
        _moved(path, at, folders.get(label) or folder_of(label), make_folder=make_folder)
        if isinstance(label, str)
        else path
        for path, at, label in zip(paths, levels, table["label"], strict=True)
    ]
    taken = {wanted for path, wanted in zip(paths, moved, strict=True) if wanted == path}
    for number, path in enumerate(paths):
        if moved[number] != path:
            if moved[number] in taken:
                moved[number] = _free_path(moved[number], path, taken)
            taken.add(moved[number])
    return moved


def chosen_level(image_set: ImageSet) -> int | None:
    """The level of folders (from 1) that is the label of an image set; None if the label is something else."""
    return image_set.labels.levels().label


def crop_path(path: bytes) -> bytes:
    """The path of an object's crop as a file, from the object's: "a/9.jpg-3.png"."""
    picture, _, key = path.rpartition(SEPARATOR)
    return picture + b"-" + key.replace(b"/", b"_") + b".png"


def folder_of(label: str) -> bytes:
    """A label as the name of one folder; what had to be changed gets a digest, so that no two labels share a folder."""
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
    """The number of the folder in a path, from 0, that is the label as given."""
    parts = path.split(b"/")[:-1]
    numbers = range(len(parts)) if level is None else range(level - 1, min(level, len(parts)))
    return next((number for number in numbers if display_name(parts[number]) == given), None)


def _folders(paths: Iterable[bytes], levels: Iterable[int | None]) -> dict[str, bytes]:
    """The folder of each class by its label: a name that is no text differs from how it is shown."""
    parts = {path.split(b"/")[level] for path, level in zip(paths, levels, strict=True) if level is not None}
    return {display_name(part): part for part in sorted(parts)}


def _moved(path: bytes, level: int | None, folder: bytes, *, make_folder: bool) -> bytes:
    parts = path.split(b"/")
    if level is None:
        return folder + b"/" + path if make_folder else path
    if display_name(parts[level]) != display_name(folder):
        parts[level] = folder
    return b"/".join(parts)


def _free_path(wanted: bytes, path: bytes, taken: set[bytes]) -> bytes:
    """A free path next to one that is taken, with the folders that the picture comes from in its name, if they fit."""
    stem, ending = os.path.splitext(wanted)
    came_from = b"-" + os.path.dirname(path).replace(b"/", b"-")
    if 1 < len(came_from) < LONGEST_NAME - 9 - len(os.path.basename(wanted)):
        stem += came_from
    numbers = (b"-%d" % number for number in itertools.count(2))
    names = itertools.chain([b""], numbers)  # without a folder in its name it is the taken one
    return next(free for name in names if (free := stem + name + ending) not in taken)
