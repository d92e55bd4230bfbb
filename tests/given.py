"""Image sets without a model: pictures of noise under the embeddings that a test gives."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.imaging.pictures import noise
from url_viz.image_set import ImageSet
from url_viz.reading import embed_folder


def by_turns(count: int, classes: Sequence[str] = ("cat", "dog")) -> list[str]:
    """The paths of `write_folder`, below one class after the other."""
    return [f"{classes[number % len(classes)]}/{number:04d}.jpg" for number in range(count)]


def dice(count: int, size: int = 8) -> NDArray[np.float64]:
    """Embeddings (count, size) that say nothing."""
    return np.random.default_rng(0).normal(size=(count, size))


def given_set(
    base: Path, paths: Sequence[str], rows: NDArray[np.floating] | None = None, *, name: str = "given"
) -> ImageSet:
    """Pictures at these paths of base/photos, read into base/home under `rows` (N, D), else by dice.

    A file that lies there already stays; `name` is that of the file of embeddings.
    """
    for number, path in enumerate(paths):
        file = base / "photos" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            noise(number).save(file)
    np.savez(base / f"{name}.npz", paths=np.array(paths), values=dice(len(paths)) if rows is None else rows)
    return embed_folder(base / "photos", embeddings=base / f"{name}.npz", workspace=base / "home")
