"""The objects of an image set in their whole pictures: the boxes of a picture, and those that are to be drawn again."""

from dataclasses import dataclass

import pandas as pd

from url_viz.analysis.filters import OneOf, passes_all
from url_viz.errors import ImageError
from url_viz.imaging.annotations.annotated import Box
from url_viz.imaging.places import PictureSize
from url_viz.imaging.workers import decoders
from url_viz.store.object_columns import BOX_COLUMNS, BOX_IS_WRONG, PICTURE
from url_viz.subjects.set_core import SetCore
from url_viz.subjects.set_files import SetFiles

_REDRAWN = ("path", PICTURE, "object", *BOX_COLUMNS[:4], "label")


@dataclass(frozen=True)
class ObjectBox:
    """The `box` of the object `id`, x, y, width and height in pixels of the upright picture, and its class."""

    id: int
    label: str | None
    box: Box


@dataclass(frozen=True)
class WholePicture:
    """The file of a whole picture, its width and height upright, and the boxes in it, that of the object first."""

    data: bytes
    size: tuple[int, int]
    boxes: tuple[ObjectBox, ...]


class SetObjects:
    """The objects of an image set that was read from annotations, as `image_set.objects`. It draws and edits no box."""

    def __init__(self, core: SetCore, files: SetFiles) -> None:
        self._core, self._files = core, files

    def whole(self, image_id: int) -> WholePicture | None:
        """The picture that an object lies in, with all boxes of the set in it; None in a set of whole pictures.

        Raises ImageError as `files.data` does.
        """
        if not self._core.is_of_objects:
            return None
        table, row = self._core.frame, self._core.row_of(image_id)
        if PICTURE not in table or not set(BOX_COLUMNS) <= set(table.columns):
            raise ImageError("has no box any more, since the columns of its annotations were removed")
        here = table[table[PICTURE] == table[PICTURE].iloc[row]]
        boxes = [
            ObjectBox(int(one), label if isinstance(label, str) else None, (x, y, width, height))
            for one, label, x, y, width, height in here[["id", "label", *BOX_COLUMNS[:4]]].itertuples(index=False)
        ]
        data = self._files.whole(image_id)
        width, height = map(int, PictureSize(*decoders.header_of(data)).upright)
        return WholePicture(data, (width, height), tuple(sorted(boxes, key=lambda box: box.id != image_id)))

    def to_redraw(self) -> pd.DataFrame:
        """Objects whose box is wrong by a review's verdict: path, picture, object, box (x, y, width, height), class.

        Hand it to whoever draws boxes, and read the annotations again afterwards.
        """
        table = self._core.frame
        is_wrong = passes_all(table, [OneOf("tags", (BOX_IS_WRONG,))]) & self._core.is_of_objects
        wrong: pd.DataFrame = table.loc[is_wrong].filter([*_REDRAWN]).rename(columns={"label": "class"})
        return wrong.reset_index(drop=True)
