"""Figures of orders with intervals: how well each predicts what goes wrong, and agrees with people."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.benchmark.benchmark_tables import (
    NO_FIGURE,
    Means,
    OrderFigures,
    OutcomeFigures,
    OutcomeMeans,
    SetFigures,
    VotesFigures,
)
from training.benchmark.labelled import ENTROPY, Bools, Case, Codes, LabelledSet, Outcomes, Values
from training.benchmark.orders import KNOWS, FittedBaselines, Orders, picture_orders
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
    votes = None if labelled.people is None else labelled.people[ENTROPY].to_numpy()
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
        figures = (
            auroc_influence(value, wrong),
            auroc_influence(rank_within(value, block), wrong),
            auroc_within_influence(value, wrong, block),
            aurc_influence(value, wrong),
        )
        influences.append([influence.placed(rows, len(label)) for influence in figures])
    if not influences:
        return OutcomeFigures(NO_FIGURE, NO_FIGURE, NO_FIGURE, NO_FIGURE)
    return OutcomeFigures(*(mean_influence(draws).by_blocks(label) for draws in zip(*influences, strict=True)))


def measure_votes(values: Values, entropy: NDArray[np.float64], label: Codes) -> VotesFigures:
    """Agreement of values (draws, N) with the entropy (N,) of people's votes, means over draws; nan is left out.

    The most ambiguous tenth are the pictures from the ninth decile of the entropy on, and above the least.
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
    means = (mean_influence(draws) for draws in (tenth, disagreed))
    return VotesFigures(
        float(np.mean(spearman)),
        *(Influenced(mean.value, mean.influence[voted]).by_blocks(label[voted]) for mean in means),
    )


def upstream_figures(
    case: Case, upstream: LabelledSet, orders: Orders, head: Head | None, baselines: FittedBaselines | None
) -> dict[str, Figure]:
    """The chance that a picture of the set stands above an upstream one, by order, with intervals over classes.

    Only for orders that know a single picture: others depend on the set. Out- against in-distribution (PVU); below .5
    the set looks clearer, and the sign is never turned.
    """
    label = np.concatenate([upstream.label, case.labelled.label + upstream.label.max() + 1])
    is_other = np.arange(len(label)) >= len(upstream.label)
    return {
        name: auroc_by_blocks(np.concatenate([values, orders[name]]), is_other, label)
        for name, values in picture_orders(upstream, head, baselines).items()
    }


def mean_figures(sets: Sequence[SetFigures]) -> tuple[Means, ...]:
    """The means of every order over the sets that have its figures."""
    by_name: dict[str, list[OrderFigures]] = {}
    for order in (order for figures in sets for order in figures.orders):
        by_name.setdefault(order.name, []).append(order)
    return tuple(
        Means(
            name,
            orders[0].knows,
            sum(not math.isnan(order.nearest.auroc.value) for order in orders),
            _mean_outcome([order.nearest for order in orders]),
            _mean_outcome([order.probe for order in orders if order.probe is not None]),
            _mean_outcome([order.paper for order in orders]),
        )
        for name, orders in by_name.items()
    )


def _mean_outcome(figures: Sequence[OutcomeFigures]) -> OutcomeMeans:
    within, by_class, aurc = (
        mean_by_t([getattr(one, name).value for one in figures]).value for name in ("within", "by_class", "aurc")
    )
    return OutcomeMeans(mean_by_t([one.auroc.value for one in figures]), within, by_class, aurc)
