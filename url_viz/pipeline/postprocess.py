"""Post-processing of a read folder: quality, whitened space, neighbour graph and map brought up to date."""

import numpy as np
from numpy.typing import NDArray

from url_viz.pipeline.confusability import confusability
from url_viz.pipeline.graph import updated_graph
from url_viz.pipeline.projection import FEWEST_FOR_UMAP, SAMPLE_ROWS, fit_map, pca_coordinates, place
from url_viz.pipeline.quality import assess_missing
from url_viz.pipeline.twins import leaders, twin_groups, twin_pairs
from url_viz.pipeline.whitening import VERSION, serves, whitened_rows
from url_viz.progress import Clock, Progress, ProgressCallback
from url_viz.rows import EXACT_ROWS
from url_viz.store.tables import UMAP, Coordinates, Embeddings, Graph, GraphColumns, Twins, positions_of
from url_viz.store.whitening import WhitenedRows
from url_viz.store.writer import Writer


def finish(writer: Writer, space_key: str, *, report: ProgressCallback, refit: bool = False) -> None:
    """Update quality, whitened space, graph and map for the pictures in the folder; nothing if all is up to date."""
    assess_missing(writer, report)
    current = current_embeddings(writer, space_key)
    if len(current):
        _finish_space(writer, space_key, current, report, refit=refit)
    writer.compact()


def _finish_space(
    writer: Writer, space_key: str, current: Embeddings, report: ProgressCallback, *, refit: bool
) -> None:
    whitened, twins = _finish_whitened(writer, space_key, current)
    _finish_graph(writer, space_key, whitened, current, twins, report)
    _finish_map(writer, space_key, whitened, report, refit=refit)


def current_embeddings(writer: Writer, space_key: str) -> Embeddings:
    """Embeddings of the distinct contents that are in the folder now, sorted by content."""
    rows = writer.images(["content"])
    present = np.unique(np.asarray(rows["content"].drop_null().to_numpy(), np.int64))
    return writer.embeddings(space_key, present)


def _finish_whitened(writer: Writer, space_key: str, current: Embeddings) -> tuple[WhitenedRows, Twins | None]:
    """The rows of `current` in the set's whitened space, which is fitted again once the set has doubled.

    With the twins of all rows if they were found for that.
    """
    known = writer.whitened(space_key)
    is_same = known is not None and np.array_equal(known.content, current.content)
    if known is not None and is_same and known.whitening.version == VERSION:
        return known, None
    is_fitted = known is not None and serves(known, len(current))
    twins = twin_pairs(current.embedding) if not is_fitted and len(current) <= EXACT_ROWS else None
    whitened = whitened_rows(current.content, current.embedding, known=known, twins=twins)
    writer.put_whitened(space_key, whitened)
    return whitened, twins


def _finish_graph(
    writer: Writer,
    space_key: str,
    whitened: WhitenedRows,
    current: Embeddings,
    twins: Twins | None,
    report: ProgressCallback,
) -> None:
    previous = writer.graph(space_key)
    key = whitened.whitening.key
    if previous is not None and previous.whitening == key and np.array_equal(previous.content, current.content):
        return
    clock = Clock("neighbours", total=len(current))
    report(clock.at(0))
    graph = updated_graph(
        previous, whitened, current.embedding, twins=twins, report=lambda done: report(clock.at(done))
    )
    writer.put_graph(space_key, graph, columns_of(graph))
    report(clock.at(len(current)))


def columns_of(graph: Graph) -> GraphColumns:
    """What a graph says of each content: nearest similarity and confusability (nan without a neighbour), twin group."""
    nearest = graph.position[:, 0]
    similarity = np.where(nearest >= 0, graph.similarity[:, 0], np.float32(np.nan))
    value = confusability(graph.position, graph.similarity, leader=leaders(graph.twins))[0]
    return GraphColumns(graph.content, nearest, similarity, value, twin_groups(graph.twins))


def _finish_map(
    writer: Writer, space_key: str, whitened: WhitenedRows, report: ProgressCallback, *, refit: bool
) -> None:
    graph = writer.graph(space_key)
    known = writer.coordinates(space_key)
    assert graph is not None
    fitted = _fitted(known, len(whitened))
    is_same = known is not None and _same_rows(known.content, whitened.content)
    if not refit and known is not None and fitted:
        if not is_same:
            writer.put_coordinates(space_key, _only(place(graph, known), whitened.content))
        return
    if not is_same:
        writer.put_coordinates(space_key, pca_coordinates(whitened))
    report(Progress("map", 0, None))
    writer.put_coordinates(space_key, fit_map(whitened, graph))
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
