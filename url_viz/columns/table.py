"""The table of an image set: what is stored of its pictures, user columns, decisions; its graph and whitened space."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from functools import cached_property, partial
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from url_viz.base.wording import numbered
from url_viz.columns.engine import GIVEN, ByContent, Lazy, OnDisk, column
from url_viz.columns.ranking import percentile
from url_viz.imaging.folder_classes import COLUMN_OF, FolderClasses, classes_of, folder_of_each
from url_viz.imaging.quality import QUALITIES
from url_viz.imaging.scan import display_name
from url_viz.models.head import Head, rounded
from url_viz.store.columns.imported_columns import Column, Import, values_at
from url_viz.store.columns.source_columns import OBJECTS, SOURCE
from url_viz.store.columns.user_files import Kind
from url_viz.store.decisions.decision_rows import Decided, FileKeys
from url_viz.store.tables.embedding_rows import WhitenedRows, Whitening
from url_viz.store.tables.reader import EmbeddedContents
from url_viz.store.tables.stored_arrow import (
    numbers_from_table,
    require,
    require_codes,
    rows_from_table,
    rows_to_table,
    table_of,
)
from url_viz.store.tables.tables import IMAGES, Coordinates, Graph, GraphColumns, graph_schema, numbers_of, positions_of

_PLAIN = rb"\A[\x20-\x7e]*\z"
"""Paths of plain letters are their own names for people: no object is made of any."""
FILES = ("id", "path", "content", "width", "height", "failure")
"""The columns of the table of files that rows are made of."""

_GROUPS = ("copy_group", "twin_group")
_NUMBERS = (
    *("uncertainty", "percentile", "confusability", "confusability_percentile", "nearest_similarity"),
    *_GROUPS,
    *("entropy", "inverse_norm", *QUALITIES, "x", "y"),
)
_ROWS = pa.schema(
    [
        *(IMAGES.field(name) for name in FILES[:-1]),
        ("folder", pa.dictionary(pa.int32(), pa.binary())),
        *((name, pa.int64() if name in _GROUPS else pa.float32()) for name in _NUMBERS),
    ]
)
_NAME = pa.field("name", pa.large_string())

Scores = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Contents that a head has scored, and their uncertainty."""


@dataclass(frozen=True)
class StoredRows:
    """What is stored of the N pictures that have an embedding in a space: `columns` (N rows), by path.

    id, path (binary), name (the path for people, left out where all are plain), folder (a dictionary of binary),
    content, width, height, and as numbers what the store measures of each (`ImageSet.table`), nan for none;
    `copy_group` and `twin_group` are −1 for none. In the folder are as many `readable` files, whatever model has read
    them, and `failed` ones. `by_both` is whether a second model had its say in confusability.
    """

    columns: pa.Table
    readable: int
    failed: int
    by_both: bool

    def numbers(self, name: str) -> NDArray[np.generic]:
        """A column of numbers (N,)."""
        return numbers_of(self.columns[name])

    @cached_property
    def names(self) -> pa.ChunkedArray:
        """The paths (N) for people, as by `display_name`."""
        if "name" in self.columns.column_names:
            return self.columns["name"]
        return self.columns["path"].cast(pa.large_string())

    @property
    def is_every_file(self) -> bool:
        """Whether every readable file has a row."""
        return len(self.columns) == self.readable


def _rows_to_table(rows: StoredRows) -> pa.Table:
    metadata = {name: str(getattr(rows, name)) for name in ("readable", "failed", "by_both")}
    return rows.columns.replace_schema_metadata(metadata)


def _rows_from_table(table: pa.Table, file_count: int) -> StoredRows:
    """What `_rows_to_table` was given. Raises ValueError if it is not of a set of `file_count` files."""
    metadata = table.schema.metadata
    rows = StoredRows(table, int(metadata[b"readable"]), int(metadata[b"failed"]), metadata[b"by_both"] == b"True")
    columns = table.schema.remove_metadata()
    require(columns.equals(_ROWS) or columns.equals(_ROWS.append(_NAME)), len(rows.names) == len(table))
    require(not any(table[name].null_count for name in columns.names if name not in ("width", "height")))
    require(len(table) <= rows.readable <= file_count, 0 <= rows.failed <= file_count)
    for name in _GROUPS:
        require_codes(rows.numbers(name), len(table))
    return rows


