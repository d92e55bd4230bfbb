"""Photographs made worse by a known amount: out of focus, smeared by motion, noise, crop, low light, JPEG."""

import io
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.signal import fftconvolve

Kernel = NDArray[np.float64]
FINER = 8
"""Kernels are drawn so many times finer than a pixel."""


@dataclass(frozen=True)
class Spoiling:
    """One way to make a picture worse: `strengths`, the weakest first, in `unit`; `made` does it, by a seeded rng.

    `reason` is the name of the reason that fits such a picture, if there is one.
    """

    strengths: tuple[float, ...]
    unit: str
    made: Callable[[Image.Image, float, np.random.Generator], Image.Image]
    reason: str | None = None


def out_of_focus(image: Image.Image, radius: float, rng: np.random.Generator) -> Image.Image:
    """Spread over a disc, whose radius is a fraction of the long side."""
    return _spread(image, disc(radius * max(image.size)))


def in_motion(image: Image.Image, length: float, rng: np.random.Generator) -> Image.Image:
    """Spread along a straight line in a random direction; its length is a fraction of the long side."""
    return _spread(image, line(length * max(image.size), rng.uniform(0, math.pi)))


def with_noise(image: Image.Image, deviation: float, rng: np.random.Generator) -> Image.Image:
    """Normal noise on each pixel and colour, of this standard deviation as a fraction of the scale."""
    values = np.asarray(image.convert("RGB"), np.float32)
    return _image(values + rng.normal(0, 255 * deviation, values.shape))


def cropped(image: Image.Image, share: float, rng: np.random.Generator) -> Image.Image:
    """A part at a random position, with this fraction of either side, not resized."""
    width, height = (max(1, round(share * side)) for side in image.size)
    left = int(rng.integers(0, image.width - width + 1))
    top = int(rng.integers(0, image.height - height + 1))
    return image.crop((left, top, left + width, top + height))


def in_low_light(image: Image.Image, light: float, rng: np.random.Generator) -> Image.Image:
    """Every value times this fraction."""
    return _image(np.asarray(image.convert("RGB"), np.float32) * light)


def as_jpeg(image: Image.Image, quality: float, rng: np.random.Generator) -> Image.Image:
    """Saved at this quality, and read again."""
    file = io.BytesIO()
    image.convert("RGB").save(file, "JPEG", quality=round(quality))
    return Image.open(file).convert("RGB")


SPOILINGS: Mapping[str, Spoiling] = {
    "out of focus": Spoiling((0.005, 0.01, 0.02, 0.03, 0.05), "radius / long side", out_of_focus, "blurred"),
    "motion": Spoiling((0.02, 0.03, 0.045, 0.07, 0.1), "length / long side", in_motion, "motion blur"),
    "noise": Spoiling((0.04, 0.08, 0.15, 0.25, 0.4), "deviation / scale", with_noise),
    "crop": Spoiling((0.8, 0.6, 0.4, 0.3, 0.2), "side kept", cropped),
    "low light": Spoiling((0.6, 0.4, 0.25, 0.15, 0.08), "light left", in_low_light, "dark"),
    "JPEG": Spoiling((50, 30, 15, 8, 4), "quality", as_jpeg),
}


def disc(radius_px: float) -> Kernel:
    """A round kernel, what a point becomes out of focus; sums to one."""
    reach = math.ceil(radius_px) + 1
    side = 2 * reach + 1
    place = (np.arange(side * FINER) + 0.5) / FINER - side / 2
    is_inside = np.hypot(place[:, None], place[None]) <= max(radius_px, 0.5)
    kernel = is_inside.reshape(side, FINER, side, FINER).mean(axis=(1, 3))
    return np.asarray(kernel / kernel.sum())


def line(length_px: float, angle: float) -> Kernel:
    """A straight kernel, what a point becomes as the camera moves on evenly; sums to one. `angle` in radians."""
    reach = math.ceil(length_px / 2) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    along = length_px * np.linspace(-0.5, 0.5, max(2, math.ceil(length_px * FINER)))
    x, y = reach + along * math.cos(angle), reach + along * math.sin(angle)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    for right, x_share in ((0, 1 - (x - left)), (1, x - left)):
        for down, y_share in ((0, 1 - (y - top)), (1, y - top)):
            np.add.at(kernel, (top + down, left + right), x_share * y_share)
    return np.asarray(kernel / kernel.sum())


def _spread(image: Image.Image, kernel: Kernel) -> Image.Image:
    reach = len(kernel) // 2
    values = np.asarray(image.convert("RGB"), np.float64)
    padded = np.pad(values, ((reach, reach), (reach, reach), (0, 0)), mode="symmetric")
    return _image(fftconvolve(padded, kernel[:, :, None], mode="valid", axes=(0, 1)))


def _image(values: NDArray[np.floating]) -> Image.Image:
    return Image.fromarray(np.clip(values + 0.5, 0, 255).astype(np.uint8))
