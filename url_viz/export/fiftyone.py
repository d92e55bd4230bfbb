"""Export of an image set in FiftyOne's on-disk format (`fiftyone.types.FiftyOneDataset`), without FiftyOne installed.

The layout is that of FiftyOne 1.0 and later (docs.voxel51.com, user guide, "FiftyOneDataset"): `metadata.json` is the
document of the data set with the types of its fields, `samples.json` one document per picture, both in MongoDB's
extended JSON. Later versions migrate it when they read it.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from url_viz.export.files import Chosen, Exported, How, chosen, lay_out, new_folder, safe_names
from url_viz.export.json_values import as_json, column_names, known_columns, plain_value
from url_viz.export.provenance import Provenance, provenance
from url_viz.image_set import ImageSet
from url_viz.imaging.scan import absolute
from url_viz.progress import ProgressCallback, silent

FORMAT_VERSION = "1.0.0"
MEDIA = "data"
RESERVED = frozenset(
    (
        *("id", "filepath", "filename", "tags", "metadata", "created_at", "last_modified_at", "ground_truth"),
        *("dataset", "dataset_id", "sample_id", "in_db", "field_names", "rand", "group", "frames", "frame_number"),
        *("media_type", "media_reference", "support", "label", "labels", "url_viz_id"),
        *("add_labels", "clear_field", "compute_metadata", "copy", "from_dict", "get_field", "has_field"),
        *("iter_fields", "merge", "reload", "save", "set_field", "to_dict", "update_field", "update_fields"),
    )
)
"""Names that a sample of FiftyOne already has, as a field or as a method."""

_FIELDS = "fiftyone.core.fields"
_IN_METADATA = ("width", "height")
_ELSEWHERE = ("id", "label", "tags", *_IN_METADATA)
Field = dict[str, Any]


def write_fiftyone(
    image_set: ImageSet,
    out: str | Path,
    *,
    ids: Iterable[int] | None = None,
    how: How = "link",
    with_folder: bool = False,
    progress: ProgressCallback = silent,
) -> Exported:
    """Write pictures (all, or those in `ids`) to the new folder `out`, for `fiftyone.Dataset.from_dir`.

    With `how` "link" the samples name the original files (a link in `out/data` if a path is not UTF-8); with "copy"
    the files are copied to `out/data`, and the folder may be moved. Every sample has its class as `ground_truth`, its
    tags and decision as tags, its size, and a field for every other column of `table()` in which a picture has a value.
    Pictures whose file cannot be opened are left out, and told.
    Raises FolderError if `out` is not new or empty or cannot be written, ImageSetError if nothing is to be exported.
    """
    picked = chosen(image_set, ids)
    with new_folder(out, image_set) as folder:
        inside = _paths_inside(image_set, picked, how=how)
        places = [None if path is None else folder / path for path in inside]
        there = lay_out(image_set, picked.paths, places, how=how, progress=progress)
        there.write_left_out(folder)
        rows = picked.table.iloc[there.rows]
        file_paths = [inside[row] or os.fsdecode(absolute(image_set.root, picked.paths[row])) for row in there.rows]
        table = known_columns(rows.drop(columns=[c for c in _ELSEWHERE if c in rows]))
        names = column_names(list(table.columns), reserved=RESERVED)
        source = provenance(image_set, with_folder=with_folder)
        (folder / "metadata.json").write_text(
            as_json(document_of(source, table.rename(columns=names)), indent=1), "utf-8"
        )
        with (folder / "samples.json").open("w", encoding="utf-8") as file:
            file.write('{"samples": [')
            for number, sample in enumerate(samples_of(rows, table.rename(columns=names), file_paths)):
                file.write((",\n" if number else "\n") + as_json(sample))
            file.write("\n]}\n")
    return Exported(Path(out).expanduser().absolute(), len(file_paths), there.left_out)


def _paths_inside(image_set: ImageSet, picked: Chosen, *, how: How) -> list[str | None]:
    """Where each picture lies in the data set's folder; None for one that its sample names where it is."""
    names = safe_names(picked.paths, picked.table["id"])
    return [
        None if how == "link" and _is_text(absolute(image_set.root, path)) else f"{MEDIA}/{name}"
        for path, name in zip(picked.paths, names, strict=True)
    ]


def _is_text(path: bytes) -> bool:
    try:
        return path.decode("utf-8").isprintable()
    except UnicodeDecodeError:
        return False


