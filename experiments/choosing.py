"""What a choice of pictures is worth to a classifier of new ones: `python -m experiments.choosing PHOTOS`.

PHOTOS holds class folders that were read into the workspace by EfficientNet-Lite0 and Lite2. A fifth of the source
groups is left out at a time; 5, 10 and 20 % of the others are chosen, a linear probe is trained on these, and it is
tested on the fifth, which the choice has not seen. Gains are over as many at random (ten draws). Beside the app's
choice: for a probe on Lite2's embedding, in whose space it was not made; without quotas, without the most ambiguous,
quotas alone, and the same budgets by k-medoids on all similarities (facility location with exchanges, the library
`kmedoids`) and by k-centre (farthest points, scikit-matter), in each class too. Then what the app says of its choice,
from the pictures that it was chosen from, and what it would say if it tested on those that were not chosen alone. The
development sets settled that quotas are equal, that a picture covers its own class alone, and that ambiguous ones may
be chosen. The figures go to choosing.json; without PHOTOS the tables are printed from it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from experiments.figure_files import measured_or_read
from experiments.shares import OF_A_CLASS, SETS
from training.command import markdown
from training.holdout import Space, find_space
from url_viz.base.rows import l2_normalize
from url_viz.base.wording import decimal
from url_viz.columns.ranking import percentile
from url_viz.evidence.choice import DRAWS, Bools, Rows, choice_worth, chosen_rows
from url_viz.evidence.order_metrics import mean_by_t
from url_viz.evidence.probe import PROBE_FOLDS, fit_probe, probe_folds, probe_inputs
from url_viz.image_set import ImageSet, open_image_set
from url_viz.labels.ambiguity import classify
from url_viz.labels.votes import Codes
from url_viz.pipeline.whitening import whitened_rows

FIGURES = Path(__file__).with_suffix(".json")
BUDGETS = (0.05, 0.1, 0.2)
CHOSEN, FREE = "**as the app chooses**", "without quotas"
QUOTAS = "by dice, as many of each class"
CLEAR, TYPICAL = "without the most ambiguous tenth", "without the most confusable fifth"
OTHER, OTHER_PROBE = "tf_efficientnet_lite2", "**as the app chooses**, for a probe of Lite2"
MEDOIDS, CENTRE = "k-medoids (FasterPAM)", "k-centre (scikit-matter)"
IN_CLASS = ", in each class"
SAYS, ON_THE_REST = "what the app says", "tested on the rest alone"
METHODS = (CHOSEN, OTHER_PROBE, CLEAR, TYPICAL, FREE, QUOTAS, MEDOIDS, MEDOIDS + IN_CLASS, CENTRE, CENTRE + IN_CLASS)


@dataclass(frozen=True)
class Pool:
    """M pictures to choose from, of which some have classes `label` (M,); `clear` and `typical` (M,) may be chosen."""

    space: Space
    label: Codes
    clear: Bools
    typical: Bools

    @property
    def value(self) -> "pd.Series[str]":
        """The class of each picture as text."""
        return pd.Series(self.label.astype(str))

    def chosen(self, count: int, *, among: Bools | None = None, has_quotas: bool = True) -> Rows:
        """What the app would choose."""
        graph, none = self.space.graph, np.zeros(len(self.label), bool)
        is_open = ~none if among is None else among
        value = self.value if has_quotas else None
        return chosen_rows(graph, np.asarray(graph.content), count, is_open=is_open, is_pinned=none, value=value)

    def in_classes(self, count: int, pick: Callable[[NDArray[np.float64], int], Rows]) -> Rows:
        """What `pick` takes from the rows of each class, as many of each as the app."""
        budget = pd.Series(self.label[self.chosen(count)]).value_counts()
        rows = np.asarray(self.space.whitened.rows, np.float64)
        of = {code: np.flatnonzero(self.label == code) for code in budget.index}
        return np.concatenate([of[code][pick(rows[of[code]], int(number))] for code, number in budget.items()])


def main() -> None:
    """Measure, or print what was measured."""
    figures = measured_or_read(__doc__, FIGURES, sets=SETS, of=figures_of)
    print(f"{table(figures)}\n\n{table_of_sets(figures)}")


def figures_of(image_set: ImageSet) -> dict[str, Any]:
    """The accuracy by chance, and gains over it by method, budget and fold, of one set."""
    told = image_set.table()
    every = pd.factorize(told["label"], sort=True)[0].astype(np.int32)
    dice = np.random.default_rng(0)
    of_classes = [dice.permutation(np.flatnonzero(every == code))[:OF_A_CLASS] for code in range(every.max() + 1)]
    rows = np.sort(np.concatenate(of_classes))
    embedding, label = image_set.embeddings()[rows], every[rows]
    confusability = told["confusability"].to_numpy(float)[rows]
    fold = probe_folds(find_space(embedding).group, seed=0)
    by_other = open_image_set(image_set.root, model=OTHER, workspace=image_set.workspace.root)
    other = whitened_rows(np.arange(len(rows)), by_other.embeddings()[rows]).rows
    parts = [_of_fold(embedding, other, label, confusability, fold != number) for number in range(PROBE_FOLDS)]
    names = [*METHODS, SAYS, ON_THE_REST]
    gains = {name: [[part[budget][name] for part in parts] for budget in BUDGETS] for name in names}
    return {
        "pictures": len(label),
        "classes": int(label.max()) + 1,
        "random": [[part[budget]["random"] for part in parts] for budget in BUDGETS],
        "gains": gains,
    }


def _of_fold(
    embedding: NDArray[np.floating],
    other: NDArray[np.floating],
    label: Codes,
    confusability: NDArray[np.float64],
    is_in: Bools,
) -> dict[float, dict[str, float]]:
    """By budget: the accuracy by chance on what is left out, and the gain of each method over it."""
    space, own = find_space(embedding[is_in]), label[is_in]
    graph, rows = space.graph, space.whitened.rows
    found = classify(graph.position, graph.similarity, rows, own, space.group)
    assert found is not None
    clear = percentile(found.shares.ambiguity) < 90
    pool = Pool(space, own, clear, percentile(confusability[is_in]) < 80)
    inputs, asked = probe_inputs(rows), probe_inputs(space.whitened.whitening.transform(embedding[~is_in]))

    def accuracy(chosen: Rows) -> float:
        called = fit_probe(inputs[chosen], own[chosen]).called(asked)
        return float((called == label[~is_in]).mean())

    def accuracy_by_other(chosen: Rows) -> float:
        called = fit_probe(probe_inputs(other[is_in][chosen]), own[chosen]).called(probe_inputs(other[~is_in]))
        return float((called == label[~is_in]).mean())

    return {
        budget: _of_budget(pool, round(budget * len(own)), accuracy, accuracy_by_other=accuracy_by_other)
        for budget in BUDGETS
    }


def _of_budget(
    pool: Pool, count: int, accuracy: Callable[[Rows], float], *, accuracy_by_other: Callable[[Rows], float]
) -> dict[str, float]:
    size, sizes = len(pool.label), pd.Series(pool.label[pool.chosen(count)]).value_counts()
    dice = [np.random.default_rng([seed, size]) for seed in range(DRAWS)]
    at_random = [each.choice(size, count, replace=False) for each in dice]
    chance = float(np.mean([accuracy(rows) for rows in at_random]))
    chosen, whitened = pool.chosen(count), np.asarray(pool.space.whitened.rows, np.float64)
    is_chosen = np.isin(np.arange(size), chosen)
    by_quotas = [_dealt(pool.label, sizes, each) for each in dice]
    gains = {
        CHOSEN: accuracy(chosen),
        CLEAR: accuracy(pool.chosen(count, among=pool.clear)),
        TYPICAL: accuracy(pool.chosen(count, among=pool.typical)),
        FREE: accuracy(pool.chosen(count, has_quotas=False)),
        QUOTAS: float(np.mean([accuracy(rows) for rows in by_quotas])),
        MEDOIDS: accuracy(_medoids(whitened, count)),
        MEDOIDS + IN_CLASS: accuracy(pool.in_classes(count, _medoids)),
        CENTRE: accuracy(_farthest(whitened, count)),
        CENTRE + IN_CLASS: accuracy(pool.in_classes(count, _farthest)),
    }
    says = choice_worth(whitened, pool.label, is_chosen, group=pool.space.group)
    rest = [_gain_on_the_rest(pool, chosen, rows) for rows in at_random]
    over = {name: value - chance for name, value in gains.items()}
    over[OTHER_PROBE] = accuracy_by_other(chosen) - float(np.mean([accuracy_by_other(rows) for rows in at_random]))
    return {"random": chance, **over, SAYS: says.gain.value, ON_THE_REST: float(np.mean(rest))}


def _dealt(label: Codes, sizes: "pd.Series[int]", dice: np.random.Generator) -> Rows:
    parts = [dice.choice(np.flatnonzero(label == code), size, replace=False) for code, size in sizes.items()]
    return np.concatenate(parts)


def _gain_on_the_rest(pool: Pool, chosen: Rows, at_random: Rows) -> float:
    """The gain on the pictures that neither has, twins kept apart: those that the choice was made to lie near."""
    group, inputs = pool.space.group, probe_inputs(pool.space.whitened.rows)
    rest = ~np.isin(group, group[np.concatenate([chosen, at_random])])
    right = [fit_probe(inputs[rows], pool.label[rows]).called(inputs[rest]) for rows in (chosen, at_random)]
    ours, theirs = ((called == pool.label[rest]).mean() for called in right)
    return float(ours - theirs)


def _medoids(rows: NDArray[np.float64], count: int) -> Rows:
    from kmedoids import fasterpam  # of experiments/requirements.txt

    unit = l2_normalize(rows.astype(np.float32))
    return np.asarray(fasterpam(1 - np.maximum(unit @ unit.T, 0), count, random_state=0, n_cpu=1).medoids, np.int64)


def _farthest(rows: NDArray[np.float64], count: int) -> Rows:
    from skmatter.sample_selection import FPS  # of experiments/requirements.txt

    if count >= len(rows):
        return np.arange(len(rows))
    first = int(np.linalg.norm(rows - rows.mean(axis=0), axis=1).argmin())
    return np.asarray(FPS(n_to_select=count, initialize=first).fit(rows).selected_idx_, np.int64)


def table(figures: Mapping[str, Any], use: str = "report") -> str:
    """Mean gains in accuracy over as many at random, by method and budget, with intervals over the sets of a use."""
    rows = []
    for name in (*METHODS, SAYS, ON_THE_REST):
        by_set = np.array([np.mean(one["gains"][name], axis=1) for one in figures[use].values()])
        rows.append([name, *(mean_by_t(column.tolist(), least=-1).text(digits=3, signed=True) for column in by_set.T)])
    return markdown(["gain over random", *(f"{budget:.0%}".replace("%", " %") for budget in BUDGETS)], rows)


def table_of_sets(figures: Mapping[str, Any]) -> str:
    """By set: accuracy by chance, and what the app's choice adds, with intervals over the folds, at each budget."""
    rows = []
    for use, sets in figures.items():
        for name, one in sets.items():
            chance = (decimal(value) for value in np.mean(one["random"], axis=1))
            shared = 1 / (PROBE_FOLDS - 1)
            gains = (mean_by_t(folds, least=-1, shared=shared).text(signed=True) for folds in one["gains"][CHOSEN])
            told = (f"{value}, {gain}" for value, gain in zip(chance, gains, strict=True))
            sizes = f"{one['pictures']:,} / {one['classes']}"
            rows.append([f"{name} ({use})" if use == "report" else name, sizes, *told])
    return markdown(["set", "pictures / classes", *(f"{budget:.0%}".replace("%", " %") for budget in BUDGETS)], rows)


if __name__ == "__main__":
    main()
