"""What is told of a new head: figures by hand, verdicts only where an interval leaves zero out, and older reports."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from url_viz.analysis.holdout_report import (
    HoldoutFigure,
    advice,
    as_text,
    details,
    figures_from,
    headline,
    holdout_figure,
)
from url_viz.analysis.order_metrics import Figure, Interval, auroc, bootstrap_interval


def figure(value: float, low: float, high: float) -> Figure:
    return Figure(value, Interval(low, high))


def told(after: Figure | None, gain: Figure | None = None) -> HoldoutFigure:
    before = None if gain is None else figure(0.6, 0.5, 0.7)
    return HoldoutFigure("r_auroc", 130, after, before, {}, {} if gain is None else {"before": gain})


def outcomes(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    is_wrong = generator.random(400) < 0.3
    return is_wrong, is_wrong + generator.normal(0, 0.5, 400), np.arange(400) % 20


def test_the_headline_has_figure_interval_and_number() -> None:
    assert headline(told(figure(0.714, 0.64, 0.77))) == "R-AUROC .71 [.64, .77], 130 pictures"
    assert headline(HoldoutFigure("accuracy", 1, figure(1.0, 1.0, 1.0))) == "Accuracy 1.00 [1.00, 1.00], 1 picture"
    assert headline(told(None)) == "R-AUROC none, 130 pictures"


def test_figures_and_gains_are_of_the_same_pictures() -> None:
    is_wrong, good, block = outcomes()
    noise = np.random.default_rng(1).normal(size=400)
    orders = {"after": (good, is_wrong), "before": (noise, is_wrong), "confusability": (good * 3, is_wrong)}
    found = holdout_figure("r_auroc", orders, auroc, block, count=400)
    assert found.after is not None
    assert found.before is not None
    assert found.after.value == pytest.approx(auroc(good, is_wrong))
    assert found.gains["before"].value == pytest.approx(found.after.value - found.before.value)
    assert found.gains["before"].interval.low > 0
    # the same order in other units: no difference in any resample
    assert found.gains["confusability"] == figure(0.0, 0.0, 0.0)
    assert found.is_of_use
    assert "the new one is better" in details(found)[0]
    assert "do not tell which is better" in details(found)[1]
    assert "Confusability, without any job:" in as_text([found])


@pytest.mark.slow
def test_each_interval_is_that_of_its_order_drawn_alone() -> None:
    """All orders share what is drawn: one by one, with the same seed, they give the same to the last bit."""
    is_wrong, good, block = outcomes()
    noise = np.random.default_rng(1).normal(size=400)
    orders = {"after": (good, is_wrong), "before": (noise, is_wrong), "confusability": (good + noise, is_wrong)}
    found = holdout_figure("r_auroc", orders, auroc, block, count=400)

    def ahead(a: np.ndarray, b: np.ndarray, wrong: np.ndarray) -> float:
        return auroc(a, wrong) - auroc(b, wrong)

    for name, one in (
        ("after", found.after),
        ("before", found.before),
        ("confusability", found.others["confusability"]),
    ):
        assert one is not None
        assert one.interval == bootstrap_interval(auroc, *orders[name], block=block)
        if name != "after":
            gain = bootstrap_interval(ahead, good, orders[name][0], is_wrong, block=block)
            assert found.gains[name].interval == gain


def test_whole_blocks_are_drawn() -> None:
    # Twenty blocks of equal pictures: by pictures the mean of 400 looks four times as sure as by blocks.
    values = np.repeat(np.random.default_rng(0).normal(size=20), 20)
    block = np.repeat(np.arange(20), 20)

    def mean(x: np.ndarray) -> float:
        return float(x.mean())

    narrow = bootstrap_interval(mean, values)
    wide = bootstrap_interval(mean, values, block=block)
    assert (wide.high - wide.low) / (narrow.high - narrow.low) == pytest.approx(np.sqrt(20), rel=0.15)
    alone = bootstrap_interval(mean, values, block=np.arange(400))
    assert alone.high - alone.low == pytest.approx(narrow.high - narrow.low, rel=0.15)


def test_one_block_or_one_outcome_has_no_interval() -> None:
    is_wrong, good, block = outcomes()
    found = holdout_figure("r_auroc", {"after": (good, is_wrong)}, auroc, np.zeros(400, int), count=400)
    assert found.after is not None
    assert np.isnan(found.after.interval.low)
    assert not found.is_of_use
    never = holdout_figure("r_auroc", {"after": (good, np.zeros(400, bool))}, auroc, block, count=400)
    assert never.after is None
    assert advice([never]).startswith("too few pictures")


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        (figure(0.1, 0.02, 0.2), "adapted (R-AUROC"),
        (figure(0.1, -0.02, 0.2), "adapted, but not surely better"),
        (figure(-0.1, -0.2, -0.02), "worse than the head before"),
        (None, "adapted (R-AUROC"),
    ],
)
def test_advice_says_no_more_than_the_interval(gain: Figure | None, words: str) -> None:
    assert advice([told(figure(0.7, 0.6, 0.8), gain)]).startswith(words)
    assert advice([told(figure(0.7, 0.45, 0.8), gain)]).startswith("of little use")
    assert "−.10 [−.20, −.02]" in advice([told(figure(0.7, 0.6, 0.8), figure(-0.1, -0.2, -0.02))])


def test_advice_names_the_orders_that_are_surely_better_without_a_job() -> None:
    behind, alike = figure(-0.1, -0.2, -0.02), figure(-0.1, -0.2, 0.02)
    others = {"confusability": figure(0.8, 0.7, 0.9), "ambiguity": figure(0.8, 0.7, 0.9)}
    one = HoldoutFigure(
        "r_auroc", 130, figure(0.7, 0.6, 0.8), None, others, {"confusability": behind, "ambiguity": alike}
    )
    assert advice([one]).endswith("For the pictures of this set confusability is a better order, without any job.")
    assert "better order" not in advice([told(figure(0.7, 0.6, 0.8))])


def test_a_report_is_read_as_it_was_written() -> None:
    is_wrong, good, block = outcomes()
    found = holdout_figure("r_auroc", {"after": (good, is_wrong), "before": (-good, is_wrong)}, auroc, block, count=400)
    assert figures_from(json.loads(json.dumps({"told": [asdict(found)]}))) == (found,)


def test_an_older_report_still_opens() -> None:
    report = {"held_out": 30, "before": {"r_auroc": 0.532, "agreement": None}, "after": {"r_auroc": 0.864}}
    (found,) = figures_from(report)
    assert headline(found) == "R-AUROC .86, 30 pictures"
    assert details(found)[0] == "Before: .53."
    assert "older version" in details(found)[1]
    assert figures_from({"after": {"accuracy": 0.5, "r_auroc": None}, "before": None})[0].title == "Accuracy"
    assert figures_from({}) == ()
