"""Quality of a thumbnail (brightness, contrast, sharpness, flat areas, borders), and its perceptual hash."""

import io
import math
from dataclasses import astuple, dataclass, fields
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

QUALITY_VERSION = 2
"""Part of the name of the stored table: a new formula gets a new number, and all values are computed again."""

DIRECTIONS = ((0, 1, 3), (1, 1, 2), (1, 0, 3), (1, -1, 2))
"""A step down and to the right, and the steps on either side of a pixel: 6 pixels along rows and columns, 5.7 along
diagonals. An edge's height is measured over them all, its steepness over one: a sharp edge rises in one step."""
STRIDE_PX = 2
"""Edges are sought at every second pixel of every second row: they are long, and this takes half the time."""
HIGH_QUANTILE, EDGE_SHARE = 0.99, 0.4
"""An edge is at least this fraction of the 99th percentile of the picture's differences …"""
LEAST_EDGE = 8
"""… and at least this many grey levels: below, sharp and blurred cannot be distinguished."""
DIRECTION_SHARE, FEWEST_EDGES = 0.1, 24
"""A direction is measured if this fraction of the edges, and this many, rise along it: a horizon has none along it."""
SHARPEST = 0.9
"""The quantile of edges that represents a direction: a sharp subject before a soft background is sharp."""
LEAST_SIDE_PX = 16
FLAT_LEVELS = 9
"""Grey levels that count as one flat tone: JPEG's own ripple is about as wide."""
WHITE, BLACK = 250, 5
BORDER_PX = 2
INNER_PX = max(reach for _, _, reach in DIRECTIONS)


@dataclass(frozen=True)
class Quality:
    """Quality of one picture, each value 0 to 1 of the grey scale or of the picture's area.

    `brightness` is the median grey, `highlights` its 90th percentile, `contrast` the distance of the 2nd and the 98th;
    `flat_share` the largest part of the picture within `FLAT_LEVELS` grey levels; `white_share` and `black_share` the
    parts at the ends of the scale, `white_border` that of the outermost pixels. `sharpness` is how much of its height
    over 6 pixels an edge rises in its steepest one, of the sharpest edges of the sharpest direction: 1 for a step, .71
    for one along a diagonal; `least_sharpness` is that of the least sharp direction, `sharpness_across` that of the
    direction at right angles to it. All three are nan if they cannot be measured (flat, or fewer than 16 pixels per
    side), the last one also if there are too few edges.
    """

    brightness: float
    highlights: float
    contrast: float
    sharpness: float
    least_sharpness: float
    sharpness_across: float
    flat_share: float
    white_share: float
    black_share: float
    white_border: float


QUALITIES = tuple(field.name for field in fields(Quality))


def quality_of_image(image: Image.Image) -> Quality:
    """Measure an upright picture of thumbnail size, at most 256 px and not enlarged; colours count by their luma."""
    luma = image if image.mode == "L" else image.convert("L")
    grey, counts = np.asarray(luma), np.array(luma.histogram())
    low, middle, high, highest = _levels(counts, (0.02, 0.5, 0.9, 0.98))
    sharpness = sharpness_of(grey)
    rims = (grey[:BORDER_PX], grey[-BORDER_PX:], grey[:, :BORDER_PX], grey[:, -BORDER_PX:])
    return Quality(
        brightness=middle / 255,
        highlights=high / 255,
        contrast=(highest - low) / 255,
        sharpness=sharpness.most,
        least_sharpness=sharpness.least,
        sharpness_across=sharpness.across,
        flat_share=int(np.convolve(counts, np.ones(FLAT_LEVELS, np.int64)).max()) / grey.size,
        white_share=int(counts[WHITE:].sum()) / grey.size,
        black_share=int(counts[: BLACK + 1].sum()) / grey.size,
        white_border=sum(np.count_nonzero(rim >= WHITE) for rim in rims) / sum(rim.size for rim in rims),
    )


class Sharpness(NamedTuple):
    """Sharpness (see `Quality`) of the sharpest direction, of the least sharp one, and at right angles to that."""

    most: float
    least: float
    across: float


