"""Measure the pictures that were read and not measured yet, from their stored thumbnails."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple

import numpy as np
import pyarrow as pa

from url_viz.imaging.quality import Quality, grey_thumbnail, quality_of_image
from url_viz.progress import Clock, ProgressCallback
from url_viz.store.tables import QUALITY, positions_of
from url_viz.store.writer import Writer

BATCH = 1024
"""Pictures that are stored at once: what a killed run loses at most."""


def assess_missing(writer: Writer, report: ProgressCallback) -> int:
    """Measure every distinct content that is in the folder and has no measures of this version; returns how many."""
    rows = _without_measures(writer)
    if not len(rows):
        return 0
    clock = Clock("measure", total=len(rows))
    report(clock.at(0))
    with ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="measure") as pool:
        for start in range(0, len(rows), BATCH):
            writer.add_quality(_measured(writer, rows.slice(start, BATCH), pool))
            report(clock.at(min(start + BATCH, len(rows))))
    writer.drop_older_quality()
    return len(rows)


def _without_measures(writer: Writer) -> pa.Table:
    """id, content, width and height of one file for each content that is to be measured."""
    contents = np.asarray(writer.images(["content"])["content"].drop_null().to_numpy(), np.int64)
    known = np.asarray(writer.quality(["content"])["content"].to_numpy(), np.int64)
    if (positions_of(contents, known) >= 0).all():  # nothing is new: the other columns need not be read
        return pa.table({})
    files = writer.images(["id", "content", "width", "height"])
    files = files.filter(files["content"].is_valid())
    contents, first = np.unique(np.asarray(files["content"].to_numpy(), np.int64), return_index=True)
    return files.take(pa.array(first[positions_of(contents, known) < 0]))


def _measured(writer: Writer, rows: pa.Table, pool: ThreadPoolExecutor) -> pa.Table:
    ids, widths, heights = (rows[name].to_pylist() for name in ("id", "width", "height"))
    thumbnails = writer.thumbnails(ids)
    found = list(pool.map(_of_thumbnail, [thumbnails[i] for i in ids], widths, heights))
    return pa.table([rows["content"], *_columns(found)], schema=QUALITY)


def _of_thumbnail(jpeg: bytes, width: int, height: int) -> Quality:
    return quality_of_image(grey_thumbnail(jpeg, width=width, height=height))


def _columns(found: Sequence[Quality]) -> list[pa.Array]:
    values = np.array([astuple(measures) for measures in found], np.float32)
    return [pa.array(column) for column in values.T]
