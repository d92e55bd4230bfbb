"""The figures of the shipped heads in docs/training.md: `python -m experiments.shipped_heads`.

From heads/*.json, the benchmarks that `make heads` leaves: NAME-report.json of the sets that took no part in any
choice, and lite0-development.json of those that choices were looked at on.
"""

from pathlib import Path

from training.benchmark.benchmark_tables import SetFigures, read_benchmark
from training.benchmark.orders import HEAD
from training.command import cell, markdown

FIGURES = Path(__file__).parent / "heads"
ORDERS = (HEAD, "entropy", "max_probability", "stack", "fitted_by_class", "confusability", "ambiguity")
SETS = ("grocery", "trash", "scenes", "places", "caltech101", "flowers102", "cifar10-test")
OUTCOMES = {"paper": "the paper's R-AUROC", "nearest": "N", "probe": "P"}


def main() -> None:
    """Print the table."""
    print(table_of_reports())


def table_of_reports() -> str:
    """Means over the sets that took no part, and the verdicts."""
    rows = []
    for path in sorted(FIGURES.glob("lite?-report.json")):
        report = read_benchmark(path)
        means = {mean.name: mean for mean in report.means}
        for outcome, title in OUTCOMES.items():
            verdict = next(one for one in report.verdicts if (one.order, one.outcome) == (HEAD, outcome))
            comparison = f"{verdict.verdict}: {cell(verdict.lead, signed=True)} of {verdict.baseline}"
            figures = [cell(means[name].for_outcome(outcome).auroc.value) for name in ORDERS]
            rows.append([path.name.partition("-")[0], title, *figures, comparison])
    return markdown(["", "", *ORDERS, "head against the best baseline of a picture alone"], rows)


def name_of(one: SetFigures) -> str:
    """The last part of a set's SPEC."""
    return Path(one.data).name


if __name__ == "__main__":
    main()
