"""Image quality from a thumbnail: brightness, contrast, sharpness, flat areas and white borders."""

import io
import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from PIL import Image

VERSION = 1
"""Part of the name of the stored table: a new formula gets a new number, and all values are computed again."""

FAR_PX = 8
"""An edge's height is measured over this many pixels, its steepness over one: a sharp edge rises in one step."""
EDGE_QUANTILE = 0.999
"""The sharpest edges decide: a sharp subject before a soft background is not a blurred picture."""
LEAST_EDGE = 8
"""Grey levels: fainter edges count as this high, or the noise of a flat picture would look sharp."""
LEAST_STRUCTURE = 4
"""Grey levels over `FAR_PX` below which sharp and blurred cannot be distinguished."""
LEAST_SIDE_PX = 2 * FAR_PX
FLAT_LEVELS = 9
"""Grey levels that count as one flat tone: JPEG's own ripple is about as wide."""
WHITE, BLACK = 250, 5
BORDER_PX = 2


@dataclass(frozen=True)
class Quality:
    """Quality of one picture, each value 0 to 1 of the grey scale or of the picture's area.

    `brightness` is the median grey, `highlights` its 90th percentile, `contrast` the distance of the 2nd and the 98th;
    `flat_share` the largest part of the picture within `FLAT_LEVELS` grey levels; `white_share` and `black_share` the
    parts at the ends of the scale, `white_border` that of the outermost pixels. `sharpness` is how much of an edge's
    height its steepest pixel does: 1 for a step, 1 / w for a ramp of w pixels, never below 1 / `FAR_PX` by much; nan
    if it cannot be measured (flat, or fewer than 16 pixels per side).
    """

    brightness: float
    highlights: float
    contrast: float
    sharpness: float
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
    return Quality(
        brightness=middle / 255,
        highlights=high / 255,
        contrast=(highest - low) / 255,
        sharpness=sharpness(grey),
        flat_share=int(np.convolve(counts, np.ones(FLAT_LEVELS, np.int64)).max()) / grey.size,
        white_share=int(counts[WHITE:].sum()) / grey.size,
        black_share=int(counts[: BLACK + 1].sum()) / grey.size,
        white_border=_white_border(grey),
    )


def sharpness(grey: NDArray[np.uint8]) -> float:
    """Steepness of the sharpest edges over their height (see `Quality`) in a grey picture (H, W).

    One threshold on it works better across photographs, drawings and icons than one on the variance of the Laplacian,
    on that variance over the picture's variance, or on the re-blur measure of Crete et al. (2007): docs/reasons.md.
    """
    if min(grey.shape) < LEAST_SIDE_PX:
        return float("nan")
    height = _edge(grey, FAR_PX)
    return _edge(grey, 1) / max(height, LEAST_EDGE) if height >= LEAST_STRUCTURE else float("nan")


def grey_thumbnail(jpeg: bytes, *, width: int, height: int) -> Image.Image:
    """A stored thumbnail in grey, reduced to the size of the picture (`width`, `height`) if it was enlarged."""
    image = Image.open(io.BytesIO(jpeg))
    image.draft("L", None)  # decodes the luma alone
    grey = image.convert("L")
    if width < grey.width or height < grey.height:
        return grey.resize((max(1, min(width, grey.width)), max(1, min(height, grey.height))), Image.Resampling.BICUBIC)
    return grey


def _edge(grey: NDArray[np.uint8], distance: int) -> int:
    """The largest difference in grey levels between pixels at a distance, along rows and columns (a quantile).

    By bisection: eight passes of comparing bytes are several times faster than sorting them.
    """
    pairs = ((grey[:, distance:], grey[:, :-distance]), (grey[distance:], grey[:-distance]))
    differences = np.concatenate([(np.maximum(a, b) - np.minimum(a, b)).ravel() for a, b in pairs])
    most_above = len(differences) - math.ceil(EDGE_QUANTILE * len(differences))
    low, high = 0, 255
    while low < high:
        level = (low + high) // 2
        if np.count_nonzero(differences > level) <= most_above:
            high = level
        else:
            low = level + 1
    return low


def _levels(counts: NDArray[np.int64], shares: tuple[float, ...]) -> list[int]:
    """The grey levels at or below which these shares of all pixels lie."""
    upto = np.cumsum(counts)
    return [int(level) for level in np.searchsorted(upto, np.multiply(shares, upto[-1]))]


def _white_border(grey: NDArray[np.uint8]) -> float:
    rims = (grey[:BORDER_PX], grey[-BORDER_PX:], grey[:, :BORDER_PX], grey[:, -BORDER_PX:])
    return sum(np.count_nonzero(rim >= WHITE) for rim in rims) / sum(rim.size for rim in rims)