@column()
def files(stored_files: pa.Table) -> pa.Table:
    """One row per file of the folder, unreadable ones too."""
    return stored_files


@column(on_disk=OnDisk(_rows_to_table, _rows_from_table, only_large=True))
def rows(
    files: pa.Table,
    embedded: EmbeddedContents,
    embeddings_of: ByContent[NDArray[np.float16]],
    head: Head | None,
    scores: Scores | None,
    graph_columns: GraphColumns | None,
    confusability_by_both: NDArray[np.float32] | None,
    stored_quality: pa.Table,
    coordinates: Coordinates | None,
) -> StoredRows:
    """What is stored of the pictures that have an embedding, joined to one row each."""
    readable = files.filter(files["content"].is_valid())
    row = positions_of(np.asarray(readable["content"].to_numpy(), np.int64), embedded.content)
    by_path = readable.drop_columns(["failure"]).append_column("row", pa.array(row)).filter(row >= 0).sort_by("path")
    contents, row = (np.asarray(by_path[name].to_numpy(), np.int64) for name in ("content", "row"))
    uncertainty = _uncertainty(contents, scores, head, embeddings_of)
    measured = positions_of(contents, np.asarray(stored_quality["content"].to_numpy(), np.int64))
    numbers = {
        "uncertainty": uncertainty,
        "percentile": percentile(uncertainty),
        **_from_graph(contents, graph_columns),
        "entropy": embedded.entropy[row],
        "inverse_norm": rounded(1 / np.maximum(embedded.norm[row], 1e-12)),
        **{name: np.append(stored_quality[name].to_numpy(), np.float32(np.nan))[measured] for name in QUALITIES},
        **_on_map(contents, coordinates),
    }
    columns = by_path.drop_columns(["row"])
    columns = columns.append_column("folder", folder_of_each(columns["path"]))
    for name in _NUMBERS:
        columns = columns.append_column(name, pa.array(numbers[name]))
    if pc.all(pc.match_substring_regex(columns["path"], pattern=_PLAIN)).as_py() is False:
        names = map(display_name, columns["path"].to_pylist())
        columns = columns.append_column(_NAME, pa.chunked_array([names], _NAME.type))
    failed = len(files) - files["failure"].null_count
    return StoredRows(columns, len(readable), failed, by_both=confusability_by_both is not None)


def _uncertainty(
    contents: NDArray[np.int64],
    scores: Scores | None,
    head: Head | None,
    embeddings_of: ByContent[NDArray[np.float16]],
) -> NDArray[np.float32]:
    """By content; pictures that this head has not scored on disk yet are scored now, from the stored embedding."""
    result = np.full(len(contents), np.nan, np.float32)
    if head is None or scores is None:
        return result
    row = positions_of(contents, scores[0])
    result[row >= 0] = scores[1][row[row >= 0]]
    if (row < 0).any():
        result[row < 0] = head(embeddings_of(contents[row < 0]))
    return result


def _from_graph(contents: NDArray[np.int64], graph: GraphColumns | None) -> dict[str, NDArray[np.generic]]:
    value, nearest = (np.full(len(contents), np.nan, np.float32) for _ in range(2))
    row = np.full(len(contents), -1) if graph is None else positions_of(contents, graph.content)
    has = row >= 0
    if graph is not None:
        value[has], nearest[has] = graph.confusability[row[has]], graph.nearest_similarity[row[has]]
    return {
        "confusability": value,
        "confusability_percentile": percentile(value),
        "nearest_similarity": nearest,
        **{name: _groups_of(contents, row, None if graph is None else getattr(graph, name)) for name in _GROUPS},
    }


def _groups_of(
    contents: NDArray[np.int64], row: NDArray[np.int64], group: NDArray[np.int32] | None
) -> NDArray[np.int64]:
    """The first picture of the group of each (N,), −1 for none: by groups (M,) of a graph, and by equal content."""
    _, number = np.unique(contents, return_inverse=True)
    if group is not None:
        number = np.where(row >= 0, group[row], group.max(initial=-1) + 1 + number) if len(group) else number
    _, first, own, size = np.unique(number, return_index=True, return_inverse=True, return_counts=True)
    return np.where(size[own] == 1, -1, first[own])


