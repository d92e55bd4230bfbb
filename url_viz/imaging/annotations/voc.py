"""Objects of a VOC folder: an XML file a picture in `Annotations`, pictures in `JPEGImages`, splits in `ImageSets`."""

import os
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from url_viz.base.errors import FolderError, ImageError
from url_viz.imaging.annotations.annotated import AnnotatedObject, Annotations, as_label, numbers
from url_viz.imaging.annotations.annotation_format import Changes, Edit, decoded, files_below, with_edits
from url_viz.imaging.decode import EMPTY, VANISHED, read_file
from url_viz.imaging.places import Box
from url_viz.imaging.scan import display_name, scan

ANNOTATIONS, PICTURES, SPLITS = "Annotations", "JPEGImages", "ImageSets/Main"
_FACTS = ("pose", "truncated", "difficult", "occluded")
_DECLARED = re.compile(rb"""(?:\xef\xbb\xbf)?<\?xml[^>]*\sencoding\s*=\s*["']([\w.-]+)""")
_TAG = re.compile(
    r"""<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>|<(?P<end>/?)(?P<name>[^\s>/]+)(?:"[^"]*"|'[^']*'|[^>"'/]|/(?!>))*"""
    r"(?P<empty>/?)>",
    re.DOTALL,
)
"""A tag of XML, or what is none: a comment, a section of characters, an instruction."""


class Voc:
    """VOC's: a folder with an XML file a picture, in which classes are names."""

    name = "VOC"
    usual_names = ()
    numbers_classes, numbers_as_detectors = False, False

    def is_at(self, path: Path) -> bool:
        return all(os.path.isdir(path / name) for name in (ANNOTATIONS, PICTURES))  # also of a closed folder

    def read(self, path: Path, *, within: Sequence[Path] | None = None) -> Annotations:
        """As of every format; raises FolderError if there is not one picture with a file of objects."""
        return _annotations(path, within)

    def files(self, root: Path, annotations: Annotations) -> Iterator[tuple[bytes, bytes]]:
        paths = sorted((root / ANNOTATIONS).glob("*.xml"))
        return files_below(root, [os.fsencode(path.relative_to(root)) for path in paths])

    def edited(self, data: bytes, changes: Changes, numbers: Mapping[str, str]) -> bytes:
        """As of every format: other texts in `<name>`; the white space before an object goes with it."""
        declared = _DECLARED.match(data)
        encoding = declared[1].decode() if declared else "utf-8"
        text = decoded(data, encoding)
        objects = _objects_in(text)
        edits = []
        for number, label in changes.items():
            item = objects[number - 1]
            edits.append(Edit(item.start, item.end, "") if label is None else Edit(*item.name, escape(label)))
        return with_edits(text, edits).encode(encoding, "xmlcharrefreplace")


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


def _annotations(folder: Path, within: Sequence[Path] | None) -> Annotations:
    pictures = scan(folder / PICTURES, within=within).files
    annotations = Annotations(Voc.name, folder)
    by_stem: dict[bytes, bytes] = {}
    for file in pictures:
        stem, path = os.path.splitext(os.path.basename(file.path))[0], PICTURES.encode() + b"/" + file.path
        if by_stem.setdefault(stem, path) == path:
            annotations.picture(path)
        else:
            other = display_name(by_stem[stem])
            annotations.fail(display_name(path), f"has the same name before its ending as {other}: rename one of them")
    for split in ("train", "val", "test"):
        for stem in _stems_in(folder, split, annotations, within=within):
            if stem in by_stem:
                annotations.picture(by_stem[stem], split=split)
    with os.scandir(folder / ANNOTATIONS) as entries:
        files = sorted(os.fsencode(entry.name) for entry in entries if entry.name.endswith(".xml"))
    for name in files:
        _take_file(folder, name, by_stem, annotations, within=within)
    if not any(picture.objects for picture in annotations.pictures.values()):
        raise FolderError(f"{str(folder)!r} has no objects in {ANNOTATIONS!r}. Give the folder of a VOC data set.")
    return annotations


def _stems_in(folder: Path, split: str, annotations: Annotations, *, within: Sequence[Path] | None) -> Iterator[bytes]:
    list_name = f"{SPLITS}/{split}.txt"
    try:
        lines = read_file(os.fsencode(folder / list_name), within=within).splitlines()
    except ImageError as error:
        if str(error) not in (VANISHED, EMPTY):
            annotations.fail(list_name, str(error))
        return
    yield from (line.split()[0] for line in lines if line.split())


def _take_file(
    folder: Path, name: bytes, by_stem: dict[bytes, bytes], annotations: Annotations, *, within: Sequence[Path] | None
) -> None:
    where, path = display_name(name), by_stem.get(os.path.splitext(name)[0])
    try:
        root = _tree(read_file(os.fsencode(folder / ANNOTATIONS / os.fsdecode(name)), within=within))
    except (ImageError, ET.ParseError, ValueError) as error:
        annotations.fail(where, f"cannot be read: {error}")
        return
    if path is None:
        annotations.fail(where, f"is of a picture that is not in {PICTURES}")
        return
    annotations.pictures[path].file = ANNOTATIONS.encode() + b"/" + name
    annotations.pictures[path].measure(root.findtext("size/width"), root.findtext("size/height"))
    for number, element in enumerate(root.iter("object"), 1):
        box, label = _box_of(element), (element.findtext("name") or "").strip()
        if box is None or not label:
            annotations.fail(f"{where} object {number}", "has no name, or no box of four numbers")
            continue
        facts = tuple((fact, text) for fact in _FACTS if (text := (element.findtext(fact) or "").strip()))
        item = AnnotatedObject(str(number), as_label(label), box, facts=facts, place=number)
        annotations.add(path, item, where=f"{where} object {number}")


class _WithoutTypes(ET.TreeBuilder):
    """Refuses a document type, in any encoding: it could define entities without end."""

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        raise ValueError("it has a document type, which is not read")


def _tree(data: bytes) -> ET.Element:
    """The root of an XML file. Raises ValueError for one with a document type, ParseError for what is no XML."""
    return ET.fromstring(data, ET.XMLParser(target=_WithoutTypes()))


def _box_of(element: ET.Element) -> Box | None:
    """VOC counts pixels from 1, and the last one is inside."""
    ends = numbers(element.findtext(f"bndbox/{name}") for name in ("xmin", "ymin", "xmax", "ymax"))
    if ends is None:
        return None
    left, top, right, bottom = ends
    return left - 1, top - 1, right - left + 1, bottom - top + 1
