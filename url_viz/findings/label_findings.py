"""Checks of labels and classes: doubtful labels, classes that overlap, ambiguous pictures, small classes."""

import numpy as np
import pandas as pd

from url_viz.base.errors import ImageSetError
from url_viz.base.wording import counted, listed
from url_viz.columns.measures import AMBIGUITY, has_values
from url_viz.columns.twin_groups import COPIES, group_codes
from url_viz.findings.checks import NAMED, Check, Listed, Said, counted_rows, has_boxes
from url_viz.labels.doubtful_labels import DoubtfulLabels
from url_viz.labels.label_issues import NO_CLASSES, LabelCheck
from url_viz.labels.questions import ask_any_label, ask_label
from url_viz.runs.model_accuracy import CLEAR

SMALL_CLASS = 5
"""A class of fewer pictures, copies counted once, is too small to learn or to test."""
FEWEST_TO_KNOW = 20
"""With fewer labelled pictures nobody is told that the model does not know their classes: few teach it little."""


def mixed_up(label_check: LabelCheck | None, doubtful: DoubtfulLabels | None) -> pd.DataFrame | None:
    """Pictures of one of two overlapping classes that look like the other: id, suggested and wrong, pair after pair.

    Those that are listed as `doubtful` are asked about there.
    """
    if label_check is None:
        return None
    place = {}
    for number, (a, b) in enumerate(label_check.mixed[["class_a", "class_b"]].itertuples(index=False)):
        place[a, b] = place[b, a] = number
    pictures = label_check.pictures
    if doubtful is not None:
        pictures = pictures[~pictures["id"].isin(doubtful.rows["id"])]
    pairs = zip(pictures["label"], pictures["taken_for"], strict=True)
    rows = pictures.assign(suggested=pictures["taken_for"], place=[place.get(pair, -1) for pair in pairs])
    placed: pd.DataFrame = rows[rows["place"] >= 0].sort_values("place", kind="stable")
    return placed[["id", "suggested", "wrong", "label", "place"]]


def class_sizes(table: pd.DataFrame) -> pd.DataFrame:
    """Pictures with a class, those of the smallest first: id, suggested (None), label, size.

    Of copies one counts, dropped pictures do not: a class whose pictures are all dropped has none.
    """
    rows = table[["id", "label"]].assign(group=group_codes(table, COPIES))[table["label"].notna()]
    is_kept = (table["decision"] != "drop").loc[rows.index]
    size = rows[is_kept].groupby("label")["group"].nunique()
    rows = rows.assign(size=rows["label"].map(size).fillna(0).astype(int), suggested=None)
    return rows.sort_values(["size", "label"], kind="stable")[["id", "suggested", "label", "size"]]


def small_classes(table: pd.DataFrame) -> pd.DataFrame:
    """Those of `class_sizes` whose class has fewer than SMALL_CLASS."""
    rows = class_sizes(table)
    return rows[rows["size"] < SMALL_CLASS]


def _said_of_unknown(table: pd.DataFrame, doubtful: DoubtfulLabels | None) -> Said | None:
    if doubtful is None or doubtful.agreement.is_known or doubtful.agreement.count < FEWEST_TO_KNOW:
        return None
    source = "annotation files" if has_boxes(table) else "column or the folders"
    why = (
        f"{doubtful.caution} Compare these pictures with their labels: correct the {source}, or, if the labels are "
        "right, read the pictures with another model."
    )
    return Said(len(doubtful), doubtful.words, why, of_order=bool(doubtful.caution))


def _said_of_wrong(doubtful: DoubtfulLabels | None) -> Said | None:
    if doubtful is None or not doubtful.agreement.is_known:
        return None
    why = " ".join(filter(None, (doubtful.caution, WRONG_LABELS.why)))
    return Said(len(doubtful), doubtful.words, why, of_order=bool(doubtful.caution))


def _said_of_mixed(label_check: LabelCheck | None, left: int) -> Said | None:
    if label_check is None or not left:
        return None
    pairs = label_check.mixed[["class_a", "class_b"]].to_numpy()
    more = f", and {counted(len(pairs) - 1, 'other')}" if len(pairs) > 1 else ""
    overlap = counted(len(pairs), "pair of classes overlaps", "pairs of classes overlap")
    return Said(len(pairs), f"{overlap}: {pairs[0][0]} ↔ {pairs[0][1]}{more}")


