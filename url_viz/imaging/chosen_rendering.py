"""The rendering of a set: what was chosen, what it has, or else what a sample of its pictures says."""

import random
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from url_viz.errors import BucketError, ImageError
from url_viz.imaging.decode import PNG_START
from url_viz.imaging.pages import ending_of, page_of
from url_viz.imaging.rendering import (
    MOST_OUTSIDE,
    Rendering,
    ValueSample,
    number_words,
    range_of,
    share_outside,
)
from url_viz.imaging.scan import ScannedFile
from url_viz.imaging.source import Source
from url_viz.imaging.workers import decoders
from url_viz.processes.read_ahead import read_each

SAMPLED_FILES, SAMPLED_OBJECTS = 64, 16
"""The second of object storage, where each is a request."""
_ENDINGS = (b".png", b".tif", b".tiff", b".pgm", b".ppm", b".pnm", b".jp2", b".j2k", b".dcm", b".dicom", b".ima", b"")
"""Of files that may have more than 8 bits; a file in a shard may have no ending."""
_DEPTH_OF_PNG = 24


def rendering_of_new(source: Source, files: Sequence[ScannedFile], wanted: Rendering | None) -> Rendering | None:
    """How a new set is seen: in the range and bands that are wanted, in place of a range else that of a sample."""
    if wanted is not None and wanted.range is not None:
        return wanted
    shown_range = range_of(value_samples(source, files))
    if shown_range is None:
        return wanted
    return replace(wanted or Rendering(), black=shown_range[0], white=shown_range[1])


def words_of_outside(source: Source, files: Sequence[ScannedFile], rendering: Rendering | None) -> str:
    """A sentence where pictures of a set are not seen well in the range that it has; else nothing.

    Also nothing of object storage, where each look would be a request.
    """
    samples = [] if source.at_a_time else value_samples(source, files)
    better = range_of(samples)
    if rendering is None or rendering.range is None:
        if better is None:
            return ""
        black, white = map(number_words, better)
        seen = f"Pictures of more than 8 bits have values from {black} to {white}, and are not seen so"
    else:
        outside = share_outside(samples, rendering.range)
        if outside <= MOST_OUTSIDE or better is None:
            return ""
        seen = f"{outside:.0%} of the values of pictures of more than 8 bits lie outside the range of this set"
        better = min(better[0], rendering.range[0]), max(better[1], rendering.range[1])
    return f"{seen}. To read the set anew: `embed FOLDER --range {better[0]:g}:{better[1]:g}`."


def value_samples(source: Source, files: Sequence[ScannedFile]) -> list[ValueSample]:
    """Values of pictures of more than 8 bits among some that may have them by their ending."""
    most = SAMPLED_OBJECTS if source.at_a_time else SAMPLED_FILES
    able = {file.file: file for file in files if may_be_deep(file.file)}
    drawn = random.Random(0).sample(sorted(able), min(most, len(able)))
    samples = read_each([able[path] for path in drawn], partial(_sample, source))
    return [sample for sample in samples if sample is not None and sample.window is None]


def _sample(source: Source, file: ScannedFile) -> ValueSample | None:
    try:
        data = source.read(file)
    except (ImageError, BucketError):  # said where the file is read for good
        return None
    if data.startswith(PNG_START) and data[_DEPTH_OF_PNG : _DEPTH_OF_PNG + 1] <= b"\x08":
        return None
    return decoders.sample_of(data)


def may_be_deep(path: bytes) -> bool:
    """Whether a file, or a page of one, may have more than 8 bits, by its ending."""
    page = page_of(path)
    return ending_of(path if page is None else page[0]) in _ENDINGS
