"""Columns from a source or its annotations, stored with the set."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.base.errors import DamageError
from url_viz.base.workspace import SetPaths
from url_viz.imaging.annotations.annotated import AnnotatedObject, AnnotatedPicture
from url_viz.imaging.pages import APART
from url_viz.imaging.places import Place
from url_viz.imaging.scan import Scan, display_name
from url_viz.imaging.source import Objects, Source
from url_viz.store.columns.imported_columns import (
    Import,
    LabelChoice,
    imported_names,
    label_choice,
    read_import,
    write_apart,
    write_import,
    write_label_choice,
)
from url_viz.store.columns.user_files import Values, as_text, number_values, text_values
from url_viz.store.tables.tables import positions_of
from url_viz.store.tables.writer import Writer

SOURCE, OBJECTS = "source", "objects"
"""The names of the imports."""
CLASS, PICTURE = "class", "picture"
_UNREAD = -1
"""The content of a file that was not read yet: no key is negative."""


def keep_columns(writer: Writer, scan: Scan) -> None:
    """Store a source's columns for its pictures; call it before they are read, and after.

    In a new set the class becomes the label, and pictures are kept apart as the scan says: of one patient, say.
    """
    if not scan.columns:
        return
    is_new = SOURCE not in imported_names(writer.paths)
    had_classes = not is_new
    with suppress(DamageError):  # it is written again now
        had_classes = had_classes and CLASS in read_import(writer.paths, SOURCE).columns
    columns = {
        name: values
        for name, cells in scan.columns.items()
        if isinstance(values := _values(name, pd.Series(list(cells), dtype=object)), Values)
    }
    if not columns:
        return
    write_source_columns(writer, SOURCE, scan.root.name, [file.id for file in scan.files], columns)
    if CLASS in columns and not had_classes:
        write_label_choice(writer.paths, CLASS)
    if scan.apart in columns and is_new:
        write_apart(writer.paths, scan.apart)


def write_source_columns(
    writer: Writer, name: str, file: str, ids: Sequence[int], columns: Mapping[str, Values]
) -> None:
    """Store columns (N,) of a `file` as the import `name`, for pictures by `ids` (N), whether they were read or not."""
    rows = writer.images(["id", "content"])
    contents = dict(zip(rows["id"].to_pylist(), rows["content"].to_pylist(), strict=True))
    keys = [_UNREAD if (key := contents.get(file_id)) is None else key for file_id in ids]
    write_import(writer.paths, Import(name, file, np.array(ids, np.int64), np.array(keys, np.int64), columns))


def _values(name: str, cells: "pd.Series[Any]") -> Values | str:
    """Numbers, if all cells are, else text; classes and patients always. Or the reason to refuse them."""
    present = cells[cells.notna()]
    if name != CLASS and present.map(lambda cell: isinstance(cell, int | float) and not isinstance(cell, bool)).all():
        return number_values(cells.astype(np.float64).to_numpy())
    return text_values(cells.map(as_text), numbers=name not in (CLASS, *APART))


BOX_IS_WRONG, NO_SUCH_OBJECT = "box is wrong", "no such object"
"""Tags that are verdicts on an object: its box is to be drawn again; nothing is there."""
VERDICTS = (BOX_IS_WRONG, NO_SUCH_OBJECT)
CUT_BY_FRAME = "cut_by_frame"
AT_THE_FRAME = 1 / 400
BOX_COLUMNS = ("box_x", "box_y", "box_width", "box_height", "box_margin")
"""In pixels of the upright picture; the margin as a fraction of the box."""


def keep_objects(writer: Writer, source: Source) -> None:
    """Store the columns of annotated objects, if the source has any; call it before they are read, and after.

    In a new set the class becomes the label, and objects of one picture are kept apart from others.
    """
    if not isinstance(source, Objects):
        return
    annotations = source.annotations
    without = sum(not picture.objects for picture in annotations.pictures.values())
    writer.note_objects(source.base, without=without, classes=tuple(dict.fromkeys(annotations.names.values())))
    is_new = OBJECTS not in imported_names(writer.paths)
    facts = source.facts
    table = _annotation_columns(list(facts.values()))
    columns = {str(name): values for name, column in table.items() if (values := Values.from_series(column)).count}
    write_source_columns(writer, OBJECTS, source.root.name, list(facts), columns)
    if is_new:
        label_choice(writer.paths).write(LabelChoice(CLASS, apart=PICTURE))


def _annotation_columns(facts: Sequence[tuple[AnnotatedPicture, AnnotatedObject, Place]]) -> pd.DataFrame:
    """A row an object: its annotation, and what follows from its box."""
    rows = [
        (item.label, display_name(picture.path), item.key, picture.split, *place.box, place.margin)
        for picture, item, place in facts
    ]
    columns = pd.DataFrame(rows, columns=[CLASS, PICTURE, "object", "split", *BOX_COLUMNS])
    sizes = np.array([picture.size or (np.nan, np.nan) for picture, _, _ in facts], float).reshape(-1, 2)
    in_frame = _box_figures(columns[list(BOX_COLUMNS[:4])].to_numpy(float), sizes)
    in_frame["objects_in_picture"] = [float(len(picture.objects)) for picture, _, _ in facts]
    others = pd.DataFrame([dict(item.facts) for _, item, _ in facts])  # score, truncated …
    return pd.concat([columns, in_frame, others.sort_index(axis=1)], axis=1)


def _box_figures(boxes: NDArray[np.float64], sizes: NDArray[np.float64]) -> pd.DataFrame:
    """For boxes (N, 4) in pictures of these sizes (N, 2): the share they cover, width by height, whether cut.

    A box is cut by the frame if it comes within a pixel of it, or within `AT_THE_FRAME` of the picture's side.
    """
    (x, y, width, height), (across, down) = boxes.T, sizes.T
    right, bottom = np.minimum(x + width, across), np.minimum(y + height, down)
    area = (right - np.maximum(x, 0)) * (bottom - np.maximum(y, 0)) / (across * down)
    near = [np.maximum(1, AT_THE_FRAME * side) for side in (across, down)]
    is_cut = (x <= near[0]) | (y <= near[1]) | (right >= across - near[0]) | (bottom >= down - near[1])
    cut_words = np.where(np.isfinite(across), np.where(is_cut, "yes", "no").astype(object), None)  # type: ignore[call-overload]
    return pd.DataFrame({"box_area": area, "box_aspect": width / height, CUT_BY_FRAME: cut_words})


@dataclass(frozen=True)
class Boxes:
    """The places of M objects: a code of the `picture` (M,), negative if unknown, and the `box` (M, 4) in pixels."""

    picture: NDArray[np.int32]
    box: NDArray[np.float64]


def stored_boxes(paths: SetPaths, contents: NDArray[np.int64]) -> Boxes | None:
    """The boxes of objects, by their contents (M,); of copies that of the first. None in a set of whole pictures."""
    if OBJECTS not in imported_names(paths):
        return None
    imported = read_import(paths, OBJECTS)
    row = positions_of(contents, imported.contents)
    columns = imported.columns
    box = np.stack([np.asarray(columns[name].values, np.float64)[row] for name in BOX_COLUMNS[:4]], axis=1)
    picture = pd.factorize(columns[PICTURE].values)[0].astype(np.int32)[row]
    return Boxes(np.where(row < 0, -1, picture).astype(np.int32), box)
