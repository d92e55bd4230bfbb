"""The study of adapting: means by hand, its figures as kept, and the table in the docs as printed from them."""

import json
from dataclasses import asdict

import pandas as pd
import pytest

from experiments.adapting import BEFORE, DEFAULT, FIGURES, AdaptingRun, means_of, table
from tests.documented import DOCS, between_marks
from url_viz.evidence.order_metrics import Interval


def test_means_are_over_sets_and_what_is_ahead_is_of_the_same_splits() -> None:
    runs = [AdaptingRun(BEFORE, "a", 0, 0.5, 0.6), AdaptingRun(DEFAULT, "a", 0, 0.7, 0.8)]
    runs += [AdaptingRun(BEFORE, "b", 0, 0.6, 0.6), AdaptingRun(DEFAULT, "b", 0, 0.5, 0.6)]
    before, default = means_of(runs)
    assert (before.told, before.told_ahead.value) == (pytest.approx(0.55), 0)
    assert (default.told, default.all) == (pytest.approx(0.6), pytest.approx(0.7))
    assert default.told_ahead.value == pytest.approx(0.05)
    assert default.all_ahead.value == pytest.approx(0.1)
    # Over two sets, .2 and −.1: 12.7 · .15 each way, and no difference is beyond −1 or 1.
    assert default.told_ahead.interval == Interval(-1, 1)


def test_seeds_of_a_set_are_no_sets_of_their_own() -> None:
    ahead = {"a": (0.1, 0.3), "b": (0.2, 0.0), "c": (0.4, 0.2)}  # means .2, .1 and .3
    runs = [AdaptingRun(BEFORE, name, seed, 0.5, 0.5) for name in ahead for seed in (0, 1)]
    runs += [AdaptingRun(DEFAULT, name, seed, 0.5 + ahead[name][seed], 0.5) for name in ahead for seed in (0, 1)]
    _, default = means_of(runs)
    half = 4.302653 * 0.1 / 3**0.5  # Student's t of two degrees of freedom
    assert default.told_ahead.value == pytest.approx(0.2)
    assert default.told_ahead.interval.low == pytest.approx(0.2 - half)
    assert default.told_ahead.interval.high == pytest.approx(0.2 + half)


def test_the_kept_means_are_those_of_the_kept_runs() -> None:
    kept = json.loads(FIGURES.read_text())
    for runs, means in (("runs", "means"), ("report_runs", "report_means")):
        found = means_of([AdaptingRun(**run) for run in kept[runs]])
        assert [mean["order"] for mean in kept[means]] == [mean.order for mean in found]
        again = pd.json_normalize([asdict(mean) for mean in found])
        pd.testing.assert_frame_equal(pd.json_normalize(kept[means]), again)  # but for what processors round otherwise


def test_the_docs_have_the_figures_of_the_report_sets_and_the_lead_on_the_others() -> None:
    study = json.loads(FIGURES.read_text())
    report = table({**study, "means": []})
    assert between_marks("training.md", "experiments.adapting --table, report sets") == report.rstrip()
    rows = [row for row in table(study).splitlines() if "(default)" in row]
    page = " ".join((DOCS / "training.md").read_text("utf-8").split())
    assert len(rows) == 2
    assert all(row.rsplit("|", 2)[1].strip() in page for row in rows)
