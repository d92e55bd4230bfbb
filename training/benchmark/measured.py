"""Figures of orders with intervals, and the parts of a model card that hold them."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.benchmark.benchmark_tables import (
    LEVEL,
    NO_FIGURE,
    UNKNOWN,
    Benchmark,
    Means,
    OrderFigures,
    OutcomeFigures,
    OutcomeMeans,
    SetFigures,
    Verdict,
    VotesFigures,
    read_benchmark,
)
from training.benchmark.labelled import OTHER_ORDERS, Bools, Case, Codes, LabelledSet, Outcomes, Values
from training.benchmark.orders import HEAD, KNOWS, SINGLE_BASELINES, STACK, FittedBaselines, Orders, picture_orders
from training.command import cell, markdown
from training.model_card import UNMEASURED
from training.store import pretrain_record
from url_viz.base.wording import MISSING, counted
from url_viz.columns.ranking import rank_within
from url_viz.evidence.order_metrics import (
    Figure,
    Influenced,
    aurc_influence,
    auroc_by_blocks,
    auroc_influence,
    auroc_within_influence,
    human_alignment,
    mean_by_t,
    mean_influence,
    share_by_blocks,
)
from url_viz.models.head import Head

MOST_AMBIGUOUS = 0.1
"""The share of pictures whose votes count as the most ambiguous."""


def measure_set(
    case: Case, orders: Orders, *, baselines: FittedBaselines | None = None, unfamiliar: dict[str, Figure] | None = None
) -> SetFigures:
    """Every figure of one set; `unfamiliar` are those of `upstream_figures`."""
    labelled, outcomes = case.labelled, case.outcomes
    counted, probe = outcomes.is_counted, outcomes.is_probe_wrong
    votes = None if labelled.people is None else labelled.people.entropy
    return SetFigures(
        labelled.data,
        len(labelled.label),
        len(np.unique(labelled.label)),
        labelled.unreadable,
        int((~counted).sum()),
        share_by_blocks(~outcomes.is_wrong[counted], labelled.label[counted]),
        share_by_blocks(~outcomes.is_paper_wrong, labelled.label),
        math.nan if probe is None else float(1 - probe.mean()),
        tuple(
            measure_order(name, values, labelled.label, outcomes, votes, (unfamiliar or {}).get(name, NO_FIGURE))
            for name, values in orders.items()
        ),
        None if baselines is None else baselines.record,
    )


def measure_order(
    name: str,
    values: Values,
    label: Codes,
    outcomes: Outcomes,
    votes: NDArray[np.float64] | None,
    unfamiliar: Figure = NO_FIGURE,
) -> OrderFigures:
    """Every figure of one order (N,) or (draws, N), over the pictures that have a nearest and a value."""
    counted = np.where(outcomes.is_counted, np.atleast_2d(values), np.nan)
    by_outcome = {outcome: measure_outcome(counted, wrong, label) for outcome, wrong in outcomes.by_name().items()}
    return OrderFigures(
        name,
        KNOWS.get(name, ""),
        by_outcome["nearest"],
        by_outcome.get("probe"),
        by_outcome["paper"],
        None if votes is None else measure_votes(counted, votes, label),
        unfamiliar,
    )


def measure_outcome(values: Values, is_wrong: Bools, label: Codes) -> OutcomeFigures:
    """How well values (draws, N) predict `is_wrong` (N,), over all and within the classes `label` (N,).

    Each draw leaves out its nan; the figures are means over draws.
    """
    influences = []
    for draw in values:
        rows = np.flatnonzero(~np.isnan(draw))
        if not len(rows):
            continue
        value, wrong, block = draw[rows], is_wrong[rows], label[rows]
        of_draw = (
            auroc_influence(value, wrong),
            auroc_influence(rank_within(value, block), wrong),
            auroc_within_influence(value, wrong, block),
            aurc_influence(value, wrong),
        )
        influences.append([influence.placed(rows, len(label)) for influence in of_draw])
    if not influences:
        return OutcomeFigures(NO_FIGURE, NO_FIGURE, NO_FIGURE, NO_FIGURE)
    return OutcomeFigures(*(mean_influence(draws).by_blocks(label) for draws in zip(*influences, strict=True)))


def measure_votes(values: Values, entropy: NDArray[np.float64], label: Codes) -> VotesFigures:
    """Agreement of values (draws, N) with the entropy (N,) of people's votes, means over draws.

    Pictures without votes or a value (nan) are left out. The most ambiguous tenth are the pictures from the ninth
    decile of the entropy on, and above the least.
    """
    spearman, tenth, disagreed = [], [], []
    for draw in values:
        rows = np.flatnonzero(~np.isnan(entropy) & ~np.isnan(draw))
        if not len(rows):
            continue
        value, votes = draw[rows], entropy[rows]
        is_ambiguous = (votes >= np.quantile(votes, 1 - MOST_AMBIGUOUS)) & (votes > votes.min())
        spearman.append(human_alignment(value, votes))
        tenth.append(auroc_influence(value, is_ambiguous).placed(rows, len(label)))
        disagreed.append(auroc_influence(value, votes > 0).placed(rows, len(label)))
    if not spearman:
        return VotesFigures(math.nan, NO_FIGURE, NO_FIGURE)
    voted = np.flatnonzero(~np.isnan(entropy))
    return VotesFigures(
        float(np.mean(spearman)),
        *(_at(mean_influence(draws), voted).by_blocks(label[voted]) for draws in (tenth, disagreed)),
    )


def _at(figure: Influenced, rows: NDArray[np.integer]) -> Influenced:
    return Influenced(figure.value, figure.influence[rows])


def upstream_figures(
    case: Case, upstream: LabelledSet, orders: Orders, head: Head | None, baselines: FittedBaselines | None
) -> dict[str, Figure]:
    """The chance that a picture of the set stands above an upstream one, by order, with intervals over classes.

    Only of the orders that know a single picture: others depend on the set. PVU, arXiv 2402.16569, out- against
    in-distribution; below .5 the set looks clearer, and the sign is never turned.
    """
    label = np.concatenate([upstream.label, case.labelled.label + upstream.label.max() + 1])
    is_other = np.arange(len(label)) >= len(upstream.label)
    orders_of_head = picture_orders(upstream, head, baselines)
    return {
        name: auroc_by_blocks(np.concatenate([values, orders[name]]), is_other, label)
        for name, values in orders_of_head.items()
    }


def mean_figures(sets: Sequence[SetFigures]) -> tuple[Means, ...]:
    """The means of every order over the sets, sets without a figure left out."""
    by_name: dict[str, list[OrderFigures]] = {}
    for order in (order for of_set in sets for order in of_set.orders):
        by_name.setdefault(order.name, []).append(order)
    return tuple(map(_mean, by_name.values()))


def _mean(orders: Sequence[OrderFigures]) -> Means:
    return Means(
        orders[0].name,
        orders[0].knows,
        sum(not math.isnan(order.nearest.auroc.value) for order in orders),
        _of_outcome([order.nearest for order in orders]),
        _of_outcome([order.probe for order in orders if order.probe is not None]),
        _of_outcome([order.paper for order in orders]),
    )


def _of_outcome(figures: Sequence[OutcomeFigures]) -> OutcomeMeans:
    within, by_class, aurc = (
        mean_by_t([getattr(of_set, name).value for of_set in figures]).value for name in ("within", "by_class", "aurc")
    )
    return OutcomeMeans(mean_by_t([of_set.auroc.value for of_set in figures]), within, by_class, aurc)


COLUMNS = (HEAD, *SINGLE_BASELINES, STACK, "fitted_by_class", "confusability", "ambiguity")
"""The orders on a card: of single pictures, fitted on the set's own errors, and those that look at the set."""
OUTCOMES = {
    "paper": "the nearest by raw cosine has another class (the paper's R-AUROC)",
    "nearest": "the nearest in the set's whitened space, near copies left out, has another class",
    "probe": "a linear probe of another backbone is wrong",
}


def card_parts(folder: Path) -> list[str]:
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
