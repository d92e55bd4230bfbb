"""Edits of annotation files as text: what stands between two places becomes another text, and nothing else changes."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from url_viz.errors import FolderError
from url_viz.imaging.annotations.annotation_format import Changes

Span = tuple[int, int]
"""Where something begins and ends in a text."""
_DECODER = json.JSONDecoder()
_BLANK = re.compile(r"[ \t\n\r]*")


@dataclass(frozen=True)
class Edit:
    """What stands from `start` to `end` becomes `new`."""

    start: int
    end: int
    new: str


def with_edits(text: str, edits: Iterable[Edit]) -> str:
    """A text with its edits; one inside what is taken out goes with it."""
    parts: list[str] = []
    end = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, -edit.end)):
        if edit.start >= end:
            parts += text[end : edit.start], edit.new
            end = edit.end
    return "".join([*parts, text[end:]])


def decoded(data: bytes, encoding: str) -> str:
    """The text of a file. Raises FolderError for another encoding."""
    try:
        return data.decode(encoding, "surrogatepass")
    except UnicodeDecodeError as error:
        raise FolderError("An annotation file is not in UTF-8. Save it so, and read it again.") from error


def edits_of_list(entries: Sequence[Span], changes: Changes, relabel: Callable[[int, str], Edit]) -> Iterator[Edit]:
    """The edits of a JSON list, whose entries stand there: some are taken out with one comma each.

    `relabel` gives the edit of another class, by where the entry begins.
    """
    has_kept = False
    for place, (start, end) in enumerate(entries):
        label = changes.get(place, "")
        if label is None and has_kept:  # with the comma before it, else with that behind it
            yield Edit(entries[place - 1][1], end, "")
        elif label is None:
            yield Edit(start, entries[place + 1][0] if place + 1 < len(entries) else end, "")
        elif label:
            yield relabel(start, label)
        has_kept = has_kept or label is not None


def json_members(text: str, start: int) -> dict[str, Span]:
    """Where the values of the JSON object at `start` are, by name; of equal names the last, as when read."""
    return {str(name): span for name, span in json_values(text, start)}


def json_values(text: str, start: int) -> Iterator[tuple[object, Span]]:
    """The name (None in a list) of each value of the JSON object or list at `start`, and where it is."""
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
    """Where the white space of JSON ends that begins there."""
    match = _BLANK.match(text, position)
    return position if match is None else match.end()
