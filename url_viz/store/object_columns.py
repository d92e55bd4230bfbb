"""What an annotation file says of the objects of a set, kept as columns: class, picture, box, split and other facts."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from url_viz.imaging.object_source import Objects
from url_viz.imaging.scan import display_name
from url_viz.imaging.source import Source
from url_viz.store.imported_columns import (
    FOLDERS,
    Import,
    read_apart,
    read_label_choice,
    write_apart,
    write_import,
    write_label_choice,
)
from url_viz.store.user_cells import Values
from url_viz.store.writer import Writer

OBJECTS = "objects"
"""The name of the import."""
CLASS, PICTURE = "class", "picture"
BOX_COLUMNS = ("box_x", "box_y", "box_width", "box_height", "box_margin")
"""In pixels of the upright picture; the margin as a fraction of the box."""


def keep_objects(writer: Writer, source: Source) -> None:
    """Keep what annotations, if the source has any, say of the objects that were read; in a new set let it lead.

    The class becomes the label, and objects of one picture are no witnesses for each other.
    """
    if not isinstance(source, Objects):
        return
    writer.note_objects(source.base)
    rows = writer.images(["id", "content"])
    rows = rows.filter(rows["content"].is_valid())
    ids = np.asarray(rows["id"].to_numpy(), np.int64)
    facts = source.facts
    known = np.array([image_id in facts for image_id in ids.tolist()], np.bool_)
    said = [facts[image_id] for image_id in ids[known].tolist()]
    columns = {
        CLASS: _texts(one.label for _, one, _ in said),
        PICTURE: _texts(display_name(picture.path) for picture, _, _ in said),
        "object": _texts(one.key for _, one, _ in said),
        "split": _texts(picture.split for picture, _, _ in said),
        **{
            name: Values("numeric", np.array([(*place.box, place.margin)[at] for _, _, place in said], float))
            for at, name in enumerate(BOX_COLUMNS)
        },
        "objects_in_picture": Values("numeric", np.array([len(picture.objects) for picture, _, _ in said], float)),
    }
    columns = {name: values for name, values in columns.items() if values.known}
    contents = np.asarray(rows["content"].to_numpy(), np.int64)[known]
    write_import(writer.paths, Import(OBJECTS, source.root.name, ids[known], contents, columns))
    if read_label_choice(writer.paths) == FOLDERS:
        write_label_choice(writer.paths, CLASS)
        if read_apart(writer.paths) is None:
            write_apart(writer.paths, PICTURE)


def _texts(values: Iterable[str | None]) -> Values:
    return Values("categorical", pd.Series(list(values), dtype=object).to_numpy())
