"""Cats and dogs in train/ and test/ with one of everything that is to be found first: for tests of findings."""

import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from tests.given import given_set
from url_viz.image_set import ImageSet

NEAR, COPY = "test/cat/near.jpg", "test/dog/copy.jpg"
"""Copies of pictures in train/: one that was saved again, one with its bytes."""
LEAKS = {NEAR: "train/cat/0000.jpg", COPY: "train/dog/0001.jpg"}
WRONG = {"train/cat/0004.jpg": "dog", "train/dog/0007.jpg": "cat"}
"""Pictures that look like the other class, which is suggested for them."""
BURST = tuple(f"train/dog/burst_{number}.jpg" for number in range(4))
SMALL = ("train/emu/0.jpg", "train/emu/1.jpg")
BLANK = "train/cat/blank.jpg"
BROKEN = "train/cat/broken.jpg"
PICTURES = 24


def leaky_set(base: Path) -> ImageSet:
    """Read as given embeddings, far apart but for twins; a file that is no picture lies beside."""
    root = base / "photos"
    rows = dict(_rows())
    copied = LEAKS | dict.fromkeys(BURST, BURST[0])
    names = list(rows)
    for number, path in enumerate(rows):
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        shown = names.index(copied.get(path, path))
        tiles = np.random.default_rng(shown).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        image = Image.fromarray(tiles).resize((128, 128), Image.Resampling.NEAREST)
        image.save(file, quality=95 if shown == number else 60 + number % 30)
    shutil.copy(root / LEAKS[COPY], root / COPY)
    Image.new("RGB", (128, 128), (90, 90, 90)).save(root / BLANK)
    (root / BROKEN).write_bytes(b"<html>404</html>")
    rows[BROKEN] = rows[BLANK]
    return given_set(base, list(rows), np.stack(list(rows.values())))


def _rows() -> list[tuple[str, np.ndarray]]:
    """Paths with their embeddings (16,)."""
    rng = np.random.default_rng(0)
    found: dict[str, np.ndarray] = {}

    def near(centre: np.ndarray) -> np.ndarray:
        return centre + 0.01 * rng.normal(size=16)

    def of_class(name: str) -> np.ndarray:
        noise: np.ndarray = 0.5 * rng.normal(size=16)
        noise[{"cat": 0, "dog": 1, "emu": 2}[name]] += 3
        return noise

    for number in range(PICTURES):
        name = ("cat", "dog")[number % 2]
        path = f"{'test' if number >= 18 else 'train'}/{name}/{number:04d}.jpg"
        found[path] = of_class(WRONG.get(path, name))
    for path, original in LEAKS.items():
        found[path] = found[original] if path == COPY else near(found[original])
    moment = of_class("dog")
    found |= {path: near(moment) for path in BURST}
    found |= {path: of_class("emu") for path in SMALL}
    found[BLANK] = of_class("cat")
    return list(found.items())
