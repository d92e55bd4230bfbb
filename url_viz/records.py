"""Frozen dataclasses as JSON records, read with every field checked."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from functools import cache
from types import NoneType
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from url_viz.sealed import record_in

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Record = TypeVar("Record")


def read_json(kind: type[Record], text: str | bytes) -> Record:
    """The dataclass `kind` from JSON; raises ValueError as `read_plain` does, and for text that is not JSON."""
    return read_plain(kind, record_in(text))  # not pydantic's parser: it refuses names that are not UTF-8


def read_plain(kind: type[Record], values: object) -> Record:
    """The dataclass `kind` from values of its fields.

    Raises ValueError that names the first field that is missing or of another kind. Fields that `kind` does not know
    are passed over: a later version may have written them.
    """
    try:
        record: Record = _reader(kind).validate_python(values)  # type: ignore[arg-type]  # a TypeVar is hashable
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or error.title
        raise ValueError(f"{field}: {first['msg'][:1].lower()}{first['msg'][1:]}") from error
    return record


def nan_for_null(kind: Any, value: Any) -> Any:
    """Values of `kind`, with nan where a number is null, which is what JSON has for it; null stays where it may be."""
    inner = next(part for part in reversed(get_args(kind) or (kind,)) if part not in (NoneType, ...))
    if value is None:
        return math.nan if kind is float else None
    if isinstance(value, list):
        return [nan_for_null(inner, item) for item in value]
    if isinstance(value, dict) and is_dataclass(inner) and get_origin(kind) is not Mapping:
        hints = get_type_hints(inner)
        return {name: nan_for_null(hints[name], item) for name, item in value.items() if name in hints}
    return {name: nan_for_null(inner, item) for name, item in value.items()} if isinstance(value, dict) else value


def as_json(record: "DataclassInstance") -> str:
    """A dataclass as JSON, indented for people."""
    return json.dumps(asdict(record), indent=1)


@cache
def _reader(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
