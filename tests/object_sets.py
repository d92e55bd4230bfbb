"""A small set of objects as YOLO: shapes drawn into pictures, with their boxes."""

import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from tests.imaging.pictures import SHAPES, drawing

SIZE = 400, 300
SIDE = 96
CORNERS = (0, 20), (130, 60), (270, 180)
"""Of three shapes in each picture; the first is cut by the frame on its left."""


def write_objects(folder: Path, pictures: int = 4, tiny: int = 0) -> Path:
    """Write pictures, some bright and some dark, with three objects each; returns the `data.yaml`.

    In so many of them lies a fourth, `tiny` one of 10 × 30 pixels.
    """
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for number in range(pictures):
        ground = np.random.default_rng(number).integers(0, 60, (SIZE[1], SIZE[0], 3), np.uint8)
        picture, lines = Image.fromarray(ground + np.uint8(190 * (number % 2))), []
        for place, (x, y) in enumerate(CORNERS):
            shape = (number + place) % len(SHAPES)
            picture.paste(drawing(SHAPES[shape], 10 * number + place, size_px=SIDE), (x, y))
            middle = (x + SIDE / 2) / SIZE[0], (y + SIDE / 2) / SIZE[1]
            lines.append(f"{shape} {middle[0]} {middle[1]} {SIDE / SIZE[0]} {SIDE / SIZE[1]}")
        if number < tiny:
            lines.append(f"0 0.8 0.1 {10 / SIZE[0]} {30 / SIZE[1]}")
        picture.save(folder / "images" / f"{number}.png")
        (folder / "labels" / f"{number}.txt").write_text("\n".join(lines))
    data = folder / "data.yaml"
    data.write_text(f"path: {folder}\ntrain: images\nnames: [{', '.join(SHAPES)}]\n")
    return data


def write_leaky_objects(folder: Path) -> Path:
    """As `write_objects`, parted into train (0 to 3) and val (4, and 0 again as 5); returns the `data.yaml`."""
    data = write_objects(folder, 5)
    for kind, ending in (("images", "png"), ("labels", "txt")):
        for split in ("train", "val"):
            (folder / kind / split).mkdir()
        for number in range(5):
            name = f"{number}.{ending}"
            (folder / kind / name).rename(folder / kind / ("train" if number < 4 else "val") / name)
        shutil.copy(folder / kind / "train" / f"0.{ending}", folder / kind / "val" / f"5.{ending}")
    data.write_text(data.read_text().replace("train: images\n", "train: images/train\nval: images/val\n"))
    return data
