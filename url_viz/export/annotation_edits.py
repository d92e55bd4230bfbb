"""Annotation files edited in place: the bytes of some objects' classes replaced, other objects taken out."""

import codecs
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from url_viz.errors import FolderError
from url_viz.imaging.annotations.annotated import label_of

Changes = Mapping[int, str | None]
"""The new class of objects of one file, None for one to be taken out, by `AnnotatedObject.place`."""
_DECODER = json.JSONDecoder()
_BLANK = re.compile(r"[ \t\n\r]*")
_DECLARED = re.compile(rb"""(?:\xef\xbb\xbf)?<\?xml[^>]*\sencoding\s*=\s*["']([\w.-]+)""")
_TAG = re.compile(
    r"""<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>|<(?P<end>/?)(?P<name>[^\s>/]+)(?:"[^"]*"|'[^']*'|[^>"'/]|/(?!>))*"""
    r"(?P<empty>/?)>",
    re.DOTALL,
)
"""A tag of XML, or what is none: a comment, a section of characters, an instruction."""


@dataclass(frozen=True)
class _Edit:
    """What stands from `start` to `end` becomes `new`."""

    start: int
    end: int
    new: str


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

    Raises FolderError for another encoding than UTF-8.
    """
    encoding = "utf-8-sig" if data.startswith(codecs.BOM_UTF8) else "utf-8"
    text = _decoded(data, encoding)
    parts = _members(text, _after_blank(text, 0))
    numbers = _numbers(text, parts["categories"][0])
    entries = [span for _, span in _values(text, parts["annotations"][0])]
    return _applied(text, _edits_of(text, entries, changes, numbers)).encode(encoding, "surrogatepass")


def _decoded(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding, "surrogatepass")
    except UnicodeDecodeError as error:
        raise FolderError("An annotation file is not in UTF-8. Save it so, and read it again.") from error


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
) -> Iterator[_Edit]:
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
    declared = _DECLARED.match(data)
    encoding = declared[1].decode() if declared else "utf-8"
    text = _decoded(data, encoding)
    found = _objects_in(text)
    edits = []
    for number, label in changes.items():
        one = found[number - 1]
        edits.append(_Edit(one.start, one.end, "") if label is None else _Edit(*one.name, escape(label)))
    return _applied(text, edits).encode(encoding, "xmlcharrefreplace")


@dataclass
class _VocObject:
    """Where an object begins, with the white space before it, and ends; and the text of its first `name`."""

    start: int
    end: int = -1
    name: tuple[int, int] = (-1, -1)


def _objects_in(text: str) -> list[_VocObject]:
    """The objects of an XML text in the order of their beginnings."""
    objects: list[_VocObject] = []
    around: list[_VocObject] = []
    path: list[str] = []
    for tag in _TAG.finditer(text):
        begins, ends = bool(tag["name"]) and not tag["end"], bool(tag["end"] or tag["empty"])
        if begins:
            path.append(tag["name"])
            if path[-1] == "object":
                around.append(_VocObject(len(text[: tag.start()].rstrip(" \t\r\n"))))
                objects.append(around[-1])
        if path[-2:] == ["object", "name"] and around[-1].name[1] < 0 and (begins or ends):
            around[-1].name = (around[-1].name[0], tag.start()) if ends else (tag.end(), -1)
        if ends and path.pop() == "object":
            around.pop().end = tag.end()
    return objects


def _applied(text: str, edits: Iterable[_Edit]) -> str:
    """A text with its edits; one inside what is taken out goes with it."""
    parts: list[str] = []
    at = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, -edit.end)):
        if edit.start >= at:
            parts += text[at : edit.start], edit.new
            at = edit.end
    return "".join([*parts, text[at:]])
