"""The table of an image set: one row per picture, from what is stored of it, with the decisions as they are now."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from url_viz.analysis.stored_rows import StoredRows
from url_viz.imaging.folder_classes import FolderClasses, classes_of
from url_viz.imaging.quality import QUALITIES
from url_viz.store.decision_rows import Decided, FileKeys


@dataclass(frozen=True)
class Frame:
    """`table` has one row per picture, by path; `contents` (N,) int64 and `paths` (N) binary are in the same order.

    `found` are the levels of folders of these paths.
    """

    table: pd.DataFrame
    contents: NDArray[np.int64]
    paths: pa.ChunkedArray
    found: FolderClasses


def frame_of(rows: StoredRows) -> Frame:
    """The table of what is stored of N pictures. Columns as told in `ImageSet.table`."""
    paths = rows.columns["path"]
    found = classes_of(rows.columns["folder"])
    label = pd.Series(found.class_names, dtype=object, copy=False)
    nothing = np.full(len(paths), np.nan, np.float32)
    nobody = np.full(len(paths), None, object)
    group = np.asarray(rows.numbers("twin_group"), np.int64)
    table = pd.DataFrame(
        {
            "id": rows.numbers("id"),
            "path": pd.array(rows.names, dtype="str"),
            "label": label,
            "label_given": label,
            "label_checked": nobody,
            **{name: pd.Series(values, dtype=object, copy=False) for name, values in found.columns.items()},
            **{name: rows.numbers(name) for name in ("width", "height", "uncertainty", "percentile")},
            "ambiguity": nothing,
            "ambiguity_percentile": nothing,
            "first_class": nobody,
            "second_class": nobody,
            "first_share": nothing,
            "second_share": nothing,
            **{name: rows.numbers(name) for name in ("confusability", "confusability_percentile")},
            "nearest_similarity": rows.numbers("nearest_similarity"),
            "twin_group": pd.arrays.IntegerArray(group, group < 0),
            "tuned": nothing,
            **{name: rows.numbers(name) for name in ("entropy", "inverse_norm", *QUALITIES, "x", "y")},
        },
        copy=False,
    )
    return Frame(table, np.asarray(rows.numbers("content"), np.int64), paths, found)


def keys_of(files: pa.Table) -> FileKeys:
    """The keys of the readable files among `files`, the columns id and content of the table of files or of rows.

    All take part in decisions, also those that the present model has not read: what is decided of a file must not
    depend on the model one looks with.
    """
    readable = files.select(["id", "content"]).filter(files["content"].is_valid())
    return FileKeys(*(np.asarray(readable[name].to_numpy(), np.int64) for name in ("id", "content")))


def with_decisions(table: pd.DataFrame, decided: Decided) -> pd.DataFrame:
    """A table with three more columns: decision (None, keep, drop, look-again), tags ("a; b"), and name (or None)."""
    of_pictures = partial(pd.Series, index=table.index, dtype=object, copy=False)
    return table.assign(
        decision=of_pictures(decided.decision), tags=of_pictures(decided.tags), name=of_pictures(decided.name)
    )
