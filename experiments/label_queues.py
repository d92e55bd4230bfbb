"""Doubtful labels, told and true: `python -m experiments.label_queues --data FOLDER … --report FOLDER …`.

Each FOLDER holds class folders. Labels are changed to any class, to the most similar one, or to one of the three most
similar; sets are as they are, or *spoilt*: a tenth of the pictures blended with another class, a tenth degraded past
recognition, which are no errors. --report sets as they are are judged by two models too. Told and counted: the fraction
of wrong labels, those likely wrong, the queue, and how many of the next fifty are wrong, before any answer and after
ten true ones; up to how many of all are wrong, before any answer and at the end of the queue; and the queue with and
without the rule that an answer prolongs it by two labels at most (CAPPED, FREE); and the rest of the queue once wrong
labels in it were corrected elsewhere. P(wrong) is of folds that did not fit
the calibration. What was chosen was chosen on --data; --report chose nothing. --objects is the folder of the sets of
experiments.objects: their objects are judged as in the product, in folds of pictures. Mistakes that a set has by
itself count as right labels. The figures go to label_queues.json; `--table` prints the tables from it.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score
from typing_extensions import Doc

from experiments.figure_files import read_figures, write_figures
from experiments.objects import SETS, USUAL, ObjectSet, ObjectsStudy
from experiments.objects import read as read_objects
from experiments.wrong_labels import EmbeddedSet, Floats, read, read_whole
from training.command import command, markdown
from url_viz.base.errors import FolderError
from url_viz.base.rows import l2_normalize
from url_viz.columns.second_model import side_by_side, voters
from url_viz.evidence.order_metrics import mean_by_t
from url_viz.evidence.probe import probe_folds
from url_viz.labels.ambiguity import LEAST_OF_A_CLASS, NO_COVERS, Covers, classify, labelled_means
from url_viz.labels.calibration import calibrate, calibration_error
from url_viz.labels.doubtful_labels import (
    ALWAYS_ASKED,
    Forecast,
    WrongLabels,
    forecast,
    least_to_stand_out,
    queue_end,
    wrong_share,
)
from url_viz.labels.label_issues import LIKELY
from url_viz.labels.votes import fit_ridge
from url_viz.models.model import load_model
from url_viz.models.model_names import DEFAULT, SECOND_MODELS
from url_viz.pipeline.graph import build_graph
from url_viz.pipeline.nearest import Nearest
from url_viz.pipeline.twins import twin_groups
from url_viz.pipeline.whitening import whitened_rows

FIGURES = Path(__file__).with_suffix(".json")
DEVELOPMENT, REPORT, BY_BOTH = "development", "report", "report, two models"
OBJECTS, OBJECTS_BY_BOTH = "objects", "objects, two models"
NONE, ANY, SIMILAR, THREE = "no error", "any class", "similar class", "of three similar"
THREE_SHARES = (0.5, 0.3, 0.2)
PLAIN = ((NONE, 0.0), (SIMILAR, 0.02), (SIMILAR, 0.05), (SIMILAR, 0.1), (THREE, 0.1), (ANY, 0.02), (ANY, 0.05))
CASES = (
    *((*planted, False) for planted in (*PLAIN, (ANY, 0.1), (ANY, 0.2))),
    *((*planted, True) for planted in ((NONE, 0.0), (SIMILAR, 0.02), (SIMILAR, 0.1), (ANY, 0.05), (ANY, 0.1))),
)
SPOILT_SHARE = 0.1
ANSWERS, NEXT = 10, 50
CAPPED, FREE = "", " without the cap"

Bools = NDArray[np.bool_]
Doubles = NDArray[np.float64]
Codes = NDArray[np.int32]


@dataclass(frozen=True)
class QueueStudy:
    """Plant label errors, and see what is told of them."""

    data: Annotated[tuple[Path, ...], Doc("Sets on which the constants were chosen; give it again.")] = ()
    report: Annotated[tuple[Path, ...], Doc("Sets that chose nothing; give it again.")] = ()
    objects: Annotated[Path | None, Doc("Folder of the sets of objects.")] = None
    draws: Annotated[int, Doc("Draws of each kind of errors.")] = 3
    json: Annotated[Path, Doc("The figures.")] = FIGURES
    table: Annotated[bool, Doc("Only print the tables of the figures that are there.")] = False


@dataclass(frozen=True)
class JudgedLabels:
    """L labels that were judged: `doubt`, `wrong` (L,), the latter by folds that fitted nothing; `is_wrong` (L,).

    `share` (L,) is the first class's share, by those folds, `is_first` (L,) whether it is the label.
    """

    doubt: Doubles
    wrong: Doubles
    is_wrong: Bools
    share: Doubles
    is_first: Bools


def main(study: QueueStudy) -> None:
    """Measure, write the figures, and print the tables; or print them again."""
    if not study.table:
        if not study.data and not study.report and study.objects is None:
            raise FolderError(
                "No set is given to plant errors in. Give --data or --report or --objects FOLDER, or --table."
            )
        model, second = (load_model(name, precision="exact") for name in (DEFAULT, SECOND_MODELS[0]))
        figures: dict[str, list[dict[str, Any]]] = {
            DEVELOPMENT: [],
            REPORT: [],
            BY_BOTH: [],
            OBJECTS: [],
            OBJECTS_BY_BOTH: [],
        }
        for folder in study.data:
            figures[DEVELOPMENT] += rows_of(read(folder, model), study.draws)
        for folder in study.report:
            pictures = read(folder, model)
            figures[REPORT] += rows_of(pictures, study.draws)
            figures[BY_BOTH] += rows_of(pictures, study.draws, second=read_whole(folder, second))
        for name in SETS if study.objects is not None else ():
            for use in (OBJECTS, OBJECTS_BY_BOTH):
                objects = read_objects(ObjectsStudy(study.objects), name, USUAL, is_by_both=use == OBJECTS_BY_BOTH)
                figures[use] += rows_of_objects(name, objects, study.draws)
        write_figures(figures, study.json, digits=4)
    figures_read = read_figures(study.json)
    print(tables(figures_read), up_to_table(figures_read), picked_table(figures_read), sep="\n\n")


def rows_of(pictures: EmbeddedSet, draws: int, *, second: Floats | None = None) -> Iterator[dict[str, Any]]:
    """A row of figures for each kind of errors and draw.

    `second` (N, E) are the embeddings of another model, which judges beside the first, of the set as it is alone.
    """
    for kind, fraction, is_spoilt in CASES:
        for draw in range(0 if is_spoilt and second is not None else draws):
            found = judged(pictures, kind, fraction, is_spoilt=is_spoilt, draw=draw, second=second)
            yield {"set": pictures.name, "planted": title_of(kind, fraction), "spoilt": is_spoilt, **row_of(found)}


def rows_of_objects(name: str, objects: ObjectSet, draws: int) -> Iterator[dict[str, Any]]:
    """The same of objects in pictures, as they are."""
    by, order = objects.label_witnesses(), np.arange(len(objects.label))
    lists = [Nearest(by.graph.position, by.graph.similarity), *by.also]
    where: dict[str, Any] = {"apart": objects.picture, "covers": by.covers}
    for kind, fraction, is_spoilt in CASES:
        for draw in range(0 if is_spoilt else draws):
            label = planted(objects, order, kind, fraction, draw)
            found = judged_by(lists, by.whitened, label, by.group, label != objects.label, draw, **where)
            yield {"set": name, "planted": title_of(kind, fraction), "spoilt": False, **row_of(found)}


def title_of(kind: str, fraction: float) -> str:
    """ "similar class, 10%"."""
    return kind if kind == NONE else f"{kind}, {fraction:.0%}"


def judged(
    pictures: EmbeddedSet, kind: str, fraction: float, *, is_spoilt: bool, draw: int, second: Floats | None = None
) -> JudgedLabels:
    """Plant errors by a draw, and judge the labels."""
    embedding, order = _spoilt(pictures, draw if is_spoilt else 0, is_spoilt=is_spoilt)
    label = planted(pictures, order, kind, fraction, draw)
    space = whitened_rows(np.arange(len(embedding)), embedding)
    graph = build_graph(space, embedding)
    whitened: NDArray[np.floating] = space.rows
    group = twin_groups(graph.twins)
    lists = [Nearest(graph.position, graph.similarity)]
    if second is not None:
        its_space = whitened_rows(np.arange(len(second)), second)
        lists.append(voters(build_graph(its_space, second), group))
        whitened = side_by_side(whitened, its_space.rows)
    return judged_by(lists, whitened, label, group, label != pictures.label, draw, apart=group)


def judged_by(
    lists: Sequence[Nearest],
    whitened: NDArray[np.floating],
    label: Codes,
    group: Codes,
    is_wrong: Bools,
    draw: int,
    *,
    apart: Codes,
    covers: Covers = NO_COVERS,
) -> JudgedLabels:
    """Judge labels (N,) by the lists of one or two models and `whitened` (N, A); folds are of groups `apart` (N,)."""
    first, *also = lists
    classified = classify(first.position, first.similarity, whitened, label, group, also=also, covers=covers)
    assert classified is not None
    classes = np.flatnonzero(np.bincount(label) >= LEAST_OF_A_CLASS)
    place = np.where(np.isin(label, classes), np.searchsorted(classes, label), -1).astype(np.int32)
    of = labelled_means(fit_ridge(whitened, place, group, len(classes)), lists)
    is_covered = covers.classes(place, len(classes)).have_likeliest(of.rows, of.mean)
    fold = probe_folds(apart[of.rows], seed=draw)
    wrong, share, is_first = np.zeros(len(of.label)), np.zeros(len(of.label)), np.zeros(len(of.label), bool)
    for left_out in np.unique(fold):
        is_out = fold == left_out
        known = of.mean[~is_out], of.label[~is_out], group[of.rows][~is_out]
        fitted = calibrate(*known, prior=of.prior, is_covered=is_covered[~is_out])
        shares = fitted.shares(of.mean[is_out], is_covered[is_out])
        wrong[is_out] = fitted.label_is_wrong(of.mean[is_out], of.label[is_out], is_covered[is_out])
        share[is_out], is_first[is_out] = shares.max(axis=1), shares.argmax(axis=1) == of.label[is_out]
    doubt = classified.evidence.doubt[of.rows].astype(np.float64)
    return JudgedLabels(doubt, wrong, is_wrong[of.rows], share, is_first)


def _spoilt(pictures: EmbeddedSet, draw: int, *, is_spoilt: bool) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The embeddings (N, D), and the pictures that are as they were, by dice."""
    order, tenth = np.random.default_rng(draw).permutation(len(pictures.label)), 0
    embedding = pictures.embedding.copy()
    if is_spoilt:
        tenth = int(SPOILT_SHARE * len(order))
        embedding[order[:tenth]] = pictures.blend[order[:tenth]]
        embedding[order[tenth : 2 * tenth]] = pictures.degraded[order[tenth : 2 * tenth]]
    return embedding, order[2 * tenth :]