def sharpness_of(grey: NDArray[np.uint8]) -> Sharpness:
    """The sharpness of a grey picture (H, W).

    Motion of the camera or the subject blurs edges along its direction and leaves those across it sharp, so the least
    sharp direction shows what the sharpest one hides. What else was tried: experiments/README.md.
    """
    values = sharpness_by_direction(grey)
    if np.isnan(values).all():
        return Sharpness(math.nan, math.nan, math.nan)
    least = int(np.nanargmin(values))
    return Sharpness(float(np.nanmax(values)), values[least], values[(least + 2) % len(values)])


def sharpness_by_direction(grey: NDArray[np.uint8]) -> list[float]:
    """The sharpness of the edges that rise along each of DIRECTIONS; nan where there are too few."""
    if min(grey.shape) < LEAST_SIDE_PX:
        return [math.nan] * len(DIRECTIONS)
    rises = [_rise(grey, *direction) for direction in DIRECTIONS]
    highest = np.maximum.reduce(rises)
    (high,) = _levels(np.array(Image.fromarray(highest).histogram()), (HIGH_QUANTILE,))
    edges = np.flatnonzero(highest >= max(LEAST_EDGE, math.ceil(EDGE_SHARE * high)))
    height, left = highest.ravel()[edges], np.ones(len(edges), bool)
    values = []
    for direction, rise in zip(DIRECTIONS, rises, strict=True):
        is_along = left & (rise.ravel()[edges] == height)  # an edge counts for the first of its steepest directions
        left &= ~is_along
        values.append(_sharpest(grey, direction, edges[is_along], height[is_along], len(edges)))
    return values


def grey_thumbnail(jpeg: bytes, width: int, height: int) -> Image.Image:
    """A stored thumbnail in grey, reduced to the size of its picture if that is smaller."""
    image = Image.open(io.BytesIO(jpeg))
    image.draft("L", None)  # decodes the luma alone
    grey = image.convert("L")
    if width < grey.width or height < grey.height:
        return grey.resize((max(1, min(width, grey.width)), max(1, min(height, grey.height))), Image.Resampling.BICUBIC)
    return grey


@dataclass(frozen=True)
class Assessment:
    """What a thumbnail says of its picture: its quality, and its perceptual hash (WORDS,)."""

    quality: Quality
    hashes: "Hashes"

    def as_bytes(self) -> bytes:
        """ASSESSMENT_BYTES, from which `from_bytes` makes the same values."""
        return np.array(astuple(self.quality), np.float64).tobytes() + self.hashes.tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Assessment":
        """The assessment of which these are the bytes."""
        values = np.frombuffer(data, np.float64, len(QUALITIES)).tolist()
        return cls(Quality(*values), np.frombuffer(data, np.uint64, WORDS, 8 * len(QUALITIES)))


def assess(thumbnail: bytes, *, width: int, height: int) -> Assessment:
    """Measure a thumbnail as it is stored, a JPEG, of a picture of this size."""
    grey = grey_thumbnail(thumbnail, width, height)
    return Assessment(quality_of_image(grey), perceptual_hash(grey))


def _rise(grey: NDArray[np.uint8], down: int, right: int, reach: int) -> NDArray[np.uint8]:
    """The difference over `reach` steps to either side, at every second inner pixel of every second row."""
    before, after = (_shifted(grey, side * reach * down, side * reach * right) for side in (-1, 1))
    return np.maximum(before, after) - np.minimum(before, after)


def _shifted(grey: NDArray[np.uint8], down: int, right: int) -> NDArray[np.uint8]:
    height, width = grey.shape
    rows = slice(INNER_PX + down, height - INNER_PX + down, STRIDE_PX)
    return grey[rows, INNER_PX + right : width - INNER_PX + right : STRIDE_PX]


