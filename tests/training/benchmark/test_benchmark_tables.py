"""The JSON is read as it was written, and the tables hold its figures."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.benchmark.made import small_case, with_people
from training.benchmark.benchmark_tables import CORRECTED, Benchmark, document, main, read_benchmark, set_table
from training.benchmark.measured import mean_figures, measure_set
from training.benchmark.orders import fit_baselines, judge_orders, make_orders
from training.config import BenchmarkTableConfig
from training.store import write_json
from url_viz.base.errors import FolderError
from url_viz.base.wording import decimal


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