def planted(
    pictures: EmbeddedSet | ObjectSet, order: NDArray[np.int64], kind: str, fraction: float, draw: int
) -> Codes:
    """The labels (N,) with a fraction of all changed, among the pictures of `order`."""
    dice, label = np.random.default_rng(1000 + draw), pictures.label.copy()
    count = int(fraction * len(label))
    rows = dice.permutation(order)[:count]
    if kind == ANY:
        label[rows] = (label[rows] + dice.integers(1, pictures.classes, count)) % pictures.classes
    elif kind in (SIMILAR, THREE):
        near = np.argsort(-likeness(pictures), axis=1)
        place = dice.choice(3, count, p=THREE_SHARES) if kind == THREE else 0
        label[rows] = near[label[rows], place]
    return label.astype(np.int32)


def likeness(pictures: EmbeddedSet | ObjectSet) -> NDArray[np.float32]:
    """How alike the mean embeddings of classes are (C, C), −1 for a class and itself."""
    unit = l2_normalize(pictures.embedding)
    means = [unit[pictures.label == code].mean(axis=0) for code in range(pictures.classes)]
    alike: NDArray[np.float32] = l2_normalize(np.stack(means)) @ l2_normalize(np.stack(means)).T
    np.fill_diagonal(alike, -1)
    return alike


