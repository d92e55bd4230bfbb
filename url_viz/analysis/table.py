"""The table of an image set: one row per picture, joined from the store, with the decisions as they are now."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from url_viz.analysis.confusability import confusability
from url_viz.analysis.ranking import percentile
from url_viz.imaging.quality import QUALITIES
from url_viz.imaging.scan import class_names, display_name
from url_viz.models.head import Head
from url_viz.pipeline.twin_groups import twin_groups
from url_viz.store.decision_matching import FileKeys
from url_viz.store.decisions import Decisions
from url_viz.store.reader import Store
from url_viz.store.tables import Graph, positions_of


@dataclass(frozen=True)
class Frame:
    """`table` has one row a picture, by path; `contents` (N,) int64 and `paths` (N) bytes are in the same order."""

    table: pd.DataFrame
    contents: NDArray[np.int64]
    paths: list[bytes]

    def __post_init__(self) -> None:
        assert len(self.table) == len(self.contents) == len(self.paths)


def frame_of(store: Store, files: pa.Table, *, space_key: str, head: Head | None, graph: Graph | None) -> Frame:
    """Join what is stored of the pictures that have an embedding in a space.

    `files` are the columns id, path, content, width, height of the table of files; those without an embedding are left
    out. Columns as told in `ImageSet.table`.
    """
    embedded = store.embedded(space_key)
    files = files.filter(files["content"].is_valid()).sort_by("path")
    contents = np.asarray(files["content"].to_numpy(), np.int64)
    row = positions_of(contents, embedded.content)
    files, contents, row = files.filter(row >= 0), contents[row >= 0], row[row >= 0]
    paths = files["path"].to_pylist()
    uncertainty = _uncertainty(store, contents, space_key, head)
    table = pd.DataFrame(
        {
            "id": np.asarray(files["id"].to_numpy(), np.int64),
            "path": [display_name(path) for path in paths],
            "label": pd.Series(class_names(paths), dtype=object),
            "width": np.asarray(files["width"].to_numpy()),
            "height": np.asarray(files["height"].to_numpy()),
            "uncertainty": uncertainty,
            "percentile": percentile(uncertainty),
            **_from_graph(contents, graph),
            "entropy": embedded.entropy[row],
            "inverse_norm": 1 / np.maximum(embedded.norm[row], 1e-12),
            **_measures(store, contents),
            **_coordinates(store, contents, space_key),
        }
    )
    return Frame(table, contents, paths)


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


def _from_graph(contents: NDArray[np.int64], graph: Graph | None) -> dict[str, NDArray[Any]]:
    value = np.full(len(contents), np.nan, np.float32)
    nearest = np.full(len(contents), np.nan, np.float32)
    keys = contents
    if graph is not None and len(graph):
        leader = twin_groups(graph)
        row = positions_of(contents, graph.content)
        has = row >= 0
        value[has] = confusability(graph.position, graph.similarity, leader)[row[has]]
        nearest[has] = np.where(graph.position[:, 0] >= 0, graph.similarity[:, 0], np.nan)[row[has]]
        keys = np.where(has, graph.content[leader[row]], contents)
    _, first, group = np.unique(keys, return_index=True, return_inverse=True)
    return {
        "confusability": value,
        "confusability_percentile": percentile(value),
        "nearest_similarity": nearest,
        "twin_group": first[group],
    }


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


@dataclass(frozen=True)
class _Joined:
    """A table, where its pictures are among all files, and the table with decisions as they were at a version."""

    table: pd.DataFrame
    rows: NDArray[np.int64]
    version: int
    result: pd.DataFrame


class DecidedTable:
    """Joins `decision` and `tags` to a table, anew only where either has changed."""

    def __init__(self, decisions: Decisions) -> None:
        self._decisions = decisions
        self._known: _Joined | None = None

    def joined(self, table: pd.DataFrame) -> pd.DataFrame:
        """`table` (with `id`) and two more columns: decision (None, keep, drop, look-again) and tags ("a; b")."""
        now, known = self._decisions.now(), self._known
        if known is None or known.table is not table or known.version != now.version:
            if known is not None and known.table is table:
                rows = known.rows
            else:
                rows = positions_of(table["id"].to_numpy(), self._decisions.files.id)
            own = now.rows_at(rows)
            columns = {
                name: pd.Series(values, index=table.index, dtype=object)
                for name, values in (("decision", own.decision), ("tags", own.tags))
            }
            known = self._known = _Joined(table, rows, now.version, table.assign(**columns))
        return known.result
