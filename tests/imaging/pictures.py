"""Pictures made in memory for tests: seeded, small, and different from each other."""

import io
import os
from collections.abc import Container
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from url_viz.imaging.decode import Preprocessing, read_file
from url_viz.imaging.workers import DecodeResult, fetch_and_decode


def noise(seed: int = 0, *, width: int = 64, height: int = 48) -> Image.Image:
    """Smooth coloured noise: looks like nothing, compresses like a photograph."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


SHAPES = ("ellipse", "rectangle", "line")


def drawing(shape: str, seed: int = 0, *, size_px: int = 96) -> Image.Image:
    """Some shapes of one kind on a ground of one colour: no two are alike enough to be twins."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (size_px, size_px), tuple(rng.integers(0, 256, 3).tolist()))
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(2, 9))):
        left, top = rng.integers(0, size_px - 16, 2).tolist()
        width, height = rng.integers(8, size_px // 2, 2).tolist()
        colour = tuple(rng.integers(0, 256, 3).tolist())
        options = {"width": int(rng.integers(2, 9))} if shape == "line" else {}
        getattr(draw, shape)((left, top, left + width, top + height), fill=colour, **options)
    return image


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def read_picture(path: Path, preprocessing: Preprocessing, *, known: Container[int] = ()) -> DecodeResult:
    """The file at `path`, read and decoded in this process."""
    return fetch_and_decode(partial(read_file, os.fsencode(path)), preprocessing, known=known)


def write_folder(root: Path, count: int, *, classes: tuple[str, ...] = (), start: int = 0) -> Path:
    """`count` JPEGs below `root`, spread over `classes` as folders where given."""
    for number in range(start, start + count):
        folder = root / classes[number % len(classes)] if classes else root
        folder.mkdir(parents=True, exist_ok=True)
        noise(number).save(folder / f"{number:04d}.jpg", quality=90)
    return root