def row_of(labels: JudgedLabels) -> dict[str, Any]:
    """What is told of labels, and what is true."""
    order = np.argsort(-labels.doubt, kind="stable")
    is_wrong, ahead = labels.is_wrong[order], forecast(labels.wrong[order])
    likely, end, all_wrong = labels.wrong >= LIKELY, ahead.end, int(is_wrong.sum())
    heard = ahead.heard(ahead.wrong[:ANSWERS], is_wrong[:ANSWERS])
    told = wrong_share(labels.wrong, unsure=1 - float(labels.share.mean()))
    of_all, missing = max(1, all_wrong), float("nan")
    row: dict[str, Any] = {
        "true": float(is_wrong.mean()),
        "told": told.share,
        "told low": told.low,
        "told high": told.high,
        "likely recall": float(labels.is_wrong[likely].sum() / of_all) if all_wrong else missing,
        "likely precision": float(labels.is_wrong[likely].mean()) if likely.any() else missing,
        "likely": int(likely.sum()),
        "queue": end,
        "queue recall": float(is_wrong[:end].sum() / of_all) if all_wrong else missing,
        "queue precision": float(is_wrong[:end].mean()) if end else missing,
        "average precision": float(average_precision_score(labels.is_wrong, labels.doubt)) if all_wrong else missing,
        "calibration error": calibration_error(labels.share, labels.is_first),
    }
    for when, known, start in (("unheard", ahead, 0), ("heard", heard, ANSWERS)):
        part = slice(start, start + NEXT)
        expected, true = known.among(part), int(is_wrong[part].sum())
        row |= {f"{when} told": expected.value, f"{when} low": expected.low, f"{when} high": expected.high}
        row |= {f"{when} true": true, f"{when} held": bool(np.floor(expected.low) <= true <= np.ceil(expected.high))}
    row |= _up_to(told, is_wrong, "at first") | {"stands out": bool(end >= least_to_stand_out(len(is_wrong)))}
    for when, is_capped in ((CAPPED, True), (FREE, False)):
        doubtful = queue_end(heard, end, ANSWERS) if is_capped else heard.end
        row |= {f"heard queue{when}": doubtful, f"heard queue wrong{when}": int(is_wrong[:doubtful].sum())}
        seen = _looked_at(ahead.wrong, is_wrong, is_capped=is_capped)
        row |= {f"looked at{when}": seen, f"found{when}": int(is_wrong[:seen].sum())}
        shift = ahead.heard(ahead.wrong[:seen], is_wrong[:seen]).shift
        left = order[seen:]
        told = wrong_share(labels.wrong[left], unsure=1 - float(labels.share[left].mean()), shift=shift)
        row |= _up_to(told, is_wrong[seen:], f"at the end{when}")
    return row | _picked(ahead, is_wrong)


