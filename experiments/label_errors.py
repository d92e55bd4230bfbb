"""How label errors by dice rank, beside cleanlab: `python -m experiments.label_errors PHOTOS --workspace DIR`.

PHOTOS holds class folders that were read into the workspace; 5 % and 30 % of all labels are changed to another class by
dice, and nothing else. AUROC: the chance that a changed label is doubted more than one as it was. False negatives: the
changed labels that are not among as many most doubted ones as were changed. Both are means of the draws, with 95 %
intervals over the true classes (jackknife). Mistakes that a set has by itself count against every method. cleanlab runs
in a Python of its own (see `experiments.wrong_labels`). The figures go to label_errors.json; without PHOTOS the table
is printed from it. Nothing was chosen on these sets.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from experiments.figure_files import measured_or_read
from experiments.wrong_labels import (
    CLEANLAB_PYTHON,
    ERROR,
    OURS,
    VOTES,
    EmbeddedSet,
    Planted,
    cleanlab_found,
    lead_of_votes,
    left_out_shares,
    other_class,
)
from training.command import markdown
from training.holdout import Space, find_space
from url_viz.base.wording import with_interval
from url_viz.evidence.order_metrics import auroc, jackknife, without_each_block
from url_viz.evidence.probe import out_of_fold_shares
from url_viz.image_set import ImageSet
from url_viz.labels.label_issues import judge_labels

FIGURES = Path(__file__).with_suffix(".json")
SETS = {"report": ("cifar10-test", "caltech101")}
FRACTIONS = (0.05, 0.3)
DRAWS = 5
CLEANLAB = {
    "predicted_folds": "cleanlab, logistic regression in folds",
    "predicted": "cleanlab, our ridge classifier",
    "embeddings": "cleanlab, neighbours",
}

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]


def main() -> None:
    """Measure, or print what was measured."""
    print(table(measured_or_read(__doc__, FIGURES, sets=SETS, of=figures_of)))


def figures_of(image_set: ImageSet) -> dict[str, Any]:
    """By the fraction of changed labels and by method: AUROC, false negatives, and by how much we are ahead."""
    label = pd.factorize(image_set.table()["label"], sort=True)[0].astype(np.int32)
    embedding = image_set.embeddings()
    pictures = EmbeddedSet(image_set.root.name, embedding, embedding, embedding, label)
    space = find_space(embedding)
    return {
        f"{fraction:g}": compared([planted(pictures, space, fraction, seed) for seed in range(DRAWS)], space.group)
        for fraction in FRACTIONS
    }


def planted(pictures: EmbeddedSet, space: Space, fraction: float, seed: int) -> Planted:
    """A fraction of all labels changed by dice; the pictures, and so their space, stay."""
    rng, label = np.random.default_rng(seed), pictures.label.copy()
    chosen = rng.permutation(len(label))[: round(fraction * len(label))]
    truth = np.zeros(len(label), np.int64)
    truth[chosen], label[chosen] = ERROR, other_class(label[chosen], pictures.classes, rng)
    rows = space.whitened.rows
    return Planted(pictures, ("any class", fraction), seed, pictures.embedding, label, truth, rows, space.graph)


def compared(cases: list[Planted], group: NDArray[np.integer]) -> dict[str, Any]:
    """The figures of every method on draws of one fraction, with intervals; `group` (N,) are source groups."""
    true = cases[0].pictures.label
    doubts = doubts_of(cases, group)
    found = {name: _over_draws(cases, of_method, true) for name, of_method in doubts.items()}
    record: dict[str, Any] = {}
    for name, statistics in found.items():
        figures = {title: jackknife(value, left_out) for title, (value, left_out) in statistics.items()}
        ours, theirs = found[OURS]["auroc"], statistics["auroc"]
        figures["lead"] = jackknife(ours[0] - theirs[0], ours[1] - theirs[1])
        record[name] = {title: [one.value, one.interval.low, one.interval.high] for title, one in figures.items()}
    return record


def doubts_of(cases: list[Planted], group: NDArray[np.integer]) -> dict[str, list[Floats]]:
    """How much each label is doubted (N,), in every case, by every method."""
    doubts: dict[str, list[Floats]] = {OURS: [_our_score(case) for case in cases]}
    doubts[VOTES] = [lead_of_votes(case) for case in cases]
    if CLEANLAB_PYTHON.exists():
        shares = {
            "predicted": left_out_shares,
            "predicted_folds": lambda case: out_of_fold_shares(case.whitened, case.label, group, seed=case.seed),
        }
        found = cleanlab_found(cases, CLEANLAB_PYTHON, shares)
        doubts |= {title: [one[f"{key}_score"] for one in found] for key, title in CLEANLAB.items()}
    return doubts


def _our_score(case: Planted) -> Floats:
    evidence, every = case.classified().evidence, np.arange(len(case.label))
    return judge_labels(every, case.label, graph=case.graph, voter=case.label, evidence=evidence).score


def _over_draws(
    cases: list[Planted], doubts: list[Floats], true: NDArray[np.int32]
) -> dict[str, tuple[float, NDArray[np.float64]]]:
    """Means over draws of each statistic, and of it without each true class (C,)."""
    draws = [(doubt, case.is_error) for case, doubt in zip(cases, doubts, strict=True)]
    return {
        title: (
            float(np.mean([of(*draw) for draw in draws])),
            np.mean([without_each_block(of, *draw, block=true) for draw in draws], axis=0),
        )
        for title, of in (("auroc", auroc), ("false negatives", false_negatives))
    }


def false_negatives(doubt: Floats, is_error: Bools) -> float:
    """The share of the errors (N,) that are not among as many most doubted labels; ties go by row."""
    count = int(is_error.sum())
    return float(1 - is_error[np.argsort(-doubt, kind="stable")[:count]].mean())


def table(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """A row a method, a column a set and fraction."""
    cases = {
        f"{name}, {float(fraction):.0%}": methods
        for sets in figures.values()
        for name, of_set in sets.items()
        for fraction, methods in of_set.items()
    }
    rows = []
    for method in next(iter(cases.values())):
        told = [f"{_told(one[method]['auroc'])} / {one[method]['false negatives'][0]:.2f}" for one in cases.values()]
        rows.append([f"**{method}**" if method == OURS else method, *(cell.replace("/ 0.", "/ .") for cell in told)])
    return markdown(["AUROC / false negatives", *cases], rows)


def _told(figure: list[float]) -> str:
    value, low, high = figure
    return with_interval(value, max(0.0, low), min(1.0, high), digits=3)


if __name__ == "__main__":
    main()
