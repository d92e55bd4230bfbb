"""Objects of a VOC folder: an XML file a picture in `Annotations`, pictures in `JPEGImages`, splits in `ImageSets`."""

import os
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from pathlib import Path

from url_viz.errors import FolderError, ImageError
from url_viz.imaging.annotations.annotated import AnnotatedObject, Annotations, label_of, numbers
from url_viz.imaging.decode import EMPTY, read_file
from url_viz.imaging.places import Box
from url_viz.imaging.plain_file import VANISHED
from url_viz.imaging.scan import display_name, scan

ANNOTATIONS, PICTURES, SPLITS = "Annotations", "JPEGImages", "ImageSets/Main"
_FACTS = ("pose", "truncated", "difficult", "occluded")


def read_voc(folder: Path, *, within: Sequence[Path] | None = None) -> Annotations:
    """The objects of a VOC folder. Raises FolderError if there is not one picture with a file of objects."""
    found = scan(folder / PICTURES, within=within).files
    annotations = Annotations("VOC", folder)
    by_stem: dict[bytes, bytes] = {}
    for file in found:
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


def is_voc(folder: Path) -> bool:
    """Whether a folder is laid out as VOC's."""
    return all(os.path.isdir(folder / name) for name in (ANNOTATIONS, PICTURES))  # also of a closed folder


def _stems_in(folder: Path, split: str, annotations: Annotations, *, within: Sequence[Path] | None) -> Iterator[bytes]:
    at = f"{SPLITS}/{split}.txt"
    try:
        lines = read_file(os.fsencode(folder / at), within=within).splitlines()
    except ImageError as error:
        if str(error) not in (VANISHED, EMPTY):
            annotations.fail(at, str(error))
        return
    yield from (line.split()[0] for line in lines if line.split())


def _take_file(
    folder: Path, name: bytes, by_stem: dict[bytes, bytes], annotations: Annotations, *, within: Sequence[Path] | None
) -> None:
    at, path = display_name(name), by_stem.get(os.path.splitext(name)[0])
    try:
        root = _tree(read_file(os.fsencode(folder / ANNOTATIONS / os.fsdecode(name)), within=within))
    except (ImageError, ET.ParseError, ValueError) as error:
        annotations.fail(at, f"cannot be read: {error}")
        return
    if path is None:
        annotations.fail(at, f"is of a picture that is not in {PICTURES}")
        return
    annotations.pictures[path].measure(root.findtext("size/width"), root.findtext("size/height"))
    for number, element in enumerate(root.iter("object"), 1):
        box, label = _box_of(element), (element.findtext("name") or "").strip()
        if box is None or not label:
            annotations.fail(f"{at} object {number}", "has no name, or no box of four numbers")
            continue
        facts = tuple((fact, text) for fact in _FACTS if (text := (element.findtext(fact) or "").strip()))
        one = AnnotatedObject(str(number), label_of(label), box, facts=facts, place=number)
        annotations.add(path, one, at=f"{at} object {number}")


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
