"""The files of an image set, and its objects in their whole pictures."""

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import pandas as pd
from typing_extensions import Doc

from url_viz.base.command_line import Fraction
from url_viz.base.errors import ImageError, ImageSetError
from url_viz.base.printout import Printout, Table
from url_viz.base.wording import command, counted, first_of
from url_viz.base.workspace import is_in_bucket
from url_viz.capability import AsKind, capability
from url_viz.columns.filters import OneOf, passes_all
from url_viz.core import SetCore
from url_viz.imaging.annotations.predicted import Predicted, read_predictions
from url_viz.imaging.annotations.yolo import read_names
from url_viz.imaging.bucket import Bucket
from url_viz.imaging.containers.picture_lists import Listing
from url_viz.imaging.containers.python_dataset import is_dataset
from url_viz.imaging.decode import open_plain_file, read_file, refuse_large
from url_viz.imaging.pages import page_of
from url_viz.imaging.places import SEPARATOR, Box, PictureSize, Place, picture_path
from url_viz.imaging.rendering import Rendering
from url_viz.imaging.scan import ScannedFile, absolute, display_name
from url_viz.imaging.source import Folder, Objects, Source, has_files, refuse_without_files, source_of
from url_viz.imaging.workers import decoders
from url_viz.labels.classes import picture_labels
from url_viz.runs.detections import (
    DETECTOR_COLUMNS,
    LEAST_IOU,
    LEAST_SCORE,
    Detections,
    PredictedBox,
    class_logits,
    detections,
    prediction_of,
)
from url_viz.store.about import embed_command, raising_disk_errors
from url_viz.store.columns.imported_columns import Import, write_import
from url_viz.store.columns.source_columns import BOX_COLUMNS, BOX_IS_WRONG, CLASS, PICTURE
from url_viz.store.columns.user_files import Values
from url_viz.store.recorder import Recorder

if TYPE_CHECKING:
    from url_viz.imaging.workers import Picture


SHOWN_S = 20.0
"""How long object storage may take to give a picture that somebody waits for."""


