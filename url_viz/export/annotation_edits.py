"""Annotation files edited in place: the bytes of some objects' classes replaced, other objects taken out."""

import codecs
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import AnyStr, Generic
from xml.parsers.expat import ParserCreate
from xml.sax.saxutils import escape

from url_viz.errors import FolderError
from url_viz.imaging.annotations.annotated import label_of

Changes = Mapping[int, str | None]
"""The new class of objects of one file, None for one to be taken out, by `AnnotatedObject.place`."""
_DECODER = json.JSONDecoder()
_BLANK = re.compile(r"[ \t\n\r]*")
_BYTE_ORDERS = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


@dataclass(frozen=True)
class _Edit(Generic[AnyStr]):
    """What stands from `start` to `end` becomes `new`."""

    start: int
    end: int
    new: AnyStr


def edited_yolo(data: bytes, changes: Changes, numbers: Mapping[str, str]) -> bytes:
    """A file of labels with new class numbers, from `numbers` by class, and without some lines."""
    mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    lines = data[len(mark) :].decode("utf-8", "surrogateescape").splitlines(keepends=True)
    for number, label in changes.items():
        line = lines[number - 1]
        lines[number - 1] = "" if label is None else line.replace(line.split()[0], numbers[label], 1)
    return mark + "".join(lines).encode("utf-8", "surrogateescape")


def edited_coco(data: bytes, changes: Changes) -> bytes:
    """An `instances.json` with new `category_id`s, and without some annotations and their commas.

    Raises FolderError for a text that cannot be written back byte for byte.
    """
    encoding = json.detect_encoding(data)
    text = data.decode(encoding, "surrogatepass")
    if text.encode(encoding, "surrogatepass") != data:
        raise FolderError(
            "The annotation file is in UTF-16 of the other byte order. Save it as UTF-8, and read it again."
        )
    parts = _members(text, _after_blank(text, 0))
    numbers = _numbers(text, parts["categories"][0])
    entries = [span for _, span in _values(text, parts["annotations"][0])]
    return _applied(text, _edits_of(text, entries, changes, numbers)).encode(encoding, "surrogatepass")


def _numbers(text: str, at: int) -> dict[str, str]:
    """The id of each class as it is written in the list of categories at `at`."""
    numbers: dict[str, str] = {}
    for _, (start, end) in _values(text, at):
        if text[start] == "{":
            first, last = _members(text, start).get("id", (0, 0))
            numbers.setdefault(label_of(json.loads(text[start:end]).get("name")), text[first:last])
    return numbers


def _edits_of(
    text: str, entries: Sequence[tuple[int, int]], changes: Changes, numbers: Mapping[str, str]
) -> Iterator[_Edit[str]]:
    has_kept = False
    for place, (start, end) in enumerate(entries):
        label = changes.get(place, "")
        if label is None and has_kept:  # with the comma before it, else with that behind it
            yield _Edit(entries[place - 1][1], end, "")
        elif label is None:
            yield _Edit(start, entries[place + 1][0] if place + 1 < len(entries) else end, "")
        elif label:
            yield _Edit(*_members(text, start)["category_id"], numbers[label])
        has_kept = has_kept or label is not None


def _members(text: str, at: int) -> dict[str, tuple[int, int]]:
    """Where the values of the JSON object at `at` begin and end, by name; of equal names the last, as when read."""
    return {str(name): span for name, span in _values(text, at)}


def _values(text: str, at: int) -> Iterator[tuple[object, tuple[int, int]]]:
    """The name (None in a list) of each value of the JSON object or list at `at`, and where it begins and ends."""
    is_list, at, name = text[at] == "[", _after_blank(text, at + 1), None
    while text[at] not in "]}":
        if not is_list:
            name, at = _DECODER.raw_decode(text, at)
            at = _after_blank(text, _after_blank(text, at) + 1)
        end = _DECODER.raw_decode(text, at)[1]
        yield name, (at, end)
        at = _after_blank(text, end)
        at = _after_blank(text, at + 1) if text[at] == "," else at


