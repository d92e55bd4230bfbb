"""Orders that learn from few labels, the tables of docs/order.md: `python -m experiments.few_labels [ARRAYS]`.

A probe learns from some labels of the set itself, a few or half of them: the paper's references. ARRAYS is the folder
that `python -m training.benchmark … --arrays ARRAYS` leaves; what the tables need of it is stored in few_labels.json.
Without it the tables are printed from there. URL (arXiv 2307.03810) has such a study.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from experiments.shipped_heads import SETS, name_of
from training.benchmark.benchmark_tables import LETTER, Benchmark, read_benchmark
from training.benchmark.labelled import Bools, Case, Codes, LabelledSet, Outcomes
from training.benchmark.measured import mean_figures, measure_set
from training.benchmark.orders import HEAD, Orders, judge_orders
from training.command import cell, markdown
from training.holdout import find_space
from training.store import write_json
from url_viz.evidence.probe import fit_probe, probe_inputs

FIGURES = Path(__file__).with_suffix(".json")
SHOTS = (1, 2, 5, 10)
"""Labels of each class."""
HALF = "labels_half"
BY_LABELS = (*(f"labels_{count}" for count in SHOTS), HALF)
RIVALS = (HEAD, "confusability", "ambiguity")
DRAWS = 5
SEED = 0

Rows = NDArray[np.int64]


def main() -> None:
    """Measure if there is a folder, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("arrays", type=Path, nargs="?")
    given = parser.parse_args()
    if given.arrays is not None:
        write_json(measured(sorted(given.arrays.glob("*.npz"))), FIGURES)
        FIGURES.write_text(json.dumps(json.loads(FIGURES.read_text("utf-8")), separators=(",", ":")), "utf-8")
    benchmark = read_benchmark(FIGURES)
    print(f"{table_by_set(benchmark)}\n\n{table_of_leads(benchmark)}")


def measured(paths: Sequence[Path]) -> Benchmark:
    """The orders by labels of the sets in `paths`, and their verdicts, told together."""
    cases, orders = zip(*map(_read, paths), strict=True)
    sets = [measure_set(case, {name: of[name] for name in BY_LABELS}) for case, of in zip(cases, orders, strict=True)]
    rivals = dict.fromkeys(BY_LABELS, tuple((rival,) for rival in RIVALS))
    verdicts = judge_orders(cases, orders, rivals)
    return Benchmark("arrays", "another backbone", "", None, SEED, tuple(sets), mean_figures(sets), verdicts)


def _read(path: Path) -> tuple[Case, Orders]:
    """A set as the benchmark left it, with the orders by labels and their rivals."""
    with np.load(path, allow_pickle=False) as archive:
        arrays = dict(archive)
    code = np.unique(arrays["label"], return_inverse=True)[1].astype(np.int32)
    outcomes = Outcomes(*(arrays.get(f"is_{name}") for name in ("counted", "wrong", "probe_wrong", "paper_wrong")))  # type: ignore[arg-type]
    labelled = LabelledSet(path.stem.partition("-")[2], arrays["embedding"], arrays["logits"], code)
    orders = {name: arrays[f"order_{name}"] for name in RIVALS if f"order_{name}" in arrays}
    found = probes_of_few_labels(arrays["whitened"], code, arrays["group"], seed=SEED)
    return Case(labelled, find_space(labelled.embedding), outcomes), orders | found


def probes_of_few_labels(
    whitened: NDArray[np.floating], label: Codes, group: NDArray[np.integer], *, seed: int
) -> dict[str, NDArray[np.float64]]:
    """`labels_K` (DRAWS, N) for each of SHOTS and HALF (N,): the uncertainty of a probe fitted on so many labels.

    Of whitened rows (N, A), codes (N,) and source groups (N,).
    It is fitted on even pictures of each class, K drawn per class (or as many as there are), or all of them; it
    predicts the odd ones, except those with a twin among the even. nan elsewhere; everywhere if half of the classes
    have fewer than K even pictures.
    """
    rows, is_even = probe_inputs(whitened), even_of_class(label)
    is_predicted = ~is_even & ~np.isin(group, group[is_even])
    many = np.median(np.bincount(label[is_even], minlength=int(label.max()) + 1))
    orders: dict[str, NDArray[np.float64]] = {}
    for shots in SHOTS:
        draws = np.full((DRAWS, len(label)), np.nan)
        for draw, fitted in zip(draws, _drawn(label, is_even, shots, seed), strict=True):
            if shots <= many:
                draw[is_predicted] = _doubt(rows, label, fitted, is_predicted)
        orders[f"labels_{shots}"] = draws
    orders[HALF] = np.full(len(label), np.nan)
    orders[HALF][is_predicted] = _doubt(rows, label, np.flatnonzero(is_even), is_predicted)
    return orders


def even_of_class(label: Codes) -> Bools:
    """Which pictures (N,) are the first, third, … of their class, in the order of the set."""
    is_even: Bools = _index_in_class(label) % 2 == 0
    return is_even


def _index_in_class(label: Codes) -> Rows:
    """The number (N,) of each picture among those of its class, from 0, in the order of the rows."""
    return np.asarray(pd.Series(label).groupby(label).cumcount(), np.int64)


def _drawn(label: Codes, is_even: Bools, shots: int, seed: int) -> Iterator[Rows]:
    """DRAWS times the rows of `shots` even pictures of each class, or all that it has; part of those of more shots."""
    for number in range(DRAWS):
        rows = np.random.default_rng([seed, number]).permutation(np.flatnonzero(is_even))
        yield np.sort(rows[_index_in_class(label[rows]) < shots])


def _doubt(rows: NDArray[np.float32], label: Codes, fitted: Rows, is_predicted: Bools) -> NDArray[np.float64]:
    """One minus the lead of the likeliest class over the second, of the predicted pictures."""
    shares = np.sort(fit_probe(rows[fitted], label[fitted]).shares(rows[is_predicted]), axis=1)
    return 1.0 - (shares[:, -1] - shares[:, -2]).astype(np.float64)


def table_by_set(benchmark: Benchmark) -> str:
    """R-AUROC of N on each set and the mean of those that have one, by the number of labels."""
    sets = {name_of(one): {order.name: order for order in one.orders} for one in benchmark.sets}
    rows = [[name, *(cell(sets[name][order].nearest.auroc) for order in BY_LABELS)] for name in SETS]
    means = {mean.name: mean.nearest.auroc for mean in benchmark.means}
    rows.append(["**mean** of those", *(cell(means[order]) for order in BY_LABELS)])
    return markdown(["set", *BY_LABELS], rows)


def table_of_leads(benchmark: Benchmark) -> str:
    """The mean leads over each rival, on the same pictures, with their verdicts."""
    found = {(one.order, one.baseline, one.outcome): one for one in benchmark.verdicts}
    rows = []
    for rival in RIVALS:
        for outcome, letter in LETTER.items():
            verdicts = [found[order, rival, outcome] for order in BY_LABELS if (order, rival, outcome) in found]
            if verdicts:
                rows.append([rival, letter, *(f"{cell(one.lead, signed=True)} {one.verdict}" for one in verdicts)])
    return markdown(["over", "on", *BY_LABELS], rows)


if __name__ == "__main__":
    main()
