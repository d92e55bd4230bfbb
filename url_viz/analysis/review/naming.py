"""Naming pictures of a folder without classes: which to name first, and what the names suggest for the others."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.derived import Get
from url_viz.analysis.evidence.choice import Rows, cover_first
from url_viz.analysis.labels.ambiguity import LEAST_OF_A_CLASS
from url_viz.pipeline.twins import twin_representatives
from url_viz.store.tables.tables import positions_of

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


def first_to_name(get: Get, count: int, among: NDArray[np.bool_] | None = None) -> Rows:
    """The rows of the table to name first, at most so many of those marked (all if None); see `cover_first`.

    `get` gives the columns of a set that has a graph in the whitened space.
    """
    graph, contents = get("graph"), get("base").contents
    rows = cover_first(
        graph,
        representative=twin_representatives(graph.twins).astype(np.int64),
        is_covered=np.isin(graph.content, contents[get("names").notna().to_numpy()]),
        count=count,
        among=None if among is None else np.isin(graph.content, contents[among]),
    )
    return positions_of(graph.content[rows], contents)
