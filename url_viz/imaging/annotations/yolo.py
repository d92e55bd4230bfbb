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
    SPLITS,
    AnnotatedObject,
    Annotations,
    as_label,
    box_around,
    numbers,
    path_below,
)
from url_viz.imaging.annotations.annotation_format import Changes, annotation_bytes, files_below
from url_viz.imaging.decode import EMPTY, VANISHED, lies_within, read_file
from url_viz.imaging.places import Box
from url_viz.imaging.scan import display_name, scan

GIVE_NAMES = (
    "Give the detector's data.yaml, the COCO file that it was trained on, or a text file with a class a line, from "
    "number 0 on (--names)."
)
"""The next step where nothing names the classes of a detector."""


class Yolo:
    """YOLO's: a `data.yaml` with the names of numbered classes, and a text file a picture."""

    name = "YOLO"
    usual_names = ("data.yaml", "data.yml")
    numbers_classes, numbers_as_detectors = True, True

    def is_at(self, path: Path) -> bool:
        return path.suffix.lower() in (".yaml", ".yml") and os.path.isfile(path)

    def read(self, path: Path, *, within: Sequence[Path] | None = None) -> Annotations:
        """As for every format; raises FolderError also if there are no pictures."""
        document = _document(path, annotation_bytes(path, within=within))
        named = document.get("path") or "."
        try:
            base = Path(os.path.realpath(path.parent / str(named))) if isinstance(named, str) else path.parent
        except ValueError as error:
            raise FolderError(f"The `path` of {str(path)!r} can be none ({error}). Correct it.") from error
        annotations = Annotations(self.name, base, _class_names(document["names"]))
        for split in SPLITS:
            for picture in _pictures_in(document.get(split), base, annotations, within=within):
                annotations.picture(picture, split=split)
        if not annotations.pictures:
            raise FolderError(
                f"{str(path)!r} names no folder with pictures below {str(base)!r}. Correct `path`, `train` and `val` "
                "in it."
            )
        for picture in annotations.pictures:
            _take_labels(picture, base, annotations, within=within)
        return annotations

    def files(self, root: Path, annotations: Annotations) -> Iterator[tuple[bytes, bytes]]:
        yield os.fsencode(root.name), os.fsencode(root)
        yield from files_below(annotations.base, [picture.file for picture in annotations.pictures.values()])

    def edited(self, data: bytes, changes: Changes, numbers: Mapping[str, str]) -> bytes:
        """As for every format; an object is a line."""
        mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
        lines = data[len(mark) :].decode("utf-8", "surrogateescape").splitlines(keepends=True)
        for number, label in changes.items():
            line = lines[number - 1]
            lines[number - 1] = "" if label is None else line.replace(line.split()[0], numbers[label], 1)
        return mark + "".join(lines).encode("utf-8", "surrogateescape")


def read_names(path: Path, *, within: Sequence[Path] | None = None) -> dict[str, str]:
    """Classes by number, from a data.yaml, a COCO file, or a text file with a class a line, from number 0 on.

    Raises FolderError if it is none of these.
    """
    try:
        data = read_file(os.fsencode(path), within=within)
    except ImageError as error:
        raise FolderError(f"{str(path)!r} {error}. {GIVE_NAMES}") from error
    if path.suffix.lower() == ".txt":
        return _class_names([line.strip() for line in data.decode("utf-8-sig", "replace").splitlines() if line.strip()])
    if path.suffix.lower() != ".json":
        return _class_names(_document(path, data)["names"])
    try:
        return _class_names({entry["id"]: entry["name"] for entry in json.loads(data)["categories"]})
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


def _class_names(names: Mapping[Any, Any] | Sequence[Any]) -> dict[str, str]:
    pairs = names.items() if isinstance(names, Mapping) else enumerate(names)
    named = ((as_label(number), as_label(name)) for number, name in pairs)
    return {number: name for number, name in named if name.strip()}


def _pictures_in(
    given: object, base: Path, annotations: Annotations, *, within: Sequence[Path] | None
) -> Iterator[bytes]:
    """Paths below `base` of the pictures of one split: a folder, a list of paths in a file, or several of these."""
    for entry in given if isinstance(given, list) else [] if given is None else [given]:
        relative = None
        if isinstance(entry, str):  # Roboflow's paths begin with `../`, and mean the folder of the file
            is_absolute = os.path.isabs(entry) and "\0" not in entry
            relative = path_below(os.path.relpath(entry, base) if is_absolute else entry.removeprefix("../"))
        folder = None if relative is None else base / os.fsdecode(relative)
        if folder is None or not lies_within(folder, within) or not os.path.exists(folder):
            annotations.fail(as_label(entry), "is no folder or list of pictures below `path`")
        elif os.path.isdir(folder):
            prefix = b"" if relative == b"." else (relative or b"") + b"/"
            yield from (prefix + file.path for file in scan(folder, within=within).files)
        else:
            yield from _listed(folder, as_label(entry), annotations, within=within)


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
    """The file of a picture's objects: its path with the last folder `images` named `labels`, ending in `.txt`."""
    *folders, name = picture.split(b"/")
    if b"images" in folders:
        folders[len(folders) - 1 - folders[::-1].index(b"images")] = b"labels"
    return b"/".join([*folders, os.path.splitext(name)[0] + b".txt"])


def _take_line(words: list[str], number: int, picture: bytes, where: str, annotations: Annotations) -> None:
    values, label = numbers(words[1:]), annotations.names.get(words[0])
    if values is None:
        annotations.fail(where, "is not a class and numbers")
    elif label is None:
        annotations.fail(where, f"is of a class that is not named: {words[0]!r}")
    elif (box := box_from(values)) is None:
        annotations.fail(where, f"has {len(values)} numbers after its class: neither a box nor a polygon")
    else:
        facts = (("score", values[4]),) if len(values) == 5 else ()
        item = AnnotatedObject(str(number), label, box, is_relative=True, facts=facts, place=number)
        annotations.add(picture, item, where=where, size=(1, 1))


def box_from(values: tuple[float, ...]) -> Box | None:
    """The box of a line's numbers: its centre and size (and a confidence), or the corners of a polygon.

    None for any other count.
    """
    if len(values) in (4, 5):
        x, y, width, height = values[:4]
        return x - width / 2, y - height / 2, width, height
    return box_around(values) if len(values) >= 6 and len(values) % 2 == 0 else None
