"""What became of the pictures of a set in its reviews: each counts once, so that the parts add up to the whole."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.labels.label_choice import CONFIRMED, CORRECTED

TO_GO = "to go"
PARTS = ("relabelled", "confirmed", "kept", "dropped", "put aside", TO_GO)
"""What can become of a picture, in the order in which it is told."""


def became(table: pd.DataFrame) -> NDArray[np.object_]:
    """What became of each picture (N,) of `ImageSet.table()`, one of PARTS.

    One that is dropped or put aside counts as that, whatever its label; one that is kept and relabelled as relabelled.
    """
    decision, checked = table["decision"], table["label_checked"]
    cases = {
        "dropped": decision == "drop",
        "put aside": decision == "look-again",
        "relabelled": checked == CORRECTED,
        "confirmed": checked == CONFIRMED,
        "kept": decision == "keep",
    }
    return np.select([case.to_numpy(bool) for case in cases.values()], [*cases], TO_GO).astype(object)


def progress_counts(table: pd.DataFrame) -> dict[str, int]:
    """How many pictures became what, by PARTS, without those that none did; nothing before the first is decided on."""
    counts = pd.Series(became(table)).value_counts()
    return {part: int(counts[part]) for part in PARTS if part in counts} if set(counts.index) != {TO_GO} else {}
