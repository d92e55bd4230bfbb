"""A heat map as a picture: orange where uncertainty comes from, blue where it is eased, else transparent."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from url_viz.analysis.heat import Heat

RAISES = (213, 94, 0)
LOWERS = (0, 114, 178)
"""Vermilion and blue of Okabe and Ito's palette, which tell apart for nearly everybody."""
MOST_OPAQUE = 0.7
OVERLAY_PX = 256
FAINT = 0.1
"""Share of the value: a part that changes it by less is drawn the fainter, the less it does."""
LITTLE = 0.02
"""Share of the value: below it, no part can be said to matter."""


def overlay(heat: Heat, *, size_px: int = OVERLAY_PX) -> Image.Image:
    """RGBA of the part that the model sees (`heat.box`): the stronger the effect, the less transparent."""
    smooth = Image.fromarray(_scaled(heat)).resize((size_px, size_px), Image.Resampling.BICUBIC)
    values = np.clip(np.asarray(smooth), -1, 1)
    colours = np.where((values > 0)[..., None], RAISES, LOWERS)
    alpha = np.abs(values)[..., None] * (255 * MOST_OPAQUE)
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
    if fall < LITTLE:
        return (
            f"No one part of it: whatever is covered, the {heat.measure} hardly falls. It comes from the whole picture."
        )
    return (
        f"Orange parts raise the {heat.measure}: where one is covered it falls, by up to {fall:.0%} "
        f"({_place(heat)}). Blue parts lower it."
    )


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
