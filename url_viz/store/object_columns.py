"""What an annotation file says of the objects of a set, kept as columns: class, picture, box, split and other facts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.imaging.annotations.annotated import Box, Size
from url_viz.imaging.object_source import Objects
from url_viz.imaging.scan import display_name
from url_viz.imaging.source import Source
from url_viz.store.imported_columns import names_of_imports, read_import, write_apart, write_label_choice
from url_viz.store.source_columns import write_said
from url_viz.store.tables import positions_of
from url_viz.store.user_cells import Values
from url_viz.store.writer import Writer
from url_viz.workspace import SetPaths

OBJECTS = "objects"
"""The name of the import."""
CLASS, PICTURE = "class", "picture"
BOX_IS_WRONG, NO_SUCH_OBJECT = "box is wrong", "no such object"
"""The tags of two verdicts on an object: its box is to be drawn again; it is dropped, since nothing is there."""
VERDICTS = (BOX_IS_WRONG, NO_SUCH_OBJECT)
CUT_BY_FRAME = "cut_by_frame"
AT_THE_FRAME = 1 / 400
BOX_COLUMNS = ("box_x", "box_y", "box_width", "box_height", "box_margin")
"""In pixels of the upright picture; the margin as a fraction of the box."""


def keep_objects(writer: Writer, source: Source) -> None:
    """Keep what annotations, if the source has any, say of the objects; call it before they are read, and after.

    In a new set the class becomes the label, and objects of one picture are no witnesses for each other.
    """
    if not isinstance(source, Objects):
        return
    writer.note_objects(
        source.base, without=sum(not picture.objects for picture in source.annotations.pictures.values())
    )
    is_new = OBJECTS not in names_of_imports(writer.paths)
    facts = source.facts
    said = list(facts.values())
    columns = {
        CLASS: _texts(one.label for _, one, _ in said),
        PICTURE: _texts(display_name(picture.path) for picture, _, _ in said),
        "object": _texts(one.key for _, one, _ in said),
        "split": _texts(picture.split for picture, _, _ in said),
        **{
            name: Values("numeric", np.array([(*place.box, place.margin)[at] for _, _, place in said], float))
            for at, name in enumerate(BOX_COLUMNS)
        },
        **_of_the_frame([place.box for _, _, place in said], [picture.size for picture, _, _ in said]),
        "objects_in_picture": Values("numeric", np.array([len(picture.objects) for picture, _, _ in said], float)),
        **_facts([dict(one.facts) for _, one, _ in said]),
    }
    columns = {name: values for name, values in columns.items() if values.known}
    write_said(writer, OBJECTS, source.root.name, list(facts), columns)
    if is_new:
        write_label_choice(writer.paths, CLASS)
        write_apart(writer.paths, PICTURE)


def _of_the_frame(boxes: Sequence[Box], sizes: Sequence[Size | None]) -> dict[str, Values]:
    """What boxes are in pictures of these sizes: the share they cover, width by height, whether the frame cuts them.

    A box is cut by the frame if it reaches to within a pixel, or `AT_THE_FRAME` of the picture's side, of it.
    """
    x, y, width, height = np.array(boxes, float).reshape(-1, 4).T
    across, down = np.array([size or (np.nan, np.nan) for size in sizes], float).reshape(-1, 2).T
    right, bottom = np.minimum(x + width, across), np.minimum(y + height, down)
    area = (right - np.maximum(x, 0)) * (bottom - np.maximum(y, 0)) / (across * down)
    near = [np.maximum(1, AT_THE_FRAME * side) for side in (across, down)]
    is_cut = (x <= near[0]) | (y <= near[1]) | (right >= across - near[0]) | (bottom >= down - near[1])
    told = ("yes" if cut else "no" for cut in is_cut)
    return {
        "box_area": Values("numeric", area),
        "box_aspect": Values("numeric", width / height),
        CUT_BY_FRAME: _texts(one if known else None for one, known in zip(told, np.isfinite(across), strict=True)),
    }


@dataclass(frozen=True)
class Boxes:
    """Where M objects are: the code of the `picture` (M,), negative if not known, and the `box` (M, 4) in pixels."""

    picture: NDArray[np.int32]
    box: NDArray[np.float64]


def stored_boxes(paths: SetPaths, contents: NDArray[np.int64]) -> Boxes | None:
    """Where objects are, by their contents (M,), of copies the first one's; None of a set of whole pictures."""
    if OBJECTS not in names_of_imports(paths):
        return None
    imported = read_import(paths, OBJECTS)
    row = positions_of(contents, imported.contents)
    columns = imported.columns
    box = np.stack([np.asarray(columns[name].values, np.float64)[row] for name in BOX_COLUMNS[:4]], axis=1)
    picture = pd.factorize(columns[PICTURE].values)[0].astype(np.int32)[row]
    return Boxes(np.where(row < 0, -1, picture).astype(np.int32), box)


def _facts(said: Sequence[Mapping[str, float | str]]) -> dict[str, Values]:
    """A column for each other fact (score, truncated …): of numbers, if all of it are."""
    columns = {}
    for name in sorted({name for of_one in said for name in of_one}):
        values = [of_one.get(name) for of_one in said]
        is_number = all(value is None or isinstance(value, int | float) for value in values)
        columns[name] = (
            Values("numeric", np.array([np.nan if value is None else value for value in values], float))
            if is_number
            else _texts(None if value is None else str(value) for value in values)
        )
    return columns


def _texts(values: Iterable[str | None]) -> Values:
    return Values("categorical", pd.Series(list(values), dtype=object).to_numpy())
