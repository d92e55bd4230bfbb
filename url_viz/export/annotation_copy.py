"""Copies of a set's annotation files, edited in place: corrected classes replaced, dropped objects taken out."""

import codecs
import json
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from url_viz.errors import FolderError, ImageError, ImageSetError
from url_viz.export.picture_files import Wanted, new_folder
from url_viz.export.table_files import write_table
from url_viz.image_set import ImageSet
from url_viz.imaging.annotations.annotated import label_of
from url_viz.imaging.annotations.voc import ANNOTATIONS
from url_viz.imaging.annotations.yolo import label_file
from url_viz.imaging.decode import EMPTY, read_file
from url_viz.imaging.object_source import Objects
from url_viz.imaging.scan import display_name
from url_viz.store.about import embed_command
from url_viz.store.object_columns import BOX_COLUMNS, CLASS
from url_viz.wording import counted, first_of

Changes = Mapping[int, str | None]
"""The new class of objects of one file, None for one to be taken out, by `AnnotatedObject.place`."""
REDRAW = "to_redraw.csv"
ByFile = Mapping[bytes, dict[int, str | None]]
"""What changes in each file, by its path in the copy: `Changes`."""
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


@dataclass(frozen=True)
class AnnotationCopy:
    """What was written to `out`: so many `files`, classes `corrected`, objects `dropped`, and boxes `to_redraw`."""

    out: Path
    files: int
    corrected: int
    dropped: int
    to_redraw: int

    @property
    def words(self) -> tuple[str, ...]:
        changed = f"{counted(self.corrected, 'class')} corrected, {counted(self.dropped, 'object')} taken out"
        said = f"{counted(self.files, 'file')} in {str(self.out)!r}: {changed}; all else byte for byte, no pictures."
        redraw = f"{counted(self.to_redraw, 'box is', 'boxes are')} to be drawn again: {REDRAW}."
        return (said, *([redraw] if self.to_redraw else []))


def write_annotations(wanted: Wanted) -> AnnotationCopy:
    """Write the annotation files to the new folder, in their folders, and `REDRAW` where a box is wrong.

    Raises ImageSetError for a selection, for a class that has no number, and if the files have changed since they
    were read.
    """
    image_set = wanted.image_set
    if wanted.ids is not None:
        raise ImageSetError("Annotation files are written whole. Leave out what selects objects.")
    changed, redraw = _changed(image_set), image_set.objects.to_redraw()
    source = Objects(image_set.root, image_set.within)
    changes = _by_file(image_set, source, changed)
    _refuse_unnumbered(source, {label for label in changed.values() if label is not None})
    count = 0
    with new_folder(wanted.out, image_set) as folder:
        for path, data in _edited(source, changes):
            at = folder / os.fsdecode(path)
            at.parent.mkdir(parents=True, exist_ok=True)
            at.write_bytes(data)
            count += 1
        if len(redraw):
            write_table(redraw, folder / REDRAW)
    dropped = list(changed.values()).count(None)
    return AnnotationCopy(wanted.out, count, len(changed) - dropped, dropped, len(redraw))


def _changed(image_set: ImageSet) -> dict[int, str | None]:
    """The class of each corrected object by its id, None for a dropped one."""
    table = image_set.table()
    is_dropped = (table["decision"] == "drop").to_numpy(bool)
    is_changed = is_dropped | (table["label_checked"] == "corrected").to_numpy(bool)
    if is_changed.any() and image_set.labels.chosen != CLASS:
        raise ImageSetError(
            "Labels are not the classes of the annotations now. Choose these: `python -m url_viz labels "
            f"{str(image_set.root)!r} {CLASS}`."
        )
    labels = table["label"].where(~is_dropped, None)
    return dict(zip(table["id"][is_changed].tolist(), labels[is_changed].tolist(), strict=True))


def _by_file(image_set: ImageSet, source: Objects, changed: Mapping[int, str | None]) -> ByFile:
    """What changes in each file. Raises ImageSetError for an object that is not there as it was read."""
    facts = source.facts if changed else {}
    said = image_set.table().set_index("id").loc[[*changed]].reindex(columns=[CLASS, *BOX_COLUMNS[:4]])
    by_file: dict[bytes, dict[int, str | None]] = {}
    gone = []
    for before, (image_id, label) in zip(said.itertuples(index=False, name=None), changed.items(), strict=True):
        picture, one, place = facts.get(image_id, (None, None, None))
        if picture is None or one is None or place is None or before != (one.label, *place.box):
            gone.append(image_id)
        elif by_file.setdefault(_file_of(source, picture.path), {}).setdefault(one.place, label) != label:
            raise ImageSetError(
                f"The line of {display_name(place.path)!r} is that of another picture, too, and what became of the two "
                "differs. Decide the same of both."
            )
    if gone:
        raise ImageSetError(
            f"{counted(len(gone), 'corrected or dropped object')} stand differently in the files now than when they "
            f"were read: {first_of([display_name(path) for path in image_set.paths_of(gone)])}. Read them again: "
            f"{embed_command(image_set.root)}."
        )
    return by_file


def _refuse_unnumbered(source: Objects, labels: Collection[str]) -> None:
    """Raise ImageSetError for a class that has no number in the files; names are classes in VOC."""
    names = source.annotations.names
    if source.annotations.kind != "VOC" and (missing := sorted({*labels} - {*names.values()})):
        raise ImageSetError(
            f"{', '.join(map(repr, missing))} has no number in {source.root.name!r}. Add it to the classes there and "
            f"read it again ({embed_command(source.root)}), or give another class."
        )


def _file_of(source: Objects, picture: bytes) -> bytes:
    """The file that a picture's objects stand in, by its path in the copy."""
    if source.annotations.kind == "YOLO":
        return label_file(picture)
    if source.annotations.kind == "COCO":
        return os.fsencode(source.root.name)
    return os.path.join(ANNOTATIONS.encode(), os.path.splitext(os.path.basename(picture))[0] + b".xml")


def _edited(source: Objects, changes: ByFile) -> Iterator[tuple[bytes, bytes]]:
    """Every annotation file, by its path in the copy, with its new bytes. Raises FolderError for one that is gone."""
    annotations = source.annotations
    numbers = {name: number for number, name in reversed([*annotations.names.items()])}  # of two, the first
    for path, at in _files(source):
        try:
            data = read_file(at, within=source.within)
        except ImageError as error:
            if str(error) != EMPTY:
                raise FolderError(f"{display_name(at)!r} {error}. Read the annotations again.") from error
            data = b""
        of_file = changes.get(path)
        if not of_file:
            yield path, data
        elif annotations.kind == "YOLO":
            yield path, edited_yolo(data, of_file, numbers)
        else:
            yield path, (edited_coco if annotations.kind == "COCO" else edited_voc)(data, of_file)


def _files(source: Objects) -> Iterator[tuple[bytes, bytes]]:
    """The path in the copy of each annotation file, and where it lies."""
    kind, base = source.annotations.kind, os.fsencode(source.base)
    paths = [_file_of(source, picture) for picture in source.annotations.pictures] if kind == "YOLO" else []
    if kind == "VOC":
        paths = [
            os.fsencode(path.relative_to(source.base)) for path in sorted((source.base / ANNOTATIONS).glob("*.xml"))
        ]
    else:
        yield os.fsencode(source.root.name), os.fsencode(source.root)
    for path in dict.fromkeys(paths):
        if os.path.exists(os.path.join(base, path)):
            yield path, os.path.join(base, path)
