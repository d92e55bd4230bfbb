"""Torn pictures: those that two classes fit, each between exactly one pair of classes, and how many each pair has."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from url_viz.columns.filters import Filter, OneOf, passes_all
from url_viz.findings.reasons import BETWEEN_CLASSES
from url_viz.labels.ambiguity import between_filters

TORN = OneOf("reasons", (BETWEEN_CLASSES,))
"""The filter that torn pictures pass: among their reasons is that two classes fit."""


@dataclass(frozen=True)
class TornPictures:
    """How many pictures are torn between two classes: `count` in all, and by pair in `pairs`, which add up to it.

    `pairs` has class_a and class_b (class_a first by the alphabet) and pictures, most pictures first.
    """

    count: int
    pairs: pd.DataFrame


def torn_in(table: pd.DataFrame, among: Sequence[Filter] = ()) -> TornPictures:
    """The torn pictures of `ImageSet.table()`, or of those of its rows that pass `among`.

    A picture is torn if its reasons say that two classes fit, and belongs to the pair of its first and second class,
    whichever is which, copies and views counted as any other. So its numbers are those of `torn_filters`.
    """
    if "first_class" not in table:
        return TornPictures(0, pd.DataFrame({"class_a": [], "class_b": [], "pictures": []}))
    torn = table.loc[passes_all(table, (*among, TORN)), ["first_class", "second_class"]].astype(str)
    rows = pd.DataFrame({"class_a": torn.min(axis=1), "class_b": torn.max(axis=1)}, dtype=object)
    pairs = rows.groupby(["class_a", "class_b"]).size().reset_index(name="pictures")
    order = ["pictures", "class_a", "class_b"]
    return TornPictures(len(torn), pairs.sort_values(order, ascending=[False, True, True], ignore_index=True))


def torn_filters(pair: tuple[str, str] | None = None) -> tuple[OneOf, ...]:
    """The filters that leave the torn pictures, or those between one pair of classes."""
    return (TORN,) if pair is None else (TORN, *between_filters(pair))
