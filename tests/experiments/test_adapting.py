"""The study of adapting: means by hand, its figures as kept, and the table in the docs as printed from them."""

import json

import pytest

from experiments.adapting import BEFORE, DEFAULT, FIGURES, AdaptingRun, means_of, table
from tests.documented import between_marks


def test_means_are_over_sets_and_what_is_ahead_is_of_the_same_splits() -> None:
    runs = [AdaptingRun(BEFORE, "a", 0, 0.5, 0.6), AdaptingRun(DEFAULT, "a", 0, 0.7, 0.8)]
    runs += [AdaptingRun(BEFORE, "b", 0, 0.6, 0.6), AdaptingRun(DEFAULT, "b", 0, 0.5, 0.6)]
    before, default = means_of(runs)
    assert (before.told, before.told_ahead.value) == (pytest.approx(0.55), 0)
    assert (default.told, default.all) == (pytest.approx(0.6), pytest.approx(0.7))
    assert default.told_ahead.value == pytest.approx(0.05)
    assert default.all_ahead.value == pytest.approx(0.1)
    # Two sets are drawn anew: both a (+.2), both b (−.1), or one of each.
    interval = default.told_ahead.interval
    assert (interval.low, interval.high) == (pytest.approx(-0.1), pytest.approx(0.2))


@pytest.mark.slow
def test_the_kept_means_are_those_of_the_kept_runs() -> None:
    kept = json.loads(FIGURES.read_text())
    for runs, means in (("runs", "means"), ("report_runs", "report_means")):
        found = means_of([AdaptingRun(**run) for run in kept[runs]])
        assert [mean["order"] for mean in kept[means]] == [mean.order for mean in found]
        assert [mean["told"] for mean in kept[means]] == pytest.approx([mean.told for mean in found])


def test_the_docs_have_the_table_of_the_kept_figures() -> None:
    assert (
        between_marks("training.md", "experiments.adapting --table") == table(json.loads(FIGURES.read_text())).rstrip()
    )
