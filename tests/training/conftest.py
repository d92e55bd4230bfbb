"""Small pictures made in memory, and one torch thread: tiny matrices lose more to threads than they win."""

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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """24 pictures of two classes, in a folder with a space and a quote in its name."""
    root = tmp_path / "my 'pictures'"
    for i in range(24):
        path = root / ("square" if i % 2 else "round") / f"{i:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        draw(i, blur_px=6.0 if i % 3 == 0 else 0.0).save(path)
    return root


@pytest.fixture(scope="session")
def model(prepared: Path) -> Model:
    """The default backbone, run exactly."""
    return load_model(precision="exact", device="cpu", workspace=prepared)
