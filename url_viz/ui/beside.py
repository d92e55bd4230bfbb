"""What uploads and searches are held beside: an open image set's distinct pictures, and the evidence of its classes."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from url_viz.image_set import ImageSet
from url_viz.index.store import Store
from url_viz.index.tables import positions_of
from url_viz.insight.evidence import Evidence, evidence, has_evidence
from url_viz.insight.uploads import Reference, reference_of

MOST_AT_ONCE = 50_000
"""Beyond this many pictures evidence takes long enough to be asked for first."""


@lru_cache(maxsize=2)
def reference(image_set: ImageSet) -> Reference:
    """The distinct pictures of a snapshot, for uploads to be compared with."""
    return reference_of(image_set.table(), image_set.embeddings(), contents(image_set))


@lru_cache(maxsize=8)
def evidence_for(image_set: ImageSet, measure: str) -> Evidence | None:
    """What the classes of a snapshot say of a measure; None where too few pictures have a class and neighbours yet."""
    table, keys, graph = image_set.table(), contents(image_set), image_set.graph
    if graph is None or not has_evidence(table, keys, graph=graph, measure=measure):
        return None
    return evidence(table, image_set.embeddings(), keys, graph=graph, measure=measure)


@lru_cache(maxsize=2)
def contents(image_set: ImageSet) -> NDArray[np.int64]:
    """The content key (N,) of each picture of a snapshot, in the order of its table."""
    files = Store(image_set.workspace.set_paths(image_set.set_id)).images(["id", "content"])
    row = positions_of(image_set.table()["id"].to_numpy(np.int64), np.asarray(files["id"].to_numpy(), np.int64))
    return np.asarray(files["content"].fill_null(-1).to_numpy(), np.int64)[row]
