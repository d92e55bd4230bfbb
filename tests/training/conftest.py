"""Small pictures made in memory, and one torch thread: tiny matrices lose more to threads than they win."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from url_viz.models.model import Model, load_model

torch.set_num_threads(1)


def draw(seed: int, *, blur_px: float = 0.0, size_px: int = 96) -> Image.Image:
    """A picture of coloured rectangles, its own for each seed; blurred, it is hard to tell from others."""
    generator = np.random.default_rng(seed)
    array = np.full((size_px, size_px, 3), generator.integers(60, 200, 3), np.uint8)
    for _ in range(6):
        top, left = generator.integers(0, size_px - 20, 2)
        height, width = generator.integers(10, 40, 2)
        array[top : top + height, left : left + width] = generator.integers(0, 256, 3)
    return Image.fromarray(array).filter(ImageFilter.GaussianBlur(blur_px))


def draw_folder(
    root: Path,
    count: int,
    classes: Sequence[str],
    *,
    start: int = 0,
    blur_px: Sequence[float] = (0,),
    size_px: int = 64,
) -> Path:
    """`count` pictures below `root` in class folders, the seeds from `start`; classes and blur by turns."""
    for number in range(count):
        path = root / classes[number % len(classes)] / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        draw(start + number, blur_px=blur_px[number % len(blur_px)], size_px=size_px).save(path)
    return root


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """24 pictures of two classes, in a folder with a space and a quote in its name."""
    return draw_folder(tmp_path / "my 'pictures'", 24, ("round", "square"), blur_px=(6, 0, 0), size_px=96)


@pytest.fixture(scope="session")
def model(prepared: Path) -> Model:
    """The default backbone, run exactly."""
    return load_model(precision="exact", device="cpu", workspace=prepared)
