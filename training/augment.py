"""Image augmentation as in the paper (random crop, flip, colour jitter), with optional degradations."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter

from training.config import Augmentation

ASPECTS = (3 / 4, 4 / 3)
CROP_TRIES = 10
INTERPOLATIONS = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC)
BLUR_SIGMA_PX = (0.5, 5.0)
DARKEST, LEAST_DARK = 0.05, 0.4
NOISE_SIGMA = (5.0, 50.0)
SHRINK = (2.0, 10.0)

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class View:
    """A varied picture: `pixels` (S, S, 3) uint8, and by how many halvings, rounded, it was shrunk; 0 if not."""

    pixels: NDArray[np.uint8]
    resolution: int


def draw_view(image: Image.Image, augmentation: Augmentation, *, size_px: int, generator: Generator) -> View:
    """One view of an RGB picture (PVU 3.1: crop, flip, jitter; then our degradations)."""
    box = random_box(image.width, image.height, augmentation.smallest_share, generator)
    interpolation = INTERPOLATIONS[generator.integers(len(INTERPOLATIONS))]
    view = image.resize((size_px, size_px), interpolation, box=box)
    if generator.random() < augmentation.flip:
        view = view.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    view = _jittered(view, augmentation.jitter, generator)
    resolution = 0
    if generator.random() < augmentation.downscale:
        factor = float(generator.uniform(*SHRINK))
        view, resolution = shrunk(view, factor), round(math.log2(factor))
    return View(_degraded(view, augmentation, generator), resolution)


def random_box(width: int, height: int, smallest_share: float, generator: Generator) -> Box:
    """A crop (left, top, right, bottom) in pixels, its aspect log-uniform in 3/4 to 4/3.

    Its area is `smallest_share` to all of the picture's. If none fits in ten tries, it is the middle of the picture at
    the nearest aspect.
    """
    for _ in range(CROP_TRIES):
        area = width * height * generator.uniform(smallest_share, 1)
        aspect = float(np.exp(generator.uniform(*np.log(ASPECTS))))
        w, h = round((area * aspect) ** 0.5), round((area / aspect) ** 0.5)
        if 0 < w <= width and 0 < h <= height:
            left, top = int(generator.integers(0, width - w + 1)), int(generator.integers(0, height - h + 1))
            return left, top, left + w, top + h
    aspect = min(max(width / height, ASPECTS[0]), ASPECTS[1])
    half_w, half_h = min(width, height * aspect) / 2, min(height, width / aspect) / 2
    return width / 2 - half_w, height / 2 - half_h, width / 2 + half_w, height / 2 + half_h


def _jittered(image: Image.Image, strength: float, generator: Generator) -> Image.Image:
    kinds = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)
    for index in generator.permutation(len(kinds)):
        factor = float(generator.uniform(max(0.0, 1 - strength), 1 + strength))
        image = kinds[index](image).enhance(factor)
    return image


def _degraded(image: Image.Image, augmentation: Augmentation, generator: Generator) -> NDArray[np.uint8]:
    if generator.random() < augmentation.blur:
        image = image.filter(ImageFilter.GaussianBlur(float(generator.uniform(*BLUR_SIGMA_PX))))
    array = np.asarray(image, dtype=np.uint8)
    if generator.random() < augmentation.dark:
        array = darkened(array, float(generator.uniform(DARKEST, LEAST_DARK)), generator)
    if generator.random() < augmentation.noise:
        array = noised(array, float(generator.uniform(*NOISE_SIGMA)), generator)
    return array


def shrunk(image: Image.Image, factor: float) -> Image.Image:
    """`image` scaled down by `factor` and up again: what a small file looks like."""
    small = (max(1, round(image.width / factor)), max(1, round(image.height / factor)))
    return image.resize(small, Image.Resampling.BILINEAR).resize(image.size, Image.Resampling.BILINEAR)


def darkened(array: NDArray[np.uint8], gain: float, generator: Generator) -> NDArray[np.uint8]:
    """A picture (H, W, 3) at `gain` times its light: fewer photons, so shot noise (Poisson)."""
    photons = generator.poisson(array * np.float64(gain)) / gain
    return np.clip(photons * max(gain, 0.3), 0, 255).astype(np.uint8)


def noised(array: NDArray[np.uint8], sigma: float, generator: Generator) -> NDArray[np.uint8]:
    """A picture (H, W, 3) with Gaussian noise of `sigma` grey values on each channel."""
    return np.clip(array + generator.normal(scale=sigma, size=array.shape), 0, 255).astype(np.uint8)
