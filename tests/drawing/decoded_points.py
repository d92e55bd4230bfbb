"""Reads the bytes of the map's points and masks back, as the browser does (`url_viz/frontend/map/decode.js`)."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from url_viz.drawing.points import (
    BYTES_PER_POINT,
    COORDINATE_STEPS,
    HEADER,
    MAGIC,
    MASK_HEADER,
    MASK_MAGIC,
    NO_CATEGORY,
    NO_VALUE,
    VALUE_STEPS,
    Floats,
    Points,
)


def decode_points(data: bytes) -> Points:
    """The points in such bytes, to the precision of their steps."""
    magic, n, x_min, x_max, y_min, y_max = HEADER.unpack_from(data)
    assert (magic, len(data)) == (MAGIC, HEADER.size + BYTES_PER_POINT * n)
    ids, x, y, category, value, size = _blocks(data, n)
    return Points(
        ids=ids.astype(np.int64),
        x=_restored(x, x_min, x_max),
        y=_restored(y, y_min, y_max),
        value=_percentiles(value),
        category=np.where(category == NO_CATEGORY, -1, category.astype(np.int32)).astype(np.int32),
        size=_percentiles(size),
    )


def decode_mask(data: bytes) -> NDArray[np.bool_]:
    """The mask (N,) in such bytes."""
    magic, n, _ = MASK_HEADER.unpack_from(data)
    assert (magic, len(data)) == (MASK_MAGIC, MASK_HEADER.size + (n + 7) // 8)
    bits = np.frombuffer(data, np.uint8, offset=MASK_HEADER.size)
    return np.unpackbits(bits, count=n, bitorder="little").astype(bool)


def _restored(steps: NDArray[np.uint16], low: float, high: float) -> Floats:
    values: Floats = (low + steps.astype(np.float64) * ((high - low) / COORDINATE_STEPS)).astype(np.float32)
    return values


def _percentiles(steps: NDArray[np.uint8]) -> Floats:
    percentiles: Floats = np.where(steps == NO_VALUE, np.nan, steps * (100 / VALUE_STEPS)).astype(np.float32)
    return percentiles


def _blocks(data: bytes, n: int) -> Iterator[NDArray[Any]]:
    """The six arrays behind the header, in their order."""
    offset = HEADER.size
    for kind in ("<i8", "<u2", "<u2", "<u2", "u1", "u1"):
        yield np.frombuffer(data, dtype=kind, count=n, offset=offset)
        offset += n * np.dtype(kind).itemsize
