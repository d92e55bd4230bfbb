"""Where in a picture does its uncertainty come from? Cover one part after another, and see whether it falls."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from url_viz.imaging.preprocess import Preprocessing
from url_viz.imaging.read import Picture
from url_viz.models.model import Model
from url_viz.models.runtime import Outputs

GRID = 6
"""Cells along a side: 36 forward passes."""
REACH = 1.0
"""A cover reaches so many cells beyond its own: neighbouring covers overlap, and each hides enough to matter."""
BLUR_SHARE = 0.125
"""Radius of the blur that covers, as a share of the side; found planted parts best (docs/reasons.md)."""
BATCH = 16


@dataclass(frozen=True)
class Heat:
    """How much covering each part of a picture lowers its uncertainty.

    `values` (G, G) float32, rows from the top: positive where the part raises the uncertainty (it falls when the part
    is covered), negative where the part lowers it. `base` is the value of the whole picture; `measure` says of what:
    "uncertainty", or "entropy" (nats) where the model has no head. `box` is the part of the upright picture that the
    model sees, left, top, right, bottom as shares of its width and height.
    """

    values: NDArray[np.float32]
    base: float
    measure: str
    box: tuple[float, float, float, float]

    def __post_init__(self) -> None:
        assert self.values.ndim == 2

    @property
    def highest(self) -> tuple[int, int]:
        """Row and column of the part that raises it most."""
        row, column = np.unravel_index(int(self.values.argmax()), self.values.shape)
        return int(row), int(column)


def heat_of(model: Model, picture: Picture, *, grid: int = GRID) -> Heat:
    """The heat map of a picture that was read: occlusion, by a blur of what is there, through whatever runs the model.

    A gradient would take one backward pass, but OpenVINO has none, and a map should not depend on where a model runs.
    """
    values = np.concatenate([_values(model, batch) for batch in _covered(picture.crop, grid)])
    base = float(_values(model, picture.crop[None])[0])
    falls = (base - values).reshape(grid, grid).astype(np.float32)
    box = seen_box((picture.width, picture.height), model.space.preprocessing)
    return Heat(falls, base, "uncertainty" if model.head else "entropy", box)


def seen_box(size: tuple[int, int], sheet: Preprocessing) -> tuple[float, float, float, float]:
    """The part of an upright picture of (width, height) that a backbone sees, as `Heat.box`: the middle square."""
    side = sheet.size_px / sheet.resize_px * min(size)
    wide, high = (min(1.0, side / length) for length in size)
    return (1 - wide) / 2, (1 - high) / 2, (1 + wide) / 2, (1 + high) / 2


def _covered(crop: NDArray[np.uint8], grid: int) -> Iterator[NDArray[np.uint8]]:
    """The crop with each cell of the grid covered, row by row, in batches (B, S, S, 3)."""
    side = len(crop)
    cover = np.asarray(Image.fromarray(crop).filter(ImageFilter.GaussianBlur(BLUR_SHARE * side)))
    edges = np.linspace(0, side, grid + 1)
    low = np.maximum(0, edges[:-1] - REACH * side / grid).round().astype(int)
    high = np.minimum(side, edges[1:] + REACH * side / grid).round().astype(int)
    cells = [(row, column) for row in range(grid) for column in range(grid)]
    for start in range(0, len(cells), BATCH):
        batch = np.repeat(crop[None], len(cells[start : start + BATCH]), axis=0)
        for picture, (row, column) in zip(batch, cells[start : start + BATCH], strict=True):
            part = slice(low[row], high[row]), slice(low[column], high[column])
            picture[part] = cover[part]
        yield batch


def _values(model: Model, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    outputs: Outputs = model.run(crops)
    return model.uncertainty(outputs.embedding) if model.head else outputs.entropy
