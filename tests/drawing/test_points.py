"""The map's bytes keep what the map needs, and the sample keeps the extremes."""

import struct
from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.drawing.decoded_points import decode_mask, decode_points
from url_viz.drawing.assets import WIRE
from url_viz.drawing.points import (
    BYTES_PER_POINT,
    HEADER,
    MASK_HEADER,
    Points,
    drawn_sample,
    encode_mask,
    encode_points,
)
from url_viz.pictures.map_figure import STYLES, Style
from url_viz.store.decisions.decision_rows import DECISIONS


def points_of(n: int, *, seed: int = 0) -> Points:
    random = np.random.default_rng(seed)
    return Points(
        ids=random.integers(0, 2**63 - 1, size=n, dtype=np.int64),
        x=random.normal(3, 5, n).astype(np.float32),
        y=random.normal(-70, 0.1, n).astype(np.float32),
        value=(np.arange(n) * 100 / max(1, n - 1)).astype(np.float32),
        category=random.integers(-1, 40, n).astype(np.int32),
        size=np.where(np.arange(n) % 3 == 1, np.nan, np.linspace(100, 0, n)).astype(np.float32),
    )


@pytest.mark.parametrize("n", [0, 1, 7])
def test_points_come_back_within_half_a_step(n: int) -> None:
    points = points_of(n)
    data = encode_points(points)
    back = decode_points(data)
    assert len(data) == HEADER.size + BYTES_PER_POINT * n
    np.testing.assert_array_equal(back.ids, points.ids)
    np.testing.assert_array_equal(back.category, points.category)
    np.testing.assert_allclose(back.value, points.value, atol=0.5 / 2.54 + 1e-4)
    np.testing.assert_allclose(back.size, points.size, atol=0.5 / 2.54 + 1e-4)
    for axis in ("x", "y"):
        values = getattr(points, axis)
        step = np.ptp(values) / 65535 if n else 0
        np.testing.assert_allclose(getattr(back, axis), values, atol=0.5 * step + 1e-5)


def test_the_bytes_are_the_ones_the_browser_reads() -> None:
    two = Points(
        ids=np.array([7, 2**62 + 1]),
        x=np.array([-1, 1], dtype=np.float32),
        y=np.array([5, 5], dtype=np.float32),
        value=np.array([100, np.nan], dtype=np.float32),
        category=np.array([-1, 258], dtype=np.int32),
        size=np.array([np.nan, 50], dtype=np.float32),
    )
    header = b"UVM3" + struct.pack("<Iffff", 2, -1, 1, 5, 5) + bytes(8)
    body = struct.pack("<qqHHHHHHBBBB", 7, 2**62 + 1, 0, 65535, 0, 0, 65535, 258, 254, 255, 255, 127)
    assert encode_points(two) == header + body


def test_what_both_sides_read_is_what_python_packs_and_knows() -> None:
    """The layout, styles and decisions are types in Python, so they stand there once more."""
    assert WIRE["points"]["header_bytes"] == HEADER.size
    assert WIRE["mask"]["header_bytes"] == MASK_HEADER.size
    assert tuple(WIRE["styles"]) == STYLES == get_args(Style)
    assert tuple(WIRE["decisions"]) == DECISIONS


def ramp(n: int) -> NDArray[np.float32]:
    return points_of(n).value


def test_the_sample_keeps_the_extremes_and_spreads_the_rest() -> None:
    rows = drawn_sample(ramp(10_000), 1_000)
    np.testing.assert_array_equal(rows, drawn_sample(ramp(10_000), 1_000))
    assert len(rows) == 1_000
    assert (np.diff(rows) > 0).all()
    assert set(range(100)) | set(range(9_900, 10_000)) <= set(rows.tolist())
    rest = rows[(rows >= 100) & (rows < 9_900)]
    counts = np.histogram(rest, bins=8, range=(100, 9_900))[0]
    assert (abs(counts - 100) < 45).all()


def test_the_sample_is_never_more_than_its_limit_and_needs_no_values() -> None:
    for n, limit, drawn in ((10, 10, 10), (10, 50, 10), (1_000, 3, 3), (1_000, 0, 0), (0, 5, 0)):
        assert len(drawn_sample(ramp(n), limit)) == drawn
    assert len(drawn_sample(np.full(100, np.nan, np.float32), 10)) == 10


def test_a_mask_is_one_bit_a_point_in_their_order_in_the_bytes_that_the_browser_reads() -> None:
    ids = np.array([2**62, 5, 9, 1, 2, 3, 4, 6, 7])
    mask = encode_mask(ids, np.array([7, 5, 123, 2**62]))
    mixed = 2**62 ^ 5 ^ 9 ^ 1 ^ 2 ^ 3 ^ 4 ^ 6 ^ 7
    assert mask == b"UVB1" + struct.pack("<Iq", 9, mixed) + bytes([0b00000011, 0b00000001])
    for n in (0, 7, 8, 9):
        random, ids = np.random.default_rng(n), points_of(n).ids
        is_kept = random.random(n) < 0.3
        assert decode_mask(encode_mask(ids, random.permutation(ids[is_kept]))).tolist() == is_kept.tolist()
