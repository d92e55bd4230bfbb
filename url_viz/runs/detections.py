"""A detector's predictions next to the objects of a set: matched by overlap; what it missed, invented or calls else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.base.errors import ImageSetError
from url_viz.base.wording import counted, decimal
from url_viz.columns.measures import AMBIGUITY, CONFUSABILITY
from url_viz.findings.checks import Check
from url_viz.imaging.places import Box
from url_viz.labels.questions import ask_missed, ask_prediction
from url_viz.pipeline.overlaps import AT_ONCE, overlaps
from url_viz.runs.run_on_set import SMALLEST
from url_viz.store.columns.source_columns import BOX_COLUMNS, CLASS, PICTURE

LEAST_IOU, LEAST_SCORE = 0.5, 0.25
"""The overlap from which a prediction may be of an object, as in COCO; the score from which it counts."""
NEAR_IOU = 0.1
"""The overlap from which a prediction is near a missed object: its box may be out of place."""
DETECTED, PREDICTED_CLASS, PREDICTED_SCORE, PREDICTED_IOU = (
    "detected",
    "predicted_class",
    "predicted_score",
    "predicted_iou",
)
NEAREST_CLASS = "nearest_class"
PREDICTED_BOX = ("predicted_x", "predicted_y", "predicted_width", "predicted_height")
DETECTOR_COLUMNS = (DETECTED, PREDICTED_CLASS, PREDICTED_SCORE, PREDICTED_IOU, *PREDICTED_BOX, NEAREST_CLASS)
FOUND, MISSED = "found", "missed"
MOST_PER_PICTURE = 1000
"""Of a picture's predictions the surest are matched, at most this many."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Matches:
    """The `prediction` of each of N objects, −1 for none, and the object `nearest` to each of M predictions, or −1.

    `iou` (N,) is nan without a prediction; `nearest_iou` (M,) is the largest overlap with an object, 0 for none.
    """

    prediction: Ints
    iou: Floats
    nearest: Ints
    nearest_iou: Floats


def _boxes_and_classes(rows: pd.DataFrame) -> tuple[Floats, NDArray[np.object_]]:
    return rows[list(BOX_COLUMNS[:4])].to_numpy(float), rows[CLASS].to_numpy(object)


