"""What uploads and searches are held beside: an open image set's distinct pictures, and the evidence of its classes."""

from functools import lru_cache

from url_viz.analysis.selective_retrieval import Evidence, evidence, has_evidence
from url_viz.analysis.uploads import Reference, reference_of
from url_viz.image_set import ImageSet

MOST_AT_ONCE = 50_000
"""Beyond this many pictures evidence takes long enough to be asked for first."""


def reference(image_set: ImageSet) -> Reference:
    """The distinct pictures of a snapshot, for uploads to be compared with."""
    return _reference(image_set, image_set.version)


@lru_cache(maxsize=2)
def _reference(image_set: ImageSet, version: str) -> Reference:
    """`version` tells a snapshot from itself before its user brought columns or other labels."""
    return reference_of(image_set.table(), image_set.embeddings(), image_set.contents)


def evidence_for(image_set: ImageSet, measure: str) -> Evidence | None:
    """What the classes of a snapshot say of a measure; None where too few pictures have a class and neighbours yet."""
    return _evidence(image_set, image_set.version, measure)


@lru_cache(maxsize=8)
def _evidence(image_set: ImageSet, version: str, measure: str) -> Evidence | None:
    table, keys, graph = image_set.table(), image_set.contents, image_set.graph
    if graph is None or not has_evidence(table, keys, graph=graph, measure=measure):
        return None
    return evidence(table, image_set.embeddings(), keys, graph=graph, measure=measure)
