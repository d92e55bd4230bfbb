"""Croissant metadata of Parquet files that were written: what their columns are, for loaders that read it."""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa

from url_viz.errors import FolderError
from url_viz.export.json_values import as_json
from url_viz.export.packed import Content, schema_of
from url_viz.export.provenance import Provenance

FILE = "croissant.json"
_FILES, _PICTURES, _CLASSES = "parquet-files", "pictures", "classes"


def is_installed() -> bool:
    """Whether there is `mlcroissant`, an extra."""
    return find_spec("mlcroissant") is not None


def describe(folder: Path, content: Content, origin: Provenance) -> None:
    """Write croissant.json beside the Parquet files. Raises FolderError where `mlcroissant` is not installed."""
    record = _metadata(content, origin).to_json()
    (folder / FILE).write_text(as_json(record, indent=1) + "\n", encoding="utf-8")


def _metadata(content: Content, origin: Provenance) -> Any:
    try:
        import mlcroissant as mlc
    except ImportError as error:
        raise FolderError(
            f"Croissant metadata takes mlcroissant, which {sys.executable} lacks. Run `pip install "
            "'url-viz[croissant]'`, or `pip install mlcroissant`."
        ) from error

    def source(column: str) -> Any:
        steps = [mlc.Transform(json_path="bytes")] if column == "image" else []
        return mlc.Source(file_set=_FILES, extract=mlc.Extract(column=column), transforms=steps)

    def kind(column: str, stored: pa.DataType) -> Any:
        if column == "image":
            return mlc.DataType.IMAGE_OBJECT
        return {pa.int64(): mlc.DataType.INTEGER, pa.float64(): mlc.DataType.FLOAT}.get(stored, mlc.DataType.TEXT)

    def field(of: str, name: str, data_type: Any, **more: Any) -> Any:
        return mlc.Field(id=f"{of}/{name}", name=name, data_types=data_type, **more)

    columns = [
        field(_PICTURES, one.name, kind(one.name, one.type), source=source(one.name)) for one in schema_of(content)
    ]
    records = [mlc.RecordSet(id=_PICTURES, name=_PICTURES, fields=columns)]
    if content.classes:
        of_class = [field(_CLASSES, "id", mlc.DataType.INTEGER), field(_CLASSES, "name", mlc.DataType.TEXT)]
        rows = [{f"{_CLASSES}/id": code, f"{_CLASSES}/name": name} for code, name in enumerate(content.classes)]
        records.append(mlc.RecordSet(id=_CLASSES, name=_CLASSES, key=f"{_CLASSES}/id", fields=of_class, data=rows))
    files = mlc.FileSet(id=_FILES, name=_FILES, encoding_formats=["application/x-parquet"], includes="*.parquet")
    return mlc.Metadata(
        name=origin.name,
        description=f"{len(content.paths):,} pictures with labels as corrected, made with URL-Viz {origin.version}.",
        distribution=[files],
        record_sets=records,
    )
