"""A pretrained head measured on labelled sets, and the parts of its card that say how well it orders them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from training import overlap
from training.benchmark import __main__ as benchmark
from training.benchmark.benchmark_tables import (
    LEVEL,
    UNKNOWN,
    Benchmark,
    Means,
    OrderFigures,
    SetFigures,
    Verdict,
    read_benchmark,
)
from training.benchmark.labelled import OTHER_ORDERS
from training.benchmark.orders import HEAD, SINGLE_BASELINES, STACK
from training.command import cell, markdown
from training.config import BenchmarkConfig, OverlapConfig, PretrainConfig
from training.data.spec import list_pictures
from training.head_pretraining import PREPARING, PretrainPaths
from training.model_card import UNMEASURED
from training.store import pretrain_record
from url_viz.base.progress import ProgressCallback
from url_viz.base.wording import MISSING, counted
from url_viz.models.head import load_head


def measure(config: PretrainConfig, report: ProgressCallback) -> None:
    """Measure what is missing: the benchmark of both uses, and the pictures that train and are reported."""
    paths = PretrainPaths(config.out)
    for use, data in (("development", config.develop), ("report", config.report)):
        figures = paths.figures(use)
        # Figures of another head count as missing: one that was trained again may differ in the last digits.
        if data and not (figures.is_file() and read_benchmark(figures).head == load_head(paths.head).digest):
            report(PREPARING)
            benchmark.main(
                BenchmarkConfig(
                    data=data,
                    model=str(paths.head),
                    json=figures,
                    seen_classes=seen_classes(data, config.data),
                    choose=config.develop if use == "report" else (),  # nothing is chosen on reported sets
                    votes=config.votes if use == "report" else (),
                    votes_order=config.votes_order,
                    precision=config.precision,
                    device=config.device,
                )
            )
    if config.report and not paths.overlap.is_file():
        report(PREPARING)
        overlap.main(OverlapConfig(config.data, config.report, model=config.model, json=paths.overlap))


def seen_classes(measured: Sequence[str], trained: Sequence[str]) -> tuple[str, ...]:
    """The `measured` sets of which at least half the classes, by name, are classes of the `trained` ones."""
    trained_classes = {name for spec in trained for name in list_pictures(spec).classes}
    classes = {spec: list_pictures(spec).classes for spec in measured}
    return tuple(
        spec for spec, names in classes.items() if names and 2 * len(trained_classes & set(names)) >= len(names)
    )


COLUMNS = (HEAD, *SINGLE_BASELINES, STACK, "fitted_by_class", "confusability", "ambiguity")
"""The orders on a card: of single pictures, fitted on the set's own errors, and those that look at the set."""
OUTCOMES = {
    "paper": "the nearest by raw cosine has another class (the paper's R-AUROC)",
    "nearest": "the nearest in the set's whitened space, near copies left out, has another class",
    "probe": "a linear probe of another backbone is wrong",
}


def card_parts(folder: Path) -> list[str]:
    """The parts of a card with verdicts, figures and people's agreement, as far as the run in `folder` was measured."""
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
    """The verdicts on the head against its baselines, and on heads that were measured on these sets before."""
    names = [_set_name(figures) for figures in report.sets if figures.data not in report.seen_classes] if report else []
    if report is None or not names:
        return UNMEASURED
    verdicts = [verdict for verdict in report.verdicts if verdict.order == HEAD]
    lines = [f"- {_in_words(verdict)}" for outcome in OUTCOMES for verdict in verdicts if verdict.outcome == outcome]
    heading = f"On {counted(len(names), 'set')} that took no part ({', '.join(names)}), R-AUROC, chance .5:"
    text = "\n".join([heading, "", *lines])
    for before in earlier:
        verdict = next(one for one in before.verdicts if (one.order, one.outcome) == (HEAD, "paper"))
        text += (
            f"\n\nNot the first head that was measured on these sets. Head `{before.head}` came before: "
            f"{_in_words(verdict)}."
        )
    return text


def _in_words(verdict: Verdict) -> str:
    least = min((one.lead.value for one in verdict.sets), default=float("nan"))
    which = {LEVEL: "with", UNKNOWN: "beside"}.get(verdict.verdict, "of")
    return (
        f"**{verdict.verdict}** {which} {verdict.baseline}, {cell(verdict.lead, signed=True)} over sets, least "
        f"{cell(least, signed=True)}: {OUTCOMES[verdict.outcome]}"
    )


def report_text(report: Benchmark) -> str:
    """The figures on sets that took no part in choices, and apart from them those whose classes trained the head."""
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
    header = ["set", "pictures", "classes", "recall@1", *COLUMNS]
    rows = [
        [
            _set_name(figures),
            f"{figures.pictures:,}",
            f"{figures.classes:,}",
            cell(figures.paper_recall_at_1.value),
            *_cells(figures.orders),
        ]
        for figures in benchmark.sets
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


def _set_name(figures: SetFigures) -> str:
    return Path(figures.data.removeprefix("folder:")).name


def people_text(report: Benchmark) -> str:
    """Agreement with people's votes; empty without any."""
    rows = [
        [_set_name(figures), order.name, cell(votes.spearman), cell(votes.tenth), cell(votes.disagreed)]
        for figures in report.sets
        for order in figures.orders
        if (votes := order.votes) is not None and order.name in (*COLUMNS, *OTHER_ORDERS)
    ]
    if not rows:
        return ""
    header = ["set", "order", "Spearman with people", "AUROC of the most ambiguous tenth", "AUROC of any disagreement"]
    return (
        "## What people found ambiguous\n\nThe entropy of people's votes on a picture. *Any disagreement*: pictures on "
        f"which not all agreed, against those on which all did.\n\n{markdown(header, rows)}"
    )
