"""What a file that holds pictures says of them: a key, where its bytes lie, and columns such as class and split."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol

CLASS = "class"
"""The column that becomes the label of a new set."""
CLASS_NAMES = ("class", "label", "class_name", "category", "labels", "cls", "target", "fine_label")
"""What columns of classes are called, the likeliest first; case does not matter."""
MOST_COLUMNS = 50
LONGEST_CELL = 500
_LARGEST_NUMBER = 1 << 63

Columns = Mapping[str, Sequence[object]]
"""Values by name, one each for every entry: text, a number, or None."""


@dataclass(frozen=True)
class Entries:
    """The pictures in a container, each by its key and by where it lies (an offset or a row).

    Their sizes are in bytes, 0 if not known. Those of one group and part are best read together, the parts of a group
    in their order; both are empty where there are none. `columns` are what the container says of each picture. Of the
    rest of it, `faults` are the reasons why entries cannot be read, by their keys, `fault` is why it ends early (empty
    if it does not), and `other` counts files that are no pictures by extension.
    """

    keys: Sequence[bytes] = ()
    sizes_bytes: Sequence[int] = ()
    positions: Sequence[int] = ()
    groups: Sequence[int] = ()
    parts: Sequence[int] = ()
    columns: Columns = field(default_factory=dict)
    fault: str = ""
    faults: Mapping[bytes, str] = field(default_factory=dict)
    other: Mapping[str, int] = field(default_factory=dict)

    def as_record(self) -> dict[str, Any]:
        """As JSON has it."""
        faults = {os.fsdecode(key): why for key, why in self.faults.items()}
        return {**vars(self), "keys": [*map(os.fsdecode, self.keys)], "faults": faults}

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> "Entries":
        """From what `as_record` made."""
        faults = {os.fsencode(key): why for key, why in record["faults"].items()}
        return cls(**{**record, "keys": [*map(os.fsencode, record["keys"])], "faults": faults})


class Container(Protocol):
    """A kind of file that holds pictures, read in a process with limits: whatever it raises is a fault of the file."""

    def entries(self, file: BinaryIO) -> Entries:
        """Every picture in an open file."""

    def read(self, file: BinaryIO, position: int, size_bytes: int) -> Sequence[bytes]:
        """The bytes of the picture at a position of an open file, and of those after it that come with it."""


def shortened(value: object) -> object:
    """A value as it is kept: text in whole letters, at most `LONGEST_CELL`; a number beyond 64 bits is text."""
    if isinstance(value, int) and not -_LARGEST_NUMBER <= value < _LARGEST_NUMBER:
        value = str(value)
    if not isinstance(value, str):
        return value
    return value[:LONGEST_CELL].encode("utf-8", "replace").decode("utf-8")


def class_column(names: Iterable[str]) -> str | None:
    """The column of classes among some, by its name; None if there is none."""
    by_name = {name.casefold(): name for name in names}
    return next((by_name[name] for name in CLASS_NAMES if name in by_name), None)


def joined_columns(parts: Sequence[tuple[int, Columns]]) -> Columns:
    """The columns of several containers, each with its number of entries, as one; None where one lacks a column."""
    names = dict.fromkeys(name for _, columns in parts for name in columns)
    return {
        name: [value for count, columns in parts for value in columns.get(name, [None] * count)]
        for name in list(names)[:MOST_COLUMNS]
    }
