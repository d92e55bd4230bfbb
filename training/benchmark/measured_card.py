"""The parts of a model card with the figures of a head on labelled sets, from the benchmarks of its run."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from training.benchmark.benchmark_records import (
    LEVEL,
    UNKNOWN,
    Benchmark,
    Means,
    OrderFigures,
    SetFigures,
    Verdict,
    read_benchmark,
)
from training.benchmark.fitted_baselines import SINGLE_BASELINES
from training.benchmark.orders import HEAD, STACK
from training.benchmark.people import OTHER_ORDERS
from training.markdown_tables import cell, markdown
from training.model_card import UNMEASURED
from training.run_files import pretrain_record
from url_viz.wording import MISSING, counted

COLUMNS = (HEAD, *SINGLE_BASELINES, STACK, "fitted_by_class", "confusability", "ambiguity")
"""The orders on a card: of single pictures, fitted on the set's own errors, and those that look at the set."""
OUTCOMES = {
    "paper": "the nearest by raw cosine has another class (the paper's R-AUROC)",
    "nearest": "the nearest in the set's whitened space, near copies left out, has another class",
    "probe": "a linear probe of another backbone is wrong",
}


def figures_of_run(folder: Path) -> list[str]:
    """Verdicts, figures and people's agreement of the run in `folder`, as far as it was measured."""
    development, report = (
        read_benchmark(path) if (path := folder / f"{use}.json").is_file() else None
        for use in ("development", "report")
    )
    earlier = [read_benchmark(path) for path in pretrain_record(folder).read().earlier]
    return [
        verdicts_text(report, earlier),
        report_text(report) if report else "",
        development_text(development) if development else "",
        people_text(report) if report else "",
    ]


def verdicts_text(report: Benchmark | None, earlier: Sequence[Benchmark]) -> str:
    """Whether it is ahead of its baselines, by their verdicts; and heads that were measured there before."""
    names = [_set_name(figures) for figures in report.sets if figures.data not in report.seen_classes] if report else []
    if report is None or not names:
        return UNMEASURED
    verdicts = [verdict for verdict in report.verdicts if verdict.order == HEAD]
    lines = [f"- {_in_words(verdict)}" for outcome in OUTCOMES for verdict in verdicts if verdict.outcome == outcome]
    heading = f"On {counted(len(names), 'set')} that took no part ({', '.join(names)}), R-AUROC, chance .5:"
    text = "\n".join([heading, "", *lines])
    notes = [f"Not the first head that was measured on these sets. {_earlier(before)}" for before in earlier]
    return "\n\n".join([text, *notes])


def _earlier(report: Benchmark) -> str:
    verdict = next(verdict for verdict in report.verdicts if (verdict.order, verdict.outcome) == (HEAD, "paper"))
    return f"Head `{report.head}` came before: {_in_words(verdict)}."


def _in_words(verdict: Verdict) -> str:
    least = min((of_set.lead.value for of_set in verdict.sets), default=float("nan"))
    which = {LEVEL: "with", UNKNOWN: "beside"}.get(verdict.verdict, "of")
    return (
        f"**{verdict.verdict}** {which} {verdict.baseline}, {cell(verdict.lead, signed=True)} over sets, least "
        f"{cell(least, signed=True)}: {OUTCOMES[verdict.outcome]}"
    )


def report_text(report: Benchmark) -> str:
    """The figures on sets that took no part, and below a heading of their own those whose classes trained the head."""
    unseen, seen = (
        replace(report, sets=tuple(each for each in report.sets if (each.data in report.seen_classes) == is_seen))
        for is_seen in (False, True)
    )
    parts = [_figures("Sets that took no part in any choice", unseen)] if unseen.sets else []
    if seen.sets:
        parts.append(_figures("Other pictures of classes that trained: not zero-shot", replace(seen, means=())))
    return "\n\n".join(parts)


def development_text(development: Benchmark) -> str:
    """The figures on sets that choices were looked at on."""
    return _figures("Sets that choices were looked at on, so these figures flatter", development)


def _figures(title: str, benchmark: Benchmark) -> str:
    """R-AUROC on each set, and where there are means their line."""
    header = ["set", "pictures", "classes", "recall@1", *COLUMNS]
    rows = [
        [
            _set_name(of_set),
            f"{of_set.pictures:,}",
            f"{of_set.classes:,}",
            cell(of_set.paper_recall_at_1.value),
            *_cells(of_set.orders),
        ]
        for of_set in benchmark.sets
    ]
    table = markdown(header, [*rows, *([["mean", "", "", "", *_cells(benchmark.means)]] if benchmark.means else [])])
    return (
        f"## {title}\n\nThe paper's R-AUROC, 95 % intervals over classes, of the mean over sets. "
        f"`fitted_by_class` was taught the set's own errors, `confusability` looks at the set, and `ambiguity` at its "
        f"classes.\n\n{table}"
    )


def _cells(orders: Sequence[OrderFigures | Means]) -> list[str]:
    by_name = {order.name: order for order in orders}
    return [cell(by_name[name].paper.auroc) if name in by_name else MISSING for name in COLUMNS]


def _set_name(of_set: SetFigures) -> str:
    return Path(of_set.data.removeprefix("folder:")).name


def people_text(report: Benchmark) -> str:
    """Agreement with people's votes; nothing where there are none."""
    rows = [
        [_set_name(of_set), order.name, cell(votes.spearman), cell(votes.tenth), cell(votes.disagreed)]
        for of_set in report.sets
        for order in of_set.orders
        if (votes := order.votes) is not None and order.name in (*COLUMNS, *OTHER_ORDERS)
    ]
    if not rows:
        return ""
    header = ["set", "order", "Spearman with people", "AUROC of the most ambiguous tenth", "AUROC of any disagreement"]
    return (
        "## What people found ambiguous\n\nThe entropy of people's votes on a picture. *Any disagreement*: pictures on "
        f"which not all agreed, against those on which all did.\n\n{markdown(header, rows)}"
    )
