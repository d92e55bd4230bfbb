"""Findings: what a careful colleague would say of an image set first, each with its count and the queue it opens."""

from dataclasses import dataclass, replace
from typing import Literal, cast, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.base.wording import counted, for_objects, listed, percent
from url_viz.columns.engine import column
from url_viz.columns.filters import ReviewSpec
from url_viz.columns.table import StoredRows
from url_viz.columns.twin_groups import COPIES, group_codes
from url_viz.findings.leaks import APART, SAME_FILE, leaked_pictures
from url_viz.findings.object_findings import (
    TINY_PX,
    cut_by_frame,
    double_boxes,
    has_boxes,
    objects_separated_by_context,
    outside,
    tiny,
    together_in_words,
)
from url_viz.findings.reasons import Reasons, useless
from url_viz.findings.shortcuts import Shortcuts
from url_viz.labels.apart import Apart
from url_viz.labels.doubtful_labels import DoubtfulLabels
from url_viz.labels.label_issues import LabelCheck
from url_viz.review.review_queue import BURST, is_resolved, make_queue
from url_viz.runs.model_accuracy import QUEUES, in_queue
from url_viz.store.columns.source_columns import PICTURE

FindingKind = Literal[
    "unknown-classes",
    "in-two-splits",
    "leaks",
    "apart-in-two-splits",
    "shortcuts",
    "wrong-labels",
    "wrong-together",
    "double-boxes",
    "model-wrong-labels",
    "mixed-up",
    "model-ambiguous",
    "model-weakness",
    "model-learnt-late",
    "separated-by-context",
    "bursts",
    "useless",
    "tiny",
    "outside",
    "cut-by-frame",
    "unreadable",
    "without-objects",
    "small-classes",
]
"""What can be found, what matters most first; the name of the queue, if it has one."""
_SHORT: dict[FindingKind, str] = {
    "unknown-classes": "label{s} to check",
    "in-two-splits": "picture{s} in two splits",
    "leaks": "leak{s}",
    "apart-in-two-splits": "leak{s} of what is kept apart",
    "shortcuts": "class{es} told by a shortcut",
    "wrong-labels": "label{s} to check",
    "wrong-together": "class{es} to check as a whole",
    "double-boxes": "double box{es}",
    "model-wrong-labels": "label{s} your model doubts",
    "mixed-up": "overlapping pair{s} of classes",
    "model-ambiguous": "doubt{s} of your model",
    "model-weakness": "weak spot{s} of your model",
    "model-learnt-late": "learnt late",
    "separated-by-context": "pair{s} of classes told apart by context",
    "bursts": "burst{s}",
    "useless": "with hardly anything to see",
    "tiny": "tiny object{s}",
    "outside": "box{es} beyond the picture",
    "cut-by-frame": "cut by the frame",
    "unreadable": "unreadable",
    "without-objects": "picture{s} without objects",
    "small-classes": "small class{es}",
}
"""What a finding counts, in a word or two behind the number; {s} and {es} are endings of more than one."""
SMALL_CLASS = 5
"""A class of fewer pictures, copies counted once, is too small to learn or to test."""
FEWEST_TO_KNOW = 20
"""With fewer labelled pictures nobody is told that the model does not know their classes: few teach it little."""
NAMED = 3
"""How many classes, or pairs of them, a finding names."""

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Finding:
    """One finding: how many (`count`), in `words` "10 pictures show hardly anything (dark)", and `why` it matters.

    One that `is_listed` opens a list, whatever its kind; one `of_order` counts the first of an order, which may be all
    right.
    """

    kind: FindingKind
    count: int
    words: str
    why: str
    is_listed: bool = False
    of_order: bool = False

    @property
    def short(self) -> str:
        """What it counts, in a word or two after the number: "labels to check", "leaks"."""
        words = "most doubtful label{s}" if self.of_order else _SHORT[self.kind]
        return words.format(**{ending: "" if self.count == 1 else ending for ending in ("s", "es")})

    @property
    def opens(self) -> ReviewSpec | None:
        """The review that the finding opens; None where no decision on a picture can help."""
        if self.is_listed or self.kind in ("in-two-splits", "apart-in-two-splits", "unreadable", "without-objects"):
            return None
        return ReviewSpec("suspects" if self.kind in ("unknown-classes", "wrong-labels") else self.kind)


