"""Findings on objects in pictures: two boxes on one object, tiny or cut boxes, classes that context tells apart."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.base.wording import counted, listed, percent
from url_viz.columns.engine import column
from url_viz.columns.filters import Between, Filter, ReviewSpec, passes_all
from url_viz.columns.ranking import NONE
from url_viz.columns.table import Frame
from url_viz.columns.twin_groups import group_codes
from url_viz.columns.undecided import is_resolved, make_queue
from url_viz.evidence.probe import out_of_fold_shares
from url_viz.findings.checks import NAMED, Check, Found, Listed, Said, has_boxes, undecided
from url_viz.labels.ambiguity import StoredClasses
from url_viz.labels.calibration import LabelAgreement
from url_viz.labels.classes import CodedLabels
from url_viz.labels.label_issues import LIKELY, LabelCheck
from url_viz.labels.questions import ask_label, ask_use
from url_viz.pipeline.overlaps import overlap_groups
from url_viz.pipeline.twins import SAME_OBJECT
from url_viz.store.columns.source_columns import BOX_COLUMNS, CUT_BY_FRAME, PICTURE
from url_viz.store.tables.tables import GraphColumns

TINY_PX = 16
"""An object whose longer side has fewer pixels shows hardly anything."""
LEGIBLE = (Between("box_width", TINY_PX), Between("box_height", TINY_PX))
"""Filters that objects pass in which a person sees what they are: the shorter side of the box has TINY_PX pixels."""
FEWEST_OBJECTS, LEAST_ACCURACY = 10, 0.8
"""Context tells two classes apart if each has this many objects, of which it is right about this share or more …"""
SEED, DRAWS = 0, 200
"""… and more often than the crops in 97.5 % of draws of pictures."""

Rows = NDArray[np.int64]


def legible(table: pd.DataFrame) -> tuple[Filter, ...]:
    """The filters LEGIBLE where they hide some objects of `table`, not all; else none: what pages begin with."""
    is_legible = passes_all(table, LEGIBLE)
    return LEGIBLE if has_boxes(table) and is_legible.any() and not is_legible.all() else ()


def boxes_of(table: pd.DataFrame) -> "pd.Series[Any]":
    """The box of each row: x, y, width and height in pixels of the upright picture."""
    return pd.Series(list(map(tuple, _boxes(table).tolist())), index=table.index, dtype=object)


def double_boxes(table: pd.DataFrame) -> list[Rows]:
    """Rows of boxes that are on one object, a group each, those of two classes first; larger boxes first in each."""
    boxes = _boxes(table)
    group = overlap_groups(boxes, pd.factorize(table[PICTURE])[0], least=SAME_OBJECT)
    area = -boxes[:, 2:].prod(axis=1)
    order = np.lexsort((area, group))
    members = np.split(order, np.flatnonzero(np.diff(group[order])) + 1) if len(order) else []
    labels = table["label"].to_numpy(object)
    return sorted((group for group in members if len(group) > 1), key=lambda group: len(set(labels[group])) == 1)


def _boxes(table: pd.DataFrame) -> NDArray[np.float64]:
    return table[list(BOX_COLUMNS[:4])].to_numpy(np.float64)


def classes_wrong_together(
    table: pd.DataFrame, wrong: NDArray[np.floating], other: NDArray[np.object_]
) -> pd.DataFrame:
    """Objects of a class in a picture that, taken together, are likelier wrong than right by other pictures alone.

    Siblings hide such a slip: each confirms the others' labels. `wrong` (N,) is the probability that a label is wrong,
    `other` (N,) the class that speaks against it, both without siblings; nan and None where nothing is known. Listed
    are two objects or more, twins counted once, whose mean probability is LIKELY or more and of which more than half
    look like one other class; the likeliest first: id, suggested, mean_wrong, picture, label.
    """
    rows = table[["id", PICTURE, "label"]].assign(suggested=other, wrong=np.nan_to_num(wrong), group=group_codes(table))
    by_picture = rows.groupby([PICTURE, "label"])
    rows["mean_wrong"] = by_picture["wrong"].transform("mean")
    rows["alike"] = rows.groupby([PICTURE, "label", "suggested"])["id"].transform("size")
    is_agreed = by_picture["alike"].transform("max") > by_picture["id"].transform("size") / 2
    agreed = rows[(rows["mean_wrong"] >= LIKELY) & is_agreed & (by_picture["group"].transform("nunique") > 1)]
    order = [PICTURE, "label", "wrong"]
    agreed = agreed.sort_values(["mean_wrong", *order], ascending=[False, True, True, False], ignore_index=True)
    return agreed[["id", "suggested", "mean_wrong", PICTURE, "label"]]


@column()
def wrong_together(
    measured: pd.DataFrame,
    base: Frame,
    class_shares: StoredClasses | None,
    content_labels: CodedLabels | None,
    own_graph_columns: GraphColumns | None,
    agreement: LabelAgreement,
    *,
    has_label_witnesses: bool,
) -> pd.DataFrame | None:
    """Classes of pictures that look wrong as a whole to other pictures; None where siblings say nothing of labels."""
    if class_shares is None or content_labels is None or own_graph_columns is None or not has_label_witnesses:
        return None
    if not agreement.is_known:
        return None
    row, evidence = own_graph_columns.rows_of(base.contents), class_shares.evidence
    names = np.array([*content_labels.names, None], dtype=object)  # the code −1 finds the last
    wrong, other = np.append(evidence.label_wrong, np.nan)[row], names[np.append(evidence.other_class, NONE)[row]]
    return classes_wrong_together(measured, wrong, other)


def together_in_words(rows: pd.DataFrame) -> list[str]:
    """A line for each picture and class of `classes_wrong_together`: "all 6 zebra in a.jpg look like cow"."""
    return [
        f"{'both' if len(boxes) == 2 else f'all {len(boxes):,}'} {label} in {picture} "
        f"look like {boxes['suggested'].mode()[0]}"
        for (picture, label), boxes in rows.groupby([PICTURE, "label"], sort=False)
    ]


def tiny(table: pd.DataFrame) -> pd.DataFrame:
    """Objects whose longer side has fewer than TINY_PX pixels, the smallest first: id and, as suggested, the size."""
    size = _boxes(table)[:, 2:]
    longer = size.max(axis=1)
    rows = np.flatnonzero(longer < TINY_PX)
    rows = rows[np.argsort(longer[rows], kind="stable")]
    words = [f"{width:.0f} × {height:.0f} pixels" for width, height in size[rows]]
    return pd.DataFrame({"id": table["id"].to_numpy()[rows], "suggested": words})


def outside(table: pd.DataFrame) -> pd.DataFrame:
    """Objects whose box reaches more than a pixel beyond its picture: id, suggested (None)."""
    x, y, width, height = _boxes(table).T
    margin = table["box_margin"].to_numpy(np.float64)
    right, bottom = (
        np.maximum(0, np.floor(start - margin * side)) + shown
        for start, side, shown in ((x, width, table["width"]), (y, height, table["height"]))
    )  # where the crop ends, which is within the picture
    is_beyond = (x < -1) | (y < -1) | (x + width > right + 1) | (y + height > bottom + 1)
    return _listed(table, is_beyond)


def cut_by_frame(table: pd.DataFrame) -> pd.DataFrame:
    """Objects that the frame of their picture cuts, the most ambiguous first: id, suggested (None)."""
    rows = _listed(table, (table[CUT_BY_FRAME] == "yes").to_numpy(bool)) if CUT_BY_FRAME in table else _listed(table)
    if "ambiguity" not in table:
        return rows
    ambiguity = table.set_index("id")["ambiguity"].reindex(rows["id"]).to_numpy(np.float64)
    return rows.iloc[np.argsort(-np.nan_to_num(ambiguity, nan=-1), kind="stable")]


def _listed(table: pd.DataFrame, is_listed: NDArray[np.bool_] | None = None) -> pd.DataFrame:
    chosen = np.zeros(len(table), bool) if is_listed is None else is_listed
    return table.loc[chosen, ["id"]].assign(suggested=None)


def objects_separated_by_context(table: pd.DataFrame, check: LabelCheck, pairs: pd.DataFrame) -> pd.DataFrame:
    """Objects of pairs of classes that crops mix up and context tells apart: id, suggested, class_a, class_b, share.

    Context is what else is in the picture, and the size, shape and place of the box. `pairs` have class_a and class_b.
    Listed are the objects whose crop looks like the other class; `share` is that of both classes' objects of which
    context alone is right, by a probe that has not seen their picture.
    """
    parts = [_separated_pair(table, check, a, b) for a, b in pairs[["class_a", "class_b"]].itertuples(index=False)]
    columns = ["id", "suggested", "class_a", "class_b", "share"]
    return pd.concat([pd.DataFrame(columns=columns), *(part for part in parts if part is not None)], ignore_index=True)


def _separated_pair(table: pd.DataFrame, check: LabelCheck, a: str, b: str) -> pd.DataFrame | None:
    seen = check.pictures.set_index("id")["taken_for"].reindex(table["id"]).to_numpy(object)
    rows = np.flatnonzero(table["label"].isin([a, b]).to_numpy() & np.isin(seen, [a, b]))
    label = (table["label"].to_numpy(object)[rows] == b).astype(np.int32)
    picture = pd.factorize(table[PICTURE].iloc[rows])[0]
    if min(np.bincount(label, minlength=2)) < FEWEST_OBJECTS or len(np.unique(picture)) < FEWEST_OBJECTS:
        return None
    shares = out_of_fold_shares(box_context(table)[rows], label, picture, seed=SEED)
    by_context = shares.argmax(axis=1) == label
    by_crop = (seen[rows] == b) == label
    if by_context.mean() < LEAST_ACCURACY or not _is_more_often_right(by_context, by_crop, picture):
        return None
    wrong = rows[~by_crop]
    columns = {"id": table["id"].to_numpy()[wrong], "suggested": seen[wrong]}
    return pd.DataFrame(columns).assign(class_a=a, class_b=b, share=by_context.mean())


def _is_more_often_right(first: NDArray[np.bool_], second: NDArray[np.bool_], picture: Rows) -> bool:
    """Whether one is right more often than the other in nearly all draws of pictures."""
    gain = np.bincount(picture, weights=first.astype(float) - second)
    drawn = np.random.default_rng(SEED).integers(len(gain), size=(DRAWS, len(gain)))
    return bool(np.quantile(gain[drawn].sum(axis=1), 0.025) > 0)


def box_context(table: pd.DataFrame) -> NDArray[np.float32]:
    """What surrounds each object (N, C + 4), standardised: the classes of others in its picture, its box's size,
    shape and centre."""
    codes, classes = pd.factorize(table["label"])
    picture = pd.factorize(table[PICTURE])[0]
    counts = np.zeros((picture.max(initial=-1) + 1, len(classes)))
    is_labelled = codes >= 0
    np.add.at(counts, (picture[is_labelled], codes[is_labelled]), 1)
    others = counts[picture]
    others[np.flatnonzero(is_labelled), codes[is_labelled]] -= 1
    x, y, width, height = _boxes(table).T
    shape = np.stack([np.log(width * height), np.log(width / height), x + width / 2, y + height / 2], axis=1)
    features = np.hstack([others > 0, shape])
    spread = features.std(axis=0)
    standard: NDArray[np.float32] = ((features - features.mean(axis=0)) / np.where(spread > 0, spread, 1)).astype(
        np.float32
    )
    return standard


def _of_objects(find: Callable[..., Found]) -> Callable[..., Found]:
    """What `find` finds in a table of objects; None in one of whole pictures."""

    @wraps(find)
    def found(table: pd.DataFrame, **others: Any) -> Found:
        return find(table, **others) if has_boxes(table) else None

    return found


def _separated(table: pd.DataFrame, label_check: LabelCheck | None) -> pd.DataFrame | None:
    """Objects of the pairs of classes that overlap, where context separates these."""
    return None if label_check is None else objects_separated_by_context(table, label_check, label_check.mixed)


def _second_boxes(table: pd.DataFrame, found: list[Rows] | None, undropped: pd.DataFrame) -> Listed | None:
    """All but the largest box on each object."""
    if found is None:
        return None
    rows = [(row, members[0]) for members in found for row in members[1:]]
    paths = table["path"].to_numpy(object)
    suggested = [f"on the same object as {paths[first]}" for _, first in rows]
    second = pd.DataFrame({"id": table["id"].to_numpy()[[row for row, _ in rows]], "suggested": suggested})
    return undecided(second, undropped)


def _said_of_together(table: pd.DataFrame, found: pd.DataFrame) -> Said | None:
    asked = found[found["id"].isin(make_queue(table, ReviewSpec("wrong-together"), found))]
    if asked.empty:
        return None
    lines = together_in_words(asked)
    more = f", and {counted(len(lines) - 1, 'other')}" if len(lines) > 1 else ""
    classes = counted(len(lines), "class", "classes")
    return Said(len(lines), f"{classes} of a picture may be wrong as a whole: {lines[0]}{more}")


def _said_of_doubles(table: pd.DataFrame, found: list[Rows] | None) -> Said | None:
    is_open, labels = ~is_resolved(table), table["label"].to_numpy(object)
    groups = [members for members in found or () if is_open[members].any()]
    mixed = sum(len(set(labels[members])) > 1 for members in groups)
    words = counted(len(groups), "object has", "objects have") + " two boxes or more"
    return Said(len(groups), words + (f", {mixed:,} of them of two classes" if mixed else ""))


def _said_of_context(found: pd.DataFrame | None) -> Said | None:
    if found is None:
        return None
    pairs = found[["class_a", "class_b", "share"]].drop_duplicates()
    shown = listed([f"{a} ↔ {b} ({percent(float(share))})" for a, b, share in pairs[:NAMED].to_numpy()])
    words = counted(len(pairs), "pair of classes is", "pairs of classes are")
    return Said(len(pairs), f"{words} separated by context alone: {shown}")


def _said_of_pictures_without(table: pd.DataFrame, without_objects: int) -> Said | None:
    words = f"{counted(without_objects, 'picture has', 'pictures have')} no object"
    return Said(without_objects, words) if has_boxes(table) else None


CHECKS = (
    Check(
        "wrong-together",
        finds=lambda table, wrong_together: _listed(table) if wrong_together is None else wrong_together,
        place=60,
        says=_said_of_together,
        short="class{es} to check as a whole",
        why="Objects of other pictures speak against all of them; those of the same picture confirm each other.",
        title="Classes of a picture, wrong as a whole",
        ask=ask_label,
    ),
    Check(
        "double-boxes",
        needs="objects",
        finds=_of_objects(double_boxes),
        place=70,
        says=_said_of_doubles,
        short="double box{es}",
        why="A detector learns that one object is two. Keep one box of each.",
        title="Two boxes on one object",
        ask=None,
        bound=_second_boxes,
    ),
    Check(
        "separated-by-context",
        needs="objects",
        finds=_of_objects(_separated),
        place=130,
        says=_said_of_context,
        short="pair{s} of classes told apart by context",
        why="Their crops look alike; what else is in the picture, and where the box is, tells which they are.",
        title="Classes that only context separates",
        ask=ask_label,
    ),
    Check(
        "tiny",
        needs="objects",
        finds=_of_objects(tiny),
        place=160,
        says=lambda left: Said(
            left, f"{counted(left, 'object is', 'objects are')} smaller than {TINY_PX} × {TINY_PX} pixels"
        ),
        short="tiny object{s}",
        why="Hardly anything can be seen of them, nor told of their class.",
        title="Tiny objects",
        ask=ask_use,
        bound=undecided,
    ),
    Check(
        "outside",
        needs="objects",
        finds=_of_objects(outside),
        place=170,
        says=lambda left: Said(left, f"{counted(left, 'box reaches', 'boxes reach')} beyond the picture"),
        short="box{es} beyond the picture",
        why="The annotations may be of another size or orientation of the picture.",
        title="Boxes beyond their picture",
        bound=undecided,
    ),
    Check(
        "cut-by-frame",
        needs="objects",
        finds=_of_objects(cut_by_frame),
        place=180,
        says=lambda left: Said(left, f"{counted(left, 'object is', 'objects are')} cut by the frame"),
        short="cut by the frame",
        why="A part may not show what it is of. The most ambiguous come first.",
        title="Cut by the frame",
    ),
    Check(
        "without-objects",
        place=200,
        says=_said_of_pictures_without,
        short="picture{s} without objects",
        why="Good as background, if nothing was overlooked.",
    ),
)
