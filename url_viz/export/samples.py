"""Data sets with a record for each picture, for FiftyOne and for Hugging Face."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from url_viz.base.wording import escaped
from url_viz.columns.measures import UNCERTAINTY, every_measure, has_values, measure_named
from url_viz.evidence.order import Order
from url_viz.export.annotation_files import BoxedPicture
from url_viz.export.folders import chosen_level, corrected_paths, crop_path
from url_viz.export.picture_files import Wanted
from url_viz.export.table_files import Provenance, as_json, column_names, known_columns, plain_value
from url_viz.image_set import ImageSet
from url_viz.labels.soft import SOFT_LABEL, LabelShares
from url_viz.store.columns.source_columns import BOX_COLUMNS

MEDIA = "data"
SCRIPT = "open_in_fiftyone.py"
SAMPLE_NAMES = frozenset(
    (
        *("id", "filepath", "filename", "tags", "metadata", "created_at", "last_modified_at", "ground_truth"),
        *("dataset", "dataset_id", "sample_id", "in_db", "field_names", "rand", "group", "frames", "frame_number"),
        *("media_type", "media_reference", "support", "label", "labels", "url_viz_id"),
        *("add_labels", "clear_field", "compute_metadata", "copy", "from_dict", "get_field", "has_field"),
        *("iter_fields", "merge", "reload", "save", "set_field", "to_dict", "update_field", "update_fields"),
    )
)
"""Fields and methods of a sample of FiftyOne, whose names no other field may have."""
_DETECTION_NAMES = ("bounding_box", "confidence", "index", "attributes", "mask", "mask_path", "instance", "objects")

_ELSEWHERE = ("id", "label", "tags", "width", "height")
_OPEN = '''"""Makes a FiftyOne data set, `pictures`, of the pictures in this folder."""

import json
from pathlib import Path

import fiftyone as fo

here = Path(__file__).resolve().parent


def sample(line):
    values = {name: value for name, value in json.loads(line).items() if value is not None}
    values["filepath"] = str(here / values["filepath"])
    values["metadata"] = fo.ImageMetadata(width=values.pop("width"), height=values.pop("height"))
    if "ground_truth" in values:
        values["ground_truth"] = fo.Classification(label=values["ground_truth"])
    if "objects" in values:
        known = [{name: value for name, value in one.items() if value is not None} for one in values["objects"]]
        values["ground_truth"] = fo.Detections(detections=[fo.Detection(**one) for one in known])
        del values["objects"]
    return fo.Sample(**values)


pictures = fo.Dataset()
pictures.info = json.loads((here / "provenance.json").read_text("utf-8"))
pictures.save()
with (here / "samples.jsonl").open(encoding="utf-8") as lines:
    pictures.add_samples(map(sample, lines))
'''


def boxes_for_fiftyone(wanted: Wanted, folder: Path, pictures: Sequence[BoxedPicture]) -> None:
    """As `samples_for_fiftyone`, with a detection for each object in a picture as `ground_truth`.

    A detection has its class, its box in fractions of the picture, and the rest of its row as a sample has it.
    """
    every = known_columns(pd.concat([picture.objects for picture in pictures]))
    others = [str(name) for name in every if name not in (*_ELSEWHERE, *BOX_COLUMNS)]
    names = column_names(others, reserved=SAMPLE_NAMES | set(_DETECTION_NAMES))

    def sample(picture: BoxedPicture) -> dict[str, Any]:
        width, height = picture.size
        objects = [
            {
                "label": plain_value(row["label"]),
                "bounding_box": [left / width, top / height, (right - left) / width, (bottom - top) / height],
                "tags": _tags(row),
                "url_viz_id": str(row["id"]),
                **{new: plain_value(row[name]) for name, new in names.items()},
            }
            for row, (left, top, right, bottom) in picture.boxes()
        ]
        return {"filepath": picture.file, "width": width, "height": height, "objects": objects}

    _write(folder, map(sample, pictures), wanted.origin)


def samples_for_fiftyone(wanted: Wanted, folder: Path, table: pd.DataFrame, names: list[str]) -> None:
    """Write a sample for each picture to samples.jsonl, the provenance, and the script that opens both.

    A sample has the class as `ground_truth`, tags and decision as tags, the size, and a field for every other column
    in which a picture has a value.
    """
    _write(folder, dataset_samples(table, [f"{MEDIA}/{name}" for name in names]), wanted.origin)


def _write(folder: Path, samples: Iterable[Mapping[str, Any]], origin: Provenance) -> None:
    with (folder / "samples.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(as_json(sample) + "\n" for sample in samples)
    provenance = {"url_viz": asdict(origin), "uncertainty": "an order, not a probability: higher = more ambiguous"}
    (folder / "provenance.json").write_text(as_json(provenance, indent=1), "utf-8")
    (folder / SCRIPT).write_text(_OPEN, "utf-8")


def dataset_samples(rows: pd.DataFrame, files: list[str]) -> Iterator[dict[str, Any]]:
    """A record for each row of `ImageSet.table()`, whose files lie at `files` in the data set."""
    fields = known_columns(rows.drop(columns=[name for name in _ELSEWHERE if name in rows]))
    fields = fields.rename(columns=column_names(list(fields.columns), reserved=SAMPLE_NAMES))
    for row, values, file in zip(rows.to_dict("records"), fields.to_dict("records"), files, strict=True):
        label = row.get("label")
        yield {
            "filepath": file,
            "url_viz_id": str(row["id"]),
            "ground_truth": label if isinstance(label, str) else None,
            "tags": _tags(row),
            "width": plain_value(row["width"]),
            "height": plain_value(row["height"]),
            **{str(name): plain_value(value) for name, value in values.items()},
        }


def _tags(row: Mapping[Any, Any]) -> list[str]:
    tags = [tag for tag in str(row.get("tags") or "").split("; ") if tag]
    decision = row.get("decision")
    return list(dict.fromkeys([*tags, *([decision] if isinstance(decision, str) else [])]))


SPLIT = "train"
_CONFIG = {"config_name": "default", "data_files": [{"split": SPLIT, "path": f"{SPLIT}/**"}]}
ROW_NAMES = ("file_name", "file_names", "image", "images")
"""Columns that `datasets` creates itself, or reads as a picture's path."""


