"""What a kind of annotations is: which paths name it, how it is read, and how its text is edited in place."""

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from url_viz.base.errors import FolderError, ImageError
from url_viz.imaging.annotations.annotated import Annotations
from url_viz.imaging.decode import read_file

Changes = Mapping[int, str | None]
"""The new class of objects of one file, None for one to be taken out, by `AnnotatedObject.place`."""


@runtime_checkable
class AnnotationFormat(Protocol):
    """A kind of annotations, read in a process with limits: whatever it raises is a fault of the files."""

    @property
    def name(self) -> str:
        """What people call it, and `Annotations.kind`."""

    @property
    def usual_names(self) -> Sequence[str]:
        """Patterns of the names that its files have in a folder of pictures."""

    @property
    def numbers_classes(self) -> bool:
        """Whether a class is a number in its files, so that a new one needs a number first."""

    @property
    def numbers_as_detectors(self) -> bool:
        """Whether these numbers are those that detectors trained on it predict."""

    def is_at(self, path: Path) -> bool:
        """Whether a path, of a file or a folder, names such annotations."""

    def read(self, path: Path, *, within: Sequence[Path] | None = None) -> Annotations:
        """The objects that they say of. Raises FolderError if they cannot be read as such."""

    def files(self, root: Path, annotations: Annotations) -> Iterator[tuple[bytes, bytes]]:
        """The path in a copy of each annotation file of `root`, and where it lies."""

    def edited(self, data: bytes, changes: Changes, numbers: Mapping[str, str]) -> bytes:
        """A file with other classes of some objects, and without some; all else byte for byte.

        `numbers` are of the classes. Raises FolderError for an encoding that it cannot have.
        """


def annotation_bytes(path: Path, *, within: Sequence[Path] | None) -> bytes:
    """The bytes of an annotation file. Raises FolderError if they cannot be read."""
    try:
        return read_file(os.fsencode(path), within=within)
    except ImageError as error:
        raise FolderError(f"{str(path)!r} {error}. Give a file of annotations that can be read.") from error


def files_below(base: Path, paths: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """The paths below a base at which a file lies, once each, and its full path."""
    for path in dict.fromkeys(paths):
        place = os.path.join(os.fsencode(base), path)
        if os.path.exists(place):
            yield path, place


Span = tuple[int, int]
"""Where something begins and ends in a text."""
Edit = tuple[int, int, str]
"""Where what is replaced begins and ends in a text, and what takes its place."""
_DECODER = json.JSONDecoder()
_BLANK = re.compile(r"[ \t\n\r]*")


def with_edits(text: str, edits: Iterable[Edit]) -> str:
    """A text after its edits; an edit inside a part that is replaced goes with it."""
    parts: list[str] = []
    done = 0
    for start, end, new in sorted(edits, key=lambda edit: (edit[0], -edit[1])):
        if start >= done:
            parts += text[done:start], new
            done = end
    return "".join([*parts, text[done:]])


def decoded(data: bytes, encoding: str) -> str:
    """The text of an annotation file. Raises FolderError for another encoding."""
    try:
        return data.decode(encoding, "surrogatepass")
    except UnicodeDecodeError as error:
        raise FolderError("An annotation file is not in UTF-8. Save it so, and read it again.") from error


def edits_of_list(entries: Sequence[Span], changes: Changes, relabel: Callable[[int, str], Edit]) -> Iterator[Edit]:
    """The edits that change a JSON list with these entries; an entry is taken out with one comma.

    `relabel` gives the edit for a new class, from where the entry begins.
    """
    is_first = True
    for place, (start, end) in enumerate(entries):
        label = changes.get(place, "")
        if label is None and not is_first:  # with the comma before it, else with the one after it
            yield entries[place - 1][1], end, ""
        elif label is None:
            yield start, entries[place + 1][0] if place + 1 < len(entries) else end, ""
        elif label:
            yield relabel(start, label)
        is_first = is_first and label is None


def json_members(text: str, start: int) -> dict[str, Span]:
    """The spans of the values of the JSON object at `start`, by name; of equal names the last, as when read."""
    return {str(name): span for name, span in json_values(text, start)}


def json_values(text: str, start: int) -> Iterator[tuple[object, Span]]:
    """The name (None in a list) and the span of each value of the JSON object or list at `start`."""
    is_list, position, name = text[start] == "[", after_blank(text, start + 1), None
    while text[position] not in "]}":
        if not is_list:
            name, position = _DECODER.raw_decode(text, position)
            position = after_blank(text, after_blank(text, position) + 1)
        end = _DECODER.raw_decode(text, position)[1]
        yield name, (position, end)
        position = after_blank(text, end)
        position = after_blank(text, position + 1) if text[position] == "," else position


def after_blank(text: str, position: int) -> int:
    """Where the white space that begins at a position ends."""
    match = _BLANK.match(text, position)
    return position if match is None else match.end()
