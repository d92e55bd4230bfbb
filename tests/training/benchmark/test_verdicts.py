"""A verdict comes from the paired differences alone, and over sets only together with all others on its outcome."""

import math
from dataclasses import replace

import numpy as np
import pytest

from tests.training.benchmark.made import small_case
from training.benchmark.benchmark_tables import (
    AHEAD,
    BEHIND,
    LEVEL,
    UNKNOWN,
    SetLead,
    Verdict,
    holm_corrected,
    judge_lead,
)
from training.benchmark.orders import auroc_lead, judge_orders
from url_viz.evidence.order_metrics import Figure, Interval, auroc, mean_by_t

NAN = math.nan


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.01, 0.1, AHEAD), (-0.1, -0.01, BEHIND), (-0.01, 0.1, LEVEL), (0.0, 0.1, LEVEL), (NAN, NAN, UNKNOWN)],
)
def test_a_verdict_is_where_zero_lies(low: float, high: float, verdict: str) -> None:
    assert judge_lead(Figure(0.05, Interval(low, high))) == verdict


def test_a_lead_is_on_the_pictures_that_both_have() -> None:
    # Of pictures 0, 1, 3, 4 with 0 and 4 wrong: the order has all four pairs, the rival the two of picture 4.
    wrong = np.array([True, False, True, False, True])
    values, rival = np.array([5, 1, 0, 2, 9.0]), np.array([0, 3, np.nan, 2, 4.0])
    found = auroc_lead(values, rival, wrong, np.ones(5, bool))
    assert found.value == pytest.approx(1 - 0.5)
    assert found.influence[2] == 0
    two = auroc_lead(np.stack([values, rival]), rival, wrong, np.ones(5, bool))
    assert two.value == pytest.approx(0.25)


def made_orders(seed: int) -> dict[str, np.ndarray]:
    """Of a case the outcome itself with some noise, better and worse."""
    rng, wrong = np.random.default_rng(seed), small_case(seed).outcomes.is_wrong
    spread = {"uncertainty": 0.3, "entropy": 1.5, "energy": 3.0, "stack": 0.3}
    return {name: wrong + rng.normal(0, one, len(wrong)) for name, one in spread.items()}


@pytest.mark.slow
def test_verdicts_over_sets_are_of_paired_differences() -> None:
    cases = [small_case(seed) for seed in range(4)]
    orders = [made_orders(seed) for seed in range(4)]
    found = {(one.order, one.baseline, one.outcome): one for one in judge_orders(cases, orders)}
    head = found["uncertainty", "entropy", "nearest"]
    leads = [
        auroc(of["uncertainty"], case.outcomes.is_wrong) - auroc(of["entropy"], case.outcomes.is_wrong)
        for case, of in zip(cases, orders, strict=True)
    ]
    assert [one.lead.value for one in head.sets] == pytest.approx(leads)
    half = 3.182446 * np.std(leads, ddof=1) / 2  # Student's t of three degrees of freedom
    assert head.lead.value == pytest.approx(np.mean(leads))
    assert head.lead.interval.low == pytest.approx(np.mean(leads) - half)
    assert head.verdict == AHEAD
    assert all(one.lead.interval.low < one.lead.value < one.lead.interval.high for one in head.sets)
    assert found["uncertainty", "stack", "nearest"].verdict == LEVEL
    assert found["stack", "entropy", "probe"].outcome == "probe"
    assert not any(one.order == "ambiguity" for one in found.values())


def test_one_set_has_no_verdict_over_sets() -> None:
    found = judge_orders([small_case(0)], [made_orders(0)])
    assert {one.verdict for one in found} == {UNKNOWN}
    assert found[0].sets[0].verdict == AHEAD
    case = small_case(0)
    without = replace(case, outcomes=replace(case.outcomes, is_probe_wrong=None))
    assert {one.outcome for one in judge_orders([without], [made_orders(0)])} == {"nearest", "paper"}


def verdict(outcome: str, *leads: float) -> Verdict:
    on_sets = tuple(SetLead("a", Figure(lead, Interval(lead - 0.01, lead + 0.01)), LEVEL) for lead in leads)
    mean = mean_by_t(leads, least=-1.0)
    return Verdict("uncertainty", "entropy", outcome, mean, judge_lead(mean), on_sets)


def test_verdicts_on_one_outcome_are_corrected_together() -> None:
    """Means .3 and −.3 of spread .1 over three sets: t 5.196, p .0351, sure alone but not one of two."""
    ahead, behind, sure = (0.2, 0.3, 0.4), (-0.2, -0.3, -0.4), (0.3, 0.301, 0.299)

    def told(*verdicts: Verdict) -> list[str]:
        return [one.verdict for one in holm_corrected(verdicts)]

    assert told(verdict("nearest", *ahead), verdict("probe", *behind)) == [AHEAD, BEHIND]
    assert told(verdict("nearest", *ahead), verdict("nearest", *behind)) == [LEVEL, LEVEL]
    assert told(verdict("nearest", *ahead), verdict("nearest", *sure)) == [AHEAD, AHEAD]
    assert told(verdict("nearest", *ahead), verdict("nearest", 0.5)) == [AHEAD, UNKNOWN]  # that is no test
    leads = [one.lead for one in holm_corrected([verdict("nearest", *ahead), verdict("nearest", *behind)])]
    assert leads == [mean_by_t(ahead), mean_by_t(behind, least=-1.0)]
