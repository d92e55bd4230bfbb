"""After reading: bring measures, the neighbour graph and the map up to what the folder now holds."""

import numpy as np
from numpy.typing import NDArray

from url_viz.pipeline.neighbours import build_graph
from url_viz.pipeline.projection import FEWEST_FOR_UMAP, SAMPLE_ROWS, fit_map, pca_coordinates, place
from url_viz.pipeline.quality import assess_missing
from url_viz.progress import Clock, Progress, ProgressCallback
from url_viz.store.tables import UMAP, Coordinates, Embeddings, positions_of
from url_viz.store.writer import Writer

REFIT_GROWTH = 2.0
"""The map is fitted anew once the set has grown this many times since the last fit; until then pictures are placed."""


def finish(writer: Writer, space_key: str, *, report: ProgressCallback, refit: bool = False) -> None:
    """Update measures, graph and map for the pictures in the folder; does nothing where they are up to date."""
    assess_missing(writer, report)
    current = current_embeddings(writer, space_key)
    _finish_graph(writer, space_key, current, report)
    _finish_map(writer, space_key, current, report, refit=refit)
    writer.compact()


def current_embeddings(writer: Writer, space_key: str) -> Embeddings:
    """Embeddings of the distinct contents that are in the folder now, sorted by content."""
    rows = writer.images(["content"])
    present = np.unique(np.asarray(rows["content"].drop_null().to_numpy(), np.int64))
    return writer.embeddings(space_key, present)


def _finish_graph(writer: Writer, space_key: str, current: Embeddings, report: ProgressCallback) -> None:
    previous = writer.graph(space_key)
    if previous is not None and np.array_equal(previous.content, current.content):
        return
    clock = Clock("neighbours", total=len(current))
    report(clock.at(0))
    graph = build_graph(current, previous=previous, report=lambda done: report(clock.at(done)))
    writer.put_graph(space_key, graph)
    report(clock.at(len(current)))


def _finish_map(writer: Writer, space_key: str, current: Embeddings, report: ProgressCallback, *, refit: bool) -> None:
    graph = writer.graph(space_key)
    known = writer.coordinates(space_key)
    assert graph is not None
    fitted = _fitted(known, len(current))
    is_same = known is not None and _same_rows(known.content, current.content)
    if not refit and known is not None and (fitted * REFIT_GROWTH > len(current) or (is_same and fitted)):
        if not is_same:
            writer.put_coordinates(space_key, _only(place(graph, known), current.content))
        return
    if not is_same:
        writer.put_coordinates(space_key, pca_coordinates(current))
    report(Progress("map", 0, None))
    writer.put_coordinates(space_key, fit_map(current, graph))
    report(Progress("map", 1, 1))


def _fitted(known: Coordinates | None, rows: int) -> int:
    """How many points the map's own fit is good for: those it placed itself, or any number once it is a sample's.

    A handful of rows gets no more than PCA, so whatever map there is counts as fitted; what PCA drew does not count
    once there are enough rows for more.
    """
    if known is None:
        return 0
    count = int((known.method == UMAP).sum())
    return len(known) if rows < FEWEST_FOR_UMAP or count >= SAMPLE_ROWS else count


def _same_rows(a: NDArray[np.int64], b: NDArray[np.int64]) -> bool:
    return np.array_equal(np.sort(a), np.sort(b))


def _only(coordinates: Coordinates, content: NDArray[np.int64]) -> Coordinates:
    keep = positions_of(content, coordinates.content)
    return Coordinates(content, coordinates.xy[keep], coordinates.method[keep])