class SetFiles:
    """The files of an image set's pictures, as `image_set.files`; none outside `within` is opened, where given."""

    def __init__(self, core: SetCore, *, within: Sequence[Path] | None) -> None:
        self._core, self._within = core, within

    def path(self, image_id: int) -> Path:
        """The file of a picture. Raises ImageSetError if it is not there any more, FolderError in object storage."""
        if not has_files(self.source):
            refuse_without_files(self._core.root)
        row = self._core.row_of(image_id)
        path = Path(os.fsdecode(self.place(self._core.base.paths[row].as_py())))
        if not path.is_file():
            raise ImageSetError(
                f"{self._core.frame['path'].iloc[row]!r} is not in {str(self._core.root)!r} any more. "
                f"Read the folder again: {embed_command(self._core.root)}."
            )
        return path

    def open(self, path: bytes) -> AbstractContextManager[BinaryIO]:
        """A picture's file by its root-relative path, open for reading; every file of a set is opened here.

        Of a picture without a file of its own (in a shard, or listed in object storage), a copy of its bytes.
        Raises ImageError as `url_viz.imaging.decode` does, also for one that leads out of `within`; FolderError for
        pictures in object storage.
        """
        if self.are_copied or self._page_of(path) is not None:
            return _copy_of(self.source.read(ScannedFile(path, 0, 0)))
        return open_plain_file(self.place(path), within=self._within)

    @property
    def are_copied(self) -> bool:
        """Whether pictures have no files of their own that could be linked to: some are pages of files, say."""
        return not has_files(self.source) or self._has_pages

    @cached_property
    def _has_pages(self) -> bool:
        if self._core.is_of_objects or not isinstance(self.source, Folder):
            return False
        return any(self._page_of(path) for path in self._core.base.paths.to_pylist() if SEPARATOR in path)

    def _page_of(self, path: bytes) -> tuple[bytes, int] | None:
        """The file and number of a page by its root-relative path; None of what is a file, or an object."""
        page = None if self._core.is_of_objects else page_of(path)
        return None if page is None or os.path.lexists(absolute(self._core.folder, path)) else page

    @cached_property
    def source(self) -> Source:
        """Where the pictures are; object storage may take no longer than `SHOWN_S`."""
        if is_in_bucket(self._core.root):
            return Bucket(self._core.root, fetch_s=SHOWN_S, retry_s=SHOWN_S / 4)
        source = source_of(self._core.root, within=self._within)
        return Listing(source.root, self._within, fetch_s=SHOWN_S) if isinstance(source, Listing) else source

    def place(self, path: bytes) -> bytes:
        """Where the file of a picture lies, by its root-relative path. Raises FolderError in object storage."""
        page = self._page_of(path)
        file = page[0] if page is not None else picture_path(path) if self._core.is_of_objects else path
        return absolute(self._core.folder, file)

    @contextmanager
    def open_crop(self, path: bytes) -> Iterator[BinaryIO]:
        """An object's crop as a PNG that is open for reading, of its picture's time and permissions; as `open`."""
        with self.open(path) as picture:
            status = os.fstat(picture.fileno())
            refuse_large(status.st_size)
            place = self._place(ScannedFile(path, 0, 0).id)
            data = decoders.cut(picture.read(), place, rendering=self._core.rendering)
        times = status.st_atime_ns, status.st_mtime_ns
        with _copy_of(data, mode=stat.S_IMODE(status.st_mode) & 0o777, times=times) as crop:
            yield crop

    def without_objects(self) -> list[str]:
        """The paths of pictures in which no object is annotated, as the annotations say now; none of other sets."""
        pictures = self.source.annotations.pictures.values() if isinstance(self.source, Objects) else ()
        return [display_name(picture.path) for picture in pictures if not picture.objects]

    def data(self, image_id: int) -> bytes:
        """The bytes of a picture's file, from its folder or from object storage; an object's crop as a PNG.

        Raises ImageError if it is not there, cannot be read or leads out of `within`, BucketError if its store does
        not answer within `SHOWN_S`.
        """
        data = self.whole(image_id)
        if not self._core.is_of_objects:
            return data
        with self._naming_the_picture(self._core.paths_of([image_id])[0]):
            return decoders.cut(data, self._place(image_id), rendering=self._core.rendering)

    def whole(self, image_id: int) -> bytes:
        """The bytes of the file that a picture is in, also of an object; raises as `data` does."""
        path = self._core.paths_of([image_id])[0]
        with self._naming_the_picture(path):
            if self._core.is_of_objects:
                return read_file(self.place(path), within=self._within)
            return self.source.read(ScannedFile(path, 0, 0))

    def named(self, name: str) -> bytes:
        """The bytes of an annotated picture by its name, also of one without objects; raises as `data` does."""
        pictures = self.source.annotations.pictures if isinstance(self.source, Objects) else {}
        path = next((path for path in pictures if display_name(path) == name), None)
        if path is None:
            raise ImageError(f"{name!r} is in {str(self._core.root)!r} no more. Match the predictions again.")
        with self._naming_the_picture(path):
            return read_file(absolute(self._core.folder, path), within=self._within)

    def _place(self, image_id: int) -> Place:
        row = self._core.frame.iloc[self._core.row_of(image_id)]
        if not set(BOX_COLUMNS) <= set(row.index):
            raise ImageError("has no box any more, since the columns of its annotations were removed")
        x, y, width, height, margin = (float(row[name]) for name in BOX_COLUMNS)
        return Place(b"", "", (x, y, width, height), margin)

    def read(self, image_id: int) -> "Picture":
        """A picture read again for the model of this set, in a process of its own; raises as `data` does."""
        data = self.data(image_id)
        with self._naming_the_picture(self._core.paths_of([image_id])[0]):
            return decoders.read(data, self._core.space.preprocessing)

    @contextmanager
    def _naming_the_picture(self, path: bytes) -> Iterator[None]:
        """Say of which picture an ImageError is, and what to do."""
        try:
            yield
        except ImageError as error:
            name = f"{display_name(path)!r} of {str(self._core.root)!r}"
            again = "" if is_dataset(self._core.root) else f" Read the folder again: {embed_command(self._core.root)}."
            raise ImageError(f"{name} {error}.{again}") from error