def document_of(source: Provenance, table: pd.DataFrame) -> dict[str, Any]:
    """The data set's own document: name, provenance as `info`, and the type of each field of a sample."""
    fields = [_field(str(name), _type_of(table[name])) for name in table.columns]
    return {
        "_id": {"$oid": _object_id(f"{source.name} {source.made}")},
        "name": source.name,
        "version": FORMAT_VERSION,
        "media_type": "image",
        "persistent": False,
        "tags": ["url-viz"],
        "info": {"url_viz": source.as_record(), "uncertainty": "an order, not a probability: higher = more ambiguous"},
        "app_config": {},
        "classes": {},
        "default_classes": [],
        "mask_targets": {},
        "default_mask_targets": {},
        "skeletons": {},
        "sample_fields": [*_standard_fields(), *fields],
        "frame_fields": [],
        "saved_views": [],
        "workspaces": [],
        "annotation_runs": {},
        "brain_methods": {},
        "evaluations": {},
        "runs": {},
    }


def samples_of(picked: pd.DataFrame, fields: pd.DataFrame, file_paths: list[str]) -> Iterator[dict[str, Any]]:
    """One document per picture: `picked` are rows of `ImageSet.table()`, `fields` the columns that become fields."""
    rows = zip(picked.to_dict("records"), fields.to_dict("records"), file_paths, strict=True)
    for row, values, filepath in rows:
        key = f"{row['id']}"
        yield {
            "_id": {"$oid": _object_id(key)},
            "_media_type": "image",
            "filepath": filepath,
            "tags": _tags(row),
            "metadata": {"_cls": "ImageMetadata", **{name: plain_value(row[name]) for name in _IN_METADATA}},
            "ground_truth": _classification(row.get("label"), key),
            "url_viz_id": key,
            **{str(name): plain_value(value) for name, value in values.items()},
        }


def _tags(row: Mapping[Any, Any]) -> list[str]:
    tags = [tag for tag in str(row.get("tags") or "").split("; ") if tag]
    decision = row.get("decision")
    return list(dict.fromkeys([*tags, *([decision] if isinstance(decision, str) else [])]))


def _classification(label: object, key: str) -> dict[str, Any] | None:
    if not isinstance(label, str):
        return None
    return {"_id": {"$oid": _object_id(f"label {key}")}, "_cls": "Classification", "tags": [], "label": label}


def _object_id(text: str) -> str:
    """24 hexadecimal digits, the same for the same text."""
    return hashlib.blake2b(text.encode("utf-8"), digest_size=12).hexdigest()


def _type_of(column: "pd.Series[Any]") -> str:
    if pd.api.types.is_bool_dtype(column):
        return "BooleanField"
    if pd.api.types.is_integer_dtype(column):
        return "IntField"
    return "FloatField" if pd.api.types.is_float_dtype(column) else "StringField"


def _field(
    name: str,
    kind: str,
    *,
    subfield: str | None = None,
    document: str | None = None,
    fields: Iterable[Field] = (),
    stored_as: str | None = None,
    read_only: bool = False,
) -> Field:
    return {
        "name": name,
        "ftype": f"{_FIELDS}.{kind}",
        "embedded_doc_type": document,
        "subfield": None if subfield is None else f"{_FIELDS}.{subfield}",
        "fields": list(fields),
        "db_field": stored_as or name,
        "description": None,
        "info": None,
        "read_only": read_only,
    }


def _standard_fields() -> list[Field]:
    """The fields of every FiftyOne sample, and our ground truth and id."""
    size = [_field("size_bytes", "IntField"), _field("mime_type", "StringField")]
    size += [_field(name, "IntField") for name in ("width", "height", "num_channels")]
    label = [_field("id", "ObjectIdField", stored_as="_id"), _field("tags", "ListField", subfield="StringField")]
    label += [_field("label", "StringField"), _field("confidence", "FloatField"), _field("logits", "VectorField")]
    embedded = "EmbeddedDocumentField"
    return [
        _field("id", "ObjectIdField", stored_as="_id"),
        _field("filepath", "StringField"),
        _field("tags", "ListField", subfield="StringField"),
        _field("metadata", embedded, document="fiftyone.core.metadata.ImageMetadata", fields=size),
        _field("created_at", "DateTimeField", read_only=True),
        _field("last_modified_at", "DateTimeField", read_only=True),
        _field("ground_truth", embedded, document="fiftyone.core.labels.Classification", fields=label),
        _field("url_viz_id", "StringField"),
    ]
