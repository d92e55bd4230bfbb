"""A verdict comes from paired differences alone; JSON is read as it was written, and tables hold its figures."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.benchmark.made import small_case, with_people
from training.benchmark.benchmark_tables import (
    AHEAD,
    BEHIND,
    CORRECTED,
    LEVEL,
    UNKNOWN,
    Benchmark,
    SetLead,
    Verdict,
    document,
    holm_corrected,
    judge_lead,
    main,
    read_benchmark,
    set_table,
)
from training.benchmark.measured import mean_figures, measure_set
from training.benchmark.orders import auroc_lead, fit_baselines, judge_orders, make_orders
from training.config import BenchmarkTableConfig
from training.store import write_json
from url_viz.base.errors import FolderError
from url_viz.base.wording import decimal
from url_viz.evidence.order_metrics import Figure, Interval, auroc, mean_by_t


@pytest.fixture(scope="module")
def benchmark() -> Benchmark:
    """Two sets, one with votes, one without a probe."""
    cases = [small_case(0), with_people(small_case(1), np.arange(72.0))]
    cases[0] = replace(cases[0], outcomes=replace(cases[0].outcomes, is_probe_wrong=None))
    choices = [fit_baselines([cases[1]]), fit_baselines([cases[0]])]
    orders = [make_orders(case, None, choice, seed=0) for case, choice in zip(cases, choices, strict=True)]
    sets = [measure_set(case, of, baselines=choice) for case, of, choice in zip(cases, orders, choices, strict=True)]
    return Benchmark("m", "p", "fast", None, 0, tuple(sets), mean_figures(sets), judge_orders(cases, orders))


@pytest.mark.slow
def test_the_json_is_read_as_it_was_written(
    benchmark: Benchmark, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "out.json"
    write_json(benchmark, path)
    main(BenchmarkTableConfig(path))
    assert capsys.readouterr().out == document(benchmark) + "\n"
    assert "NaN" not in path.read_text()
    assert repr(read_benchmark(path)) == repr(benchmark)  # nan is not equal to itself


@pytest.mark.parametrize("text", ["no", "[]", "{}", '{"model": 1}'])
def test_another_file_is_an_error(text: str, tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(FolderError, match="is no benchmark"):
        read_benchmark(tmp_path / "other.json")


@pytest.mark.slow
def test_the_tables_hold_the_figures(benchmark: Benchmark) -> None:
    text = document(benchmark)
    assert "nan" not in text
    for one in benchmark.sets:
        for order in one.orders:
            if not math.isnan(order.nearest.auroc.value):
                assert f"{decimal(order.nearest.auroc.value, digits=3)} [" in text
    leads = [verdict.lead.value for verdict in benchmark.verdicts if not math.isnan(verdict.lead.value)]
    assert len(leads) > 10
    assert all(f"| {decimal(lead, digits=3, signed=True)}" in text for lead in leads)
    assert CORRECTED in text
    assert "Classes of `b` trained the head" in document(replace(benchmark, seen_classes=("b",)))
    first, second = (set_table(one) for one in benchmark.sets)
    assert "Spearman with people" in second
    assert "Spearman with people" not in first
    assert "P, within class" not in first
    rows = [line for line in second.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in rows[: len(benchmark.sets[1].orders) + 2]}) == 1


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
