"""An evaluation as JSON, with the provenance of what was evaluated: every figure of the Evaluate page."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from url_viz.analysis.evaluation import Evaluated, by_class, deciles, known_to
from url_viz.analysis.measures import CONFUSABILITY, UNCERTAINTY, measure_named, title_of
from url_viz.export.provenance import provenance
from url_viz.export.table_files import as_json, plain_value, write_bytes
from url_viz.image_set import ImageSet


def write_evaluation(image_set: ImageSet, evaluated: Evaluated, path: Path) -> Path:
    """Write `evaluation_record` to a file. Raises FolderError if it cannot be written."""
    return write_bytes((as_json(evaluation_record(image_set, evaluated), indent=1) + "\n").encode("utf-8"), path)


def evaluation_record(image_set: ImageSet, evaluated: Evaluated) -> dict[str, Any]:
    """Recall@1, each measure's figures and its tenths, and the classes; null for what there is not.

    Ends of intervals are `_low` and `_high`, 95 %; `pictures` are those counted, on which every figure is. The classes'
    percentiles are of the measure `classes_by`.
    """
    pictures = evaluated.pictures
    interval = pictures.recall_interval
    by = image_set.order().measure
    by = by if by in pictures.values else next(iter(pictures.values))
    return {
        "set": asdict(provenance(image_set)),
        "pictures": len(pictures),
        "classes": pictures.classes,
        "left_out": pictures.left_out,
        "recall_at_1": pictures.recall,
        "recall_at_1_low": interval.low,
        "recall_at_1_high": interval.high,
        "measures": [row | _about(evaluated, str(row["measure"])) for row in _rows(evaluated.table())],
        "lead": None
        if evaluated.lead is None
        else {
            "ahead": CONFUSABILITY.name,
            "behind": UNCERTAINTY.name,
            "by": plain_value(evaluated.lead.value),
            "low": plain_value(evaluated.lead.interval.low),
            "high": plain_value(evaluated.lead.interval.high),
        },
        "classes_by": by,
        "by_class": _rows(by_class(pictures, str(by))),
    }


def _about(evaluated: Evaluated, measure: str) -> dict[str, Any]:
    pictures = evaluated.pictures
    tenths = deciles(pictures.values[measure], pictures.is_right)
    return {
        "title": title_of(measure),
        "knows": known_to(measure),
        "is_baseline": measure_named(measure).is_baseline,
        "tenths": _rows(tenths),
    }


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): plain_value(value) for name, value in row.items()} for row in table.to_dict("records")]
