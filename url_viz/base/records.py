"""Frozen dataclasses as JSON records, read with every field checked, and small files that hold one each."""

import json
import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, is_dataclass
from functools import cache
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from url_viz.base.errors import DamageError, UrlVizError
from url_viz.base.files import record_in, replaced, sealed, unsealed

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Record = TypeVar("Record")


@dataclass(frozen=True)
class RecordFile(Generic[Record]):
    """A small file that holds one record: a dataclass of `kind` as sealed JSON, written whole or not at all.

    `advice` is the next step for whoever meets a damaged file, in a sentence. `default` is the record of a file that
    was never written. `writing` is held while the file is changed: a lock, with errors of disks in words. Without
    `is_flushed` a power cut may lose the file, for what can be made again.
    """

    path: Path
    kind: type[Record]
    advice: str
    default: Record | None = None
    error: type[UrlVizError] = DamageError
    writing: Callable[[], AbstractContextManager[object]] = nullcontext
    is_flushed: bool = True

    def find(self) -> Record | None:
        """The record, else the default; raises `error` for a file that is not as it was written."""
        try:
            return read_sealed(self.kind, self.path.read_bytes())
        except FileNotFoundError:
            return self.default
        except (ValueError, UrlVizError) as error:  # the latter of a record that refuses its fields
            raise self.error(f"{self.path} is damaged ({error}). {self.advice}") from error
        except OSError as error:
            raise self.error(f"{self.path} cannot be read ({error.strerror}). {self.advice}") from error

    def read(self) -> Record:
        """As `find`, but raises `error` also if there is neither a file nor a default."""
        record = self.find()
        if record is None:
            raise self.error(f"{self.path} is missing. {self.advice}")
        return record

    def write(self, record: Record) -> None:
        """Write a record, whatever the file holds."""
        with self.writing():
            self._replace(record)

    def change(self, change: Callable[[Record], Record], *, anew: bool = False) -> Record:
        """Write the result of `change`, unless it is the record itself, and return it; nobody else writes meanwhile.

        Raises `error` as `read`, and leaves a damaged file alone; with `anew` that counts as the default.
        """
        with self.writing():
            try:
                record = self.read()
            except self.error:
                if not anew or self.default is None:
                    raise
                record = self.default
            changed = change(record)
            if changed is not record:
                self._replace(changed)
        return changed

    def is_whole(self) -> bool:
        """Whether the file is as it was written, or was never written."""
        try:
            self.find()
        except self.error:
            return False
        return True

    def _replace(self, record: Record) -> None:
        with replaced(self.path, is_flushed=self.is_flushed) as temporary:
            temporary.write_text(sealed_text(record), encoding="utf-8")


def sealed_text(record: Any) -> str:
    """A dataclass as sealed JSON."""
    kind: Any = type(record)
    return sealed(_adapter(kind).dump_python(record, mode="json"))


def read_sealed(kind: type[Record], text: str | bytes) -> Record:
    """The dataclass `kind` from sealed JSON; raises ValueError for others."""
    return read_plain(kind, unsealed(text))


def read_json(kind: type[Record], text: str | bytes) -> Record:
    """The dataclass `kind` from JSON; raises ValueError as `read_plain` does, and for text that is not JSON."""
    return read_plain(kind, record_in(text))  # not pydantic's parser: it refuses names that are not UTF-8


def read_plain(kind: type[Record], values: object) -> Record:
    """The dataclass `kind` from values of its fields.

    Raises ValueError that names the first field that is missing or of another kind. Fields that `kind` does not know
    are ignored: a later version may have written them.
    """
    try:
        record: Record = _adapter(kind).validate_python(values)  # type: ignore[arg-type]  # a TypeVar is hashable
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or error.title
        raise ValueError(f"{field}: {first['msg'][:1].lower()}{first['msg'][1:]}") from error
    return record


def nan_for_null(kind: Any, value: Any) -> Any:
    """Values of `kind` from JSON, which has null for nan; null stays where `kind` allows None."""
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
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