def _on_map(contents: NDArray[np.int64], coordinates: Coordinates | None) -> dict[str, NDArray[np.float32]]:
    xy = np.full((len(contents), 2), np.nan, np.float32)
    if coordinates is not None and len(coordinates):
        row = positions_of(contents, coordinates.content)
        xy[row >= 0] = coordinates.xy[row[row >= 0]]
    return {"x": xy[:, 0], "y": xy[:, 1]}


@dataclass(frozen=True)
class Frame:
    """`table` has one row per picture, by path; `contents` (N,) int64 and `paths` (N) binary are in the same order.

    `found` are the levels of folders of these paths.
    """

    table: pd.DataFrame
    contents: NDArray[np.int64]
    paths: pa.ChunkedArray
    found: FolderClasses


@column()
def base(rows: StoredRows) -> Frame:
    """What is stored of the pictures, before anything is derived. Columns as in `ImageSet.table`."""
    paths = rows.columns["path"]
    folder_classes = classes_of(rows.columns["folder"])
    label = pd.Series(folder_classes.class_names, dtype=object, copy=False)
    nothing = np.full(len(paths), np.nan, np.float32)
    nobody = np.full(len(paths), None, object)
    groups = {name: np.asarray(rows.numbers(name), np.int64) for name in _GROUPS}
    table = pd.DataFrame(
        {
            "id": rows.numbers("id"),
            "path": pd.array(rows.names, dtype="str"),
            "label": label,
            "label_given": label,
            "label_checked": nobody,
            **{name: pd.Series(values, dtype=object, copy=False) for name, values in folder_classes.columns.items()},
            **{name: rows.numbers(name) for name in ("width", "height", "uncertainty", "percentile")},
            "ambiguity": nothing,
            "ambiguity_percentile": nothing,
            "first_class": nobody,
            "second_class": nobody,
            "first_share": nothing,
            "second_share": nothing,
            **{name: rows.numbers(name) for name in ("confusability", "confusability_percentile")},
            "nearest_similarity": rows.numbers("nearest_similarity"),
            **{name: pd.arrays.IntegerArray(group, group < 0) for name, group in groups.items()},
            "tuned": nothing,
            **{name: rows.numbers(name) for name in ("entropy", "inverse_norm", *QUALITIES, "x", "y")},
        },
        copy=False,
    )
    return Frame(table, np.asarray(rows.numbers("content"), np.int64), paths, folder_classes)


@column()
def failures(rows: StoredRows, files: Lazy[pa.Table]) -> pd.DataFrame:
    """Files that are no readable picture: path and reason."""
    if not rows.failed:  # the table of files need not be read
        return pd.DataFrame({"path": [], "reason": []}, dtype=object)
    every = files()
    failed = every.filter(every["failure"].is_valid())
    paths = map(display_name, failed["path"].to_pylist())
    return pd.DataFrame({"path": list(paths), "reason": failed["failure"].to_pylist()})


@column()
def file_keys(rows: StoredRows, files: Lazy[pa.Table]) -> FileKeys:
    """The keys of the readable files.

    All take part in decisions, also those that the present model has not read: what is decided of a file must not
    depend on the model one looks with.
    """
    keys = (rows.columns if rows.is_every_file else files()).select(["id", "content"])
    readable = keys.filter(keys["content"].is_valid())
    return FileKeys(*(np.asarray(readable[name].to_numpy(), np.int64) for name in ("id", "content")))


@column()
def file_rows(base: Frame, file_keys: FileKeys) -> NDArray[np.int64]:
    """The file (N,) of each picture, by its row among those that decisions are on."""
    return file_keys.rows_of(base.table["id"].to_numpy(np.int64))


@column()
def table(with_groups: pd.DataFrame, decisions: Decided, file_rows: NDArray[np.int64]) -> pd.DataFrame:
    """The table of `ImageSet.table`: with three more columns, decision (None, keep, drop, look-again), tags ("a; b"),
    and name (or None)."""
    decided = decisions.rows_at(file_rows)
    of_pictures = partial(pd.Series, index=with_groups.index, dtype=object, copy=False)
    return with_groups.assign(
        decision=of_pictures(decided.decision), tags=of_pictures(decided.tags), name=of_pictures(decided.name)
    )


NAME = "name"
"""The column of the names that somebody gave."""
LIKE_COLUMNS = ("first_like", "second_like")
"""The groups that a picture of a set without classes is like."""


