"""The figures of an evaluation show its numbers, and are pages that need nobody else."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.evaluate import order_of
from training.evaluation_records import Crop, Evaluation, OrderResult
from training.figures import crop_figure, risk_coverage_figure, tenths_figure, write_figures
from url_viz.wording import decimal


@pytest.fixture
def evaluation() -> Evaluation:
    """40 pictures, the 10 most uncertain of which are wrong, under a perfect order and its reverse."""
    is_correct = np.arange(40) < 30
    values = {"head": np.arange(40.0), "entropy": -np.arange(40.0)}
    orders = [order_of(name, values[name], is_correct, np.arange(40) % 4) for name in values]
    crops = tuple(Crop(0.1 + i / 100, i % 4 != 0) for i in range(40))
    return Evaluation("m", "folder:x", "exact", 40, 4, 0, 0.75, 0.75, tuple(orders), crops)


def test_recall_by_tenth_by_hand() -> None:
    perfect: OrderResult = order_of("head", np.arange(40.0), np.arange(40) < 30, np.arange(40) % 4)
    assert perfect.recall_by_tenth == (1, 1, 1, 1, 1, 1, 1, 0.5, 0, 0)
    few = order_of("head", np.arange(3.0), np.array([True, True, False]), np.arange(3))
    assert few.recall_by_tenth == (1, 1, 0)


def test_lines_are_the_evaluations(evaluation: Evaluation) -> None:
    lines = {trace.name: trace for trace in risk_coverage_figure(evaluation).data}
    assert np.array_equal(
        lines[f"head, AURC {decimal(evaluation.order('head').aurc, digits=3)}"].y, evaluation.order("head").risk
    )
    tenths = tenths_figure(evaluation).data[0]
    assert np.array_equal(tenths.y, evaluation.orders[0].recall_by_tenth)
    crops = crop_figure(evaluation).data[0]
    assert len(crops.x) == 8
    assert np.all(np.diff(crops.x) > 0)
    assert np.mean(crops.y) == pytest.approx(0.75, abs=0.06)


def test_pages_need_no_network(evaluation: Evaluation, tmp_path: Path) -> None:
    paths = write_figures(evaluation, tmp_path / "figures")
    assert [path.name for path in paths] == ["risk-coverage.html", "recall-by-tenth.html", "crop-curve.html"]
    for path in paths:
        text = path.read_text("utf-8")
        assert re.search(r'<(?:script|link|img)\b[^>]*(?:src|href)="http', text) is None
        assert json.dumps(evaluation.data)[1:-1] in text
    assert len(write_figures(replace(evaluation, crops=()), tmp_path)) == 2, "without crops no curve of them"
