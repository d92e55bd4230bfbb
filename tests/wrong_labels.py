"""A set of cats and dogs of which two lie in the wrong folder: for tests of suspects, reviews and corrected labels."""

import shutil
from pathlib import Path

import numpy as np

from tests.imaging.pictures import write_folder
from url_viz.image_set import ImageSet, embed_folder

COUNT = 24
"""Pictures besides the copy."""
WRONG = {"cat/0004.jpg": "dog", "dog/0007.jpg": "cat"}
"""Pictures that look like the other class, which is suggested for them."""


def set_with_wrong_labels(base: Path) -> ImageSet:
    """Cats and dogs as given embeddings, far apart, and a copy of the first cat."""
    root = write_folder(base / "photos", COUNT, classes=("cat", "dog"))
    shutil.copy(root / "cat" / "0000.jpg", root / "cat" / "copy.jpg")
    paths = [f"{('cat', 'dog')[number % 2]}/{number:04d}.jpg" for number in range(COUNT)]
    rows = 0.5 * np.random.default_rng(0).normal(size=(COUNT, 12))
    rows[:, 0] += [3 if WRONG.get(path, path[:3]) == "dog" else -3 for path in paths]
    np.savez(base / "given.npz", paths=np.array([*paths, "cat/copy.jpg"]), values=np.vstack([rows, rows[:1]]))
    return embed_folder(root, embeddings=base / "given.npz", workspace=base / "home")
