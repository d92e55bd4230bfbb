"""The table of an image set: one row per picture, joined from the store, with the decisions as they are now."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from url_viz.analysis.ranking import percentile
from url_viz.imaging.folder_classes import FolderClasses, find_classes
from url_viz.imaging.quality import QUALITIES
from url_viz.imaging.scan import display_name
from url_viz.latest import Latest
from url_viz.models.head import Head
from url_viz.pipeline.twins import TWIN_COSINE, twin_groups
from url_viz.store.decision_matching import FileKeys
from url_viz.store.decisions import Decided, Decisions
from url_viz.store.reader import Store
from url_viz.store.tables import GraphColumns, Twins, positions_of

_PLAIN = rb"\A[\x20-\x7e]*\z"


@dataclass(frozen=True)
class Frame:
    """`table` has one row per picture, by path; `contents` (N,) int64 and `paths` (N) binary are in the same order.

    `found` are the levels of folders of these paths.
    """

    table: pd.DataFrame
    contents: NDArray[np.int64]
    paths: pa.ChunkedArray
    found: FolderClasses

    def __post_init__(self) -> None:
        assert len(self.table) == len(self.contents) == len(self.paths)


def frame_of(store: Store, files: pa.Table, *, space_key: str, head: Head | None, graph: GraphColumns | None) -> Frame:
    """Join what is stored of the pictures that have an embedding in a space.

    `files` are the columns id, path, content, width, height of the table of files; those without an embedding are left
    out. Columns as told in `ImageSet.table`.
    """
    embedded = store.embedded(space_key)
    files = files.filter(files["content"].is_valid()).sort_by("path")
    contents = np.asarray(files["content"].to_numpy(), np.int64)
    row = positions_of(contents, embedded.content)
    files, contents, row = files.filter(row >= 0), contents[row >= 0], row[row >= 0]
    paths = files["path"]
    found = find_classes(paths)
    uncertainty = _uncertainty(store, contents, space_key, head)
    table = pd.DataFrame(
        {
            "id": np.asarray(files["id"].to_numpy(), np.int64),
            "path": pd.array(_names(paths), dtype="str"),
            "label": pd.Series(found.class_names, dtype=object),
            "label_given": pd.Series(found.class_names, dtype=object),
            "label_checked": np.full(len(paths), None, object),
            **{name: pd.Series(values, dtype=object) for name, values in found.columns.items()},
            "width": np.asarray(files["width"].to_numpy()),
            "height": np.asarray(files["height"].to_numpy()),
            "uncertainty": uncertainty,
            "percentile": percentile(uncertainty),
            "ambiguity": np.full(len(paths), np.nan, np.float32),
            "ambiguity_percentile": np.full(len(paths), np.nan, np.float32),
            "first_class": np.full(len(paths), None, object),
            "second_class": np.full(len(paths), None, object),
            "first_share": np.full(len(paths), np.nan, np.float32),
            "second_share": np.full(len(paths), np.nan, np.float32),
            **_from_graph(contents, graph),
            "tuned": np.full(len(paths), np.nan, np.float32),
            "entropy": embedded.entropy[row],
            "inverse_norm": 1 / np.maximum(embedded.norm[row], 1e-12),
            **_measures(store, contents),
            **_coordinates(store, contents, space_key),
        }
    )
    return Frame(table, contents, paths, found)


def _names(paths: pa.ChunkedArray) -> pa.ChunkedArray:
    """Paths (N) binary for people, as by `display_name`; where all are of plain letters, no object is made of any."""
    if pc.all(pc.match_substring_regex(paths, pattern=_PLAIN)).as_py() is not False:
        return paths.cast(pa.large_string())
    return pa.chunked_array([map(display_name, paths.to_pylist())], pa.large_string())


def _uncertainty(store: Store, contents: NDArray[np.int64], space_key: str, head: Head | None) -> NDArray[np.float32]:
    """By content; pictures that this head has not scored on disk yet are scored now, from the stored embedding."""
    result = np.full(len(contents), np.nan, np.float32)
    if head is None:
        return result
    scored, values = store.scores(space_key, head.digest)
    row = positions_of(contents, scored)
    result[row >= 0] = values[row[row >= 0]]
    if (row < 0).any():
        result[row < 0] = head(store.embeddings(space_key, contents[row < 0]).embedding)
    return result


def _from_graph(contents: NDArray[np.int64], graph: GraphColumns | None) -> dict[str, Any]:
    keys = contents
    value, nearest = (np.full(len(contents), np.nan, np.float32) for _ in range(2))
    if graph is not None and len(graph.content):
        row = positions_of(contents, graph.content)
        has = row >= 0
        value[has], nearest[has] = graph.confusability[row[has]], graph.nearest_similarity[row[has]]
        first_of_group = np.unique(graph.twin_group, return_index=True)[1]
        keys = np.where(has, graph.content[first_of_group[graph.twin_group[row]]], contents)
    _, first, group, size = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    return {
        "confusability": value,
        "confusability_percentile": percentile(value),
        "nearest_similarity": nearest,
        "twin_group": pd.arrays.IntegerArray(first[group].astype(np.int64), size[group] == 1),
    }


def columns_of_raw_graph(store: Store, space_key: str) -> GraphColumns | None:
    """What the graph says of each content of a set that was read before there was a whitened space; None without one.

    Its confusability is the rank of minus the nearest similarity alone, until the folder is read again.
    """
    raw = store.raw_neighbours(space_key)
    return None if raw is None else _of_raw(*raw)


def _of_raw(content: NDArray[np.int64], position: NDArray[np.int32], cosine: NDArray[np.float32]) -> GraphColumns:
    is_there = position >= 0
    row, slot = np.nonzero(is_there & (cosine >= TWIN_COSINE))
    pair = np.stack([row, position[row, slot]], axis=1).astype(np.int32)
    group = twin_groups(Twins(len(content), pair, cosine[row, slot]))
    is_other = is_there & (cosine < TWIN_COSINE)
    slot, every = is_other.argmax(axis=1), np.arange(len(content))
    has = is_other[every, slot]
    nearest = np.where(has, position[every, slot], -1).astype(np.int32)
    similarity = np.where(has, cosine[every, slot], np.nan).astype(np.float32)
    return GraphColumns(content, nearest, similarity, (percentile(-similarity) / 100).astype(np.float32), group)


def _measures(store: Store, contents: NDArray[np.int64]) -> dict[str, NDArray[np.float32]]:
    """Quality by content; nan for those that an older version read, until the folder is read again."""
    rows = store.quality()
    row = positions_of(contents, np.asarray(rows["content"].to_numpy(), np.int64))
    return {name: np.append(rows[name].to_numpy(), np.float32(np.nan))[row] for name in QUALITIES}


def _coordinates(store: Store, contents: NDArray[np.int64], space_key: str) -> dict[str, NDArray[np.float32]]:
    xy = np.full((len(contents), 2), np.nan, np.float32)
    known = store.coordinates(space_key)
    if known is not None and len(known):
        row = positions_of(contents, known.content)
        xy[row >= 0] = known.xy[row[row >= 0]]
    return {"x": xy[:, 0], "y": xy[:, 1]}


def decisions_of(path: Path, files: pa.Table) -> Decisions:
    """The decisions in the file `path`; `files` are the columns id and content of the table of files.

    All readable files take part, also those that the present model has not read: what is decided of a file must not
    depend on the model one looks with.
    """
    readable = files.filter(files["content"].is_valid())
    ids, contents = (np.asarray(readable[name].to_numpy(), np.int64) for name in ("id", "content"))
    return Decisions(path, FileKeys(ids, contents))


class DecidedTable:
    """Joins `decision` and `tags` to a table, again only if either has changed."""

    def __init__(self, decisions: Decisions) -> None:
        self._decisions = decisions
        self._rows: Latest[NDArray[np.int64]] = Latest()
        self._joined: Latest[pd.DataFrame] = Latest(same=lambda one, other: one[0] is other[0] and one[1] == other[1])

    def joined(self, table: pd.DataFrame) -> pd.DataFrame:
        """`table` (with `id`) and two more columns: decision (None, keep, drop, look-again) and tags ("a; b")."""
        now = self._decisions.now()
        rows = self._rows.of(table, lambda: positions_of(table["id"].to_numpy(), self._decisions.files.id))
        return self._joined.of((table, now.version), lambda: _with_decisions(table, now.rows_at(rows)))


def _with_decisions(table: pd.DataFrame, decided: Decided) -> pd.DataFrame:
    values = {"decision": decided.decision, "tags": decided.tags}
    return table.assign(**{name: pd.Series(v, index=table.index, dtype=object) for name, v in values.items()})