@dataclass(frozen=True)
class FindingInputs:
    """What findings are computed from: `table` of `ImageSet.table()` and the `reasons` of its rows.

    `check` and `doubtful` are None without labels to check, `leaks` without splits; `failures` counts files that are no
    picture, `without_objects` pictures in which nothing is annotated. `together` is of `wrong_together`, None without
    objects; `apart` is the choice of what is kept apart.
    """

    table: pd.DataFrame
    reasons: Reasons
    check: LabelCheck | None
    leaks: pd.DataFrame | None
    failures: int
    without_objects: int = 0
    doubtful: DoubtfulLabels | None = None
    together: pd.DataFrame | None = None
    apart: str | None = None
    shortcuts: Shortcuts | None = None

    @property
    def is_of_objects(self) -> bool:
        """Whether the rows are objects in pictures."""
        return has_boxes(self.table)

    def counted(self, count: int, verb: str = "", plural_verb: str = "") -> str:
        """A number of pictures, or objects, and what they do: "1 picture shows", "2 pictures show"."""
        noun = "object" if self.is_of_objects else "picture"
        return counted(count, f"{noun} {verb}".strip(), f"{noun}s {plural_verb}".strip())


@column()
def finding_inputs(
    table: pd.DataFrame,
    reasons: Reasons,
    label_check: LabelCheck | None,
    leaks: pd.DataFrame | None,
    rows: StoredRows,
    without_objects: int,
    doubtful: DoubtfulLabels | None,
    wrong_together: pd.DataFrame | None,
    apart: Apart,
    shortcuts: Shortcuts | None,
) -> FindingInputs:
    """The inputs of findings, gathered."""
    inputs = table, reasons, label_check, leaks, rows.failed, without_objects, doubtful, wrong_together
    return FindingInputs(*inputs, apart.choice, shortcuts)


@column()
def leak_findings(table: pd.DataFrame, leaks: pd.DataFrame | None, apart: Apart) -> tuple[Finding, ...]:
    """Those of `findings` that are about splits, by themselves: no label is judged for them."""
    return tuple(each for each in _split_findings(table, leaks, apart.choice) if each.count)


@column()
def findings(finding_inputs: FindingInputs) -> tuple[Finding, ...]:
    """The findings, what matters most first, without those that are empty or decided on already."""
    seen = finding_inputs
    results: list[Finding | None] = [_wrong(seen), _mixed(seen), _small(seen)]
    if seen.is_of_objects:
        results = [each and replace(each, why=for_objects(each.why)) for each in results]
        results += [each(seen) for each in _OBJECT_FINDINGS]
    results += [*_split_findings(seen.table, seen.leaks, seen.apart), _bursts(seen), _useless(seen), _unreadable(seen)]
    results += [_shortcuts(seen.shortcuts)]
    results += [_model_finding(seen, name) for name in QUEUES]
    kinds = get_args(FindingKind)
    there = sorted((each for each in results if each is not None and each.count), key=lambda x: kinds.index(x.kind))
    labels = next((each for each in there if each.kind == "wrong-labels"), None)
    if labels is not None:  # among the first two, but a lone label leads nothing
        place = min(1 if labels.count == 1 else there.index(labels), 1)
        there.remove(labels)
        there.insert(place, labels)
    return tuple(there)


def mixed_up(check: LabelCheck, doubtful: DoubtfulLabels | None) -> pd.DataFrame:
    """Pictures of one of two overlapping classes that look like the other: id, suggested and wrong, pair after pair.

    Those that are listed as `doubtful` are asked about there.
    """
    place = {}
    for number, (a, b) in enumerate(check.mixed[["class_a", "class_b"]].itertuples(index=False)):
        place[a, b] = place[b, a] = number
    pictures = check.pictures
    if doubtful is not None:
        pictures = pictures[~pictures["id"].isin(doubtful.rows["id"])]
    pairs = zip(pictures["label"], pictures["taken_for"], strict=True)
    rows = pictures.assign(suggested=pictures["taken_for"], place=[place.get(pair, -1) for pair in pairs])
    placed: pd.DataFrame = rows[rows["place"] >= 0].sort_values("place", kind="stable")
    return placed[["id", "suggested", "wrong", "label", "place"]]


