"""Frozen dataclasses as JSON records, read with every field checked."""

import json
from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

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


def as_json(record: "DataclassInstance") -> str:
    """A dataclass as JSON, indented for people."""
    return json.dumps(asdict(record), indent=1)


@cache
def _reader(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