def _picked(ahead: Forecast, is_wrong: Bools) -> dict[str, Any]:
    """How many labels of the queue are wrong, told and true, once all wrong ones, half or one were corrected."""
    every = np.flatnonzero(is_wrong[: ahead.end])
    row: dict[str, Any] = {}
    for which, rows in (("all", every), ("half", every[::2]), ("one", every[:1])):
        left = np.setdiff1d(np.arange(ahead.end), rows)
        after = ahead.picked(ahead.wrong[rows], ahead.wrong[left])
        for when, known in (("before", ahead), ("after", after)):
            told, true = known.among(left), int(is_wrong[left].sum())
            is_held = bool(np.floor(told.low) <= true <= np.ceil(told.high))
            names = (f"{which} picked, {when} {name}" for name in ("told", "low", "high", "true", "held"))
            row |= dict(zip(names, (told.value, told.low, told.high, true, is_held), strict=True))
    return row | {"picked": len(every)}


def picked_table(figures: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """By set, over draws with errors of which the queue has some: what is told of the rest once they are corrected."""
    lines = []
    for use in (REPORT, OBJECTS, OBJECTS_BY_BOTH):
        rows = [row for row in figures.get(use, ()) if row.get("picked")]
        for name, part in pd.DataFrame(rows).groupby("set", sort=False) if rows else ():
            line = [f"{name}, two models" if use == OBJECTS_BY_BOTH else str(name)]
            line += [_of_picked(part, which, when) for which in ("all", "half", "one") for when in ("before", "after")]
            lines.append(line)
    header = [f"{which} corrected: {when}" for which in ("all", "half", "one") for when in ("unheard", "heard")]
    return markdown(["set", *header], lines)


def _of_picked(rows: pd.DataFrame, which: str, when: str) -> str:
    told, low, high, true, held = (rows[f"{which} picked, {when} {x}"] for x in ("told", "low", "high", "true", "held"))
    return f"{told.mean():.0f} [{low.mean():.0f}, {high.mean():.0f}], {true.mean():.0f}; {held.mean():.2f}"


def _up_to(told: WrongLabels, is_wrong: Bools, when: str) -> dict[str, Any]:
    """Up to how many labels are wrong (`DoubtfulLabels.words`), and how many are."""
    return {f"{when} up to": int(np.ceil(told.high * len(is_wrong))), f"{when} wrong": int(is_wrong.sum())}


def _looked_at(wrong: Doubles, is_wrong: Bools, *, is_capped: bool) -> int:
    """How many labels somebody looks at who answers truly, until the queue, cut anew every ten answers, ends."""
    before = ahead = forecast(wrong)
    seen, end = 0, max(ahead.end, ALWAYS_ASKED)
    while end > seen and seen <= len(wrong) - NEXT - ANSWERS:
        seen = min(end, seen + ANSWERS)
        ahead = before.heard(before.wrong[:seen], is_wrong[:seen])
        end = queue_end(ahead, before.end, seen) if is_capped else ahead.end
    return seen


def tables(figures: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Means over sets and draws with 95 % intervals over these (t), by use."""
    return "\n\n".join(f"{use}\n\n{_table(pd.DataFrame(rows))}" for use, rows in figures.items())


def _table(rows: pd.DataFrame) -> str:
    header = [
        "planted",
        "wrong: forecast, true",
        "likely wrong: recall / precision",
        "queue: recall / precision (length)",
    ]
    header += ["next 50: told, true; held", "after ten answers", "looked at, found"]
    lines = []
    for (is_spoilt, planted_as), part in rows.groupby(["spoilt", "planted"], sort=False):
        both = [f"{_mean(part, f'{name} recall')} / {_mean(part, f'{name} precision')}" for name in ("likely", "queue")]
        ahead = [
            f"{part[f'{when} told'].mean():.0f} [{part[f'{when} low'].mean():.0f}, {part[f'{when} high'].mean():.0f}], "
            f"{part[f'{when} true'].mean():.0f}; {part[f'{when} held'].mean():.2f}"
            for when in ("unheard", "heard")
        ]
        told = f"{part['told'].mean():.3f} [{part['told low'].mean():.3f}, {part['told high'].mean():.3f}], "
        lines.append(
            [
                f"{planted_as}{', spoilt' if is_spoilt else ''}",
                f"{told}{part['true'].mean():.3f}",
                both[0] if part["true"].any() else f"{part['likely'].mean():.0f} called",
                f"{both[1]} ({part['queue'].mean():.0f})" if part["true"].any() else f"({part['queue'].mean():.0f})",
                *ahead,
                f"{part['looked at'].mean():.0f}, {part['found'].mean():.0f}",
            ]
        )
    return markdown(header, lines)


def up_to_table(figures: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """By set, over its draws with and without errors, what is told where no label stands out, and at the end.

    How often "up to N" was not less than all that were wrong, N, and how many were; after ten answers how long the
    queue is with the cap and without, and how many labels in it are wrong.
    """
    header = ["set", "nothing stands out: held; up to, wrong", "at the end: held; up to, wrong"]
    header += ["after ten answers: queue, wrong", "without the cap", "looked at, found", "without the cap"]
    lines = []
    for use in (DEVELOPMENT, REPORT, BY_BOTH, OBJECTS, *({OBJECTS_BY_BOTH} & figures.keys())):
        rows = pd.DataFrame(figures[use])
        for name, part in rows.groupby("set", sort=False):
            line = [f"{name}, two models" if use in (BY_BOTH, OBJECTS_BY_BOTH) else str(name)]
            line += [_held(part[~part["stands out"].astype(bool)], "at first"), _held(part, "at the end")]
            pairs = (("heard queue", "heard queue wrong"), ("looked at", "found"))
            line += [
                f"{part[f'{one}{when}'].mean():.0f}, {part[f'{other}{when}'].mean():.0f}"
                for one, other in pairs
                for when in (CAPPED, FREE)
            ]
            lines.append(line)
    return markdown(header, lines)


def _held(part: pd.DataFrame, when: str) -> str:
    told, true = part[f"{when} up to"], part[f"{when} wrong"]
    if part.empty:
        return "–"
    return f"{(told >= true).sum()} of {len(part)}; {told.mean():.0f}, {true.mean():.0f}"


def _mean(part: pd.DataFrame, name: str) -> str:
    return mean_by_t(part[name].tolist()).text()


if __name__ == "__main__":
    sys.exit(command(QueueStudy, main))