def _said_of_small(table: pd.DataFrame, found: pd.DataFrame, left: int) -> Said | None:
    names = list(dict.fromkeys(map(str, found["label"])))
    if not left:
        return None
    more = f" and {counted(len(names) - NAMED, 'other')}" if len(names) > NAMED else ""
    shown = ", ".join(names[:NAMED]) if more else listed(names)
    few = f"fewer than {counted_rows(table, SMALL_CLASS)}"
    return Said(len(names), f"{counted(len(names), 'class has', 'classes have')} {few}: {shown}{more}")


def _known(label_check: LabelCheck | None) -> LabelCheck:
    """The check of labels. Raises ImageSetError where there are none, or the model does not know the classes."""
    if label_check is None:
        raise ImageSetError(NO_CLASSES)
    if not label_check.agreement.is_known:
        raise ImageSetError(
            f"{label_check.agreement.words}. Correct them, read the pictures with another model (--model), or leave "
            "this rule out."
        )
    return label_check


def _doubtful_bound(
    label_check: LabelCheck | None, doubtful: DoubtfulLabels | None, undropped: pd.DataFrame
) -> Listed | None:
    """The doubtful labels; what counts is how many of them are wrong, at least."""
    _known(label_check)
    if doubtful is None:
        return None
    rows = doubtful.pictures[doubtful.is_doubtful]
    pairs = zip(rows["label"], rows["suggested"], strict=True)
    detail = [f"{label} or {suggested}? Labelled {label}" for label, suggested in pairs]
    chance = np.where(doubtful.is_conflict, 1, doubtful.forecast.expected)[doubtful.is_doubtful]  # one of two is wrong
    return rows.assign(detail=detail, wrong=chance), int(undropped["label"].notna().sum())


def _mixed_bound(label_check: LabelCheck | None, undropped: pd.DataFrame) -> Listed:
    """Pairs of classes."""
    pairs = _known(label_check).mixed
    names = [f"{a} ↔ {b}" for a, b in pairs[["class_a", "class_b"]].to_numpy()]
    details = [f"{counted_rows(undropped, count, 'looks', 'look')} like the other" for count in pairs["pictures"]]
    return pd.DataFrame({"path": names, "detail": details}), undropped["label"].nunique()


def _ambiguous_bound(label_check: LabelCheck | None, undropped: pd.DataFrame, table: pd.DataFrame) -> Listed | None:
    if not _known(label_check).classes or not has_values(table, AMBIGUITY.name):
        return None
    between = undropped[(undropped[AMBIGUITY.name] >= CLEAR) & undropped["is_open"]]
    detail = "between " + between["first_class"].astype(str) + " and " + between["second_class"].astype(str)
    return between.assign(detail=detail), undropped["label"].dropna().astype(str).value_counts().to_dict()


def _small_bound(undropped: pd.DataFrame) -> Listed | None:
    """Every class with its `size`: a policy says which are small."""
    sizes = class_sizes(undropped).drop_duplicates("label")
    if sizes.empty:
        return None
    detail = [counted_rows(undropped, size) for size in sizes["size"]]
    return pd.DataFrame({"path": sizes["label"].astype(str), "detail": detail, "size": sizes["size"]}), len(sizes)


UNKNOWN_CLASSES = Check(
    "unknown-classes",
    needs="labels",
    place=10,
    says=_said_of_unknown,
    short="label{s} to check",
    opens="suspects",
)
WRONG_LABELS = Check(
    "wrong-labels",
    needs="labels",
    place=50,
    says=_said_of_wrong,
    short="label{s} to check",
    why="Similar pictures have another label. Mistakes on pictures that are hard to tell go unseen.",
    opens="suspects",
    bound=_doubtful_bound,
)
SUSPECTS = Check("suspects", needs="labels", title="Doubtful labels", ask=ask_label)
DISAGREED = Check("disagreed", needs="people", title="Labels on which people differ")
ALL_LABELS = Check(
    "labels",
    needs="labels",
    finds=lambda label_check: None if label_check is None else label_check.pictures,
    title="All labels, most doubtful first",
    ask=ask_any_label,
)
MIXED_UP = Check(
    "mixed-up",
    needs="labels",
    finds=mixed_up,
    place=90,
    says=_said_of_mixed,
    short="overlapping pair{s} of classes",
    why="Each has many pictures that look like the other. Define what separates them, then relabel one by one.",
    title="Classes that overlap",
    ask=ask_label,
    bound=_mixed_bound,
)
AMBIGUOUS = Check("ambiguous", needs="labels", bound=_ambiguous_bound, by_class=True)
SMALL_CLASSES = Check(
    "small-classes",
    needs="labels",
    finds=small_classes,
    place=210,
    says=_said_of_small,
    short="small class{es}",
    why="Too few to learn a class from, or to measure it on. Add some, merge the class, or leave it out.",
    title="Small classes",
    bound=_small_bound,
)
