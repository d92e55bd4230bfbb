"""Objects of a VOC folder: an XML file a picture in `Annotations`, pictures in `JPEGImages`, splits in `ImageSets`."""

import os
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from url_viz.base.errors import FolderError, ImageError
from url_viz.imaging.annotations.annotated import SPLITS, AnnotatedObject, Annotations, as_label, numbers
from url_viz.imaging.annotations.annotation_format import Changes, Span, decoded, files_below, with_edits
from url_viz.imaging.decode import EMPTY, VANISHED, read_file
from url_viz.imaging.scan import display_name, scan

ANNOTATIONS, PICTURES, LISTS = "Annotations", "JPEGImages", "ImageSets/Main"
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
        """As for every format; raises FolderError if not one picture has an object."""
        annotations = Annotations(self.name, path)
        by_stem: dict[bytes, bytes] = {}
        for file in scan(path / PICTURES, within=within).files:
            stem, picture = os.path.splitext(os.path.basename(file.path))[0], PICTURES.encode() + b"/" + file.path
            if by_stem.setdefault(stem, picture) == picture:
                annotations.picture(picture)
            else:
                why = f"has the same name before its ending as {display_name(by_stem[stem])}: rename one of them"
                annotations.fail(display_name(picture), why)
        for split in SPLITS:
            for stem in _stems_in(path, split, annotations, within=within):
                if stem in by_stem:
                    annotations.picture(by_stem[stem], split=split)
        with os.scandir(path / ANNOTATIONS) as entries:
            files = sorted(os.fsencode(entry.name) for entry in entries if entry.name.endswith(".xml"))
        for name in files:
            _take_file(path, name, by_stem, annotations, within=within)
        if not any(each.objects for each in annotations.pictures.values()):
            raise FolderError(f"{str(path)!r} has no objects in {ANNOTATIONS!r}. Give the folder of a VOC data set.")
        return annotations

    def files(self, root: Path, annotations: Annotations) -> Iterator[tuple[bytes, bytes]]:
        paths = sorted((root / ANNOTATIONS).glob("*.xml"))
        return files_below(root, [os.fsencode(path.relative_to(root)) for path in paths])

    def edited(self, data: bytes, changes: Changes, numbers: Mapping[str, str]) -> bytes:
        """As for every format; only the text of `<name>` changes, and white space before an object goes with it."""
        declared = _DECLARED.match(data)
        encoding = declared[1].decode() if declared else "utf-8"
        text = decoded(data, encoding)
        objects = _objects_in(text)
        edits = []
        for number, label in changes.items():
            whole, name = objects[number - 1]
            edits.append((*whole, "") if label is None else (*name, escape(label)))
        return with_edits(text, edits).encode(encoding, "xmlcharrefreplace")


def _objects_in(text: str) -> list[tuple[Span, Span]]:
    """The objects of an XML text, by where they begin, with the white space before each; and the text of its name."""
    objects: list[tuple[Span, Span]] = []
    around: list[int] = []
    path: list[str] = []
    for tag in _TAG.finditer(text):
        begins, ends = bool(tag["name"]) and not tag["end"], bool(tag["end"] or tag["empty"])
        if begins:
            path.append(tag["name"])
            if path[-1] == "object":
                around.append(len(objects))
                objects.append(((len(text[: tag.start()].rstrip(" \t\r\n")), -1), (-1, -1)))
        if path[-2:] == ["object", "name"] and (begins or ends):
            whole, (start, end) = objects[around[-1]]
            if end < 0:  # of several names, the first
                objects[around[-1]] = whole, (start, tag.start()) if ends else (tag.end(), -1)
        if ends and path.pop() == "object":
            (start, _), name = objects[around[-1]]
            objects[around.pop()] = (start, tag.end()), name
    return objects


def _stems_in(folder: Path, split: str, annotations: Annotations, *, within: Sequence[Path] | None) -> Iterator[bytes]:
    list_name = f"{LISTS}/{split}.txt"
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
        data = read_file(os.fsencode(folder / ANNOTATIONS / os.fsdecode(name)), within=within)
        root = ET.fromstring(data, ET.XMLParser(target=_WithoutTypes()))
    except (ImageError, ET.ParseError, ValueError) as error:
        annotations.fail(where, f"cannot be read: {error}")
        return
    if path is None:
        annotations.fail(where, f"is of a picture that is not in {PICTURES}")
        return
    annotations.pictures[path].file = ANNOTATIONS.encode() + b"/" + name
    annotations.pictures[path].measure(root.findtext("size/width"), root.findtext("size/height"))
    for number, element in enumerate(root.iter("object"), 1):
        label = (element.findtext("name") or "").strip()
        ends = numbers(element.findtext(f"bndbox/{name}") for name in ("xmin", "ymin", "xmax", "ymax"))
        if ends is None or not label:
            annotations.fail(f"{where} object {number}", "has no name, or no box of four numbers")
            continue
        left, top, right, bottom = ends
        box = left - 1, top - 1, right - left + 1, bottom - top + 1  # pixels count from 1, and the last is inside
        facts = tuple((fact, text) for fact in _FACTS if (text := (element.findtext(fact) or "").strip()))
        item = AnnotatedObject(str(number), as_label(label), box, facts=facts, place=number)
        annotations.add(path, item, where=f"{where} object {number}")


class _WithoutTypes(ET.TreeBuilder):
    """Refuses a document type, in any encoding: it could define entities without end."""

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        raise ValueError("it has a document type, which is not read")
