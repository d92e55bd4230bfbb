"""Orders of URL-Viz and of other tools, the tables of docs/order.md: `python -m experiments.orders [FIGURES]`.

FIGURES is what the last of three commands leaves (other tools run in separate Pythons, see there); what the tables need
of it is stored in orders.json, from which they are printed without it:

    python -m training.benchmark --data grocery --data … --data cifar10-test --model tf_efficientnet_lite0 \\
        --votes cifar10h-counts.npy --votes-order cifar10h-order.txt --arrays ARRAYS
    python -m training.benchmark --data emoji --model tf_efficientnet_lite0 --arrays ARRAYS
    python -m benchmarks.order_baselines ARRAYS --json FIGURES
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from experiments.safe_retrieval import SETS
from training.benchmark.benchmark_tables import LEVEL, Benchmark, OrderFigures, SetFigures, judge_lead, read_benchmark
from training.command import cell, markdown
from training.store import write_json
from url_viz.evidence.order_metrics import holm, mean_by_t, p_by_t

FIGURES = Path(__file__).with_suffix(".json")
NAMES = tuple(name for names in SETS.values() for name in names)
TITLES = {
    "ambiguity": "**ambiguity**",
    "margin of folds": "logistic regression in folds, margin",
    "hardness of folds": "FiftyOne hardness, of the same regression",
    "confusability": "**confusability**",
    "nearest_similarity": "nearest similarity",
    "uniqueness": "FiftyOne uniqueness",
    "entropy": "entropy (= FiftyOne hardness, of the network)",
    "max_probability": "max-probability",
    "uncertainty": "general model",
    "inverse_norm": "1/norm",
    "class_error": "error rate of its class",
    "label doubt": "*label doubt* (ours, for [checking labels](labels.md))",
    "self_confidence": "*cleanlab, self confidence*",
    "normalized_margin": "*cleanlab, normalized margin*",
    "confidence_weighted_entropy": "*cleanlab, confidence-weighted entropy*",
}
"""The orders in the tables, by the names of the benchmark. Those in italics look at the picture's label."""
WITHIN = ("ambiguity", "confusability")
"""The orders whose figure within classes is listed set by set, too."""
LEADS = (
    ("ambiguity", "margin of folds"),
    ("confusability", "nearest_similarity"),
    ("confusability", "uniqueness"),
    ("uncertainty", "max_probability"),
    ("label doubt", "self_confidence"),
)
"""Orders and the best of another's that have seen no more."""
MAIN = ("ambiguity", "confusability", "uncertainty")
"""The orders of URL-Viz, listed set by set in the docs."""
PEOPLE = "cifar10-test"
EMOJI = "emoji"
"""Of `benchmarks.emoji_set`, a class a sign; no part of any mean."""
OF_EMOJI = ("ambiguity", "confusability", "entropy", "nearest_similarity", "class_error")


def main() -> None:
    """Store what is needed of figures if there are any, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", type=Path, nargs="?")
    given = parser.parse_args()
    if given.figures is not None:
        write_json(listed_orders(read_benchmark(given.figures)), FIGURES)
    figures = read_benchmark(FIGURES)
    tables = [sets_table(figures), main_table(figures), means_table(figures), leads_table(figures)]
    tables += [by_set(figures, "nearest", within=WITHIN), by_set(figures, "probe"), people_table(figures)]
    tables.append(emoji_table(figures))
    print("\n\n".join(tables))


def listed_orders(benchmark: Benchmark) -> Benchmark:
    """The orders in the tables, without means and verdicts."""
    sets = [replace(one, orders=tuple(_orders([one], name)[0] for name in TITLES)) for one in benchmark.sets]
    return replace(benchmark, sets=tuple(sets), means=(), verdicts=())


def name_of(one: SetFigures) -> str:
    """The name of a set, whose arrays were numbered: "01-grocery"."""
    return Path(one.data).name.partition("-")[2]


def _sets(figures: Benchmark) -> list[SetFigures]:
    return [_set(figures, name) for name in NAMES]


def _set(figures: Benchmark, name: str) -> SetFigures:
    return next(one for one in figures.sets if name_of(one) == name)


def _orders(sets: Sequence[SetFigures], name: str) -> list[OrderFigures]:
    return [next(order for order in one.orders if order.name == name) for one in sets]


def sets_table(figures: Benchmark) -> str:
    """What was measured: each set, its use, and how often the nearest and the probe are right."""
    uses = {name: use for use, names in SETS.items() for name in names}
    rows = [
        [
            name_of(one),
            uses[name_of(one)],
            f"{one.pictures:,}",
            f"{one.classes}",
            cell(one.recall_at_1),
            cell(one.paper_recall_at_1.value),
            cell(one.probe_accuracy),
        ]
        for one in _sets(figures)
    ]
    return markdown(
        ["set", "use", "pictures", "classes", "recall@1, nearest", "recall@1, paper", "probe right"],
        rows,
    )


def main_table(figures: Benchmark) -> str:
    """R-AUROC of MAIN on each set with intervals over classes, and the means with Student's, by N and by P."""
    rows = []
    for name in MAIN:
        for outcome, letter in (("nearest", "N"), ("probe", "P")):
            found = [one.for_outcome(outcome) for one in _orders(_sets(figures), name)]
            mean = cell(mean_by_t(aurocs_of(figures, name, outcome)))
            rows.append([TITLES[name], letter, *(cell(one.auroc) for one in found if one is not None), mean])
    return markdown(["order", "on", *NAMES, "mean"], rows)


