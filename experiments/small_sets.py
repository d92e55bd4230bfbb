"""What is said of the labels of small sets: `python -m experiments.small_sets --data FOLDER … --report FOLDER …`.

Each draw takes 200 to 500 pictures of a FOLDER of class folders, at most one class for each fifteen, and makes labels
wrong by dice: any other class, the most similar one, a column shifted by one row (its rows in an order by dice, as a
wrong join leaves them), or all labels of two similar classes shuffled among them. Counted is how often anything is said
of wrong labels, and how often it then held: the interval of the share of all, and of those listed. Of the ten most
doubtful the sum of P(wrong) is compared with how many are wrong. Left out is every class named as its most similar one:
no picture speaks against that. Mistakes that a set has by itself count as right labels. What was chosen was chosen on
--data; --report chose nothing. The figures go to small_sets.json; `--table` prints the tables from it.
"""

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from typing_extensions import Doc

from experiments.figure_files import read_figures, write_figures
from experiments.label_queues import ANY, DEVELOPMENT, NONE, REPORT, SIMILAR, title_of
from experiments.wrong_labels import Codes, Floats, most_similar_class, other_class, read_whole
from training.command import command, markdown
from url_viz.base.errors import FolderError
from url_viz.imaging.scan import scan
from url_viz.labels.ambiguity import classify
from url_viz.labels.calibration import agreement_in
from url_viz.labels.classes import CodedLabels
from url_viz.labels.doubtful_labels import ALWAYS_ASKED, NEARLY_NONE, DoubtfulLabels, doubtful_labels
from url_viz.labels.label_issues import check_labels
from url_viz.models.model import load_model
from url_viz.models.model_names import DEFAULT
from url_viz.pipeline.graph import build_graph
from url_viz.pipeline.twins import twin_groups
from url_viz.pipeline.whitening import whitened_rows

FIGURES = Path(__file__).with_suffix(".json")
SIZES, PICTURES_A_CLASS = (200, 300, 400, 500), 15
SHIFTED, TWO = "shifted column", "two classes shuffled"
FEW_WRONG = tuple((SIMILAR, fraction) for fraction in (0.02, 0.04, 0.08))
CASES = (
    (NONE, 0.0),
    *FEW_WRONG,
    *((kind, fraction) for fraction in (0.05, 0.1, 0.2, 0.33, 0.55) for kind in (ANY, SIMILAR, SHIFTED)),
    *((kind, 1.0) for kind in (ANY, SHIFTED, TWO)),
)
HELD = 0.9
"""Of so many draws of a set an interval should hold."""


@dataclass(frozen=True)
class SmallSetsStudy:
    """Make labels of small sets wrong, and see what is said of them."""

    data: Annotated[tuple[Path, ...], Doc("Sets on which constants were chosen; give it again.")] = ()
    report: Annotated[tuple[Path, ...], Doc("Sets that chose nothing; give it again.")] = ()
    draws: Annotated[int, Doc("Draws of each kind of errors.")] = 10
    json: Annotated[Path, Doc("The figures.")] = FIGURES
    table: Annotated[bool, Doc("Only print the tables of the figures that are there.")] = False


def main(study: SmallSetsStudy) -> None:
    """Measure, write the figures, and print the tables; or print them again."""
    if not study.table:
        if not study.data and not study.report:
            raise FolderError("No set is given to make labels wrong in. Give --data or --report FOLDER, or --table.")
        model = load_model(DEFAULT, precision="exact")
        uses = {DEVELOPMENT: study.data, REPORT: study.report}
        figures: dict[str, list[dict[str, Any]]] = {use: [] for use, folders in uses.items() if folders}
        for use in figures:
            for folder in uses[use]:
                names = np.array([file.path.split(b"/")[0] for file in scan(folder).files])
                figures[use] += rows_of(folder.name, read_whole(folder, model), names, study.draws)
        write_figures(figures, study.json, digits=4)
    figures_read = read_figures(study.json)
    print(intervals_table(figures_read), "\n".join(missed(figures_read)), ten_table(figures_read), sep="\n\n")


def rows_of(name: str, embedding: Floats, class_name: NDArray[np.bytes_], draws: int) -> Iterator[dict[str, Any]]:
    """What is said of each draw and kind of errors of a set: embeddings (N, D), classes (N,)."""
    for draw in range(draws):
        rows = _small(class_name, draw)
        label = np.unique(class_name[rows], return_inverse=True)[1].astype(np.int32)
        for (kind, fraction), given, doubtful in _judged(embedding[rows], label, draw):
            is_wrong = (given != label)[doubtful.pictures["id"].to_numpy()]
            yield {"set": name, "planted": title_of(kind, fraction), "draw": draw, **row_of(doubtful, is_wrong)}


