"""Objects of a LabelMe folder: a JSON file beside each picture, with polygons, rectangles, circles and masks."""

import json
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path
from typing import Any

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
from url_viz.imaging.annotations.annotation_format import (
    Changes,
    Edit,
    after_blank,
    decoded,
    edits_of_list,
    files_below,
    json_members,
    json_values,
    with_edits,
)
from url_viz.imaging.decode import open_plain_file, read_file
from url_viz.imaging.places import Box
from url_viz.imaging.scan import display_name, scan

_ENDING = ".json"
_MOST_ENTRIES, _MOST_TRIED, _HEAD_BYTES = 1_000, 20, 1 << 16
"""How many entries of a folder are looked at, how many of their files are opened, and how much of each is read."""
_SHAPES = re.compile(rb'"shapes"\s*:\s*\[\s*\{')
"""The list is empty where a file has only flags, which are of the whole picture."""
_WITHOUT_BOX = ("point", "points", "line")


class LabelMe:
    """LabelMe's: a folder with a JSON file beside each picture, in which classes are names."""

    name = "LabelMe"
    usual_names = ()
    numbers_classes, numbers_as_detectors = False, False

    def is_at(self, path: Path) -> bool:
        """Whether the first JSON files in a folder, or in its splits, list shapes."""
        return any(map(_lists_shapes, islice(_json_files_in(path), _MOST_TRIED)))

    def read(self, path: Path, *, within: Sequence[Path] | None = None) -> Annotations:
        """As for every format; raises FolderError if not one picture has an object."""
        annotations = Annotations(self.name, path)
        for picture in scan(path, within=within).files:
            first = os.fsdecode(picture.path).split(os.sep)[0]
            annotations.picture(picture.path, split=first if first in SPLITS else None)
        by_stem: dict[bytes, bytes] = {}
        for picture_path in annotations.pictures:
            by_stem.setdefault(os.path.splitext(picture_path)[0], picture_path)
        for parent, folders, names in os.walk(os.fsencode(path)):
            folders.sort()
            for name in sorted(names):
                if name.lower().endswith(os.fsencode(_ENDING)):
                    file = os.path.relpath(os.path.join(parent, name), os.fsencode(path))
                    _take_file(file, by_stem, annotations, within=within)
        if not any(picture.objects for picture in annotations.pictures.values()):
            raise FolderError(f"{str(path)!r} has no objects in its JSON files. Give a folder annotated with LabelMe.")
        return annotations

    def files(self, root: Path, annotations: Annotations) -> Iterator[tuple[bytes, bytes]]:
        return files_below(root, annotations.files)

    def edited(self, data: bytes, changes: Changes, numbers: Mapping[str, str]) -> bytes:
        """As for every format; only the `label` of a shape changes, its points stay."""
        text = decoded(data, "utf-8")
        shapes = json_members(text, after_blank(text, 0))["shapes"]
        entries = [span for _, span in json_values(text, shapes[0])]

        def relabel(start: int, label: str) -> Edit:
            return *json_members(text, start)["label"], json.dumps(label, ensure_ascii=text.isascii())

        return with_edits(text, edits_of_list(entries, changes, relabel)).encode("utf-8", "surrogatepass")


def _json_files_in(folder: Path) -> Iterator[Path]:
    for each in (folder, *(folder / split for split in SPLITS)):
        with suppress(OSError), os.scandir(each) as entries:  # no folder, or a closed one
            names = [entry.name for entry in islice(entries, _MOST_ENTRIES)]
            yield from (each / name for name in names if name.lower().endswith(_ENDING))


def _lists_shapes(file: Path) -> bool:
    try:
        with open_plain_file(os.fsencode(file), within=[Path(os.path.realpath(file.parent))]) as opened:
            head = opened.read(_HEAD_BYTES)
    except (ImageError, OSError):
        return False
    return head.lstrip()[:1] == b"{" and _SHAPES.search(head) is not None


def _take_file(
    file: bytes, by_stem: Mapping[bytes, bytes], annotations: Annotations, *, within: Sequence[Path] | None
) -> None:
    where = display_name(file)
    try:
        document = json.loads(read_file(os.path.join(os.fsencode(annotations.base), file), within=within))
    except (ImageError, ValueError, RecursionError) as error:
        annotations.fail(where, f"cannot be read: {error}")
        return
    if not isinstance(document, dict) or not isinstance(document.get("shapes"), list):
        return  # a JSON file of something else
    named, path = document.get("imagePath"), None
    if isinstance(named, str):  # relative to the file, also as on Windows
        path = path_below(os.path.join(os.fsdecode(os.path.dirname(file)), named.replace("\\", "/")))
    if path not in annotations.pictures:
        path = by_stem.get(os.path.splitext(file)[0])
    picture = None if path is None else annotations.pictures[path]
    if picture is None:
        annotations.fail(where, f"is of a picture that is not in this folder: {as_label(named)}")
        return
    if picture.file:
        annotations.fail(where, f"is of the same picture as {display_name(picture.file)}: remove one of them")
        return
    picture.file = file
    annotations.files.append(file)
    picture.measure(document.get("imageWidth"), document.get("imageHeight"))
    for place, shape in enumerate(document["shapes"]):
        _take_shape(shape, place, picture.path, f"{where} shape {place + 1}", annotations)


def _take_shape(shape: object, place: int, picture: bytes, where: str, annotations: Annotations) -> None:
    if not isinstance(shape, dict):
        annotations.fail(where, "is no shape")
        return
    kind, label, box = as_label(shape.get("shape_type") or "polygon"), as_label(shape.get("label")), _box(shape)
    if not isinstance(shape.get("label"), str) or not label.strip():
        annotations.fail(where, "has no label")
    elif kind in _WITHOUT_BOX:
        annotations.fail(where, f"is a {kind}, which has no box")
    elif box is None:
        annotations.fail(where, f"has points that make no {kind}")
    else:
        group = numbers((shape["group_id"],)) if isinstance(shape.get("group_id"), int | float) else None
        facts = (("shape", kind), *((("group_id", group[0]),) if group else ()))
        item = AnnotatedObject(str(place + 1), label, box, facts=facts, place=place)
        annotations.add(picture, item, where=where, size=annotations.pictures[picture].size)


def _box(shape: Mapping[str, Any]) -> Box | None:
    """The box around a shape's points; a circle has its centre and a point on it, a mask two corners."""
    given = shape.get("points")
    if not isinstance(given, list) or not all(isinstance(point, list) and len(point) == 2 for point in given):
        return None
    points = numbers(chain.from_iterable(given))
    if points is None or len(points) < 4:
        return None
    if shape.get("shape_type") == "circle":
        x, y = points[:2]
        radius = math.dist(points[:2], points[2:4])
        return x - radius, y - radius, 2 * radius, 2 * radius
    return box_around(points)