@contextmanager
def _copy_of(data: bytes, *, mode: int = 0o644, times: tuple[int, int] = (0, 0)) -> Iterator[BinaryIO]:
    """Bytes as an open file; by default of a constant time, so that copies of one picture are known as such."""
    with TemporaryFile() as copy:
        copy.write(data)
        copy.seek(0)
        os.fchmod(copy.fileno(), mode)
        os.utime(copy.fileno(), ns=times)
        yield copy


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


def _predicted(objects: "SetObjects", brought: Brought) -> Printout:
    """What was found, the predictions of no object, and the review of the others."""
    noun, plural = "prediction of no object", "predictions of no object"
    review = command("review", objects._core.root, "--by", "other-class")
    invented = Table(brought.detections.invented, noun=noun, plural=plural)
    return Printout(brought.words, [invented], closing=[f"Review: {review} (or missed)"])


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
        data = self._files.whole(own[0]) if own else self._files.named(prediction[PICTURE])
        return self._drawn(data, self._boxes_in(prediction[PICTURE]), own[0] if own else None, predicted)

    def _boxes_in(self, picture: object) -> list[ObjectBox]:
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
        own_box = next((box for box in boxes if box.id == own), None)
        others = tuple(box for box in boxes if box.id != own)
        return WholePicture(data, (width, height), own_box, others, self._core.rendering, predicted)

    def to_redraw(self) -> pd.DataFrame:
        """Objects whose box is wrong by a review's verdict: path, picture, object, box (x, y, width, height), class.

        With what a detector predicted for each, or nearest to it, if predictions were matched. Hand it to whoever draws
        boxes, and read the annotations again afterwards.
        """
        table = self._core.frame
        is_wrong = passes_all(table, [OneOf("tags", (BOX_IS_WRONG,))]) & self._core.is_of_objects
        wrong = table.loc[is_wrong].filter([*_REDRAWN, *DETECTOR_COLUMNS])
        return wrong.rename(columns={"label": "class"}).reset_index(drop=True)

    @capability("runs detections", top=10, show=_predicted)
    def predictions(
        self,
        path: Annotated[
            str | Path, AsKind(Path), Doc("COCO results (.json), or a folder of YOLO labels with confidences")
        ],
        *,
        names: Annotated[
            str | Path | None,
            AsKind(Path),
            Doc("data.yaml, COCO file, or a class a line: names of the detector's numbers"),
        ] = None,
        least_score: Annotated[Fraction, Doc("predictions below this score do not count")] = LEAST_SCORE,
        run: Annotated[str | None, Doc("record the classes of found objects as a run of this name, too")] = None,
        split: Annotated[str, Doc("with --run: `train` if the detector was trained on these pictures")] = "val",
        least_iou: float = LEAST_IOU,
        within: Sequence[Path] | None = None,
    ) -> Brought:
        """Match a detector's predictions to objects: columns, and reviews of what it missed or calls something else.

        Predictions of no object are listed, or written with --out.

        In Python `path` is COCO results (.json), or a folder of YOLO labels with confidences; `names` a data.yaml or a
        text file that names the detector's classes by number, where they are not those of the annotations. Columns and
        what was found are described by `url_viz.runs.detections.Detections`; another detector's columns are replaced.
        With `run`, the classes of found objects are recorded, too (`runs`), as of `split`: "train" if trained on them.
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
            classes = self._core.derived.get(picture_labels).names
            rows, logits = class_logits(matched.objects, classes)
            recorder = Recorder(self._core.store.paths, self._core.folder, run, classes=classes)
            recorder.epoch(self._core.ids[rows], logits, split=split)
        columns = {str(name): Values.from_series(column) for name, column in matched.objects.items()}
        with raising_disk_errors(self._core.store.paths):
            imported = Import(DETECTOR, file.name, self._core.ids, self._core.contents, columns)
            write_import(self._core.store.paths, imported)
        return Brought(matched, predicted)


def _in_pixels(source: Objects, predicted: Predicted) -> pd.DataFrame:
    """Predictions as `detections` takes them."""
    pictures, rows = source.annotations.pictures, []
    for prediction in predicted.predictions:
        box = source.box(prediction.box, pictures[prediction.picture], is_relative=prediction.is_relative)
        rows.append((display_name(prediction.picture), prediction.label, prediction.score, *box))
    return pd.DataFrame(rows, columns=[PICTURE, CLASS, "score", *BOX_COLUMNS[:4]])
