"""Objects of a COCO file (`instances.json`): boxes, polygons and masks by their boxes; no mask is ever made."""

import codecs
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, TypeGuard

from url_viz.base.errors import FolderError
from url_viz.base.wording import counted, first_of
from url_viz.imaging.annotations.annotated import (
    SPLITS,
    AnnotatedObject,
    Annotations,
    as_label,
    box_around,
    box_in,
    numbers,
    path_below,
)
from url_viz.imaging.annotations.annotation_format import (
    Changes,
    Edit,
    after_blank,
    annotation_bytes,
    decoded,
    edits_of_list,
    json_members,
    json_values,
    with_edits,
)
from url_viz.imaging.decode import lies_within
from url_viz.imaging.places import Box

PROBED = 50
"""How many pictures are looked for to find their folder."""
MOST_BITS = 35
"""The most bits of a run length of a mask: no picture has as many pixels."""
_PARTS, _FACTS = ("images", "annotations", "categories"), ("area", "score")


class Coco:
    """COCO's: one JSON file of pictures, classes by number, and objects."""

    name = "COCO"
    usual_names = ("instances*.json", "*.coco.json", "annotations/instances*.json")
    numbers_classes, numbers_as_detectors = True, False

    def is_at(self, path: Path) -> bool:
        return path.suffix.lower() == ".json" and os.path.isfile(path)

    def read(self, path: Path, *, within: Sequence[Path] | None = None) -> Annotations:
        document = _document(path, annotation_bytes(path, within=within))
        remarks: list[str] = []
        pictures = _by_id(document, "images", remarks)
        named = ((key, as_label(entry.get("name"))) for key, entry in _by_id(document, "categories", remarks).items())
        base = _base(path, [str(entry.get("file_name")) for entry in pictures.values()], within)
        paths = {key: path_below(str(entry.get("file_name"))) for key, entry in pictures.items()}
        annotations = Annotations(
            self.name,
            base,
            names={key: name for key, name in named if name.strip()},
            numbers={relative: key for key, relative in paths.items() if relative is not None},
            twice=remarks,
        )
        for key, relative in paths.items():
            if relative is None:
                annotations.fail(f"images {key}", "has a file name that leads out of its folder, or can be none")
                continue
            stated = os.fsdecode(relative).split(os.sep)[0], path.stem.split("_")[-1]
            picture = annotations.picture(relative, split=next((name for name in SPLITS if name in stated), None))
            picture.file = os.fsencode(path.name)
            picture.measure(pictures[key].get("width"), pictures[key].get("height"))
        for place, entry in enumerate(document["annotations"]):
            if isinstance(entry, dict):
                _take(entry, place, paths, annotations)
            else:
                annotations.fail(f"annotations[{place}]", "is no annotation")
        return annotations

    def files(self, root: Path, annotations: Annotations) -> Iterator[tuple[bytes, bytes]]:
        yield os.fsencode(root.name), os.fsencode(root)

    def edited(self, data: bytes, changes: Changes, numbers: Mapping[str, str]) -> bytes:
        """As for every format; ids of classes are written as they stand in the file's own list."""
        encoding = "utf-8-sig" if data.startswith(codecs.BOM_UTF8) else "utf-8"
        text = decoded(data, encoding)
        parts = json_members(text, after_blank(text, 0))
        ids: dict[str, str] = {}
        for _, (start, end) in json_values(text, parts["categories"][0]):
            if text[start] == "{":
                span = json_members(text, start).get("id", (0, 0))
                ids.setdefault(as_label(json.loads(text[start:end]).get("name")), text[slice(*span)])
        entries = [span for _, span in json_values(text, parts["annotations"][0])]

        def relabel(start: int, label: str) -> Edit:
            return *json_members(text, start)["category_id"], ids[label]

        return with_edits(text, edits_of_list(entries, changes, relabel)).encode(encoding, "surrogatepass")


def _take(entry: Mapping[str, Any], place: int, paths: Mapping[str, bytes | None], annotations: Annotations) -> None:
    key = as_label(entry["id"]) if "id" in entry else f"entry {place}"
    where = f"annotations[{place}], id {key}"
    picture, category = as_label(entry.get("image_id")), as_label(entry.get("category_id"))
    path, label, box = paths.get(picture), annotations.names.get(category), _box(entry)
    if entry.get("iscrowd") in (1, True):
        annotations.crowds += 1
    elif path is None:
        annotations.fail(where, f"is of a picture that is not listed: image_id {picture}")
    elif label is None:
        annotations.fail(where, f"is of a class that is not named: category_id {category}")
    elif box is None:
        annotations.fail(where, "has neither a box of four numbers, nor a polygon or mask with area")
    else:
        values = {name: numbers((entry[name],)) for name in _FACTS if isinstance(entry.get(name), int | float)}
        facts = tuple((name, value[0]) for name, value in values.items() if value is not None)
        item = AnnotatedObject(key, label, box, facts=facts, place=place)
        annotations.add(path, item, where=where, size=annotations.pictures[path].size)