def matched(objects: pd.DataFrame, predictions: pd.DataFrame, *, least_iou: float = LEAST_IOU) -> Matches:
    """Match predictions to objects greedily, each within its picture, as COCO's evaluation does.

    Both have picture, class, and box_x … box_height; the surest predictions come first. A prediction takes, of the free
    objects that it overlaps by at least `least_iou`, that of its class that it overlaps most, else that of another
    class.
    """
    prediction, iou = np.full(len(objects), -1, np.int64), np.full(len(objects), np.nan)
    nearest, nearest_iou = np.full(len(predictions), -1, np.int64), np.zeros(len(predictions))
    (box, label), (predicted_box, predicted_label) = _boxes_and_classes(objects), _boxes_and_classes(predictions)
    rows_in = objects.groupby(PICTURE).indices
    for picture, places in predictions.groupby(PICTURE).indices.items():
        if (rows := rows_in.get(picture)) is None:
            continue
        step = max(1, AT_ONCE // len(rows))
        for part in (places[start : start + step] for start in range(0, len(places), step)):
            overlap = overlaps(predicted_box[part], box[rows])
            nearest_iou[part] = overlap.max(axis=1)
            nearest[part] = np.where(nearest_iou[part] > 0, rows[overlap.argmax(axis=1)], -1)
            number, column = np.nonzero(overlap >= least_iou)
            is_other = predicted_label[part[number]] != label[rows[column]]
            order = np.lexsort((-overlap[number, column], is_other, number))
            bounds = np.searchsorted(number[order], np.arange(len(part) + 1)).tolist()
            for place, (first, last) in enumerate(pairwise(bounds)):
                free = next((at for at in column[order[first:last]] if prediction[rows[at]] < 0), None)
                if free is not None:
                    prediction[rows[free]], iou[rows[free]] = part[place], overlap[place, free]
    return Matches(prediction, iou, nearest, nearest_iou)


def _nearest_unmatched(
    objects: pd.DataFrame, predictions: pd.DataFrame, is_new: NDArray[np.bool_]
) -> tuple[Ints, Floats]:
    """For each object (N,) the prediction of no object (`is_new`, of M) that lies nearest, or −1, and its overlap.

    It is the one that overlaps it most, of its class where one is near; one prediction may be that of several objects.
    """
    nearest, iou = np.full(len(objects), -1, np.int64), np.full(len(objects), np.nan)
    (box, label), (predicted_box, predicted_label) = _boxes_and_classes(objects), _boxes_and_classes(predictions)
    new, rows_in = np.flatnonzero(is_new), objects.groupby(PICTURE).indices
    for picture, places in predictions.iloc[new].groupby(PICTURE).indices.items():
        if (rows := rows_in.get(picture)) is None:
            continue
        here = new[places]
        for part in np.array_split(rows, max(1, len(rows) * len(here) // AT_ONCE)):
            if not len(part):
                continue
            overlap = overlaps(box[part], predicted_box[here])
            is_same = (label[part, None] == predicted_label[here]) & (overlap >= NEAR_IOU)
            best = (overlap + is_same).argmax(axis=1)
            most = overlap[np.arange(len(part)), best]
            nearest[part], iou[part] = np.where(most > 0, here[best], -1), np.where(most > 0, most, np.nan)
    return nearest, iou


@dataclass(frozen=True)
class Detections:
    """A detector next to the objects of a set.

    `objects` has a row per row of the table: `detected` ("found", "missed"; missing where nothing was predicted), and
    the class, score, overlap (IoU) and box of the prediction that each has; of a missed object those of the prediction
    of no object, if any, that lies nearest, whose class is `nearest_class`. `invented` are predictions of
    no object, the surest first: picture, class, score, box_x … box_height, the object that each overlaps most, and by
    how much.

    `same` counts objects that were found as their class, `predictions` all of them, `sure` those from `least_score` on,
    and `again` those of these whose object has another one.
    """

    objects: pd.DataFrame
    invented: pd.DataFrame
    same: int
    predictions: int
    sure: int
    again: int
    least_score: float

    @property
    def is_mixed_up(self) -> bool:
        """Whether most of what was found is of another class: then the two may number their classes differently."""
        return int((self.objects[DETECTED] == FOUND).sum()) > 2 * self.same

    @property
    def words(self) -> tuple[str, ...]:
        """The same in sentences."""
        detected = self.objects[DETECTED]
        found, lost, unseen = (int(rows.sum()) for rows in (detected == FOUND, detected == MISSED, detected.isna()))
        sentences = [
            f"{counted(self.predictions, 'prediction')}, {self.sure:,} with a score from {self.least_score:g} on.",
            f"{counted(found, 'object')} found, {found - self.same:,} of them as another class; {lost:,} missed.",
            f"{counted(len(self.invented), 'prediction')} of no object; {self.again:,} more of an object that has one.",
        ]
        if unseen:
            sentences.append(f"{counted(unseen, 'object')} of splits without any prediction are not counted as missed.")
        if self.is_mixed_up:
            sentences.append(
                "Most classes differ: are they numbered differently? Name the detector's classes (--names)."
            )
        return tuple(sentences)


def detections(
    table: pd.DataFrame, predictions: pd.DataFrame, *, least_score: float = LEAST_SCORE, least_iou: float = LEAST_IOU
) -> Detections:
    """What a detector found of the objects of `ImageSet.table()`.

    `predictions` has picture, class, score, and box_x … box_height in pixels of the upright picture. Those below
    `least_score` do not count, nor more than `MOST_PER_PICTURE` in a picture. Splits in which nothing is predicted are
    taken as not looked at.
    """
    is_sure = predictions["score"] >= least_score
    sure = predictions[is_sure].sort_values("score", ascending=False, kind="stable")
    sure = sure[sure.groupby(PICTURE).cumcount() < MOST_PER_PICTURE].reset_index(drop=True)
    label = table["label"].fillna(table[CLASS])  # that of the annotations where it has no label
    labelled = table.assign(**{CLASS: label})
    match = matched(labelled, sure, least_iou=least_iou)
    is_found, is_over = match.prediction >= 0, ~np.isin(np.arange(len(sure)), match.prediction)
    is_new = is_over & (match.nearest_iou < least_iou)
    near, near_iou = _nearest_unmatched(labelled, sure, is_new)
    rows = sure.reindex(np.where(is_found, match.prediction, near))
    detected = pd.Series(MISSED, index=table.index, dtype=object).where(_is_seen(table, predictions), None)
    objects = pd.DataFrame(
        {
            DETECTED: detected.mask(is_found, FOUND).to_numpy(object),
            PREDICTED_CLASS: rows[CLASS].where(is_found, None).to_numpy(object),
            PREDICTED_SCORE: rows["score"].to_numpy(float),
            PREDICTED_IOU: np.where(is_found, match.iou, near_iou),
            **{name: rows[box].to_numpy(float) for name, box in zip(PREDICTED_BOX, BOX_COLUMNS[:4], strict=True)},
            NEAREST_CLASS: rows[CLASS].where(~is_found & (near >= 0), None).to_numpy(object),
        }
    )
    names = table["path"].reindex(match.nearest).to_numpy(object)
    invented = sure.assign(nearest=names, iou=match.nearest_iou)[is_new].reset_index(drop=True)
    same = int((is_found & (objects[PREDICTED_CLASS] == label.to_numpy(object))).sum())
    again = int(is_over.sum()) - len(invented)
    return Detections(objects, invented, same, len(predictions), int(is_sure.sum()), again, least_score)


def _is_seen(table: pd.DataFrame, predictions: pd.DataFrame) -> "pd.Series[bool]":
    """Which objects are of a split in which anything is predicted."""
    split = table["split"].fillna("") if "split" in table else pd.Series("", table.index)
    return split.isin(split[table[PICTURE].isin(predictions[PICTURE])]) | ("split" not in table)


@dataclass(frozen=True)
class PredictedBox:
    """What a detector predicted: class, score, `box` (x, y, width, height in pixels of the upright picture).

    `iou` is its overlap with the labelled box, 0 without one. `is_nearest` marks what lies nearest to a missed object.
    """

    label: str | None
    score: float
    iou: float
    box: Box
    is_nearest: bool = False

    @property
    def words(self) -> str:
        """ "predicted cat, score .90, IoU .82", the line below a picture."""
        overlap = f", IoU {decimal(self.iou)}" if self.iou > 0 else ""
        label = self.label or "class unknown"
        what = f"nearest prediction: {label}" if self.is_nearest else f"predicted {label}"
        return f"{what}, score {decimal(self.score)}{overlap}"


def has_predictions(row: Mapping[Any, Any]) -> bool:
    """Whether a detector looked at the picture of a row of the table, and its boxes are stored."""
    return row.get(DETECTED) == MISSED or (row.get(DETECTED) == FOUND and PREDICTED_BOX[0] in row)


def prediction_of(row: Mapping[Any, Any]) -> PredictedBox | None:
    """What was predicted for a row of the table, or nearest to a missed one; None where nothing was."""
    if not has_predictions(row) or not np.isfinite(row.get(PREDICTED_BOX[0], np.nan)):
        return None
    x, y, width, height = (float(row[name]) for name in PREDICTED_BOX)
    is_nearest = row[DETECTED] == MISSED
    label = row.get(NEAREST_CLASS if is_nearest else PREDICTED_CLASS)
    return PredictedBox(
        label if isinstance(label, str) else None,
        float(row[PREDICTED_SCORE]),
        float(row[PREDICTED_IOU]),
        (x, y, width, height),
        is_nearest,
    )


def class_logits(objects: pd.DataFrame, names: Sequence[str]) -> tuple[Ints, Floats]:
    """The rows of objects that were found as one of the K classes `names`, and logits (M, K) of what was predicted.

    A detector gives a class and its score: that is the class's probability, at least 1/K, and the rest is spread evenly
    over the others.
    """
    column = pd.Index(names).get_indexer(pd.Index(objects[PREDICTED_CLASS]))
    rows = np.flatnonzero(column >= 0)
    own = np.maximum(objects[PREDICTED_SCORE].to_numpy(float)[rows], 1 / len(names))
    shares = np.repeat((1 - own[:, None]) / max(1, len(names) - 1), len(names), axis=1)
    shares[np.arange(len(rows)), column[rows]] = own
    return rows, np.log(np.maximum(shares, SMALLEST))


def other_class(table: pd.DataFrame) -> pd.DataFrame:
    """Objects that were found as another class than theirs: id, suggested (that class), the most ambiguous first.

    Raises ImageSetError without predictions.
    """
    rows = _predicted_rows(table)
    is_other = rows[PREDICTED_CLASS].notna() & rows["label"].notna() & (rows[PREDICTED_CLASS] != rows["label"])
    return rows[is_other].rename(columns={PREDICTED_CLASS: "suggested"})[["id", "suggested"]]


def missed(table: pd.DataFrame) -> pd.DataFrame:
    """Objects that were not found: id, suggested (None), those that a prediction of no object is near first.

    Of these the box is likely out of place; within both the most ambiguous come first. Raises as `other_class`.
    """
    rows = _predicted_rows(table)
    rows = rows[rows[DETECTED] == MISSED]
    iou = table[PREDICTED_IOU].reindex(rows.index) if PREDICTED_IOU in table else pd.Series(np.nan, rows.index)
    order = np.argsort(~(iou >= NEAR_IOU).to_numpy(bool), kind="stable")
    return rows.iloc[order].assign(suggested=None)[["id", "suggested"]]


def _predicted_rows(table: pd.DataFrame) -> pd.DataFrame:
    if not {DETECTED, PREDICTED_CLASS} <= {*table.columns}:
        raise ImageSetError("This set has no predictions. Bring some: `url-viz runs detections SOURCE FILE`.")
    by = AMBIGUITY.name if AMBIGUITY.name in table else CONFUSABILITY.name
    columns = table[["id", "label", by, DETECTED, PREDICTED_CLASS]]
    return columns.sort_values(by, ascending=False, kind="stable")


CHECKS = (
    Check(
        "other-class",
        needs="predictions",
        finds=other_class,
        title="The detector says another class",
        ask=ask_prediction,
    ),
    Check("missed", needs="predictions", finds=missed, title="Missed by the detector", ask=ask_missed),
)
