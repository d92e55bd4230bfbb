"""The perceptual hash of a picture: the signs of its lowest frequencies, which survive saving it again."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

VERSION = 1
"""Part of the name of the stored table: a new formula gets a new number, and all hashes are made again."""

SIDE, LOWEST, BLOCK = 32, 16, 8
"""The picture is resized to 32 × 32; of its frequencies the lowest 16 × 16 count, and the lowest 8 × 8 come first."""
INNER = 0.92
"""The fraction of width and height of the inner part, which a border, or a crop from all sides, leaves intact."""
LEAST_SIDE_PX = 16
LEAST_SIZE = 0.5
"""A frequency of this many grey levels (orthonormal) is more than rounding …"""
FEWEST = 128
"""… and a picture with fewer of them is as good as blank: its signs are chance, and it has no hash."""
WORDS = 8
"""Of 64 bits: four of the whole picture, then four of the inner part."""

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
    if min(grey.size) < LEAST_SIDE_PX:
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