def _after_blank(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    return at if match is None else match.end()


def edited_voc(data: bytes, changes: Changes) -> bytes:
    """A VOC file with other texts in `<name>` of some objects, and without some with the white space before them."""
    found = _VocObjects(data)
    edits = []
    for number, label in changes.items():
        one = found.objects[number - 1]
        new = b"" if label is None else escape(label).encode(found.encoding, "xmlcharrefreplace")
        edits.append(_Edit(*((one.start, one.end) if label is None else one.name), new))
    return _applied(data, edits)


@dataclass
class _VocObject:
    """Where an object lies with the white space before it, and the text of its `name`, in bytes."""

    start: int
    end: int = -1
    name: tuple[int, int] = (-1, -1)


class _VocObjects:
    """The objects of an XML file in the order of their beginnings.

    expat tells where an event begins, and so where the one before it ended.
    """

    def __init__(self, data: bytes) -> None:
        self.objects: list[_VocObject] = []
        self.encoding = _BYTE_ORDERS.get(data[:2], "utf-8")
        self._open: list[_VocObject] = []
        self._path: list[str] = []
        self._blank: int | None = None
        self._at_next: list[Callable[[int], None]] = []
        self._parser = ParserCreate(namespace_separator="}")
        self._parser.XmlDeclHandler = self._declared
        self._parser.StartElementHandler = self._begin
        self._parser.EndElementHandler = self._finish
        self._parser.CharacterDataHandler = self._text
        self._parser.DefaultHandler = lambda data: self._at()
        self._parser.Parse(data, True)
        self._called(len(data))

    def _declared(self, version: str, encoding: str | None, standalone: int) -> None:
        self.encoding = encoding if encoding and self.encoding == "utf-8" else self.encoding

    def _at(self) -> int:
        """Where the present event begins."""
        at = self._parser.CurrentByteIndex
        self._called(at)
        self._blank = None
        return at

    def _called(self, at: int) -> None:
        waiting, self._at_next = self._at_next, []
        for call in waiting:
            call(at)

    def _begin(self, tag: str, attributes: Mapping[str, str]) -> None:
        before = self._blank
        at = self._at()
        self._path.append(tag)
        if tag == "object":
            self._open.append(_VocObject(at if before is None else before))
            self.objects.append(self._open[-1])
        elif self._path[-2:] == ["object", "name"] and self._open[-1].name == (-1, -1):
            self._at_next.append(self._name_from(self._open[-1]))

    def _name_from(self, one: _VocObject) -> Callable[[int], None]:
        def begins(start: int) -> None:
            one.name = start, -1

        return begins

    def _finish(self, tag: str) -> None:
        at = self._at()
        if self._path[-2:] == ["object", "name"] and self._open[-1].name[1] < 0:
            self._open[-1].name = self._open[-1].name[0], at
        if tag == "object":
            one = self._open.pop()
            self._at_next.append(lambda end: setattr(one, "end", end))
        self._path.pop()

    def _text(self, data: str) -> None:
        """Text, whose white space at its end goes with an object behind it; a line break comes by itself."""
        blank, text = self._blank, data.rstrip(" \t\r\n")
        at = self._at()
        if not text:
            self._blank = at if blank is None else blank
        elif text != data:
            self._blank = at + len(text.encode(self.encoding))


def _applied(text: AnyStr, edits: Iterator[_Edit[AnyStr]] | Sequence[_Edit[AnyStr]]) -> AnyStr:
    """A text with its edits; one inside what is taken out goes with it."""
    parts: list[AnyStr] = []
    at = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, -edit.end)):
        if edit.start >= at:
            parts += text[at : edit.start], edit.new
            at = edit.end
    parts.append(text[at:])
    return text[:0].join(parts)