def _small(class_name: NDArray[np.bytes_], draw: int) -> NDArray[np.int64]:
    """The rows of a draw, in order."""
    dice, size, names = np.random.default_rng(100 + draw), SIZES[draw % len(SIZES)], np.unique(class_name)
    chosen = dice.permutation(names)[: size // PICTURES_A_CLASS]
    return np.sort(dice.permutation(np.flatnonzero(np.isin(class_name, chosen)))[:size])


def _judged(embedding: Floats, label: Codes, draw: int) -> Iterator[tuple[tuple[str, float], Codes, DoubtfulLabels]]:
    """Each of CASES, the labels (N,) as given, and what the product says of them."""
    count = np.arange(len(label))
    space = whitened_rows(count, embedding)
    graph = build_graph(space, embedding)
    group = twin_groups(graph.twins)
    similar, is_alone = most_similar_class(embedding, label), np.bincount(group)[group] == 1
    names = np.array([*(f"{code:03d}" for code in range(len(similar))), None], object)
    table = pd.DataFrame({"id": count, "path": [f"{row:06d}" for row in count]}).assign(
        label_checked=None, decision=None, twin_group=pd.arrays.IntegerArray(group.astype(np.int64), is_alone)
    )
    for kind, fraction in CASES:
        given = changed(label, similar, kind, fraction, np.random.default_rng(1000 + draw))
        found = classify(graph.position, graph.similarity, space.rows, given, group)
        assert found is not None
        rows = table.assign(label=names[given], first_class=names[found.shares.first_class])
        labels = CodedLabels(tuple(names[:-1]), given)
        check = check_labels(rows, count, graph, labels, found.evidence, agreement=agreement_in(rows))
        yield (kind, fraction), given, doubtful_labels(check, rows)


def changed(label: Codes, similar: Codes, kind: str, fraction: float, dice: np.random.Generator) -> Codes:
    """The labels (N,) with errors; `similar` (C,) is the most similar class of each."""
    given, rows = label.copy(), dice.permutation(len(label))[: round(fraction * len(label))]
    if kind == ANY:
        given[rows] = other_class(label[rows], len(similar), dice)
    elif kind == SIMILAR:
        given[rows] = similar[label[rows]]
    elif kind == SHIFTED:
        given[rows] = np.roll(label[rows], 1)
    elif kind == TWO:
        one = dice.integers(len(similar))
        rows = np.flatnonzero(np.isin(label, [one, similar[one]]))
        given[rows] = label[dice.permutation(rows)]
    return given


def row_of(doubtful: DoubtfulLabels, is_wrong: NDArray[np.bool_]) -> dict[str, Any]:
    """What is said of labels, and what is true."""
    share, listed, true = doubtful.share, doubtful.wrong, float(is_wrong.mean())
    row: dict[str, Any] = {"agreement": doubtful.agreement.share, "true": true, "is said": share is not None}
    if share is None or listed is None:
        return row
    row |= {"low": share.low, "high": share.high, "held": share.low <= true <= share.high}
    low, wrong = int(listed.low) if listed.low >= NEARLY_NONE else 0, int(is_wrong[doubtful.is_listed].sum())
    if len(doubtful) > ALWAYS_ASKED:  # of fewer nothing is said but the share of all
        row |= {"listed": len(doubtful), "listed held": low <= wrong <= math.ceil(listed.high)}
    ten = doubtful.pictures["wrong"].to_numpy(np.float64)[:ALWAYS_ASKED]
    return row | {"ten": float(ten.sum()), "ten wrong": int(is_wrong[:ALWAYS_ASKED].sum())}


def intervals_table(figures: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """By kind of errors: of how many draws anything is said, and of these how often the intervals held."""
    kinds = [title_of(*case) for case in CASES if case not in FEW_WRONG]
    by_kind = [pd.DataFrame(rows).groupby("planted") for rows in figures.values()]
    header = [f"{use}{what}" for use in figures for what in (": said", ": share of all, true; held", ": of the listed")]
    return markdown(
        ["planted", *header],
        [[kind, *(cell for by in by_kind for cell in _intervals(by.get_group(kind)))] for kind in kinds],
    )


def _intervals(rows: pd.DataFrame) -> list[str]:
    said = rows[rows["is said"].astype(bool)]
    cells = [f"{len(said)} of {len(rows)}"]
    if said.empty:
        return [*cells, "–", "–"]
    share = f"[{said['low'].mean():.2f}, {said['high'].mean():.2f}], {said['true'].mean():.2f}"
    return [*cells, f"{share}; {_held(said['held'])}", _held(said["listed held"].dropna())]


def _held(held: pd.Series) -> str:
    return f"{held.astype(bool).sum()} of {len(held)}" if len(held) else "–"


def missed(figures: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """The sets and kinds of errors of which an interval held less often than in HELD of the draws."""
    names = {"held": "share of all", "listed held": "of the listed"}
    rows = pd.concat(map(pd.DataFrame, figures.values()))
    return [
        f"{name}, {kind}, {names[what]}: {_held(held)}"
        for (name, kind), part in rows.groupby(["set", "planted"], sort=False)
        for what in names
        if len(held := part[what].dropna()) and held.mean() < HELD
    ]


def ten_table(figures: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """By few errors: of the ten most doubtful labels the sum of P(wrong), and how many are wrong; by set the ratio."""
    lines = []
    for kind in (title_of(*case) for case in ((NONE, 0.0), *FEW_WRONG, (ANY, 0.05))):
        line = [kind]
        for rows in map(pd.DataFrame, figures.values()):
            part = rows[(rows["planted"] == kind) & rows["is said"].astype(bool)]
            mean = part.groupby("set")[["ten", "ten wrong"]].mean()
            by_set = mean["ten"] if kind == NONE else mean["ten"] / mean["ten wrong"]
            line += [f"{part['ten'].mean():.1f}, {part['ten wrong'].mean():.1f}"]
            line += [f"{by_set.min():.2f} to {by_set.max():.2f}"]
        lines.append(line)
    return markdown(["planted", *(f"{use}{what}" for use in figures for what in ("", ", by set"))], lines)


if __name__ == "__main__":
    sys.exit(command(SmallSetsStudy, main))
