"""What copies in an image set are known by, from its stored thumbnails: nothing is read or embedded again."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from url_viz.imaging.copied_pixels import Patches, no_patches, patch_of
from url_viz.pipeline.near_copies import Pixels
from url_viz.store.tables.reader import Store
from url_viz.store.tables.tables import positions_of

THUMBNAILS_AT_ONCE = 1024


def stored_pixels(store: Store, content: NDArray[np.int64]) -> Pixels:
    """Hashes and patches of contents (M,); one that has left the folder has none."""
    files: list[pa.Table] = []

    def patches_of(rows: NDArray[np.integer]) -> Patches:
        if not files:  # most sets have no candidates, and need not look
            files.append(_one_file_of_each(store))
        return _patches(store, files[0], content[rows])

    return Pixels(store.hashes(content), patches_of)


def _one_file_of_each(store: Store) -> pa.Table:
    """id, content, width and height of a file of each content."""
    files = store.images(["id", "content", "width", "height"])
    files = files.filter(files["content"].is_valid())
    first = np.unique(np.asarray(files["content"].to_numpy(), np.int64), return_index=True)[1]
    return files.take(pa.array(first))


def _patches(store: Store, files: pa.Table, content: NDArray[np.int64]) -> Patches:
    row = positions_of(content, np.asarray(files["content"].to_numpy(), np.int64))
    rows = files.take(pa.array(row[row >= 0]))
    ids, widths, heights = (rows[name].to_pylist() for name in ("id", "width", "height"))
    parts = [no_patches()]
    with ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="patches") as pool:
        for start in range(0, len(ids), THUMBNAILS_AT_ONCE):
            part = slice(start, start + THUMBNAILS_AT_ONCE)
            thumbnails = store.thumbnails(ids[part])
            given = [thumbnails.get(file_id, b"") for file_id in ids[part]]
            parts += pool.map(patch_of, given, widths[part], heights[part])
    return _at(Patches.joined(parts), np.where(row >= 0, np.cumsum(row >= 0) - 1, -1))


def _at(patches: Patches, row: NDArray[np.integer]) -> Patches:
    """The patches at some rows (M,), black for a negative one."""
    return Patches.joined([patches, patch_of(b"", 0, 0)])[row]
