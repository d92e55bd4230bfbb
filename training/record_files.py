"""Records as files, each written in one step: JSON with null for a missing figure, and CSV with a line per record."""

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from url_viz.files import replaced

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def write_json(record: Any, path: Path) -> None:
    """Write a dataclass or plain values as JSON; nan becomes null, a path text."""
    with replaced(path) as temporary:
        temporary.write_text(json.dumps(_plain(record), indent=1))


def write_csv(lines: Sequence["DataclassInstance"], path: Path) -> None:
    """Write dataclasses of one kind, at least one, as CSV with a header."""
    with replaced(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(lines[0])])
        writer.writeheader()
        writer.writerows(map(asdict, lines))


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and math.isnan(value):
        return None
    return str(value) if isinstance(value, Path) else value
