"""The hover card of a picture on the map: its name and class, the two classes it lies between, and its measures."""

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np

from url_viz.analysis.measures import MEASURES, title_of
from url_viz.analysis.ranking import percentile_of_each
from url_viz.image_set import ImageSet

Entry = dict[str, str | float | None]


def card_of(image_set: ImageSet, image_id: int, *, measure: str | None = None) -> dict[str, object]:
    """A picture's card, for JSON: id (as text), name, label, `between` and `measures`.

    `between` has the name and the share of the two classes that the picture lies between, or nothing. `measures` has
    the title, value and percentile of each measure that the picture has, `measure` (any numeric column) first. Raises
    ImageSetError for an id that is not in this set.
    """
    row = image_set.row(image_id)
    return {
        "id": str(row["id"]),
        "name": row["path"],
        "label": row["label"],
        "between": _between(row),
        "measures": _measures(image_set, row, measure),
    }


def number_of(value: object) -> float | None:
    """A value as a number of JSON; None for what is none, or not finite."""
    return float(value) if isinstance(value, Real) and np.isfinite(float(value)) else None


def _between(row: Mapping[str, Any]) -> list[Entry]:
    two = [(row[f"{nth}_class"], number_of(row[f"{nth}_share"])) for nth in ("first", "second")]
    is_known = all(isinstance(name, str) for name, _ in two)
    return [{"name": name, "share": share} for name, share in two] if is_known else []


def _measures(image_set: ImageSet, row: Mapping[str, Any], first: str | None) -> list[Entry]:
    names = [measure.name for measure in MEASURES if measure.is_offered and measure.name in row]
    if first is not None and first in row:
        names = [first, *(name for name in names if name != first)]
    return [
        {"title": title_of(name), "value": value, "percentile": _percentile(image_set, row, name)}
        for name in names
        if (value := number_of(row[name])) is not None
    ]


def _percentile(image_set: ImageSet, row: Mapping[str, Any], name: str) -> float | None:
    return number_of(percentile_of_each(image_set.table(), name)[image_set.row_of(int(row["id"]))])
