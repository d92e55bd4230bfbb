"""Pictures from outside on the two sides of a threshold, and those that are unlike the set."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from url_viz.labels.ambiguity import between
from url_viz.outside.uploads import COPY, VIEW

THRESHOLD = 80
"""The percentile from which a new picture is ambiguous, at first."""
MARKS = {COPY: "copy", VIEW: "another view"}
"""What is said of the twins of pictures of the set."""


@dataclass(frozen=True)
class SortedUploads:
    """Uploads on the two sides of the threshold, each with its extremes first.

    Nothing in the set is like the `unlike` ones, the farthest first: they have no values, since no order of the set
    applies to them. `unknown` have no value of this measure.
    """

    ambiguous: pd.DataFrame
    clear: pd.DataFrame
    unlike: pd.DataFrame
    unknown: pd.DataFrame

    def table(self) -> pd.DataFrame:
        """All of them with their `side`, the most ambiguous first; those without a value last."""
        parts = [
            ("ambiguous", self.ambiguous),
            ("clear", self.clear.iloc[::-1]),
            ("unlike the set", self.unlike),
            ("no value", self.unknown),
        ]
        tables = [rows.assign(side=side) for side, rows in parts if len(rows)]
        return pd.concat(tables) if tables else self.unknown.assign(side="")


def sort(table: pd.DataFrame, *, measure: str, threshold: float) -> SortedUploads:
    """Split the uploads at a percentile of the measure, and add `rank_percentile`."""
    ordered = table.assign(rank_percentile=table[f"{measure}_percentile"]).sort_values(
        [measure, "id"], ascending=[False, True], kind="stable"
    )
    is_unlike = ordered["is_unlike"].to_numpy(bool)
    has_value = np.isfinite(ordered[measure].to_numpy(float)) & ~is_unlike
    is_ambiguous = ordered["rank_percentile"].to_numpy(float) >= threshold
    return SortedUploads(
        ambiguous=ordered[has_value & is_ambiguous],
        clear=ordered[has_value & ~is_ambiguous].iloc[::-1],
        unlike=ordered[is_unlike].sort_values("nearest_similarity"),
        unknown=ordered[~has_value & ~is_unlike],
    )


def classes_in_words(row: Mapping[Any, Any], *, is_clear: bool) -> str | None:
    """The likeliest class of an unambiguous upload, else the two that it lies between; None if there are no classes."""
    if is_clear and isinstance(row["first_class"], str):
        return f"like {row['first_class']}"
    return between(row["first_class"], row["second_class"])
