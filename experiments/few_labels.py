"""Orders that learn from few labels, the tables of docs/order.md: `python -m experiments.few_labels [BENCHMARK]`.

BENCHMARK is the JSON of `training.benchmark` on the labelled sets; what the tables need of it is stored in
few_labels.json. Without it the tables are printed from there. URL (arXiv 2307.03810) has such a study.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

from experiments.shipped_heads import SETS, name_of
from training.benchmark.benchmark_records import Benchmark, corrected_for_many, read_benchmark
from training.benchmark.benchmark_tables import LETTER, cell, markdown
from training.benchmark.orders import BY_LABELS, HEAD
from training.record_files import write_json

FIGURES = Path(__file__).with_suffix(".json")
OUTCOME = "nearest"
RIVALS = (HEAD, "confusability", "ambiguity")


def orders_by_labels(benchmark: Benchmark) -> Benchmark:
    """Only the orders by labels, their means, and their verdicts, told together without those on other orders."""
    return replace(
        benchmark,
        sets=tuple(
            replace(one, orders=tuple(order for order in one.orders if order.name in BY_LABELS), chosen=None)
            for one in benchmark.sets
        ),
        means=tuple(mean for mean in benchmark.means if mean.name in BY_LABELS),
        verdicts=corrected_for_many([verdict for verdict in benchmark.verdicts if verdict.order in BY_LABELS]),
    )


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


def main() -> None:
    """Store what is needed of a benchmark, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("benchmark", type=Path, nargs="?", help="the JSON; without it the stored figures are used")
    options = parser.parse_args()
    if options.benchmark is not None:
        write_json(orders_by_labels(read_benchmark(options.benchmark)), FIGURES)
        FIGURES.write_text(json.dumps(json.loads(FIGURES.read_text("utf-8")), separators=(",", ":")), "utf-8")
    benchmark = read_benchmark(FIGURES)
    print(f"{table_by_set(benchmark)}\n\n{table_of_leads(benchmark)}")


if __name__ == "__main__":
    main()
