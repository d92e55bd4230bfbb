"""Which annotations a path names: a `data.yaml` (YOLO), an `instances.json` (COCO), or a folder of VOC."""

import os
from collections.abc import Sequence
from pathlib import Path

from url_viz.errors import FolderError, ImageError
from url_viz.imaging.annotations.annotated import Annotations
from url_viz.imaging.annotations.coco import read_coco
from url_viz.imaging.annotations.voc import is_voc, read_voc
from url_viz.imaging.annotations.yolo import read_yolo
from url_viz.imaging.decode import read_file

YAML, JSON = (".yaml", ".yml"), (".json",)
USUAL = ("data.yaml", "data.yml", "instances*.json", "*.coco.json", "annotations/instances*.json")


def is_annotated(path: Path) -> bool:
    """Whether a path names annotations, and not a folder of whole pictures."""
    return path.suffix.lower() in (*YAML, *JSON) if os.path.isfile(path) else is_voc(path)


def annotations_in(folder: Path) -> tuple[Path, ...]:
    """The annotation files in a folder of pictures, or in `annotations` below it, by their usual names."""
    found = (path for name in USUAL for path in sorted(folder.glob(name)) if os.path.isfile(path))
    return tuple(dict.fromkeys(found))


def read_annotations(path: Path, *, within: Sequence[Path] | None = None) -> Annotations:
    """The objects that a file or folder says of. Raises FolderError if it cannot be read as annotations."""
    if os.path.isdir(path):
        return read_voc(path, within=within)
    try:
        data = read_file(os.fsencode(path), within=within)
    except ImageError as error:
        raise FolderError(f"{str(path)!r} {error}. Give a file of annotations that can be read.") from error
    if path.suffix.lower() in JSON:
        return read_coco(path, data)
    return read_yolo(path, data, within=within)
