"""Data sets for Hugging Face `datasets` (imagefolder): pictures, metadata, and a data set card."""

import json
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from url_viz.base.wording import escaped
from url_viz.columns.measures import MEASURES, UNCERTAINTY, has_values, measure_named
from url_viz.evidence.order import Order
from url_viz.export.folders import chosen_level, corrected_paths, crop_path
from url_viz.export.picture_files import Wanted
from url_viz.export.table_files import Provenance, as_json, column_names, known_columns, plain_value
from url_viz.image_set import ImageSet

SPLIT = "train"
_CONFIG = {"config_name": "default", "data_files": [{"split": SPLIT, "path": f"{SPLIT}/**"}]}
OF_A_ROW = ("file_name", "file_names", "image", "images")
"""Columns that `datasets` creates itself, or reads as a picture's path."""


def class_folders(image_set: ImageSet, table: pd.DataFrame, paths: list[bytes]) -> list[bytes]:
    """Where pictures lie: in their class folders, as corrected; objects' crops in a folder of their class."""
    if image_set.is_of_objects:
        return corrected_paths(table, [crop_path(path) for path in paths], make_folder=True)
    return corrected_paths(table, paths, level=chosen_level(image_set))


def rows_for_hugging_face(wanted: Wanted, folder: Path, table: pd.DataFrame, names: list[str]) -> None:
    """Write metadata.jsonl, as `load_dataset("imagefolder")` expects it, and README.md, a data set card.

    The metadata are file_name, the id as text, and all columns in which any picture has a value; a missing value is
    null.
    """
    (folder / SPLIT / "metadata.jsonl").write_text(metadata_lines(table, names), encoding="utf-8")
    card = dataset_card(wanted.origin, wanted.image_set.order(), pictures=len(names), table=table)
    (folder / "README.md").write_text(card, encoding="utf-8")


def metadata_lines(table: pd.DataFrame, names: list[str]) -> str:
    """One line of JSON per picture: its file_name, and the columns of the table."""
    known = known_columns(table.assign(id=table["id"].astype(str)))
    columns = column_names(list(known.columns), reserved=_reserved(known.columns))
    values = [[plain_value(value) for value in known[column].tolist()] for column in known.columns]
    rows = zip(names, *values, strict=True)
    return "".join(
        as_json({"file_name": name, **dict(zip(columns.values(), row, strict=True))}) + "\n" for name, *row in rows
    )


def _reserved(columns: Iterable[str]) -> set[str]:
    ending = {str(c).lower() for c in columns if str(c).lower().endswith(("_file_name", "_file_names"))}
    return {*OF_A_ROW, *ending}


def dataset_card(source: Provenance, order: Order, *, pictures: int, table: pd.DataFrame) -> str:
    """The README of an exported data set: loading, the leading order, meaning of the values, provenance."""
    head = {"pretty_name": source.name, "tags": ["url-viz", "uncertainty"], "configs": [_CONFIG]}
    facts = "\n".join(f"| {escaped(name)} | {escaped(value)} |" for name, value in source.rows())
    classes = int(table["label"].nunique())
    of_classes = f" in {classes:,} classes (column `label`)" if classes else ""
    by = measure_named(order.measure or UNCERTAINTY.name).percentile or UNCERTAINTY.percentile
    return f"""---
{json.dumps(head, indent=1, ensure_ascii=True)}
---

# {escaped(source.name)}

{pictures:,} pictures{of_classes} with values that say which of them are ambiguous, found before any training.
{escaped(order.reason)}

```python
from datasets import load_dataset

pictures = load_dataset("imagefolder", data_dir="PATH", split="{SPLIT}")
clear = pictures.filter(lambda row: row["{by}"] is not None and row["{by}"] < 90)
```

## What the values mean

Each is an order, not a probability: higher means less to be trusted.

| column | what |
|---|---|
{_measure_rows(table)}
| `nearest_similarity` | cosine with the most similar other picture that is no near copy, in the set's whitened space |
| `twin_group` | pictures with the same number look the same to the model; empty where no other does |
| `x`, `y` | place on the map |
| `decision`, `tags`, `name` | what a person decided, and called a picture |
| `label_given`, `label_checked` | the label before any correction; whether a person corrected or confirmed it |

A missing value is null; a column without any value is left out.

## Where they come from

| | |
|---|---|
{facts}
"""


def _measure_rows(table: pd.DataFrame) -> str:
    """A row of the card for each measure that the data set has."""
    rows = []
    for measure in MEASURES:
        if has_values(table, measure.name) and measure.in_table:
            names = [name for name in (measure.name, measure.percentile) if name is not None]
            rows.append(f"| {', '.join(f'`{name}`' for name in names)} | {measure.meaning} |")
    if has_values(table, "first_share"):
        rows.append("| `first_class`, `second_class`, `first_share`, `second_share` | the two likeliest classes |")
    return "\n".join(rows)
