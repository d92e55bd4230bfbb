"""Objects of a YOLO data set (`data.yaml`): boxes, rotated boxes and polygons, one text file a picture."""

import codecs
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from url_viz.base.errors import FolderError, ImageError
from url_viz.imaging.annotations.annotated import (
    AnnotatedObject,
    Annotations,
    as_label,
    box_around,
    is_outside,
    numbers,
    path_below,
    why_no_box,
)
from url_viz.imaging.annotations.annotation_format import Changes, annotation_bytes, files_below
from url_viz.imaging.decode import EMPTY, VANISHED, lies_within, read_file
from url_viz.imaging.places import Box
from url_viz.imaging.scan import display_name, scan

GIVE_NAMES = (
    "Give the detector's data.yaml, the COCO file that it was trained on, or a text file with a class a line, from "
    "number 0 on (--names)."
)
"""What names the classes of a detector by number."""
_SPLITS = ("train", "val", "test")
_IMAGES, _LABELS = b"images", b"labels"


class Yolo:
    """YOLO's: a `data.yaml` with the names of numbered classes, and a text file a picture."""

    name = "YOLO"
    usual_names = ("data.yaml", "data.yml")
    numbers_classes, numbers_as_detectors = True, True

    def is_at(self, path: Path) -> bool:
        return path.suffix.lower() in (".yaml", ".yml") and os.path.isfile(path)

    def read(self, path: Path, *, within: Sequence[Path] | None = None) -> Annotations:
        """As of every format; raises FolderError if the pictures lie nowhere, too."""
        return _annotations(path, annotation_bytes(path, within=within), within)

    def files(self, root: Path, annotations: Annotations) -> Iterator[tuple[bytes, bytes]]:
        yield os.fsencode(root.name), os.fsencode(root)
        yield from files_below(annotations.base, [picture.file for picture in annotations.pictures.values()])

    def edited(self, data: bytes, changes: Changes, numbers: Mapping[str, str]) -> bytes:
        """As of every format: an object is a line."""
        mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
        lines = data[len(mark) :].decode("utf-8", "surrogateescape").splitlines(keepends=True)
        for number, label in changes.items():
            line = lines[number - 1]
            lines[number - 1] = "" if label is None else line.replace(line.split()[0], numbers[label], 1)
        return mark + "".join(lines).encode("utf-8", "surrogateescape")


def _annotations(path: Path, data: bytes, within: Sequence[Path] | None) -> Annotations:
    document = _document(path, data)
    names = _names_of(document["names"])
    base = _base_of(path, document.get("path") or ".")
    annotations = Annotations(Yolo.name, base, names)
    for split in _SPLITS:
        for picture in _pictures_of(document.get(split), base, annotations, within=within):
            annotations.picture(picture, split=split)
    if not annotations.pictures:
        raise FolderError(
            f"{str(path)!r} names no folder with pictures below {str(base)!r}. Correct `path`, `train` and `val` in it."
        )
    for picture in annotations.pictures:
        _take_labels(picture, base, annotations, within=within)
    return annotations


def read_names(path: Path, *, within: Sequence[Path] | None = None) -> dict[str, str]:
    """Classes by number, from a data.yaml, a COCO file, or a text file with a class a line, from number 0 on.

    Raises FolderError if it is none of these.
    """
    try:
        data = read_file(os.fsencode(path), within=within)
    except ImageError as error:
        raise FolderError(f"{str(path)!r} {error}. {GIVE_NAMES}") from error
    if path.suffix.lower() == ".txt":
        return _names_of([line.strip() for line in data.decode("utf-8-sig", "replace").splitlines() if line.strip()])
    if path.suffix.lower() == ".json":
        return _names_of(_categories(path, data))
    return _names_of(_document(path, data)["names"])


def _categories(path: Path, data: bytes) -> dict[Any, Any]:
    """The classes of a COCO file by their ids."""
    try:
        return {entry["id"]: entry["name"] for entry in json.loads(data)["categories"]}
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise FolderError(f"{str(path)!r} has no `categories` with `id` and `name`. {GIVE_NAMES}") from error


def _document(path: Path, data: bytes) -> Mapping[str, Any]:
    try:
        document = yaml.safe_load(data)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise FolderError(f"{str(path)!r} is not YAML: {error}. Give the `data.yaml` of the data set.") from error
    if not isinstance(document, dict) or not isinstance(document.get("names"), dict | list):
        raise FolderError(f"{str(path)!r} has no `names` of classes. Give the `data.yaml` of a YOLO data set.")
    return document


