"""What an annotation file says: pictures, the objects in each, and the lines that make no sense, with reasons."""

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from url_viz.terminal_text import printable
from url_viz.wording import counted

Kind = Literal["YOLO", "COCO", "VOC"]
Box = tuple[float, float, float, float]
"""x, y, width and height: of the upright picture, in pixels, or in fractions of its size."""
Size = tuple[float, float]
LONGEST_LABEL = 200


@dataclass(frozen=True)
class AnnotatedObject:
    """One object of a picture: its `key`, unique in the picture, its class and its box.

    `is_relative` boxes are in fractions of the picture's size. `facts` are what the file says of it besides (score,
    truncated, difficult, area), by name. `place` is where its file has it: the line of a YOLO file and the object of a
    VOC file from 1, the entry of COCO's list from 0.
    """

    key: str
    label: str
    box: Box
    is_relative: bool = False
    facts: tuple[tuple[str, float | str], ...] = ()
    place: int = 0


@dataclass(frozen=True)
class AnnotatedPicture:
    """A picture by its path below the base, the objects in it (none of a picture without any), and its split.

    `size` is its width and height in pixels, as the file says.
    """

    path: bytes
    objects: tuple[AnnotatedObject, ...]
    split: str | None = None
    size: Size | None = None


@dataclass(frozen=True)
class Annotations:
    """What an annotation file says. Paths of `pictures` are relative to the folder `base`.

    `failures` are lines or entries that cannot be used, by where they stand, with the reason; `crowds` counts objects
    that stand for a crowd, which are left out. `names` are classes by number (YOLO, COCO), `numbers` the numbers of
    pictures by path (COCO).
    """

    kind: Kind
    base: Path
    pictures: tuple[AnnotatedPicture, ...]
    failures: tuple[tuple[str, str], ...] = ()
    crowds: int = 0
    names: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[bytes, str] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """What there is, for people: "929 objects of 71 classes in 128 pictures, as YOLO"."""
        objects = [one for picture in self.pictures for one in picture.objects]
        classes = len({one.label for one in objects})
        parts = counted(len(objects), "object"), counted(classes, "class"), counted(len(self.pictures), "picture")
        said = "{} of {} in {}, as {}".format(*parts, self.kind)
        return f"{said}; {counted(self.crowds, 'crowd')} left out" if self.crowds else said


@dataclass
class Collected:
    """Pictures and failures while a file is read."""

    objects: dict[bytes, dict[str, AnnotatedObject]] = field(default_factory=dict)
    split: dict[bytes, str | None] = field(default_factory=dict)
    size: dict[bytes, Size] = field(default_factory=dict)
    failures: list[tuple[str, str]] = field(default_factory=list)
    crowds: int = 0
    names: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[bytes, str] = field(default_factory=dict)

    def picture(self, path: bytes, *, split: str | None = None) -> None:
        self.objects.setdefault(path, {})
        self.split.setdefault(path, split)

    def measure(self, path: bytes, width: object, height: object) -> None:
        """The size of a picture, if it is one."""
        size = numbers((width, height))
        if size is not None and all(0 < value < math.inf for value in size):
            self.size[path] = size[0], size[1]

    def add(self, path: bytes, one: AnnotatedObject, *, at: str) -> None:
        """An object of a known picture; a failure `at` its place if its box or key cannot be."""
        why = why_no_box(one.box)
        if why is None and one.key in self.objects[path]:
            why = f"has the same number {one.key!r} as another object of its picture"
        if why is None:
            self.objects[path][one.key] = one
        else:
            self.fail(at, why)

    def fail(self, at: str, why: str) -> None:
        self.failures.append((printable(at), why))

    def done(self, kind: Kind, base: Path) -> Annotations:
        pictures = tuple(
            AnnotatedPicture(path, tuple(self.objects[path].values()), self.split[path], self.size.get(path))
            for path in sorted(self.objects)
        )
        return Annotations(kind, base, pictures, tuple(self.failures), self.crowds, self.names, self.numbers)


def why_no_box(box: Sequence[float]) -> str | None:
    """Why four numbers are no box; None if they are one."""
    if not all(math.isfinite(value) for value in box):
        return f"has a box that is not finite: {tuple(box)}"
    if box[2] <= 0 or box[3] <= 0:
        return f"has a box without area: {box[2]:g} × {box[3]:g}"
    return None


def box_around(points: Sequence[float]) -> Box:
    """The box around points x, y, x, y …"""
    xs, ys = points[::2], points[1::2]
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)


def numbers(values: Iterable[object]) -> tuple[float, ...] | None:
    """Values as numbers; None if one is none."""
    try:
        return tuple(float(value) for value in values)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None


def label_of(name: object) -> str:
    """A class name for people and tables: printable, not endless. A list is none; one of YAML may be huge as text."""
    return printable(str(name)[:LONGEST_LABEL]) if isinstance(name, str | int | float) else f"({type(name).__name__})"


def inside(path: str) -> bytes | None:
    """A path below a base as bytes, without detours; None if it leads out, or can be none."""
    plain = os.path.normpath(path)
    if "\0" in plain or os.path.isabs(plain) or plain.split(os.sep)[0] == os.pardir:
        return None
    try:
        return os.fsencode(plain)
    except UnicodeEncodeError:  # JSON may hold half of a surrogate pair
        return None
