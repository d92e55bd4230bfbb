"""The formats of annotations, and which of them a path names."""

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from url_viz.base.errors import FolderError
from url_viz.base.plugins import plugged_in
from url_viz.imaging.annotations.annotated import Annotations
from url_viz.imaging.annotations.annotation_format import AnnotationFormat
from url_viz.imaging.annotations.coco import Coco
from url_viz.imaging.annotations.labelme import LabelMe
from url_viz.imaging.annotations.voc import Voc
from url_viz.imaging.annotations.yolo import Yolo

OURS: Sequence[AnnotationFormat] = (Yolo(), Coco(), Voc(), LabelMe())


@cache
def every_format() -> tuple[AnnotationFormat, ...]:
    """Our formats, then those of other packages: an `AnnotationFormat` each. Raises PluginError."""
    return (*OURS, *plugged_in("url_viz.formats", AnnotationFormat, tuple(each.name for each in OURS)))


def format_at(path: Path) -> AnnotationFormat | None:
    """The format of the annotations that a path names; None for anything else, as a folder of whole pictures."""
    return next((kind for kind in every_format() if kind.is_at(path)), None)


def format_of(annotations: Annotations) -> AnnotationFormat:
    """The format that annotations were read from."""
    return next(kind for kind in every_format() if kind.name == annotations.kind)


def read_any(path: Path, *, within: Sequence[Path] | None = None) -> Annotations:
    """The objects that a file or folder says of. Raises FolderError if it cannot be read as annotations."""
    annotation_format = format_at(path)
    if annotation_format is None:
        names = ", ".join(each.name for each in every_format())
        raise FolderError(f"{str(path)!r} is no file or folder of annotations. Give such of {names}.")
    return annotation_format.read(path, within=within)


def annotations_in(folder: Path) -> tuple[Path, ...]:
    """The annotation files in a folder of pictures, or in `annotations` below it, by their usual names."""
    names = (name for kind in every_format() for name in kind.usual_names)
    paths = (path for name in names for path in sorted(folder.glob(name)) if os.path.isfile(path))
    return tuple(dict.fromkeys(paths))
