"""Paths of pictures whose label was corrected: in the folder of the class that they are of now."""

import os
from collections.abc import Sequence

import pandas as pd

from url_viz.imaging.scan import display_name


def corrected_paths(table: pd.DataFrame, paths: Sequence[bytes], *, make_folder: bool = False) -> list[bytes]:
    """Root-relative paths (N) with the folder of the label as given replaced by that of the label now; all different.

    `table` has the rows of `ImageSet.table()` of these paths. A picture whose label as given is no folder of its path
    keeps its path, or, with `make_folder`, lies in a folder of its label. Of two that would have one path the one that
    comes second gets the folder it came from in its name.
    """
    taken: set[bytes] = set()
    found = []
    for path, label, given in zip(paths, table["label"], table["label_given"], strict=True):
        wanted = _moved(path, label, given, make_folder=make_folder) if isinstance(label, str) else path
        place = wanted if wanted not in taken else _beside(wanted, path, taken)
        taken.add(place)
        found.append(place)
    return found


def folder_of(label: str) -> bytes:
    """A label as the name of one folder."""
    name = label.replace("/", "_").replace("\0", "_")
    return os.fsencode(f"_{name}" if name in (".", "..") else name)


def _moved(path: bytes, label: str, given: object, *, make_folder: bool) -> bytes:
    *above, last = path.split(b"/")
    level = next((number for number, part in enumerate(above) if display_name(part) == given), None)
    if level is None:
        return b"/".join([folder_of(label), path]) if make_folder else path
    if label == given:
        return path
    return b"/".join([*above[:level], folder_of(label), *above[level + 1 :], last])


def _beside(wanted: bytes, path: bytes, taken: set[bytes]) -> bytes:
    """A free path beside one that is taken, with the folders that the picture comes from in its name."""
    stem, ending = os.path.splitext(wanted)
    folders = os.path.dirname(path).replace(b"/", b"-")
    place, number = stem + b"-" + folders + ending, 1
    while place in taken:
        number += 1
        place = stem + b"-" + folders + b"-%d" % number + ending
    return place
