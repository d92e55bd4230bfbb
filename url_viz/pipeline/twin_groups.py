"""Twins: pictures so alike that they count as one (bursts, copies, re-saved files)."""

import numpy as np
from numpy.typing import NDArray

from url_viz.store.tables import Graph

TWIN_COSINE = 0.96
"""Cosine from which two embeddings count as one picture.

Of 6,610 game textures and wallpapers every pair looked at above it was a copy, recoloured or shifted; of pictures
shifted by 2 % or saved again at quality 60, about 95 % and 45 % lie above it.
"""


def twin_groups(graph: Graph, *, bound: float = TWIN_COSINE) -> NDArray[np.int32]:
    """Group (M,) int32 of each row of `graph`: the row number of its leader, its own where it has no twin.

    Every member is within `bound` of its leader, so groups do not chain from one look to another. Leaders are taken
    in the order of how many twins they have.
    """
    leader = np.arange(len(graph), dtype=np.int32)
    is_twin = (graph.similarity >= bound) & (graph.position >= 0)
    count = is_twin.sum(axis=1)
    is_taken = np.zeros(len(graph), bool)
    for row in np.argsort(-count, kind="stable"):
        if count[row] == 0:
            break
        if is_taken[row]:
            continue
        members = graph.position[row][is_twin[row]]
        members = members[~is_taken[members]]
        leader[members] = row
        is_taken[members] = True
        is_taken[row] = True
    return leader
