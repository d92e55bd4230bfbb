"""A set of cats and dogs of which two lie in the wrong folder: for tests of suspects, reviews and corrected labels."""

import shutil
from pathlib import Path

import numpy as np

from tests.given import by_turns, dice, given_set
from tests.imaging.pictures import write_folder
from url_viz.image_set import ImageSet

COUNT = 24
"""Pictures besides the copy."""
WRONG = {"cat/0004.jpg": "dog", "dog/0007.jpg": "cat"}
"""Pictures that look like the other class, which is suggested for them."""


def set_with_wrong_labels(base: Path) -> ImageSet:
    """Cats and dogs as given embeddings, far apart, and a copy of the first cat."""
    paths = by_turns(COUNT)
    root = write_folder(base / "photos", COUNT, classes=("cat", "dog"))
    shutil.copy(root / "cat" / "0000.jpg", root / "cat" / "copy.jpg")
    rows = 0.5 * dice(COUNT, 12)
    rows[:, 0] += [3 if WRONG.get(path, path[:3]) == "dog" else -3 for path in paths]
    return given_set(base, [*paths, "cat/copy.jpg"], np.vstack([rows, rows[:1]]))