def _base_of(path: Path, named: object) -> Path:
    try:
        return Path(os.path.realpath(path.parent / str(named))) if isinstance(named, str) else path.parent
    except ValueError as error:
        raise FolderError(f"The `path` of {str(path)!r} can be none ({error}). Correct it.") from error


def _names_of(names: Mapping[Any, Any] | Sequence[Any]) -> dict[str, str]:
    pairs = names.items() if isinstance(names, Mapping) else enumerate(names)
    named = ((as_label(number), as_label(name)) for number, name in pairs)
    return {number: name for number, name in named if name.strip()}


def _pictures_of(
    given: object, base: Path, annotations: Annotations, *, within: Sequence[Path] | None
) -> Iterator[bytes]:
    """Paths below `base` of the pictures of one split: a folder, a list of paths in a file, or several of these."""
    for entry in given if isinstance(given, list) else [] if given is None else [given]:
        relative = path_below(_below(base, entry)) if isinstance(entry, str) else None
        folder = None if relative is None else base / os.fsdecode(relative)
        if folder is None or not lies_within(folder, within) or not os.path.exists(folder):
            annotations.fail(as_label(entry), "is no folder or list of pictures below `path`")
        elif os.path.isdir(folder):
            prefix = b"" if relative == b"." else (relative or b"") + b"/"
            yield from (prefix + file.path for file in scan(folder, within=within).files)
        else:
            yield from _listed(folder, as_label(entry), annotations, within=within)


def _below(base: Path, named: str) -> str:
    """A path as relative to the base; Roboflow's begin with `../`, and mean the folder of the file."""
    return os.path.relpath(named, base) if os.path.isabs(named) and "\0" not in named else named.removeprefix("../")


def _listed(listing: Path, name: str, annotations: Annotations, *, within: Sequence[Path] | None) -> Iterator[bytes]:
    try:
        lines = read_file(os.fsencode(listing), within=within).decode("utf-8", "replace").splitlines()
    except ImageError as error:
        annotations.fail(name, str(error))
        return
    annotations.files.append(os.fsencode(listing))
    yield from (path for line in lines if line.strip() and (path := path_below(line.strip())) is not None)


def _take_labels(picture: bytes, base: Path, annotations: Annotations, *, within: Sequence[Path] | None) -> None:
    label_path = annotations.pictures[picture].file = label_file(picture)
    annotations.files.append(label_path)
    try:
        text = read_file(os.path.join(os.fsencode(base), label_path), within=within).decode("utf-8-sig", "replace")
    except ImageError as error:
        if str(error) not in (VANISHED, EMPTY):  # a picture without objects
            annotations.fail(display_name(label_path), str(error))
        return
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            _take_line(line.split(), number, picture, f"{display_name(label_path)}:{number}", annotations)


def label_file(picture: bytes) -> bytes:
    """Where the objects of a picture stand: its path with the last folder `images` named `labels`, and `.txt`."""
    *folders, name = picture.split(b"/")
    if _IMAGES in folders:
        last = len(folders) - 1 - folders[::-1].index(_IMAGES)
        folders[last] = _LABELS
    return b"/".join([*folders, os.path.splitext(name)[0] + b".txt"])


def _take_line(words: list[str], number: int, picture: bytes, where: str, annotations: Annotations) -> None:
    values, label = numbers(words[1:]), annotations.names.get(words[0])
    if values is None:
        annotations.fail(where, "is not a class and numbers")
    elif label is None:
        annotations.fail(where, f"is of a class that is not named: {words[0]!r}")
    elif (box := box_of(values)) is None:
        annotations.fail(where, f"has {len(values)} numbers after its class: neither a box nor a polygon")
    elif why_no_box(box, is_relative=True) is None and is_outside(box, (1, 1)):
        annotations.fail(where, f"has a box outside its picture: {tuple(round(value, 3) for value in box)}")
    else:
        facts = (("score", values[4]),) if len(values) == 5 else ()
        item = AnnotatedObject(str(number), label, box, is_relative=True, facts=facts, place=number)
        annotations.add(picture, item, where=where)


def box_of(values: tuple[float, ...]) -> Box | None:
    """A box from its middle and size (a fifth number is a confidence), or around four corners or a polygon."""
    if len(values) in (4, 5):
        x, y, width, height = values[:4]
        return x - width / 2, y - height / 2, width, height
    return box_around(values) if len(values) >= 6 and len(values) % 2 == 0 else None
