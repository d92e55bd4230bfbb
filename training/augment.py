"""Image augmentation as in the paper (random crop, flip, colour jitter), with optional degradations."""

import math

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter

from training.config import Augmentation

VIEW_RESOLUTION = 2
"""Pictures are decoded at this multiple of the backbone's short side, since a view may show a small part."""
ASPECTS = (3 / 4, 4 / 3)
CROP_TRIES = 10
INTERPOLATIONS = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC)
JITTERED = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)
BLUR_SIGMA_PX = (0.5, 5.0)
DARKEST, LEAST_DARK = 0.05, 0.4
NOISE_SIGMA = (5.0, 50.0)
SHRINK = (2.0, 10.0)

Box = tuple[float, float, float, float]


def draw_view(
    image: Image.Image, augmentation: Augmentation, *, size_px: int, generator: Generator
) -> tuple[NDArray[np.uint8], int]:
    """A view (S, S, 3) of an RGB picture (PVU 3.1: crop, flip, jitter; then our degradations).

    With it by how many halvings, rounded, it was shrunk; 0 if not.
    """
    box = random_box(image.width, image.height, augmentation.smallest_share, generator)
    interpolation = INTERPOLATIONS[generator.integers(len(INTERPOLATIONS))]
    view = image.resize((size_px, size_px), interpolation, box=box)
    if generator.random() < augmentation.flip:
        view = view.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    for index in generator.permutation(len(JITTERED)):
        factor = float(generator.uniform(max(0.0, 1 - augmentation.jitter), 1 + augmentation.jitter))
        view = JITTERED[index](view).enhance(factor)
    halvings = 0
    if generator.random() < augmentation.downscale:
        factor = float(generator.uniform(*SHRINK))
        view, halvings = shrunk(view, factor), round(math.log2(factor))
    return _degraded(view, augmentation, generator), halvings


def random_box(width: int, height: int, smallest_share: float, generator: Generator) -> Box:
    """A crop (left, top, right, bottom) in pixels: `smallest_share` to all of the area, its aspect log-uniform.

    If none fits in ten tries, it is the middle of the picture at the nearest aspect.
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
    """The image scaled down by `factor` and up again, as a small file looks."""
    small = (max(1, round(image.width / factor)), max(1, round(image.height / factor)))
    return image.resize(small, Image.Resampling.BILINEAR).resize(image.size, Image.Resampling.BILINEAR)


def darkened(array: NDArray[np.uint8], gain: float, generator: Generator) -> NDArray[np.uint8]:
    """A picture (H, W, 3) at `gain` times its light, with the shot noise (Poisson) of fewer photons."""
    photons = generator.poisson(array * np.float64(gain)) / gain
    return np.clip(photons * max(gain, 0.3), 0, 255).astype(np.uint8)


def noised(array: NDArray[np.uint8], sigma: float, generator: Generator) -> NDArray[np.uint8]:
    """A picture (H, W, 3) with Gaussian noise of `sigma` grey values on each channel."""
    return np.clip(array + generator.normal(scale=sigma, size=array.shape), 0, 255).astype(np.uint8)
