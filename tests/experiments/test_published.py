"""The paper's figures are those of its sets, and stand next to ours."""

from dataclasses import replace

import numpy as np
import pytest

from experiments.published import TWELVE, published_of, table
from tests.training.benchmark.made import small_case
from training.benchmark.benchmark_tables import Benchmark
from training.benchmark.measured import measure_set


def test_the_papers_figures_are_those_of_its_sets() -> None:
    assert len(TWELVE) == 12
    assert np.mean([one.r_auroc for one in TWELVE.values()]) == pytest.approx(0.652, abs=5e-4)  # the paper's own mean
    assert np.mean([one.recall_at_1 for one in TWELVE.values()]) == pytest.approx(0.654, abs=5e-4)
    assert all(one.least <= one.r_auroc <= one.most for one in TWELVE.values())
    for spec, name in (
        ("cub:/data/birds", "CUB"),
        ("cub/test:/data/birds", "CUB"),
        ("/data/flowers102", "Oxford Flowers"),
        ("folder:cifar10-test/", "CIFAR-10(H)"),
    ):
        found = published_of(spec)
        assert found is not None
        assert found.name == name
    for spec in ("cub/val:/data/birds", "/data/grocery", "resisc45:/data/caltech101"):
        assert published_of(spec) is None


def test_sets_of_the_paper_stand_next_to_its_figures() -> None:
    case = small_case(0)
    figures = measure_set(case, {"uncertainty": np.arange(72.0)})
    sets = (replace(figures, data="folder:photos/caltech101"), figures)
    found = table(Benchmark("m", None, "fast", None, 0, sets, ())).splitlines()
    assert len(found) == 3
    assert "| Caltech101 | .758 [.752, .763]" in found[2]
    assert "| .837" in found[2]
