"""The map of a set by its training: how sure a model was of each picture's class, and how much that changed.

Dataset cartography (Swayamdipta et al. 2020, arXiv 2009.10795): variability across, confidence up.
"""

import pandas as pd

TRAINING = "training"
"""The name of this map in addresses; that of the map by look is empty."""


def has_training(table: pd.DataFrame) -> bool:
    """Whether a run trained on pictures of `ImageSet.table()` in two epochs or more."""
    return "variability" in table and bool((table["variability"] > 0).any())


def by_training(table: pd.DataFrame) -> pd.DataFrame:
    """The table with x = variability and y = confidence; nan for pictures that no epoch trained on."""
    return table.assign(x=table["variability"].astype("float32"), y=table["confidence"].astype("float32"))
