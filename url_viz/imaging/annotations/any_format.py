"""Annotations of whatever format a path names, read by its reader."""

import os
from collections.abc import Sequence
from pathlib import Path

from url_viz.errors import FolderError, ImageError
from url_viz.imaging.annotations.annotated import Annotations
from url_viz.imaging.annotations.coco import read_coco
from url_viz.imaging.annotations.voc import read_voc
from url_viz.imaging.annotations.yolo import read_yolo
from url_viz.imaging.decode import read_file

JSON = (".json",)


def read_any(path: Path, *, within: Sequence[Path] | None = None) -> Annotations:
    """The objects that a file or folder says of. Raises FolderError if it cannot be read as annotations."""
    if os.path.isdir(path):
        return read_voc(path, within=within)
    try:
        data = read_file(os.fsencode(path), within=within)
    except ImageError as error:
        raise FolderError(f"{str(path)!r} {error}. Give a file of annotations that can be read.") from error
    if path.suffix.lower() in JSON:
        return read_coco(path, data, within=within)
    return read_yolo(path, data, within=within)
