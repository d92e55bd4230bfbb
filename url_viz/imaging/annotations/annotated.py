"""What an annotation file says: pictures, the objects in each, and the lines that make no sense, with reasons."""

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from url_viz.base.wording import counted, one_line, printable
from url_viz.imaging.folder_classes import joined_splits, split_remarks
from url_viz.imaging.places import Box, Size

SPLITS = ("train", "val", "test")
MOST_PX, MOST_SIDES = 1e6, 100.0
"""A box farther from its picture's corner, in pixels or in its sides, is none."""


@dataclass(frozen=True)
class AnnotatedObject:
    """One object of a picture: its `key`, unique in the picture, its class and its box.

    `is_relative` boxes are in fractions of the picture's size. `facts` are what else the file states (score, truncated,
    difficult, area), by name. `place` is its place in the file: the line in a YOLO file and the object in a VOC file
    from 1, the entry of a list in JSON from 0.
    """

    key: str
    label: str
    box: Box
    is_relative: bool = False
    facts: tuple[tuple[str, float | str], ...] = ()
    place: int = 0


@dataclass
class AnnotatedPicture:
    """A picture by its path below the base, with its split (several as `joined_splits` has them) and objects by key.

    `size` is the width and height in pixels that its annotation `file` states, whose path is as in a copy of the files.
    """

    path: bytes
    split: str | None = None
    size: Size | None = None
    file: bytes = b""
    objects: dict[str, AnnotatedObject] = field(default_factory=dict)

    def measure(self, width: object, height: object) -> None:
        """Note the size, if it is one."""
        size = numbers((width, height))
        if size is not None and all(0 < value < math.inf for value in size):
            self.size = size[0], size[1]


@dataclass
class Annotations:
    """The annotations of a format (`kind`). `pictures` are by their paths, relative to the folder `base`.

    `names` are classes by number (YOLO, COCO), `numbers` the numbers of pictures by path (COCO), `files` what else was
    read below the base: labels and lists of pictures (YOLO). `failures` are lines or entries that cannot be used, by
    place, with the reason; `twice` are sentences on ids that several entries have; `crowds` counts the objects that
    stand for a crowd, which are left out.
    """

    kind: str
    base: Path
    names: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[bytes, str] = field(default_factory=dict)
    pictures: dict[bytes, AnnotatedPicture] = field(default_factory=dict)
    failures: list[tuple[str, str]] = field(default_factory=list)
    crowds: int = 0
    files: list[bytes] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)

    @property
    def summary(self) -> str:
        """What there is, for people: "929 objects of 71 classes in 126 pictures (2 more without any), as YOLO"."""
        labels = [item.label for picture in self.pictures.values() for item in picture.objects.values()]
        annotated = sum(bool(picture.objects) for picture in self.pictures.values())
        parts = counted(len(labels), "object"), counted(len({*labels}), "class"), counted(annotated, "picture")
        without = len(self.pictures) - annotated
        more = f" ({without:,} more without any)" if without else ""
        counts = "{} of {} in {}{}, as {}".format(*parts, more, self.kind)
        return f"{counts}; {counted(self.crowds, 'crowd')} left out" if self.crowds else counts

    @property
    def remarks(self) -> tuple[str, ...]:
        """Sentences on what the file says twice."""
        return (*self.twice, *split_remarks({path: picture.split for path, picture in self.pictures.items()}))

    def picture(self, path: bytes, *, split: str | None = None) -> AnnotatedPicture:
        """The picture at a path, which is of this split, too."""
        picture = self.pictures.setdefault(path, AnnotatedPicture(path, split))
        picture.split = joined_splits(picture.split, split)
        return picture

    def add(self, path: bytes, item: AnnotatedObject, *, where: str, size: Size | None = None) -> None:
        """Add an object to a known picture, or a failure `where` it stands if its box or key is impossible.

        If the picture's `size` is given, the box must not lie outside it.
        """
        objects, (x, y, width, height) = self.pictures[path].objects, item.box
        why = why_no_box(item.box, is_relative=item.is_relative)
        if why is None and size and (x >= size[0] or y >= size[1] or x + width <= 0 or y + height <= 0):
            digits = 3 if item.is_relative else 1
            why = f"has a box outside its picture: {tuple(round(value, digits) for value in item.box)}"
        if why is None and item.key in objects:
            why = f"has the same number {item.key!r} as another object of its picture"
        if why is None:
            objects[item.key] = item
        else:
            self.fail(where, why)

    def fail(self, where: str, why: str) -> None:
        self.failures.append((printable(where), why))

    def as_record(self) -> dict[str, Any]:
        """The fields as JSON has them; of pictures and objects only the values."""
        pictures = []
        for picture in self.pictures.values():
            objects = [[*vars(item).values()] for item in picture.objects.values()]
            row = os.fsdecode(picture.path), picture.split, picture.size, os.fsdecode(picture.file), objects
            pictures.append(row)
        numbers = {os.fsdecode(path): number for path, number in self.numbers.items()}
        files = [*map(os.fsdecode, self.files)]
        return {**vars(self), "base": str(self.base), "numbers": numbers, "files": files, "pictures": pictures}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Annotations":
        """Annotations from what `as_record` gave, also through JSON."""
        pictures = {}
        for path, split, size, file, rows in record["pictures"]:
            picture = AnnotatedPicture(os.fsencode(path), split, size and (*size,), os.fsencode(file))
            for key, label, box, is_relative, facts, place in rows:
                named = tuple((name, value) for name, value in facts)
                picture.objects[key] = AnnotatedObject(key, label, (*box,), is_relative, named, place)
            pictures[picture.path] = picture
        given = {
            "base": Path(record["base"]),
            "numbers": {os.fsencode(path): number for path, number in record["numbers"].items()},
            "files": [*map(os.fsencode, record["files"])],
            "failures": [(where, why) for where, why in record["failures"]],
            "pictures": pictures,
        }
        return cls(**{**record, **given})


