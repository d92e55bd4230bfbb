"""Quality and perceptual hash of the pictures that were read and have none yet, from their stored thumbnails."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from url_viz.imaging.perceptual_hash import perceptual_hash
from url_viz.imaging.quality import grey_thumbnail, quality_of_image
from url_viz.processes.cores import usable_cores
from url_viz.progress import Clock, ProgressCallback
from url_viz.store.tables.tables import positions_of
from url_viz.store.tables.writer import Writer

BATCH = 1024
"""Pictures that are stored at once: what a killed run loses at most."""

Contents = NDArray[np.int64]


def assess_missing(writer: Writer, report: ProgressCallback) -> int:
    """Measure every distinct content that is in the folder and lacks quality or hash of this version; how many."""
    measured, hashed = np.asarray(writer.quality(["content"])["content"].to_numpy(), np.int64), writer.hashed()
    rows = _without(writer, np.intersect1d(measured, hashed))
    if not len(rows):
        return 0
    kinds: tuple[tuple[Contents, Callable[[Image.Image], Any], Callable[..., None]], ...]
    kinds = (measured, quality_of_image, writer.add_quality), (hashed, perceptual_hash, writer.add_hashes)
    clock = Clock("measure", total=len(rows))
    report(clock.at(0))
    with ThreadPoolExecutor(usable_cores(), thread_name_prefix="measure") as pool:
        for start in range(0, len(rows), BATCH):
            some = rows.slice(start, BATCH)
            content, greys = np.asarray(some["content"].to_numpy(), np.int64), _greys(writer, some, pool)
            for assessed, measure, add in kinds:
                lacking = np.flatnonzero(positions_of(content, assessed) < 0)
                if len(lacking):
                    add(content[lacking], list(pool.map(measure, [greys[row] for row in lacking])))
            report(clock.at(min(start + BATCH, len(rows))))
    writer.drop_older_quality()
    return len(rows)


def _without(writer: Writer, assessed: Contents) -> pa.Table:
    """id, content, width and height of one file for each content that is not known."""
    contents = np.asarray(writer.images(["content"])["content"].drop_null().to_numpy(), np.int64)
    if (positions_of(contents, assessed) >= 0).all():  # nothing is new: the other columns need not be read
        return pa.table({})
    files = writer.images(["id", "content", "width", "height"])
    files = files.filter(files["content"].is_valid())
    contents, first = np.unique(np.asarray(files["content"].to_numpy(), np.int64), return_index=True)
    return files.take(pa.array(first[positions_of(contents, assessed) < 0]))


def _greys(writer: Writer, rows: pa.Table, pool: ThreadPoolExecutor) -> list[Image.Image]:
    ids, widths, heights = (rows[name].to_pylist() for name in ("id", "width", "height"))
    thumbnails = writer.thumbnails(ids)
    return list(pool.map(grey_thumbnail, [thumbnails[i] for i in ids], widths, heights))
