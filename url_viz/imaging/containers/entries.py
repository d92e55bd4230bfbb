"""What a file that holds pictures says of them: a key, where its bytes lie, and columns such as class and split."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

CLASS = "class"
"""The column that becomes the label of a new set."""
CLASS_NAMES = ("class", "label", "class_name", "category", "labels", "cls", "target", "fine_label")
"""What columns of classes are called, the likeliest first; case does not matter."""
MOST_COLUMNS = 50
LONGEST_CELL = 500


@dataclass(frozen=True, slots=True)
class Entry:
    """A picture in a container: its key, its size in bytes (0 if not known), and `at`: an offset, or a row.

    Entries of one `block` are best read together, the blocks of one group in their order.
    """

    key: bytes
    size_bytes: int
    at: int
    block: tuple[int, int] | None = None


Columns = Mapping[str, Sequence[object]]
"""Values by name, one each for every entry: text, a number, or None."""


@dataclass(frozen=True)
class Entries:
    """The pictures in a container, what it says of each, and why some of it cannot be read ("" if all can)."""

    entries: Sequence[Entry]
    columns: Columns = field(default_factory=dict)
    fault: str = ""
    other: Sequence[str] = ()


class Container(Protocol):
    """A kind of file that holds pictures; its functions raise ImageError for a damaged file."""

    def entries(self, file: BinaryIO) -> Entries:
        """Every picture in an open file."""

    def read(self, file: BinaryIO, entry: Entry) -> bytes:
        """The bytes of a picture in an open file."""


def shortened(value: object) -> object:
    """A value as it is kept: text of at most `LONGEST_CELL` characters."""
    return value[:LONGEST_CELL] if isinstance(value, str) else value


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