def open_leaks(leaks: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """The leaks by twins whose group is not resolved yet, with their `group`.

    A group is resolved once all of its pictures are decided, even if all are kept.
    """
    group, leaks = group_codes(table), leaks[~leaks["kind"].isin([APART, SAME_FILE])]
    is_open = np.bincount(group, weights=~is_resolved(table), minlength=1) > 0
    leak_group = pd.Series(group, index=table["id"]).loc[leaks["id"]].to_numpy(np.int64)
    left: pd.DataFrame = leaks.assign(group=leak_group)[is_open[leak_group]]
    return left


def small_classes(table: pd.DataFrame, fewer_than: int = SMALL_CLASS) -> pd.DataFrame:
    """Pictures of small classes, the smallest first: id, suggested (None), label, size.

    Of copies one counts, dropped pictures do not: a class whose pictures are all dropped has none.
    """
    rows = table[["id", "label"]].assign(group=group_codes(table, COPIES))[table["label"].notna()]
    is_kept = (table["decision"] != "drop").loc[rows.index]
    size = rows[is_kept].groupby("label")["group"].nunique()
    rows = rows.assign(size=rows["label"].map(size).fillna(0).astype(int), suggested=None)
    rows = rows[rows["size"] < fewer_than].sort_values(["size", "label"], kind="stable")
    return rows[["id", "suggested", "label", "size"]]


def _open(seen: FindingInputs, by: FindingKind, listed: pd.DataFrame) -> int:
    """How many of the listed pictures a review still asks about."""
    return len(make_queue(seen.table, ReviewSpec(by), listed))


def _split_findings(table: pd.DataFrame, leaks: pd.DataFrame | None, apart: str | None) -> list[Finding]:
    """What is in two splits, in pictures, by `ImageSet.table()`, its leaks, and the choice of what is kept apart."""
    if leaks is None or leaks.empty:
        return []
    is_of_objects = has_boxes(table)
    if is_of_objects:
        rows = leaked_pictures(leaks, is_of_objects=True).drop_duplicates(["picture", "kind"])
        twins = rows[~rows["kind"].isin([APART, SAME_FILE])].drop_duplicates("picture")
    else:
        rows, twins = leaks, open_leaks(leaks, table)
    twice, others = (rows[rows["kind"] == kind] for kind in (SAME_FILE, APART))
    is_linked = is_of_objects and apart == PICTURE
    return [
        _in_two_splits(twice),
        _leaked_objects(twins) if is_of_objects else _leaked(twins),
        _linked(others) if is_linked else _apart_in_two_splits(others),
    ]


def _in_two_splits(rows: pd.DataFrame) -> Finding:
    splits = listed([*dict.fromkeys([*rows["twin_split"], *rows["split"]])])
    words = counted(len(rows), "picture is", "pictures are") + f" in two splits at once, of {splits}"
    why = "Their source names them more than once, so a test on one split repeats training on another. Correct it."
    return Finding("in-two-splits", len(rows), words, why)


def _leaked(rows: pd.DataFrame) -> Finding:
    splits, twins = _splits_in_words(rows)
    words = counted(len(rows), f"picture of {splits} has", f"pictures of {splits} have")
    why = "Testing on pictures that are also in training makes a score too good. Keep them in one split."
    return Finding("leaks", len(rows), f"{words} a copy or another view in {twins}", why)


def _leaked_objects(rows: pd.DataFrame) -> Finding:
    splits, twins = _splits_in_words(rows)
    words = counted(len(rows), f"picture of {splits} shows", f"pictures of {splits} show")
    why = "Testing on what is also in training makes a score too good. Move whole pictures: keep these in one split."
    return Finding("leaks", len(rows), f"{words} objects that pictures in {twins} show, too", why, is_listed=True)


def _apart_in_two_splits(rows: pd.DataFrame) -> Finding:
    words = counted(len(rows), "picture has", "pictures have")
    words += f" others in {_splits_in_words(rows)[1]} of what is kept apart, such as a patient"
    why = "A model that knows the patient, video or camera from training is tested too mildly. Keep each in one split."
    return Finding("apart-in-two-splits", len(rows), words, why)


def _linked(rows: pd.DataFrame) -> Finding:
    """Objects that are kept apart by their pictures: twins join these, and so those that have twins in common."""
    words = counted(len(rows), "picture is", "pictures are")
    words += f" linked with {_splits_in_words(rows)[1]} by a third that shows objects of both"
    why = "All may be of one scene. Keep them in one split."
    return Finding("apart-in-two-splits", len(rows), words, why)


def _splits_in_words(rows: pd.DataFrame) -> tuple[str, str]:
    """The splits of leaks, and those of their twins."""
    splits, twins = (listed(list(map(str, rows[name].unique()))) for name in ("split", "twin_split"))
    return splits, twins


def _wrong(seen: FindingInputs) -> Finding | None:
    if seen.doubtful is None:
        return None
    told, caution = (len(seen.doubtful), seen.doubtful.words), seen.doubtful.caution
    if seen.doubtful.agreement.is_known:
        why = "Similar pictures have another label. Mistakes on pictures that are hard to tell go unseen."
        return Finding("wrong-labels", *told, " ".join(filter(None, (caution, why))), of_order=bool(caution))
    if seen.doubtful.agreement.count < FEWEST_TO_KNOW:
        return None
    source = "annotation files" if seen.is_of_objects else "column or the folders"
    why = (
        f"{caution} Compare these pictures with their labels: correct the {source}, or, if the labels are right, read "
        "the pictures with another model."
    )
    return Finding("unknown-classes", *told, why, of_order=bool(caution))


def _together(seen: FindingInputs) -> Finding | None:
    if seen.together is None:
        return None
    open_ids = make_queue(seen.table, ReviewSpec("wrong-together"), seen.together)
    lines = together_in_words(seen.together[seen.together["id"].isin(open_ids)])
    if not lines:
        return None
    more = f", and {counted(len(lines) - 1, 'other')}" if len(lines) > 1 else ""
    words = f"{counted(len(lines), 'class', 'classes')} of a picture may be wrong as a whole: {lines[0]}{more}"
    why = "Objects of other pictures speak against all of them; those of the same picture confirm each other."
    return Finding("wrong-together", len(lines), words, why)


def _mixed(seen: FindingInputs) -> Finding | None:
    if seen.check is None:
        return None
    pairs = seen.check.mixed[["class_a", "class_b"]].to_numpy()
    if not len(pairs) or not _open(seen, "mixed-up", mixed_up(seen.check, seen.doubtful)):
        return None
    more = f", and {counted(len(pairs) - 1, 'other')}" if len(pairs) > 1 else ""
    overlap = counted(len(pairs), "pair of classes overlaps", "pairs of classes overlap")
    why = "Each has many pictures that look like the other. Define what separates them, then relabel one by one."
    return Finding("mixed-up", len(pairs), f"{overlap}: {pairs[0][0]} ↔ {pairs[0][1]}{more}", why)


def _shortcuts(found: Shortcuts | None) -> Finding | None:
    if found is None or not found.classes:
        return None
    first, *others = found.words()
    more = f", and {counted(len(others), 'other property', 'other properties')}" if others else ""
    return Finding("shortcuts", len(found.classes), f"{first}{more}", found.why, is_listed=True)


def _bursts(seen: FindingInputs) -> Finding:
    group = pd.Series(group_codes(seen.table))
    is_open = pd.Series(~is_resolved(seen.table)).groupby(group).any()
    label = pd.Series(seen.table["label"].to_numpy(object)).groupby(group)
    size, classes = group.groupby(group).size(), label.nunique()
    is_burst = (size >= BURST) & is_open
    sizes, mixed = size[is_burst], int((classes[is_burst] > 1).sum())
    words = f"{counted(len(sizes), 'burst')} of {BURST} or more: {seen.counted(int(sizes.sum()))}"
    noun = "object" if seen.is_of_objects else "picture"
    words += f", {mixed:,} of them with {noun}s of several classes" if mixed else ""
    why = "One moment, or one file, counts many times, in training and in every score."
    return Finding("bursts", len(sizes), words, why)


def _useless(seen: FindingInputs) -> Finding:
    rows = useless(seen.table, seen.reasons)
    count = _open(seen, "useless", rows)
    reasons = ", ".join(rows["suggested"].value_counts().index)
    words = f"{seen.counted(count, 'shows', 'show')} hardly anything ({reasons})"
    return Finding("useless", count, words, "No model can learn anything from them, or be right about them.")


def _unreadable(seen: FindingInputs) -> Finding:
    what = "object or file" if seen.is_of_objects else "file"
    words = f"{counted(seen.failures, what, 'objects or files' if seen.is_of_objects else None)} could not be read"
    why = "They are damaged, outside their picture, or not pictures at all, and can stop a training run."
    return Finding("unreadable", seen.failures, words, why)


def _small(seen: FindingInputs) -> Finding | None:
    rows = small_classes(seen.table)
    names = list(dict.fromkeys(map(str, rows["label"])))
    if not names or not _open(seen, "small-classes", rows):
        return None
    more = f" and {counted(len(names) - NAMED, 'other')}" if len(names) > NAMED else ""
    shown = ", ".join(names[:NAMED]) if more else listed(names)
    words = f"{counted(len(names), 'class has', 'classes have')} fewer than {seen.counted(SMALL_CLASS)}: {shown}{more}"
    why = "Too few to learn a class from, or to measure it on. Add some, merge the class, or leave it out."
    return Finding("small-classes", len(names), words, why)


def _model_finding(seen: FindingInputs, name: str) -> Finding:
    queue, kind = QUEUES[name], cast(FindingKind, name)
    count = _open(seen, kind, in_queue(seen.table, name))
    return Finding(kind, count, seen.counted(count, queue.verb, queue.plural_verb), queue.why)


def _doubles(seen: FindingInputs) -> Finding:
    is_open = ~is_resolved(seen.table)
    groups = [members for members in double_boxes(seen.table) if is_open[members].any()]
    labels = seen.table["label"].to_numpy(object)
    mixed = sum(len(set(labels[members])) > 1 for members in groups)
    words = counted(len(groups), "object has", "objects have") + " two boxes or more"
    words += f", {mixed:,} of them of two classes" if mixed else ""
    why = "A detector learns that one object is two. Keep one box of each."
    return Finding("double-boxes", len(groups), words, why)


def separated_by_context(table: pd.DataFrame, check: LabelCheck) -> pd.DataFrame:
    """Objects of mixed pairs of classes that context separates: see `object_findings.objects_separated_by_context`."""
    return objects_separated_by_context(table, check, check.mixed)


def _context(seen: FindingInputs) -> Finding | None:
    rows = separated_by_context(seen.table, seen.check) if seen.check is not None else pd.DataFrame()
    if rows.empty:
        return None
    pairs = rows[["class_a", "class_b", "share"]].drop_duplicates()
    shown = listed([f"{a} ↔ {b} ({percent(float(share))})" for a, b, share in pairs[:NAMED].to_numpy()])
    words = counted(len(pairs), "pair of classes is", "pairs of classes are") + f" separated by context alone: {shown}"
    why = "Their crops look alike; what else is in the picture, and where the box is, tells which they are."
    return Finding("separated-by-context", len(pairs), words, why)


def _tiny(seen: FindingInputs) -> Finding | None:
    rows = tiny(seen.table)
    count = _open(seen, "tiny", rows)
    words = f"{counted(count, 'object is', 'objects are')} smaller than {TINY_PX} × {TINY_PX} pixels"
    return Finding("tiny", count, words, "Hardly anything can be seen of them, nor told of their class.")


def _outside(seen: FindingInputs) -> Finding:
    count = _open(seen, "outside", outside(seen.table))
    words = f"{counted(count, 'box reaches', 'boxes reach')} beyond the picture"
    return Finding("outside", count, words, "The annotations may be of another size or orientation of the picture.")


def _cut(seen: FindingInputs) -> Finding:
    count = _open(seen, "cut-by-frame", cut_by_frame(seen.table))
    words = f"{counted(count, 'object is', 'objects are')} cut by the frame"
    return Finding("cut-by-frame", count, words, "A part may not show what it is of. The most ambiguous come first.")


def _without(seen: FindingInputs) -> Finding:
    words = f"{counted(seen.without_objects, 'picture has', 'pictures have')} no object"
    return Finding("without-objects", seen.without_objects, words, "Good as background, if nothing was overlooked.")


_OBJECT_FINDINGS = (_together, _doubles, _context, _tiny, _outside, _cut, _without)
