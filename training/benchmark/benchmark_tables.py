"""The tables of a benchmark as Markdown, from its JSON: `python -m training.benchmark.benchmark_tables --json JSON`."""

import math
import sys
from collections.abc import Sequence

from training.benchmark.benchmark_records import (
    OUTCOMES,
    Benchmark,
    OrderFigures,
    OutcomeFigures,
    OutcomeMeans,
    SetFigures,
    read_benchmark,
)
from training.command import command
from training.config import BenchmarkTableConfig
from training.markdown_tables import cell, markdown
from url_viz.analysis.evidence.order_metrics import Figure
from url_viz.wording import MISSING, counted

LETTER = {"nearest": "N", "probe": "P", "paper": "paper"}
CORRECTED = (
    "Verdicts over sets are corrected for how many there are: ahead or behind only where Holm's procedure over all "
    "verdicts on the same outcome says so at 5 %. Leads and those by set have intervals of their own, not corrected."
)


def main(config: BenchmarkTableConfig) -> None:
    """Print the tables."""
    print(document(read_benchmark(config.json)))


def document(benchmark: Benchmark) -> str:
    """All tables of a benchmark, with headings."""
    limit = "" if benchmark.limit is None else f", whole classes up to {benchmark.limit:,} pictures"
    upstream = "" if benchmark.upstream is None else f" *Unfamiliar*: next to `{benchmark.upstream}`."
    probe = f" P by a probe of {benchmark.probe_model}." if benchmark.probe_model else ""
    head = f" (head `{benchmark.head}`)" if benchmark.head else ""
    seen = "".join(
        f" Classes of `{name}` trained the head: no part of means, verdicts." for name in benchmark.seen_classes
    )
    introduction = (
        f"{benchmark.model}{head}, precision {benchmark.precision}, seed {benchmark.seed}{limit}.{probe}{upstream}"
        f"{seen} R-AUROC with 95 % intervals: over sets for means, over classes for a set. [How to read it]"
        f"(benchmark.md)."
    )
    parts = [
        "# Figures of the benchmark",
        introduction,
        f"## Means\n\n{means_table(benchmark)}",
        f"## Verdicts\n\n{verdicts_table(benchmark)}",
        *(f"## {of_set.data}\n\n{set_table(of_set)}" for of_set in benchmark.sets),
    ]
    return "\n\n".join(parts)


def set_table(figures: SetFigures) -> str:
    """The figures of one set: a line about it, its orders, and people's agreement where there are votes."""
    outcomes = [outcome for outcome in OUTCOMES if any(order.for_outcome(outcome) for order in figures.orders)]
    has_upstream = any(not math.isnan(order.unfamiliar.value) for order in figures.orders)
    header = ["order", "has seen", *_outcome_columns(outcomes), *(["unfamiliar"] if has_upstream else [])]
    rows = [
        [
            order.name,
            order.knows,
            *(cell for outcome in outcomes for cell in _outcome_cells(order.for_outcome(outcome))),
            *([cell(order.unfamiliar)] if has_upstream else []),
        ]
        for order in figures.orders
    ]
    parts = [_about(figures), markdown(header, rows), _people(figures.orders)]
    return "\n\n".join(part for part in parts if part)


def _about(figures: SetFigures) -> str:
    lines = [
        f"{figures.data}: {counted(figures.pictures, 'picture')}, {counted(figures.classes, 'class')}, "
        f"{figures.unreadable:,} unreadable. "
        f"Recall@1 {cell(figures.recall_at_1)}, by raw cosine with near copies "
        f"{cell(figures.paper_recall_at_1)}; the probe is right on {cell(figures.probe_accuracy)}."
    ]
    if figures.chosen is not None:
        chosen = figures.chosen
        lines.append(f"Temperature {chosen.temperature:g}, chosen on {', '.join(chosen.on)}.")
    return "\n".join(lines)


def _people(orders: Sequence[OrderFigures]) -> str:
    """Agreement with people; nothing without votes."""
    rows = [
        [order.name, order.knows, cell(votes.spearman), cell(votes.tenth), cell(votes.disagreed)]
        for order in orders
        if (votes := order.votes) is not None
    ]
    header = ["order", "has seen", "Spearman with people", "most ambiguous tenth", "any disagreement"]
    return markdown(header, rows) if rows else ""


def means_table(benchmark: Benchmark) -> str:
    """The means over all sets."""
    outcomes = [outcome for outcome in OUTCOMES if outcome != "probe" or benchmark.probe_model is not None]
    rows = [
        [
            mean.name,
            mean.knows,
            str(mean.sets),
            *(cell for name in outcomes for cell in _outcome_cells(mean.for_outcome(name))),
        ]
        for mean in benchmark.means
    ]
    return markdown(["order", "has seen", "sets", *_outcome_columns(outcomes)], rows)


def verdicts_table(benchmark: Benchmark) -> str:
    """Each order against its best baselines, over all sets and by set, and how the verdicts are told."""
    rows = [
        [
            verdict.order,
            verdict.baseline,
            LETTER[verdict.outcome],
            cell(verdict.lead, signed=True),
            verdict.verdict,
            ", ".join(
                MISSING if math.isnan(lead.lead.value) else f"{cell(lead.lead.value, signed=True)} {lead.verdict}"
                for lead in verdict.sets
            ),
        ]
        for verdict in benchmark.verdicts
    ]
    return f"{markdown(['order', 'baseline', 'on', 'lead', 'verdict', 'by set'], rows)}\n\n{CORRECTED}"


def _outcome_columns(outcomes: Sequence[str]) -> list[str]:
    return [f"{LETTER[outcome]}{part}" for outcome in outcomes for part in ("", ", within class", ", AURC")]


def _outcome_cells(figures: OutcomeFigures | OutcomeMeans | None) -> list[str]:
    """R-AUROC with its interval, that within classes, and AURC."""
    if figures is None:
        return [MISSING] * 3
    return [
        cell(figures.auroc),
        *(cell(part.value if isinstance(part, Figure) else part) for part in (figures.by_class, figures.aurc)),
    ]


if __name__ == "__main__":
    sys.exit(command(BenchmarkTableConfig, main))