def class_folders(image_set: ImageSet, table: pd.DataFrame, paths: list[bytes]) -> list[bytes]:
    """The places of pictures: in their class folders as corrected; of objects' crops, in a folder of their class."""
    if image_set.is_of_objects:
        return corrected_paths(table, [crop_path(path) for path in paths], make_folder=True)
    return corrected_paths(table, paths, level=chosen_level(image_set))


def rows_for_hugging_face(wanted: Wanted, folder: Path, table: pd.DataFrame, names: list[str]) -> None:
    """Write metadata.jsonl, as `load_dataset("imagefolder")` expects it, and README.md, a data set card."""
    soft = wanted.image_set.labels.soft() if wanted.soft else None
    lines = metadata_lines(table, names, soft=soft)
    (folder / SPLIT / "metadata.jsonl").write_text(lines, encoding="utf-8")
    card = dataset_card(wanted.origin, wanted.image_set.order(), pictures=len(names), table=table, soft=soft)
    (folder / "README.md").write_text(card, encoding="utf-8")


def metadata_lines(table: pd.DataFrame, names: list[str], *, soft: LabelShares | None = None) -> str:
    """A line of JSON per picture: file_name, the id as text, and all columns in which any picture has a value.

    With `soft` labels, their shares as SOFT_LABEL.
    """
    known = known_columns(table.assign(id=table["id"].astype(str)))
    file_names = {
        name.lower() for name in map(str, known.columns) if name.lower().endswith(("_file_name", "_file_names"))
    }
    reserved = {*ROW_NAMES, *file_names, *([SOFT_LABEL] if soft else [])}
    columns = list(column_names(list(known.columns), reserved=reserved).values())
    values: list[list[object]] = [[plain_value(value) for value in known[column].tolist()] for column in known.columns]
    if soft is not None:
        columns, values = [*columns, SOFT_LABEL], [*values, [*soft.lists(table["id"])]]
    rows = zip(names, *values, strict=True)
    return "".join(as_json({"file_name": name, **dict(zip(columns, row, strict=True))}) + "\n" for name, *row in rows)


def dataset_card(
    source: Provenance, order: Order, *, pictures: int, table: pd.DataFrame, soft: LabelShares | None = None
) -> str:
    """The README of a data set: how to load it, which order leads, what values mean, where they come from."""
    head = {"pretty_name": source.name, "tags": ["url-viz", "uncertainty"], "configs": [_CONFIG]}
    facts = "\n".join(f"| {escaped(name)} | {escaped(value)} |" for name, value in source.rows())
    classes = int(table["label"].nunique())
    in_classes = f" in {classes:,} classes (column `label`)" if classes else ""
    by = measure_named(order.measure or UNCERTAINTY.name).percentile or UNCERTAINTY.percentile
    return f"""---
{json.dumps(head, indent=1, ensure_ascii=True)}
---

# {escaped(source.name)}

{pictures:,} pictures{in_classes} with values that say which of them are ambiguous, found before any training.
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
| `either` | the class that it rightly is besides its label, by a person's word |{_soft_row(soft)}

A missing value is null; a column without any value is left out.

## Where they come from

| | |
|---|---|
{facts}
"""


def _soft_row(soft: LabelShares | None) -> str:
    if soft is None:
        return ""
    names = ", ".join(map(escaped, soft.classes))
    return f"\n| `{SOFT_LABEL}` | the share of each class in the label, by people's answers, in this order: {names} |"


def _measure_rows(table: pd.DataFrame) -> str:
    rows = []
    for measure in every_measure():
        if has_values(table, measure.name) and measure.in_table:
            names = [name for name in (measure.name, measure.percentile) if name is not None]
            rows.append(f"| {', '.join(f'`{name}`' for name in names)} | {measure.meaning} |")
    if has_values(table, "first_share"):
        rows.append("| `first_class`, `second_class`, `first_share`, `second_share` | the two likeliest classes |")
    return "\n".join(rows)