def _document(path: Path, data: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FolderError(f"{str(path)!r} is no COCO file: it is not JSON ({error}). Give `instances.json`.") from error
    if isinstance(document, dict) and "shapes" in document and "imagePath" in document:
        raise FolderError(f"{str(path)!r} is a file of LabelMe. Give its folder, {str(path.parent)!r}.")
    if not isinstance(document, dict) or not all(isinstance(document.get(part), list) for part in _PARTS):
        raise FolderError(f"{str(path)!r} is no COCO file: it needs lists {', '.join(_PARTS)}. Give `instances.json`.")
    return document


def _by_id(document: Mapping[str, Any], part: str, remarks: list[str]) -> dict[str, Mapping[str, Any]]:
    """The entries of a part by id, the last of each; adds remarks on the others and on what is no entry."""
    entries = [entry for entry in document[part] if isinstance(entry, dict)]
    ids = Counter(as_label(entry.get("id")) for entry in entries)
    several = [key for key, number in ids.items() if number > 1]
    if several:
        names = f"{counted(len(several), 'id')} ({first_of(several)})"
        remarks.append(f"In {part!r} several entries have the same of {names}: only the last of each counts.")
    if len(entries) < len(document[part]):
        remarks.append(f"In {part!r} {counted(len(document[part]) - len(entries), 'entry', 'entries')} can be none.")
    return {as_label(entry.get("id")): entry for entry in entries}


def _box(entry: Mapping[str, Any]) -> Box | None:
    given, shape = entry.get("bbox"), entry.get("segmentation")
    if isinstance(given, list) and len(given) == 4:
        return box_in(given)
    if isinstance(shape, list) and shape and all(isinstance(polygon, list) for polygon in shape):
        points = numbers(value for polygon in shape for value in polygon)
        return box_around(points) if points is not None and len(points) >= 6 and len(points) % 2 == 0 else None
    return box_of_mask(shape) if isinstance(shape, dict) else None


def _base(path: Path, names: list[str], within: Sequence[Path] | None) -> Path:
    """The folder that file names are relative to: the usual one with the most of the first pictures."""
    split = next((name for name in SPLITS if name in path.stem), "")
    near = [path.parent, path.parent / "images", path.parent.parent / "images", path.parent.parent]
    tried = [*near, *(folder / name for folder in near for name in dict.fromkeys((split, path.stem.split("_")[-1])))]
    probed = [relative for name in names[:PROBED] if (relative := path_below(name)) is not None]
    count = {}
    for folder in tried:
        files = [folder / os.fsdecode(relative) for relative in probed]
        count[folder] = sum(lies_within(file, within) and os.path.isfile(file) for file in files)
    best = max(tried, key=count.__getitem__)
    if probed and not count[best]:
        raise FolderError(
            f"None of the pictures of {str(path)!r} ({names[0]!r}, …) lies beside it or in `images`. Put it where its "
            "file names lead to them."
        )
    return best


def box_of_mask(mask: Mapping[str, Any]) -> Box | None:
    """The box around a mask `{"size": [height, width], "counts": …}`; None if it is empty, or no mask.

    `counts` are lengths of runs down one column after the other, of background and object in turn: a list, or the text
    of pycocotools.
    """
    size, counts = mask.get("size"), mask.get("counts")
    if isinstance(counts, str):
        counts = _run_lengths(counts)
    if not _are_lengths(size) or not _are_lengths(counts) or len(size) != 2 or sum(counts) != size[0] * size[1]:
        return None
    height = size[0]
    ends = list(accumulate(counts))
    runs = [(start, end - 1) for start, end in zip(ends[::2], ends[1::2], strict=False) if end > start]
    if not runs:
        return None
    left, right = runs[0][0] // height, runs[-1][1] // height
    is_whole = any(first // height != last // height for first, last in runs)  # on into the next column
    top = 0 if is_whole else min(first % height for first, _ in runs)
    bottom = height - 1 if is_whole else max(last % height for _, last in runs)
    return left, top, right - left + 1, bottom - top + 1


def _are_lengths(values: object) -> TypeGuard[list[int]]:
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 1 << MOST_BITS for value in values)


def _run_lengths(text: str) -> list[int] | None:
    """The run lengths in a text of pycocotools; None if it is none.

    A character from 48 on holds five bits, the lowest first, and a sixth where more follow. From the fourth length on,
    it is the difference from the last but one.
    """
    counts: list[int] = []
    value = bits = 0
    for part in (ord(character) - 48 for character in text):
        if not 0 <= part < 64 or bits >= MOST_BITS:
            return None
        value |= (part & 31) << bits
        bits += 5
        if not part & 32:
            value -= (part & 16) << (bits - 4)  # the last bit is the sign
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value = bits = 0
    return counts if not bits else None