def means_table(figures: Benchmark) -> str:
    """Means over the seven sets of R-AUROC by N, within classes, by P, and as the paper has it."""
    sets = _sets(figures)
    rows = []
    for name, title in TITLES.items():
        orders = _orders(sets, name)
        nearest, probe = [one.nearest for one in orders], [one.probe for one in orders if one.probe is not None]
        found = [
            [one.auroc.value for one in nearest],
            [one.by_class.value for one in nearest],
            [one.within.value for one in nearest],
            [one.auroc.value for one in probe],
            [one.paper.auroc.value for one in orders],
        ]
        rows.append([title, orders[0].knows, *(cell(float(np.mean(values))) for values in found)])
    return markdown(["order", "has seen", "N", "N within class (a)", "(b)", "P", "paper"], rows)


def leads_table(figures: Benchmark) -> str:
    """Mean leads over the seven sets with Student's interval, and their verdicts, told together on each outcome."""
    rows = [[TITLES[name], TITLES[rival]] for name, rival in LEADS]
    for outcome in ("nearest", "probe"):
        pairs = [[aurocs_of(figures, name, outcome) for name in pair] for pair in LEADS]
        leads = [[one - other for one, other in zip(*pair, strict=True)] for pair in pairs]
        for row, lead, is_sure in zip(rows, leads, holm([p_by_t(lead) for lead in leads]), strict=True):
            mean = mean_by_t(lead, least=-1.0)
            row.append(f"{cell(mean, signed=True)} {judge_lead(mean) if is_sure else LEVEL}")
    return markdown(["order", "over", "N", "P"], rows)


def aurocs_of(figures: Benchmark, name: str, outcome: str) -> list[float]:
    """R-AUROC of an order on each of the seven sets."""
    found = [one.for_outcome(outcome) for one in _orders(_sets(figures), name)]
    return [one.auroc.value for one in found if one is not None]


def by_set(figures: Benchmark, outcome: str, *, within: Sequence[str] = ()) -> str:
    """R-AUROC of one outcome on each set, with intervals over classes; of `within` the figure within classes too."""
    sets, rows = _sets(figures), []
    for name, title in TITLES.items():
        found = [one.for_outcome(outcome) for one in _orders(sets, name)]
        rows.append([title, *(cell(one.auroc) for one in found if one is not None)])
        if name in within:
            rows.append(["within class (a)", *(cell(one.by_class.value) for one in found if one is not None)])
    return markdown(["order", *NAMES], rows)


def people_table(figures: Benchmark) -> str:
    """Agreement with people's votes on CIFAR-10, the truest first in each of what an order has seen."""
    cifar = _set(figures, PEOPLE)
    rows = []
    for name, title in TITLES.items():
        (order,) = _orders([cifar], name)
        assert order.votes is not None, "measured with votes"
        figure = cell(order.nearest.auroc)
        rows.append([title, order.knows, cell(order.votes.spearman), cell(order.votes.tenth), figure])
    return markdown(["order", "has seen", "Spearman", "most ambiguous tenth", "N there"], rows)


def emoji_table(figures: Benchmark) -> str:
    """The set whose style is stronger than its kind."""
    rows = []
    for name in OF_EMOJI:
        (order,) = _orders([_set(figures, EMOJI)], name)
        assert order.probe is not None
        cells = [cell(order.nearest.auroc), cell(order.nearest.by_class.value), cell(order.probe.auroc)]
        rows.append([TITLES[name], order.knows, *cells])
    return markdown(["order", "has seen", "N", "N within class (a)", "P"], rows)


if __name__ == "__main__":
    main()