def _sharpest(
    grey: NDArray[np.uint8],
    direction: tuple[int, int, int],
    edges: NDArray[np.int64],
    height: NDArray[np.uint8],
    total: int,
) -> float:
    """The steepest step over the height, per pixel, of the sharpest of these edges; positions as of `_rise`."""
    if len(edges) < max(FEWEST_EDGES, DIRECTION_SHARE * total):
        return math.nan
    down, right, reach = direction
    width = grey.shape[1]
    row, column = np.divmod(edges, len(range(INNER_PX, width - INNER_PX, STRIDE_PX)))
    centre, step, flat = (row * width + column) * STRIDE_PX + INNER_PX * (width + 1), down * width + right, grey.ravel()
    steepest, before = np.zeros(len(edges), np.uint8), flat[centre - reach * step]
    for steps in range(1 - reach, reach + 1):
        after = flat[centre + steps * step]
        np.maximum(steepest, np.maximum(before, after) - np.minimum(before, after), out=steepest)
        before = after
    sharpness = np.minimum(steepest / height, 1) / math.hypot(down, right)
    index = math.ceil(SHARPEST * len(sharpness)) - 1
    return float(np.partition(sharpness, index)[index])


def _levels(counts: NDArray[np.int64], shares: tuple[float, ...]) -> list[int]:
    """The grey levels at or below which these shares of all pixels lie."""
    upto = np.cumsum(counts)
    return [int(level) for level in np.searchsorted(upto, np.multiply(shares, upto[-1]))]


HASH_VERSION = 1
"""Part of the name of the stored table: a new formula gets a new number, and all hashes are made again."""

SIDE, LOWEST, BLOCK = 32, 16, 8
"""The picture is resized to 32 × 32; of its frequencies the lowest 16 × 16 count, and the lowest 8 × 8 come first."""
INNER = 0.92
"""The fraction of width and height of the inner part, which a border, or a crop from all sides, leaves intact."""
LEAST_HASHED_SIDE_PX = 16
LEAST_SIZE = 0.5
"""A frequency of this many grey levels (orthonormal) is more than rounding …"""
FEWEST = 128
"""… and a picture with fewer of them is as good as blank: its signs are chance, and it has no hash."""
WORDS = 8
"""Of 64 bits: four of the whole picture, then four of the inner part."""
ASSESSMENT_BYTES = 8 * (len(QUALITIES) + WORDS)

Hashes = NDArray[np.uint64]
"""(N, WORDS), a row of zeros for a picture without a hash."""


def _lowest_first() -> NDArray[np.int64]:
    down, right = np.divmod(np.arange(LOWEST * LOWEST), LOWEST)
    return np.argsort((down >= BLOCK) | (right >= BLOCK), kind="stable")


def _waves() -> NDArray[np.float32]:
    """The lowest waves (LOWEST, SIDE) of the orthonormal discrete cosine transform (DCT-II) of SIDE cells."""
    phase = (np.arange(SIDE) + 0.5) * np.pi / SIDE
    waves: NDArray[np.float32] = (np.cos(np.arange(LOWEST)[:, None] * phase) * (2 / SIDE) ** 0.5).astype(np.float32)
    waves[0] /= 2**0.5
    return waves


_ORDER, _WAVES = _lowest_first(), _waves()


def _words(bits: NDArray[np.bool_]) -> Hashes:
    return np.ascontiguousarray(np.packbits(bits, axis=-1)).view(np.uint64).ravel()


MIRRORED: Hashes = _words(np.tile(_ORDER % 2 == 1, (2, 1)))
"""The bits (WORDS,) that mirroring left and right flips: those of the odd frequencies along rows."""


def perceptual_hash(grey: Image.Image) -> Hashes:
    """The hash (WORDS,) of a grey picture of thumbnail size; zeros if it has too little structure for one."""
    nothing = np.zeros(WORDS, np.uint64)
    if min(grey.size) < LEAST_HASHED_SIDE_PX:
        return nothing
    cells = np.stack([_cells(grey, fraction) for fraction in (1, INNER)])
    frequency = (_WAVES @ cells @ _WAVES.T).reshape(2, -1)[:, _ORDER]
    frequency[:, 0] = 0  # the mean, which says nothing
    if np.count_nonzero(np.abs(frequency[0]) >= LEAST_SIZE) < FEWEST:
        return nothing
    return _words(frequency > 0)


def _cells(grey: Image.Image, fraction: float) -> NDArray[np.float32]:
    """The middle of a picture, this fraction of its width and height, as SIDE × SIDE cells."""
    (width, height), rim = grey.size, (1 - fraction) / 2
    box = (rim * width, rim * height, (1 - rim) * width, (1 - rim) * height)
    return np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=box), np.float32)
