"""What follows a reading: quality, whitened space, neighbour graph and map brought up to date."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from url_viz.base.processes import usable_cores
from url_viz.base.progress import Clock, Progress, ProgressCallback
from url_viz.base.rows import EXACT_ROWS
from url_viz.imaging.quality import grey_thumbnail, perceptual_hash, quality_of_image
from url_viz.models.model import EmbeddingSpace
from url_viz.pipeline.confusability import confusability
from url_viz.pipeline.graph import updated_graph
from url_viz.pipeline.near_copies import one_file_each, stored_pixels
from url_viz.pipeline.projection import FEWEST_FOR_UMAP, SAMPLE_ROWS, fit_map, pca_coordinates, place
from url_viz.pipeline.twins import pair_groups, twin_representatives, twins_of_objects
from url_viz.pipeline.whitening import VERSION, whitened_rows
from url_viz.store.columns.source_columns import stored_boxes
from url_viz.store.tables.embedding_rows import WhitenedRows
from url_viz.store.tables.reader import Raw, RawRows
from url_viz.store.tables.tables import UMAP, Coordinates, Graph, GraphColumns, positions_of
from url_viz.store.tables.writer import Writer

BATCH = 1024
"""Pictures that are stored at once: what a killed run loses at most."""

Contents = NDArray[np.int64]


def assess_missing(writer: Writer, report: ProgressCallback) -> int:
    """Measure every distinct content that is in the folder and lacks quality or hash of this version; how many."""
    measured, hashed = np.asarray(writer.quality(["content"])["content"].to_numpy(), np.int64), writer.hashed()
    rows = _unassessed(writer, np.intersect1d(measured, hashed))
    if not len(rows):
        return 0
    kinds: tuple[tuple[Contents, Callable[[Image.Image], Any], Callable[..., None]], ...]
    kinds = (measured, quality_of_image, writer.add_quality), (hashed, perceptual_hash, writer.add_hashes)
    clock = Clock("measure", total=len(rows))
    report(clock.at(0))
    with ThreadPoolExecutor(usable_cores(), thread_name_prefix="measure") as pool:
        for start in range(0, len(rows), BATCH):
            some = rows.slice(start, BATCH)
            content = np.asarray(some["content"].to_numpy(), np.int64)
            ids, widths, heights = (some[name].to_pylist() for name in ("id", "width", "height"))
            thumbnails = writer.thumbnails(ids)
            greys = list(pool.map(grey_thumbnail, [thumbnails[i] for i in ids], widths, heights))
            for assessed, measure, add in kinds:
                lacking = np.flatnonzero(positions_of(content, assessed) < 0)
                if len(lacking):
                    add(content[lacking], list(pool.map(measure, [greys[row] for row in lacking])))
            report(clock.at(min(start + BATCH, len(rows))))
    writer.drop_older_quality()
    return len(rows)


def _unassessed(writer: Writer, assessed: Contents) -> pa.Table:
    """id, content, width and height of one file for each other content."""
    contents = np.asarray(writer.images(["content"])["content"].drop_null().to_numpy(), np.int64)
    if (positions_of(contents, assessed) >= 0).all():  # nothing is new: the other columns need not be read
        return pa.table({})
    files = one_file_each(writer)
    is_new = positions_of(np.asarray(files["content"].to_numpy(), np.int64), assessed) < 0
    return files.filter(pa.array(is_new))


def update_derived(writer: Writer, space: EmbeddingSpace, *, report: ProgressCallback, refit: bool = False) -> None:
    """Update quality, whitened space, graph and map for the pictures in the folder; nothing if all is up to date.

    Of a model's other look there is no map.
    """
    space_key = space.key
    assess_missing(writer, report)
    content = current_contents(writer, space_key)
    if len(content):
        raw = raw_embeddings(writer, space_key, content)
        whitened = _updated_whitening(writer, space_key, content, raw)
        _update_graph(writer, space_key, whitened, raw, report)
        del raw
        if not space.preprocessing.is_squeezed:
            _update_map(writer, space_key, whitened, report, refit=refit)
    writer.compact()


def current_contents(writer: Writer, space_key: str) -> Contents:
    """The distinct contents (M,) that are in the folder now and have an embedding, sorted."""
    present = np.asarray(writer.images(["content"])["content"].drop_null().to_numpy(), np.int64)
    return np.intersect1d(present, writer.embedded(space_key).content)


def raw_embeddings(writer: Writer, space_key: str, content: Contents) -> Raw:
    """The embeddings of contents that all have one: in memory up to EXACT_ROWS, of more on disk."""
    on_disk = RawRows(writer, space_key, content)
    return on_disk if len(content) > EXACT_ROWS else on_disk[:]


def _updated_whitening(writer: Writer, space_key: str, content: Contents, raw: Raw) -> WhitenedRows:
    stored = writer.whitened(space_key)
    if stored is not None and stored.whitening.version == VERSION and np.array_equal(stored.content, content):
        return stored
    whitened = whitened_rows(content, raw, stored=stored)
    writer.put_whitened(space_key, whitened)
    return whitened


def _update_graph(writer: Writer, space_key: str, whitened: WhitenedRows, raw: Raw, report: ProgressCallback) -> None:
    previous = writer.graph(space_key)
    key = whitened.whitening.key
    if previous is not None and previous.whitening == key and np.array_equal(previous.content, whitened.content):
        return
    clock, boxes = Clock("neighbours", total=len(whitened)), stored_boxes(writer.paths, whitened.content)
    report(clock.at(0))
    graph = updated_graph(
        previous,
        whitened,
        raw,
        pixels=stored_pixels(writer, whitened.content),
        keep=lambda twins: twins if boxes is None else twins_of_objects(twins, boxes),
        report=lambda done: report(clock.at(done)),
    )
    writer.put_graph(space_key, graph, columns_of(graph))
    report(clock.at(len(whitened)))


def columns_of(graph: Graph) -> GraphColumns:
    """What a graph says of each content: nearest similarity and confusability (nan without a neighbour), groups."""
    nearest = graph.position[:, 0]
    similarity = np.where(nearest >= 0, graph.similarity[:, 0], np.float32(np.nan))
    value = confusability(graph.position, graph.similarity, representative=twin_representatives(graph.twins))[0]
    copies, twins = pair_groups(graph.twins)
    return GraphColumns(graph.content, nearest, similarity, value, twins, copies)


def _update_map(
    writer: Writer, space_key: str, whitened: WhitenedRows, report: ProgressCallback, *, refit: bool
) -> None:
    graph = writer.graph(space_key)
    stored = writer.coordinates(space_key)
    assert graph is not None
    fitted = _fitted(stored, len(whitened))
    is_same = stored is not None and np.array_equal(np.sort(stored.content), np.sort(whitened.content))
    if not refit and stored is not None and fitted:
        if not is_same:
            placed = place(graph, stored)
            keep = positions_of(whitened.content, placed.content)
            writer.put_coordinates(space_key, Coordinates(whitened.content, placed.xy[keep], placed.method[keep]))
        return
    if not is_same:
        writer.put_coordinates(space_key, pca_coordinates(whitened))
    report(Progress("map", 0, None))
    writer.put_coordinates(space_key, fit_map(whitened, graph))
    report(Progress("map", 1, 1))


def _fitted(stored: Coordinates | None, rows: int) -> int:
    """How many points the map's own fit is good for: those it placed itself, or any number once it is a sample's.

    A handful of rows gets no more than PCA, so whatever map there is counts as fitted; what PCA drew does not count
    once there are enough rows for more.
    """
    if stored is None:
        return 0
    count = int((stored.method == UMAP).sum())
    return len(stored) if rows < FEWEST_FOR_UMAP or count >= SAMPLE_ROWS else count