def why_no_box(box: Sequence[float], *, is_relative: bool) -> str | None:
    """Why four numbers, in pixels or in fractions of the picture's size, are no box; None if they are one."""
    if not all(math.isfinite(value) for value in box):
        return f"has a box that is not finite: {tuple(box)}"
    if any(abs(value) > (MOST_SIDES if is_relative else MOST_PX) for value in box):
        return f"has a box that lies far beyond any picture: {' '.join(f'{value:g}' for value in box)}"
    if box[2] <= 0 or box[3] <= 0:
        return f"has a box without area: {box[2]:g} × {box[3]:g}"
    return None


def box_around(points: Sequence[float]) -> Box:
    """The box around points x, y, x, y …"""
    xs, ys = points[::2], points[1::2]
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)


def numbers(values: Iterable[object]) -> tuple[float, ...] | None:
    """Values as numbers; None if one of them is not a number."""
    try:
        return tuple(float(value) for value in values)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None


def box_in(values: object) -> Box | None:
    """A list of four numbers as a box; None for anything else."""
    box = numbers(values) if isinstance(values, list) and len(values) == 4 else None
    return None if box is None else (box[0], box[1], box[2], box[3])


def as_label(name: object) -> str:
    """A class name on one line; in place of what is no text or number, its type: a list of YAML may be huge."""
    with suppress(ValueError):  # a number of thousands of digits
        if isinstance(name, str | int | float):
            return one_line(str(name))
    return f"({type(name).__name__})"


def path_below(path: str) -> bytes | None:
    """A normalised path below a base, as bytes; None if it leads out or is impossible."""
    plain = os.path.normpath(path)
    if "\0" in plain or os.path.isabs(plain) or plain.split(os.sep)[0] == os.pardir:
        return None
    try:
        return os.fsencode(plain)
    except UnicodeEncodeError:  # JSON may hold half of a surrogate pair
        return None
