"""Data sets for FiftyOne: pictures, a line of JSON for each, and the Python that makes samples of them.

It uses what is documented for data of one's own (docs.voxel51.com, user guide, "Using FiftyOne datasets": `Sample`,
`Dataset.add_samples`), and none of its stored formats, which change.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from url_viz.export.annotation_tools import BoxedPicture
from url_viz.export.picture_files import Wanted
from url_viz.export.table_files import Provenance, as_json, column_names, known_columns, plain_value
from url_viz.store.columns.source_columns import BOX_COLUMNS

MEDIA = "data"
SCRIPT = "open_in_fiftyone.py"
OF_A_SAMPLE = frozenset(
    (
        *("id", "filepath", "filename", "tags", "metadata", "created_at", "last_modified_at", "ground_truth"),
        *("dataset", "dataset_id", "sample_id", "in_db", "field_names", "rand", "group", "frames", "frame_number"),
        *("media_type", "media_reference", "support", "label", "labels", "url_viz_id"),
        *("add_labels", "clear_field", "compute_metadata", "copy", "from_dict", "get_field", "has_field"),
        *("iter_fields", "merge", "reload", "save", "set_field", "to_dict", "update_field", "update_fields"),
    )
)
"""Names that a sample of FiftyOne already has, as a field or as a method."""
_OF_A_DETECTION = ("bounding_box", "confidence", "index", "attributes", "mask", "mask_path", "instance", "objects")

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
    """As `samples_for_fiftyone`, of objects: a sample for each picture, a detection for each object as `ground_truth`.

    A detection has its class, its box in fractions of the picture, its tags and decision as tags, and an attribute for
    every other column.
    """
    every = known_columns(pd.concat([picture.objects for picture in pictures]))
    others = [str(name) for name in every if name not in (*_ELSEWHERE, *BOX_COLUMNS)]
    names = column_names(others, reserved=OF_A_SAMPLE | set(_OF_A_DETECTION))
    _write(folder, (_sample_of(picture, names) for picture in pictures), wanted.origin)


def _sample_of(picture: BoxedPicture, names: Mapping[str, str]) -> dict[str, Any]:
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


def samples_for_fiftyone(wanted: Wanted, folder: Path, table: pd.DataFrame, names: list[str]) -> None:
    """Write a sample for each picture to samples.jsonl, where they come from, and the script that opens both.

    A sample has the picture's class as `ground_truth`, its tags and decision as tags, its size, and a field for every
    other column of `table()` in which a picture has a value.
    """
    _write(folder, dataset_samples(table, [f"{MEDIA}/{name}" for name in names]), wanted.origin)


def _write(folder: Path, samples: Iterable[Mapping[str, Any]], origin: Provenance) -> None:
    with (folder / "samples.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(as_json(sample) + "\n" for sample in samples)
    provenance = {"url_viz": asdict(origin), "uncertainty": "an order, not a probability: higher = more ambiguous"}
    (folder / "provenance.json").write_text(as_json(provenance, indent=1), "utf-8")
    (folder / SCRIPT).write_text(_OPEN, "utf-8")


def dataset_samples(rows: pd.DataFrame, files: list[str]) -> Iterator[dict[str, Any]]:
    """A record per picture, from rows of `ImageSet.table()` and where each file lies in the data set."""
    fields = known_columns(rows.drop(columns=[name for name in _ELSEWHERE if name in rows]))
    fields = fields.rename(columns=column_names(list(fields.columns), reserved=OF_A_SAMPLE))
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