@dataclass(frozen=True)
class UserColumn:
    """A user's column of the table: how many pictures have a value, and the import that it is from."""

    name: str
    kind: Kind
    known: int
    source: str
    is_uncertainty: bool = False

    @property
    def comes_with_pictures(self) -> bool:
        """Whether it is from no file of the user's, but, say, what annotations say of objects."""
        return self.source in (OBJECTS, SOURCE)


def free_name(name: str, source: str, taken: Collection[str]) -> str:
    """The name in the table: the column's own, with the import's in front (and a number behind) if it is taken."""
    return next(unique for unique in chain([name], numbered(f"{source}_{name}")) if unique not in taken)


@dataclass(frozen=True)
class Imported:
    """What the imports of a set give its N pictures: `columns` by their names in the table, and what each `listed` is.

    `uncertainty` (N,) float32 is the first that the user marked as one; None if there is none.
    """

    columns: Mapping[str, Column]
    listed: tuple[UserColumn, ...]

    def source_of(self, name: str) -> str | None:
        """The import that a column is from; None for no column."""
        return next((column.source for column in self.listed if column.name == name), None)

    @property
    def uncertainty(self) -> NDArray[np.float32] | None:
        name = next((column.name for column in self.listed if column.is_uncertainty), None)
        return None if name is None else np.asarray(self.columns[name], np.float32)


@column()
def imported(base: Frame, imports: tuple[Import, ...], files: Lazy[pa.Table]) -> Imported:
    """The columns of all imports for the rows of the table."""
    columns: dict[str, Column] = {}
    listed: list[UserColumn] = []
    ids = base.table["id"].to_numpy(np.int64)
    ours = {*base.table.columns, NAME, *LIKE_COLUMNS, *GIVEN} - {*COLUMN_OF.values()}
    for imported_file in imports:
        present = np.asarray(files()["id"].to_numpy(), np.int64)
        row = imported_file.rows_of(ids, base.contents, present=present)
        for brought, stored in imported_file.columns.items():
            values = values_at(stored, row)
            name = free_name(brought, imported_file.name, {*ours, *columns})
            columns[name], count = values, int(pd.notna(values).sum())
            listed.append(
                UserColumn(name, stored.kind, count, imported_file.name, brought in imported_file.uncertainties)
            )
    return Imported(columns, tuple(listed))


def with_user_columns(table: pd.DataFrame, imported: Imported) -> pd.DataFrame:
    """A table with the user's columns at its end; one named like a level of folders takes its place."""
    if not imported.columns:
        return table
    ours = table.drop(columns=[name for name in COLUMN_OF.values() if name in imported.columns], errors="ignore")
    return pd.concat([ours, pd.DataFrame(dict(imported.columns))], axis=1)


_GRAPH = pa.schema([(field.name, graph_schema(1).field(field.name).type) for field in fields(GraphColumns)])


def _graph_columns_from(table: pa.Table, graph_size: int) -> GraphColumns:
    codes = dict.fromkeys(("nearest", "copy_group", "twin_group"), graph_size)
    columns: dict[str, Any] = numbers_from_table(table, _GRAPH, graph_size, codes=codes)
    return GraphColumns(**columns)


def _whitened_from(table: pa.Table, whitening: Whitening | None, base: Frame) -> WhitenedRows:
    if whitening is None:
        raise ValueError("there is no whitened space")
    return WhitenedRows(whitening, base.contents, rows_from_table(table, (len(base.contents), len(whitening.scales))))


@column(on_disk=OnDisk(table_of, _graph_columns_from, only_large=True))
def own_graph_columns(stored_graph_columns: GraphColumns | None) -> GraphColumns | None:
    """What the graph says of each distinct content, without its lists; None before there is one."""
    return stored_graph_columns


@column()
def graph(stored_graph: Graph | None) -> Graph | None:
    """The neighbour graph of the distinct contents; None before it is made."""
    return stored_graph


@column(on_disk=OnDisk(lambda value: rows_to_table(value.rows), _whitened_from, only_large=True, most=1))
def whitened(whitened_of: ByContent[WhitenedRows], base: Frame) -> WhitenedRows:
    """The pictures in the set's whitened space, rows in the order of the table."""
    return whitened_of(base.contents)


@column()
def whitened_graph(whitened_of: ByContent[WhitenedRows], own_graph_columns: GraphColumns | None) -> WhitenedRows | None:
    """The contents of the graph in the whitened space; None before there is one."""
    return None if own_graph_columns is None else whitened_of(own_graph_columns.content)
