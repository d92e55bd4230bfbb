"""The objects of an image set in their whole pictures: the boxes of a picture, and those that are to be drawn again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from url_viz.analysis.filters import OneOf, passes_all
from url_viz.analysis.labels.class_columns import picture_labels
from url_viz.analysis.runs.detections import (
    DETECTOR_COLUMNS,
    LEAST_IOU,
    LEAST_SCORE,
    Detections,
    PredictedBox,
    class_logits,
    detections,
    prediction_of,
)
from url_viz.errors import ImageError, ImageSetError
from url_viz.imaging.annotations.predicted import Predicted, read_predictions
from url_viz.imaging.annotations.yolo import read_names
from url_viz.imaging.object_source import Objects
from url_viz.imaging.places import Box, PictureSize
from url_viz.imaging.rendering import Rendering
from url_viz.imaging.scan import display_name
from url_viz.imaging.source import source_of
from url_viz.imaging.workers import decoders
from url_viz.store.columns.imported_columns import Import, write_import
from url_viz.store.columns.object_columns import BOX_COLUMNS, BOX_IS_WRONG, CLASS, PICTURE
from url_viz.store.columns.user_cells import Values
from url_viz.store.damage import raising_disk_errors
from url_viz.store.recorder import Recorder
from url_viz.subjects.set_core import SetCore
from url_viz.subjects.set_files import SetFiles
from url_viz.wording import counted, first_of

DETECTOR = "detector"
"""The name of the import of predictions."""
_REDRAWN = ("path", PICTURE, "object", *BOX_COLUMNS[:4], "label")


@dataclass(frozen=True)
class ObjectBox:
    """The `box` of the object `id`, x, y, width and height in pixels of the upright picture, and its class."""

    id: int
    label: str | None
    box: Box


@dataclass(frozen=True)
class WholePicture:
    """The file of a whole picture, its width and height upright, the box of its object, if any, and `others` in it.

    `predicted` is what a detector predicted for the object.
    """

    data: bytes
    size: tuple[int, int]
    own: ObjectBox | None
    others: tuple[ObjectBox, ...] = ()
    rendering: Rendering | None = None
    predicted: PredictedBox | None = None

    @property
    def boxes(self) -> tuple[ObjectBox, ...]:
        """All boxes of the set in the picture, that of the object first."""
        return (*([] if self.own is None else [self.own]), *self.others)


@dataclass(frozen=True)
class Brought:
    """A detector's predictions: the `detections` of objects, and all that was `read`."""

    detections: Detections
    read: Predicted

    @property
    def words(self) -> tuple[str, ...]:
        """What came out, and what could not be used, a sentence each."""
        sentences = [*self.detections.words]
        if self.read.unnamed:
            names = first_of([*map(repr, self.read.unnamed)])
            sentences.append(f"{sum(self.read.unnamed.values()):,} are of classes that the set does not have: {names}.")
        if self.read.unscored:
            sentences.append(f"{self.read.unscored:,} have no score and count as 1.")
        if self.read.failures:
            entry, why = self.read.failures[0]
            sentences.append(
                f"{counted(len(self.read.failures), 'entry', 'entries')} left out, such as {entry}, which {why}."
            )
        return tuple(sentences)


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
        row = self._core.frame.iloc[self._core.row_of(image_id)].to_dict()
        boxes = self._boxes_in(row.get(PICTURE))
        return self._drawn(self._files.whole(image_id), boxes, image_id, prediction_of(row))

    def invented(self, prediction: Mapping[Any, Any]) -> WholePicture:
        """The picture of a prediction of no object (a row of `Detections.invented`), with it and the labelled boxes.

        The one that it overlaps most, if any, is the object's. Raises ImageError as `files.data` does.
        """
        table, nearest = self._core.frame, prediction["nearest"]
        own = table["id"][table["path"] == nearest].tolist() if isinstance(nearest, str) else []
        x, y, width, height = (float(prediction[name]) for name in BOX_COLUMNS[:4])
        predicted = PredictedBox(
            str(prediction[CLASS]), float(prediction["score"]), float(prediction["iou"]), (x, y, width, height)
        )
        data = self._files.whole(own[0]) if own else self._files.of_picture(prediction[PICTURE])
        return self._drawn(data, self._boxes_in(prediction[PICTURE]), own[0] if own else None, predicted)

    def _boxes_in(self, picture: object) -> list[ObjectBox]:
        """The boxes in a picture, by its name in the table."""
        table = self._core.frame
        if PICTURE not in table or not set(BOX_COLUMNS) <= set(table.columns):
            raise ImageError("has no box any more, since the columns of its annotations were removed")
        here = table[table[PICTURE] == picture]
        return [
            ObjectBox(int(object_id), label if isinstance(label, str) else None, (x, y, width, height))
            for object_id, label, x, y, width, height in here[["id", "label", *BOX_COLUMNS[:4]]].itertuples(index=False)
        ]

    def _drawn(
        self, data: bytes, boxes: list[ObjectBox], own: int | None, predicted: PredictedBox | None
    ) -> WholePicture:
        width, height = map(int, PictureSize(*decoders.header_of(data)).upright)
        this = next((box for box in boxes if box.id == own), None)
        others = tuple(box for box in boxes if box.id != own)
        return WholePicture(data, (width, height), this, others, self._core.rendering, predicted)

    def to_redraw(self) -> pd.DataFrame:
        """Objects whose box is wrong by a review's verdict: path, picture, object, box (x, y, width, height), class.

        And what a detector predicted for each, or nearest to it, if predictions were matched.
        Hand it to whoever draws boxes, and read the annotations again afterwards.
        """
        table = self._core.frame
        is_wrong = passes_all(table, [OneOf("tags", (BOX_IS_WRONG,))]) & self._core.is_of_objects
        wrong: pd.DataFrame = (
            table.loc[is_wrong].filter([*_REDRAWN, *DETECTOR_COLUMNS]).rename(columns={"label": "class"})
        )
        return wrong.reset_index(drop=True)

    def predictions(
        self,
        path: str | Path,
        *,
        names: str | Path | None = None,
        least_score: float = LEAST_SCORE,
        least_iou: float = LEAST_IOU,
        run: str | None = None,
        split: str = "val",
        within: Sequence[Path] | None = None,
    ) -> Brought:
        """Match a detector's predictions to the objects, and keep of each what was predicted, as columns.

        `path` is COCO results (.json), or a folder of YOLO labels with confidences; `names` a data.yaml or a text file
        that names the detector's classes by number, where they are not those of the annotations. Columns and what was
        found are described by `analysis.runs.detections.Detections`; another detector's columns are replaced. With
        `run`, the classes of found objects are recorded, too (`runs`), as of `split`: "train" if trained on them.
        Files are read only `within` these folders, if given.
        Raises ImageSetError in a set of whole pictures, FolderError for what are no predictions of this set.
        """
        source, table = source_of(self._core.root), self._core.frame
        if not isinstance(source, Objects) or PICTURE not in table:
            raise ImageSetError(
                f"{str(self._core.root)!r} has no objects in pictures, with which predictions are compared."
            )
        file = Path(path).expanduser()
        named = None if names is None else read_names(Path(names).expanduser())
        predicted = read_predictions(file, source.annotations, names=named, within=within)
        matched = detections(table, _in_pixels(source, predicted), least_score=least_score, least_iou=least_iou)
        if run is not None:
            self._record(matched, run, split)
        columns = {str(name): Values.from_series(column) for name, column in matched.objects.items()}
        with raising_disk_errors(self._core.store.paths):
            imported = Import(DETECTOR, file.name, self._core.ids, self._core.contents, columns)
            write_import(self._core.store.paths, imported)
        return Brought(matched, predicted)

    def _record(self, matched: Detections, run: str, split: str) -> None:
        names = self._core.derived.get(picture_labels).names
        rows, logits = class_logits(matched.objects, names)
        recorder = Recorder(self._core.store.paths, self._core.folder, run, classes=names)
        recorder.epoch(self._core.ids[rows], logits, split=split)


def _in_pixels(source: Objects, predicted: Predicted) -> pd.DataFrame:
    """Predictions as `detections` takes them."""
    pictures, rows = source.annotations.pictures, []
    for prediction in predicted.predictions:
        box = source.box(prediction.box, pictures[prediction.picture], is_relative=prediction.is_relative)
        rows.append((display_name(prediction.picture), prediction.label, prediction.score, *box))
    return pd.DataFrame(rows, columns=[PICTURE, CLASS, "score", *BOX_COLUMNS[:4]])
