"""What a detector predicted for the pictures of a set of objects: COCO results, or a folder of YOLO labels."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from url_viz.base.errors import FolderError, ImageError
from url_viz.imaging.annotations.annotated import Annotations, as_label, box_in, numbers, why_no_box
from url_viz.imaging.annotations.formats import format_of
from url_viz.imaging.annotations.yolo import GIVE_NAMES, box_from
from url_viz.imaging.decode import EMPTY, read_file
from url_viz.imaging.places import Box
from url_viz.imaging.scan import display_name

LABELS = "labels"


@dataclass(frozen=True)
class PredictedObject:
    """An object that a detector predicted, with its box as of `AnnotatedObject` and its score from 0 to 1."""

    picture: bytes
    label: str
    box: Box
    is_relative: bool
    score: float


class Predicted:
    """Predictions, as they are read. `failures` are entries that cannot be used, by place, with the reason.

    `unnamed` counts predictions of classes that the set does not have, by class; `unscored` those without a score,
    which count as 1. Pictures and classes are known by number or name.
    """

    def __init__(self, annotations: Annotations, names: Mapping[str, str]) -> None:
        self.predictions: list[PredictedObject] = []
        self.failures: list[tuple[str, str]] = []
        self.unnamed: dict[str, int] = {}
        self.unscored, self._names = 0, names
        labels = {item.label for picture in annotations.pictures.values() for item in picture.objects.values()}
        self._classes = {*annotations.names.values()} | labels
        self._pictures = _by_name(annotations.pictures) | {number: path for path, number in annotations.numbers.items()}

    def fail(self, where: str, why: str) -> None:
        self.failures.append((where, why))

    def take(
        self,
        where: str,
        pictures: Sequence[object],
        label: object,
        box: Box | None,
        score: object,
        *,
        is_relative: bool,
    ) -> None:
        """Take a prediction that stands at `where`; `pictures` are names for its picture, the surest first."""
        paths = (self._pictures.get(as_label(name)) for name in pictures)
        path = next((path for path in paths if path is not None), None)
        values = numbers((score,)) if score is not None else (1.0,)
        if path is None:
            self.fail(
                where, f"is of a picture that the set does not have, or has twice by that name: {pictures[0]!r}"[:200]
            )
        elif box is None:
            self.fail(where, "has no box of four numbers")
        elif why := why_no_box(box, is_relative=is_relative):
            self.fail(where, why)
        elif values is None or not 0 <= values[0] <= 1:
            self.fail(where, f"has a score that is not from 0 to 1: {as_label(score)}")
        else:
            name = as_label(label)
            name = self._names.get(name, name)
            if name not in self._classes:
                self.unnamed[name] = self.unnamed.get(name, 0) + 1
            self.unscored += score is None
            self.predictions.append(PredictedObject(path, name, box, is_relative, values[0]))


def read_predictions(
    path: Path,
    annotations: Annotations,
    *,
    names: Mapping[str, str] | None = None,
    within: Sequence[Path] | None = None,
) -> Predicted:
    """The predictions in COCO results (.json), or in a folder of YOLO labels with confidences.

    `names` are the detector's classes by number, by default those of the annotations. Raises FolderError if the file or
    folder is neither, if labels have numbers that nothing names, or if nothing in it can be used.
    """
    predicted = Predicted(annotations, annotations.names if names is None else names)
    if os.path.isdir(path):
        if names is None and not format_of(annotations).numbers_as_detectors:
            raise FolderError(
                f"The labels in {str(path)!r} number their classes, and {annotations.kind} annotations do not say how. "
                f"{GIVE_NAMES}"
            )
        _take_folder(path, predicted, within=within)
    else:
        _take_results(path, predicted, within=within)
    if not predicted.predictions:
        why = "".join(f" {where} {reason}." for where, reason in predicted.failures[:2])
        is_by_name = not annotations.numbers and not os.path.isdir(path)
        how = f" {annotations.kind} annotations number no picture: `image_id` is its name there." if is_by_name else ""
        raise FolderError(
            f"{str(path)!r} has no prediction of a picture of this set.{why}{how} Give COCO results or labels."
        )
    if sum(predicted.unnamed.values()) == len(predicted.predictions):
        classes = ", ".join(map(repr, list(predicted.unnamed)[:3]))
        raise FolderError(f"None of the classes in {str(path)!r} ({classes}) is one of this set. {GIVE_NAMES}")
    return predicted


def _take_results(path: Path, predicted: Predicted, *, within: Sequence[Path] | None) -> None:
    try:
        entries = json.loads(read_file(os.fsencode(path), within=within))
    except (ImageError, ValueError, RecursionError) as error:
        raise FolderError(
            f"{str(path)!r} cannot be read as COCO results: {error}. Give a .json, or a folder."
        ) from error
    if not isinstance(entries, list):
        raise FolderError(f"{str(path)!r} is no list, as COCO results are. Give the file of a detector's predictions.")
    for number, entry in enumerate(entries):
        where = f"entry {number}"
        if not isinstance(entry, dict):
            predicted.fail(where, "is no prediction")
            continue
        pictures = [entry.get("image_id"), *([entry["file_name"]] if "file_name" in entry else [])]
        score = entry.get("score")
        predicted.take(where, pictures, entry.get("category_id"), box_in(entry.get("bbox")), score, is_relative=False)


def _take_folder(folder: Path, predicted: Predicted, *, within: Sequence[Path] | None) -> None:
    top = folder / LABELS if os.path.isdir(folder / LABELS) else folder
    for path in sorted(map(os.fsencode, top.rglob("*.txt"))):
        name = os.path.splitext(os.path.relpath(path, os.fsencode(top)))[0]
        try:
            text = read_file(path, within=within).decode("utf-8-sig", "replace")
        except ImageError as error:
            if str(error) != EMPTY:
                predicted.fail(display_name(name), str(error))
            continue
        names = [os.fsdecode(name), os.path.basename(os.fsdecode(name))]
        for number, line in enumerate(text.splitlines(), 1):
            if not (words := line.split()):
                continue
            where, values = f"{display_name(name)}.txt:{number}", numbers(words[1:])
            if values is None:
                predicted.fail(where, "is not a class and numbers")
                continue
            has_score = len(values) % 2 == 1
            box = box_from(values[:-1] if has_score else values)
            predicted.take(where, names, words[0], box, values[-1] if has_score else None, is_relative=True)


def _by_name(paths: Iterable[bytes]) -> dict[str, bytes | None]:
    """Pictures by path and file name, both also without extension, and by a name of digits as a number.

    None for a name that several pictures have.
    """
    by_name: dict[str, bytes | None] = {}
    for path in paths:
        whole = os.fsdecode(path)
        last = os.path.basename(whole)
        stem = os.path.splitext(last)[0]
        names = {whole, last, os.path.splitext(whole)[0], stem}
        names |= {str(int(stem))} if stem.isascii() and stem.isdigit() and len(stem) < 20 else set()
        for name in names:
            by_name[name] = path if by_name.get(name, path) == path else None
    return by_name
