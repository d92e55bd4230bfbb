"""The pictures of a set of objects as other programs take them: each once, with its size and the boxes in it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from url_viz.image_set import ImageSet
from url_viz.imaging.annotations.annotated import Size
from url_viz.imaging.places import PictureSize, picture_path
from url_viz.imaging.workers import decoders
from url_viz.store.object_columns import BOX_COLUMNS


@dataclass(frozen=True)
class BoxedPicture:
    """A picture: its `file` in the data set, upright width and height, its `objects` as rows of `ImageSet.table()`."""

    file: str
    size: Size
    objects: pd.DataFrame

    def boxes(self) -> Iterator[tuple[dict[str, Any], tuple[float, float, float, float]]]:
        """Each object's row, and its box within the picture: left, top, right and bottom in pixels."""
        for row in self.objects.to_dict("records"):
            x, y, width, height = (float(row[name]) for name in BOX_COLUMNS[:4])
            across, down = self.size
            ends = max(0.0, x), max(0.0, y), min(float(across), x + width), min(float(down), y + height)
            yield {str(name): value for name, value in row.items()}, ends

    def labelled(self) -> Iterator[tuple[dict[str, Any], tuple[float, float, float, float]]]:
        return (
            (row, ends) for row, ends in self.boxes() if isinstance(row["label"], str) and row["decision"] != "drop"
        )


def by_picture(paths: Sequence[bytes]) -> dict[bytes, list[int]]:
    """The rows of the objects (paths of N objects) in each picture, by its path, in their order."""
    rows: dict[bytes, list[int]] = {}
    for row, path in enumerate(paths):
        rows.setdefault(picture_path(path), []).append(row)
    return rows


def size_of(image_set: ImageSet, path: bytes) -> Size:
    """Width and height of an object's picture, upright. Raises ImageError as `SetFiles.open` does."""
    with image_set.files.open(path) as file:
        return PictureSize(*decoders.header_of(file.read())).upright
