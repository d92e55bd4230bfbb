"""Verdicts: whether an order is ahead of a baseline, by its leads on the sets, and corrected for how many there are."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from training.benchmark.benchmark_records import OUTCOMES, SetLead, Verdict, corrected_for_many, verdict_of
from training.benchmark.fitted_baselines import SINGLE_BASELINES
from training.benchmark.labelled import Bools, Case
from training.benchmark.orders import HEAD, RANK_STACK, STACK, Orders
from url_viz.analysis.evidence.order_metrics import Influenced, auroc, auroc_influence, mean_by_t, mean_influence

SET_BASELINES = (*SINGLE_BASELINES, "nearest_similarity")
"""Baselines for orders that know the set."""
Rivals = Mapping[str, tuple[tuple[str, ...], ...]]
"""Of each order the baselines that it is compared with: the best of each group."""
RIVALS: Rivals = {
    HEAD: (SINGLE_BASELINES, (STACK,)),
    STACK: (SINGLE_BASELINES,),
    RANK_STACK: (SINGLE_BASELINES,),
    "confusability": (SET_BASELINES,),
    "ambiguity": (SET_BASELINES,),
}


def verdicts_of(cases: Sequence[Case], orders: Sequence[Orders], rivals: Rivals = RIVALS) -> tuple[Verdict, ...]:
    """The verdicts on every order of `rivals` that the sets have, for each outcome that they have.

    The best of a group of baselines is that with the highest mean over these very sets, which favours the baselines.
    """
    verdicts = []
    for name, groups in rivals.items():
        for outcome in OUTCOMES:
            sets = [
                (case, of_case, case.outcomes.by_name()[outcome])
                for case, of_case in zip(cases, orders, strict=True)
                if outcome in case.outcomes.by_name() and name in of_case
            ]
            best = (_best(sets, group) for group in groups)
            verdicts += [_verdict(name, rival, outcome, sets) for rival in best if rival is not None]
    return corrected_for_many(verdicts)


_Measured = tuple[Case, Orders, Bools]


def _best(sets: Sequence[_Measured], group: Sequence[str]) -> str | None:
    """The baseline of a group with the highest mean R-AUROC over sets, among those that all have; None without any."""
    everywhere = [name for name in group if sets and all(name in orders for _, orders, _ in sets)]
    means = {
        name: mean_by_t([_auroc(orders[name], case, wrong) for case, orders, wrong in sets]).value
        for name in everywhere
    }
    numbers = {name: mean for name, mean in means.items() if not np.isnan(mean)}
    return max(numbers, key=lambda name: numbers[name]) if numbers else None


def _auroc(values: NDArray[np.floating], case: Case, is_wrong: Bools) -> float:
    counted = case.outcomes.is_counted & ~np.isnan(values)
    return auroc(values[counted], is_wrong[counted])


def _verdict(name: str, rival: str, outcome: str, sets: Sequence[_Measured]) -> Verdict:
    leads = []
    for case, orders, is_wrong in sets:
        lead = lead_of(orders[name], orders[rival], is_wrong, case.outcomes.is_counted)
        figure = lead.by_blocks(case.labelled.label, least=-1.0)
        leads.append(SetLead(case.labelled.data, figure, verdict_of(figure)))
    mean = mean_by_t([lead.lead.value for lead in leads], least=-1.0)
    return Verdict(name, rival, outcome, mean, verdict_of(mean), tuple(leads))


def lead_of(
    values: NDArray[np.floating], rival: NDArray[np.floating], is_wrong: Bools, is_counted: Bools
) -> Influenced:
    """By how much the R-AUROC of values (N,) or (draws, N) is above that of a rival (N,), on the same pictures.

    Of draws, the mean over them, each on the pictures that it has.
    """
    leads = []
    for draw in np.atleast_2d(values):
        rows = np.flatnonzero(is_counted & ~np.isnan(draw) & ~np.isnan(rival))
        lead = auroc_influence(draw[rows], is_wrong[rows]) - auroc_influence(rival[rows], is_wrong[rows])
        leads.append(lead.placed(rows, len(is_wrong)))
    return mean_influence(leads)
