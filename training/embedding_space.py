"""The whitened space of embeddings of a picture list, as an image set of these pictures keeps it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from url_viz.pipeline.graph import build_graph
from url_viz.pipeline.twins import source_groups
from url_viz.pipeline.whitening import whitened_rows
from url_viz.store.tables.tables import Graph
from url_viz.store.tables.whitened_rows import WhitenedRows


@dataclass(frozen=True)
class Space:
    """The whitened space of N embeddings: its rows, the graph without twins, and the group (N,) of each picture."""

    whitened: WhitenedRows
    graph: Graph
    group: NDArray[np.int32]


def space_of(embedding: NDArray[np.floating]) -> Space:
    """The whitened space of a set's raw embeddings (N, D), as an image set keeps it."""
    rows = whitened_rows(np.arange(len(embedding)), embedding)
    graph = build_graph(rows, embedding)
    return Space(rows, graph, source_groups(graph.twins))
