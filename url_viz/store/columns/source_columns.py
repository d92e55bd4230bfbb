"""Columns that a source has for its pictures (class, split and others of shards and lists), stored with the set."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd

from url_viz.errors import DamageError
from url_viz.imaging.containers.entries import CLASS
from url_viz.imaging.pages import APART
from url_viz.imaging.scan import Scan
from url_viz.store.columns.imported_columns import (
    Import,
    names_of_imports,
    read_import,
    write_apart,
    write_import,
    write_label_choice,
)
from url_viz.store.columns.user_cells import Values, as_text, number_values, text_values
from url_viz.store.tables.writer import Writer

SOURCE = "source"
"""The name of the import."""
_UNREAD = -1
"""The content of what was not read yet: no key is negative."""


def keep_columns(writer: Writer, scan: Scan) -> None:
    """Store a source's columns for its pictures; call it before they are read, and after.

    In a new set the class becomes the label, and pictures are kept apart as the scan says: of one patient, say.
    """
    if not scan.columns:
        return
    is_new = SOURCE not in names_of_imports(writer.paths)
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
    """Write a `file`'s columns for pictures, by `ids` (N), as the import `name`, whether they were read or not."""
    rows = writer.images(["id", "content"])
    contents = dict(zip(rows["id"].to_pylist(), rows["content"].to_pylist(), strict=True))
    keys = [_UNREAD if (key := contents.get(file_id)) is None else key for file_id in ids]
    write_import(writer.paths, Import(name, file, np.array(ids, np.int64), np.array(keys, np.int64), columns))


def _values(name: str, cells: "pd.Series[Any]") -> Values | str:
    """A column of numbers, if all of it are, else of text; classes and patients are text, also where they look like
    numbers. The reason for one that is not kept.
    """
    present = cells[cells.notna()]
    if name != CLASS and present.map(lambda cell: isinstance(cell, int | float) and not isinstance(cell, bool)).all():
        return number_values(cells.astype(np.float64).to_numpy())
    return text_values(cells.map(as_text), numbers=name not in (CLASS, *APART))
