"""A large synthetic image set, written straight into a store: clustered embeddings, one thumbnail for all."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from url_viz.base.workspace import Workspace, set_id_of
from url_viz.imaging.decode import Preprocessing
from url_viz.imaging.places import image_id
from url_viz.models.model import EmbeddingSpace, resolve
from url_viz.models.model_names import DEFAULT
from url_viz.pipeline.graph import K
from url_viz.pipeline.postprocess import columns_of, current_contents, raw_embeddings
from url_viz.pipeline.whitening import whitened_rows
from url_viz.store.tables.tables import IMAGES, UMAP, Coordinates, Embeddings, Graph, no_twins
from url_viz.store.tables.writer import Writer

CLUSTERS = 200
NOISE = 1.0
"""With this the nearest are as near in the whitened space as those of photographs: .8."""
NUMBERS_AT_ONCE = 25_600_000


def write_synthetic_set(
    workspace: Workspace, root: Path, count: int, *, size: int = 1280, seed: int = 0, thumbnail_px: int = 256
) -> str:
    """Write an image set of `count` pictures that need not exist; returns its id.

    Thumbnails are of 6 kB each, those of 64 px of 1 kB.
    """
    rng = np.random.default_rng(seed)
    root.mkdir(parents=True, exist_ok=True)
    set_id = set_id_of(root.resolve())
    head = resolve(DEFAULT).head
    space = EmbeddingSpace(DEFAULT, head.provenance.weights_digest if head else "", Preprocessing(), "bf16")
    centres = rng.normal(size=(CLUSTERS, size)).astype(np.float32)
    middles = rng.normal(0, 12, (CLUSTERS, 2))
    cluster = rng.integers(0, CLUSTERS, count)
    content = np.sort(rng.choice(2**62, count, replace=False)).astype(np.int64)
    thumbnail, at_once = _thumbnail(thumbnail_px), NUMBERS_AT_ONCE // size
    with Writer(workspace.set_paths(set_id), root) as writer:
        writer.add_space(space)
        for start in range(0, count, at_once):
            rows = slice(start, min(start + at_once, count))
            _write_embeddings(
                writer, space.key, head.digest if head else "", content[rows], centres[cluster[rows]], rng
            )
            _write_files(writer, content[rows], cluster[rows], thumbnail)
        xy = (middles[cluster] + rng.normal(0, 1, (count, 2))).astype(np.float32)
        writer.put_coordinates(space.key, Coordinates(content, xy, np.full(count, UMAP, np.int8)))
        stored = current_contents(writer, space.key)
        whitened = whitened_rows(stored, raw_embeddings(writer, space.key, stored))
        writer.put_whitened(space.key, whitened)
        similarity = -np.sort(-rng.uniform(0.4, 0.9, (count, K)).astype(np.float32), axis=1)
        position = rng.integers(0, count, (count, K)).astype(np.int32)
        lists = position, similarity, no_twins(count), whitened.whitening.key
        graph = Graph(stored, *lists, is_approximate=True)
        writer.put_graph(space.key, graph, columns_of(graph))
        writer.compact()
    return set_id


def _write_embeddings(writer, space_key, head_digest, content, centre, rng) -> None:  # type: ignore[no-untyped-def]
    noise = rng.normal(0, NOISE, centre.shape).astype(np.float32)
    embedding = (centre + noise).astype(np.float16)
    entropy = rng.gamma(2, 1, len(content)).astype(np.float32)
    writer.add_embeddings(space_key, Embeddings(content, embedding, entropy))
    if head_digest:
        writer.add_scores(space_key, head_digest, content, rng.gamma(2, 0.2, len(content)).astype(np.float32))


def _write_files(writer, content, cluster, thumbnail) -> None:  # type: ignore[no-untyped-def]
    paths = [f"class-{c:03d}/{k:016x}.jpg".encode() for c, k in zip(cluster, content, strict=True)]
    columns = {
        "id": [image_id(path) for path in paths],
        "path": paths,
        "size_bytes": [1] * len(paths),
        "mtime_ns": [1] * len(paths),
        "content": content,
        "width": [500] * len(paths),
        "height": [375] * len(paths),
        "thumbnail": [thumbnail] * len(paths),
        "failure": [None] * len(paths),
    }
    writer.add_images(pa.table([pa.array(columns[f.name], f.type) for f in IMAGES], schema=IMAGES))


def _thumbnail(width: int) -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).resize((width, width * 3 // 4)).save(file, "JPEG", quality=70)
    return file.getvalue()
