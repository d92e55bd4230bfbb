"""Preprocessing for a backbone: what is seen in 8 bits, resize, centre crop, interpolation and normalisation."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from url_viz.imaging.rendering import Rendering, as_rendering

WIDEST_ASPECT = 4.0
"""A longer picture is cut to its middle before it is resized: resized as a whole it would not fit in memory."""

_INTERPOLATIONS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


@dataclass(frozen=True)
class Preprocessing:
    """The evaluation transform: short side to floor(size / crop_share), middle `size_px` square, normalised.

    `rendering` is how a set's pictures of more than 8 bits, or of many bands, are seen; None where it does not matter.
    """

    size_px: int = 224
    crop_share: float = 0.875
    interpolation: str = "bicubic"
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    rendering: Rendering | None = None

    def __post_init__(self) -> None:
        if self.interpolation not in _INTERPOLATIONS:
            raise ValueError(f"interpolation is {self.interpolation!r}; known: {', '.join(_INTERPOLATIONS)}")

    @property
    def resize_px(self) -> int:
        """The short side before the centre crop."""
        return math.floor(self.size_px / self.crop_share)

    def as_record(self) -> dict[str, object]:
        """The fields as plain values, for a file's header; without a rendering, if there is none."""
        record = dict(vars(self))
        rendering = record.pop("rendering")
        return record if rendering is None else {**record, "rendering": asdict(rendering)}

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> "Preprocessing":
        """From what `as_record` made, also through JSON."""
        rendering = as_rendering(record.get("rendering"))
        return cls(**{**record, "mean": tuple(record["mean"]), "std": tuple(record["std"]), "rendering": rendering})


AUTHORS = Preprocessing()
"""What the authors' heads were most likely trained with: ImageNet statistics, crop .875 (METHOD 1.6)."""


def resized(image: Image.Image, preprocessing: Preprocessing) -> Image.Image:
    """`image` with its short side at `resize_px`; a very long one is cut to its middle first."""
    image = _cut_long(image)
    width, height = image.size
    short = preprocessing.resize_px
    size = (short, int(short * height / width)) if width <= height else (int(short * width / height), short)
    if size == image.size:
        return image
    return image.resize(size, _INTERPOLATIONS[preprocessing.interpolation])


def middle(image: Image.Image, size_px: int) -> NDArray[np.uint8]:
    """The middle square of a resized picture: (size, size, 3) uint8."""
    left, top = (round((side - size_px) / 2) for side in image.size)
    return np.asarray(image.crop((left, top, left + size_px, top + size_px)), dtype=np.uint8)


def normalised(crops: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.float32]:
    """Crops (B, H, W, 3) uint8 → pixels (B, 3, H, W) float32 as the backbone was trained on."""
    mean = np.asarray(preprocessing.mean, np.float32) * 255
    std = np.asarray(preprocessing.std, np.float32) * 255
    return np.ascontiguousarray(((crops.astype(np.float32) - mean) / std).transpose(0, 3, 1, 2))


def _cut_long(image: Image.Image) -> Image.Image:
    short, long = sorted(image.size)
    keep = max(1, round(short * WIDEST_ASPECT))
    if long <= keep:
        return image
    start = (long - keep) // 2
    is_wide = image.width > image.height
    return image.crop((start, 0, start + keep, short) if is_wide else (0, start, short, start + keep))
