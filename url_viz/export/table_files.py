"""Tables for other programs, safe to open, with their provenance."""

import datetime
import importlib
import json
import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from url_viz.base.errors import FolderError
from url_viz.base.files import replaced, require_parent
from url_viz.base.wording import numbered, with_apostrophe
from url_viz.image_set import ImageSet
from url_viz.store.about import read_about

KINDS = (".csv", ".parquet")


def write_table(table: pd.DataFrame, path: Path) -> Path:
    """Write `table` to a .csv or .parquet file, atomically. Raises FolderError for another extension."""
    if path.suffix.lower() not in KINDS:
        raise FolderError(f"{path.name!r} ends neither in .csv nor in .parquet. Give the file one of these endings.")
    return write_bytes(table_bytes(table, path.suffix.lower()), path)


def write_bytes(data: bytes, path: Path) -> Path:
    """Write a file atomically. Raises FolderError if that fails, or its folder is not there."""
    require_parent(path)
    try:
        with replaced(path.expanduser().absolute()) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise FolderError(f"Cannot write {str(path)!r}: {error.strerror}. Choose another path.") from error
    return path


def table_bytes(table: pd.DataFrame, kind: str) -> bytes:
    """A table as a file of the `kind` ".csv" or ".parquet"."""
    plain = table.copy()
    plain.attrs = {}
    if kind == ".parquet":
        return bytes(plain.to_parquet(index=False))
    return without_formulas(plain).to_csv(index=False).encode("utf-8")


def without_formulas(table: pd.DataFrame) -> pd.DataFrame:
    """The table with an apostrophe before text cells and column names that a spreadsheet would run as a formula."""
    safe = table.rename(columns=_inert)
    for column, kind in enumerate(safe.dtypes):
        if isinstance(kind, pd.CategoricalDtype) or not pd.api.types.is_numeric_dtype(kind):
            safe.isetitem(column, [_inert(value) for value in safe.iloc[:, column]])
    return safe


def _inert(value: object) -> object:
    return with_apostrophe(value) if isinstance(value, str) else value


def known_columns(table: pd.DataFrame) -> pd.DataFrame:
    """The columns in which at least one picture has a value: a loader cannot infer the type of the others."""
    return table[[name for name in table.columns if any(_is_known(each) and each != "" for each in table[name])]]


def column_names(columns: Collection[str], *, reserved: Collection[str]) -> dict[str, str]:
    """A name for each column: letters, digits and _, a letter first, none of `reserved`, no two the same."""
    name_of: dict[str, str] = {}
    for column in columns:
        plain = re.sub(r"\W", "_", str(column))
        wanted = plain if plain[:1].isalpha() and plain.lower() not in reserved else f"own_{plain.lstrip('_')}"
        used = {*reserved, *(name.lower() for name in name_of.values())}
        name_of[column] = next(name for name in numbered(wanted) if name.lower() not in used)
    return name_of


def plain_value(value: object) -> object:
    """A value of a table for JSON: nan, infinity and missing values are null; numpy scalars become Python's."""
    if not _is_known(value):
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, bool | int | str) else str(value)


def as_json(record: object, *, indent: int | None = None) -> str:
    """A record as JSON; raises ValueError for NaN and infinity, which JSON lacks."""
    return json.dumps(record, ensure_ascii=False, allow_nan=False, indent=indent)


def _is_known(value: object) -> bool:
    return (
        value is not None
        and value is not pd.NA
        and (not isinstance(value, float | np.floating) or math.isfinite(value))
    )


@dataclass(frozen=True)
class Provenance:
    """What is needed to reproduce exported values; "" where there is no head, or no second model.

    `folder` is a name, or the whole path if asked for. `made` is in UTC, to the minute.
    """

    name: str
    folder: str
    pictures: int
    model: str
    backbone: str
    weights_digest: str
    second_model: str
    head_digest: str
    precision: str
    input_px: int
    version: str
    made: str

    def rows(self) -> tuple[tuple[str, str], ...]:
        """Each fact as people read it: its name and value."""
        return (
            ("Folder", self.folder),
            ("Pictures in the image set", f"{self.pictures:,}"),
            ("Model", self.model),
            ("Backbone", f"{self.backbone}, weights {self.weights_digest}"),
            ("Second model", self.second_model or "none asked"),
            ("Uncertainty head", self.head_digest or "none for this model"),
            ("Precision, input", f"{self.precision}, {self.input_px} × {self.input_px} px"),
            ("Made with", f"URL-Viz {self.version}"),
            ("Made on", f"{self.made} UTC"),
        )


def provenance(image_set: ImageSet, *, with_folder: bool = False, now: datetime.datetime | None = None) -> Provenance:
    """Where an image set's values come from; the whole path of its folder only `with_folder`."""
    moment = (now or datetime.datetime.now(datetime.UTC)).astimezone(datetime.UTC)
    space, head, second = image_set.space, image_set.source.head, image_set.core.second.active
    return Provenance(
        name=name_of(image_set),
        folder=str(image_set.root) if with_folder else image_set.root.name,
        pictures=len(image_set),
        model=image_set.source.title,
        backbone=space.backbone,
        weights_digest=space.weights_digest,
        second_model="" if second is None else f"{second.space.backbone}, weights {second.space.weights_digest}",
        head_digest="" if head is None else head.digest,
        precision=space.precision,
        input_px=space.preprocessing.size_px,
        version=importlib.import_module("url_viz").__version__,
        made=f"{moment:%Y-%m-%d %H:%M}",
    )


def name_of(image_set: ImageSet) -> str:
    """The name that the user gave an image set, else its folder's name, never its path."""
    return read_about(image_set.workspace.set_paths(image_set.set_id)).name or image_set.root.name
