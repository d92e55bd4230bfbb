"""Occlusion maps: which parts of a picture raise its uncertainty, found by covering them, and drawn over it."""

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


RAISES = (213, 94, 0)
LOWERS = (0, 114, 178)
"""Vermilion and blue of Okabe and Ito's palette, which tell apart for nearly everybody."""
MOST_OPAQUE = 0.7
OVERLAY_PX = 256
FAINT = 0.1
"""Share of the value: a part that changes it by less is drawn the fainter, the less it does."""
DRAWN_FROM = 0.4
"""Share of the strongest effect: weaker ones are not drawn."""
LITTLE = 0.02
"""Share of the value: below it, no part can be said to matter."""


def overlay(heat: Heat, *, size_px: int = OVERLAY_PX) -> Image.Image:
    """RGBA of the part that the model sees (`heat.box`): the stronger the effect, the less transparent.

    Effects below `DRAWN_FROM` are left out: a veil over most of a picture would not say where.
    """
    smooth = Image.fromarray(_scaled(heat)).resize((size_px, size_px), Image.Resampling.BICUBIC)
    values = np.clip(np.asarray(smooth), -1, 1)
    colours = np.where((values > 0)[..., None], RAISES, LOWERS)
    drawn = np.clip((np.abs(values)[..., None] - DRAWN_FROM) / (1 - DRAWN_FROM), 0, 1)
    alpha = drawn * (255 * MOST_OPAQUE)
    return Image.fromarray(np.concatenate([colours, alpha], axis=2).round().astype(np.uint8))


def over(picture: Image.Image, heat: Heat) -> Image.Image:
    """The upright picture, greyed a little so that colours tell, with its heat map over it (RGB)."""
    left, top, right, bottom = heat.box
    width, height = picture.size
    corner, end = (round(left * width), round(top * height)), (round(right * width), round(bottom * height))
    whole = Image.blend(picture.convert("RGB"), picture.convert("L").convert("RGB"), 0.6)
    layer = overlay(heat).resize((max(1, end[0] - corner[0]), max(1, end[1] - corner[1])), Image.Resampling.BICUBIC)
    whole.paste(layer.convert("RGB"), corner, layer.getchannel("A"))
    return whole


def in_words(heat: Heat) -> str:
    """What the map means, and where it is strongest, in two sentences."""
    fall = float(heat.values.max()) / heat.base if heat.base > 0 else 0.0
    rise = -float(heat.values.min()) / heat.base if heat.base > 0 else 0.0
    lowers = " Blue parts lower it." if rise >= LITTLE else ""
    if fall < LITTLE:
        whole = f"No one part of it: whatever is covered, the {heat.measure} hardly falls."
        return f"{whole} It comes from the whole picture.{lowers}"
    falls = f"where one is covered it falls, by up to {fall:.0%} ({_place(heat)})"
    return f"Orange parts raise the {heat.measure}: {falls}.{lowers}"


def _scaled(heat: Heat) -> NDArray[np.float32]:
    """−1 to 1, where the strongest effect stays faint in a map of next to none."""
    most = max(float(np.abs(heat.values).max()), FAINT * abs(heat.base), 1e-12)
    return heat.values / np.float32(most)


def _place(heat: Heat) -> str:
    """Where the strongest part is, in words: `at the top left`."""
    thirds = [
        names[min(2, int(3 * (place + 0.5) / count))]
        for place, count, names in zip(
            heat.highest, heat.values.shape, (("top", "", "bottom"), ("left", "", "right")), strict=True
        )
    ]
    return f"at the {' '.join(filter(None, thirds))}" if any(thirds) else "in the middle"
