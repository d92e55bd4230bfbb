"""Naming pictures of a folder without classes: which to name first, and what the names suggest for the others."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.columns.engine import Lazy, column
from url_viz.columns.second_model import Opinion
from url_viz.columns.table import Frame
from url_viz.evidence.choice import Rows, cover_first
from url_viz.findings.checks import Check
from url_viz.labels.ambiguity import LEAST_OF_A_CLASS, Classified
from url_viz.labels.classes import (
    CodedLabels,
    class_codes,
    class_shares,
    classified_by,
    coded_labels,
    content_labels,
    spelled_out,
)
from url_viz.labels.label_choice import digest_of_words
from url_viz.pipeline.twins import twin_representatives
from url_viz.store.decisions.decision_rows import Decided
from url_viz.store.tables.embedding_rows import WhitenedRows
from url_viz.store.tables.tables import Graph, positions_of

SUGGESTED_FROM = 0.9
"""The share from which suggestions are offered to be accepted together, at first: one in ten may be wrong."""


def can_order(names: "pd.Series[str]") -> bool:
    """Whether pictures can be ordered by ambiguity between names: two of them, each of three pictures or more."""
    return bool((names.value_counts() >= LEAST_OF_A_CLASS).sum() >= 2)


def suggestions_in(table: pd.DataFrame) -> pd.DataFrame:
    """What names suggest for pictures without one: id, path, name, share; the largest share first.

    `table` is that of an image set whose `label` is the name, with its class columns. All twins are listed.
    """
    rows = table[table["label"].isna() & table["first_class"].notna()]
    suggestions = rows[["id", "path", "first_class", "first_share"]].rename(
        columns={"first_class": "name", "first_share": "share"}
    )
    return suggestions.sort_values(["share", "path"], ascending=[False, True]).reset_index(drop=True)


@column(digest=digest_of_words)
def names(decisions: Decided, file_rows: NDArray[np.int64]) -> NDArray[np.object_]:
    """The names (N,) that somebody gave the pictures, None for none."""
    return decisions.rows_at(file_rows).name


@column()
def name_labels(names: NDArray[np.object_]) -> CodedLabels:
    """The names as labels."""
    return coded_labels(pd.Series(names, dtype=object))


name_content_labels = content_labels.variant("name_content_labels", picture_labels="name_labels")


@column()
def name_classified(
    name_content_labels: CodedLabels | None,
    witnesses: Lazy[Graph | None],
    whitened_graph: Lazy[WhitenedRows | None],
    other_networks: tuple[Opinion, ...],
) -> Classified | None:
    """What the witnesses say of the names; one picture of a name is enough."""
    return classified_by(witnesses, whitened_graph, other_networks, name_content_labels, None, least=1)


name_class_shares = class_shares.variant(
    "name_class_shares", classified="name_classified", content_labels="name_content_labels"
)
name_class_codes = class_codes.variant(
    "name_class_codes", class_shares="name_class_shares", picture_labels="name_labels"
)


@column()
def name_suggestions(
    names: NDArray[np.object_],
    name_labels: CodedLabels,
    name_class_codes: dict[str, NDArray[Any]] | None,
    base: Frame,
) -> pd.DataFrame:
    """What names suggest for pictures without one."""
    table = base.table.assign(label=names)
    if name_class_codes is not None:
        table = table.assign(**spelled_out(name_class_codes, name_labels.names))
    return suggestions_in(table)


def first_to_name(
    graph: Graph,
    contents: NDArray[np.int64],
    names: NDArray[np.object_],
    count: int,
    among: NDArray[np.bool_] | None = None,
) -> Rows:
    """The rows of the table to name first, at most so many of those marked (all if None); see `cover_first`.

    `contents` and `names` (N,) are those of the table, None for no name.
    """
    rows = cover_first(
        graph,
        representative=twin_representatives(graph.twins).astype(np.int64),
        is_covered=np.isin(graph.content, contents[pd.notna(names)]),
        count=count,
        among=None if among is None else np.isin(graph.content, contents[among]),
    )
    return positions_of(graph.content[rows], contents)


TO_NAME = Check("names", needs="graph", title="Name these first")
