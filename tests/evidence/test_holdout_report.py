"""What is told of a new head: figures by hand, and verdicts only where an interval leaves zero out."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from url_viz.evidence.holdout_report import (
    HoldoutFigure,
    advice,
    as_text,
    details,
    figures_from,
    headline,
    holdout_figure,
    is_to_be_used,
)
from url_viz.evidence.order_metrics import Figure, Interval, auroc, auroc_influence, jackknife


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
    # the same order in other units: no difference whichever class is left out
    assert found.gains["confusability"] == figure(0.0, 0.0, 0.0)
    assert found.is_of_use
    assert "the new one is better" in details(found)[0]
    assert "too close to call" in details(found)[1]
    assert "Confusability, without training:" in as_text([found])


def test_intervals_are_from_the_figures_without_each_class() -> None:
    is_wrong, good, block = outcomes()
    noise = np.random.default_rng(1).normal(size=400)
    found = holdout_figure("r_auroc", {"after": (good, is_wrong), "before": (noise, is_wrong)}, auroc, block, count=400)
    without = [[auroc(one[block != k], is_wrong[block != k]) for k in range(20)] for one in (good, noise)]
    assert found.after == jackknife(auroc(good, is_wrong), without[0])
    assert found.before == jackknife(auroc(noise, is_wrong), without[1])
    gain = auroc(good, is_wrong) - auroc(noise, is_wrong)
    assert found.gains["before"] == jackknife(gain, np.subtract(*without))
    by_influence = (auroc_influence(good, is_wrong) - auroc_influence(noise, is_wrong)).by_blocks(block, least=-1)
    width = found.gains["before"].interval.high - found.gains["before"].interval.low
    assert width == pytest.approx(by_influence.interval.high - by_influence.interval.low, rel=0.1)


def test_of_very_many_blocks_several_are_left_out_at_once() -> None:
    values, calls = np.random.default_rng(0).normal(size=4000), []

    def mean(x: np.ndarray) -> float:
        calls.append(len(x))
        return float(x.mean())

    found = holdout_figure("mean", {"after": (values,)}, mean, np.arange(4000), count=4000, most_left_out=100)
    assert calls == [4000, *[3960] * 100]
    assert found.after is not None
    assert found.after.interval.high - found.after.value == pytest.approx(1.984 * values.std() / 4000**0.5, rel=0.15)


def test_one_block_or_one_outcome_has_no_interval() -> None:
    is_wrong, good, block = outcomes()
    found = holdout_figure("r_auroc", {"after": (good, is_wrong)}, auroc, np.zeros(400, int), count=400)
    assert found.after is not None
    assert np.isnan(found.after.interval.low)
    assert not found.is_of_use
    one_wrong = np.where(block == 0, is_wrong, False)
    alone = holdout_figure("r_auroc", {"after": (good, one_wrong)}, auroc, block, count=400)
    assert alone.after is not None
    assert np.isnan(alone.after.interval.low), "without the class that is wrong there is no figure"
    never = holdout_figure("r_auroc", {"after": (good, np.zeros(400, bool))}, auroc, block, count=400)
    assert never.after is None
    assert advice([never]).startswith("too few pictures")


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        (figure(0.1, 0.02, 0.2), "adapted (R-AUROC"),
        (figure(0.1, -0.02, 0.2), "adapted, but not clearly better"),
        (figure(-0.1, -0.2, -0.02), "worse than the previous head"),
        (None, "adapted (R-AUROC"),
    ],
)
def test_advice_says_no_more_than_the_interval(gain: Figure | None, words: str) -> None:
    good, weak = [told(figure(0.7, 0.6, 0.8), gain)], [told(figure(0.7, 0.45, 0.8), gain)]
    assert advice(good).startswith(words)
    assert is_to_be_used(good) == (not words.startswith("worse")), "the button follows the advice"
    assert advice(weak).startswith("of little use")
    assert not is_to_be_used(weak)
    assert "−.10 [−.20, −.02]" in advice([told(figure(0.7, 0.6, 0.8), figure(-0.1, -0.2, -0.02))])


def test_advice_names_the_orders_that_are_surely_better_without_a_job() -> None:
    behind, alike = figure(-0.1, -0.2, -0.02), figure(-0.1, -0.2, 0.02)
    others = {"confusability": figure(0.8, 0.7, 0.9), "ambiguity": figure(0.8, 0.7, 0.9)}
    one = HoldoutFigure(
        "r_auroc", 130, figure(0.7, 0.6, 0.8), None, others, {"confusability": behind, "ambiguity": alike}
    )
    assert advice([one]).endswith("For the pictures of this set, confusability is a better order, without training.")
    assert "better order" not in advice([told(figure(0.7, 0.6, 0.8))])


def test_a_report_is_read_as_it_was_written() -> None:
    is_wrong, good, block = outcomes()
    found = holdout_figure("r_auroc", {"after": (good, is_wrong), "before": (-good, is_wrong)}, auroc, block, count=400)
    assert figures_from(json.loads(json.dumps({"told": [asdict(found)]}))) == (found,)


def test_a_difference_that_is_shown_to_touch_zero_is_no_verdict() -> None:
    def said(high: float) -> str:
        gains = {"confusability": Figure(-0.18, Interval(-0.36, high))}
        others = {"confusability": Figure(0.8, Interval(0.7, 0.9))}
        return " ".join(details(HoldoutFigure("r_auroc", 65, others["confusability"], None, others, gains)))

    assert "too close to call" in said(-0.0004)
    assert "the new one is worse" in said(-0.02)
