"""The benchmark works out its definitions: against naive loops, by hand, and on arrays whose order is known."""

import math
from dataclasses import replace

import numpy as np
import pytest

from tests.training.benchmark.made import (
    bare_orders,
    naive_aurc,
    naive_auroc,
    naive_nearest,
    small_case,
    small_set,
    with_people,
)
from tests.training.evaluate.test_evaluate import first_number_head
from training.benchmark.benchmark_tables import OrderFigures, SetFigures
from training.benchmark.labelled import Outcomes
from training.benchmark.measured import (
    mean_figures,
    measure_order,
    measure_outcome,
    measure_set,
    measure_votes,
    upstream_figures,
)
from training.benchmark.orders import KNOWS, cross_fitted, fit_baselines, make_orders
from url_viz.evidence.order_metrics import auroc, auroc_within_blocks

pytestmark = pytest.mark.slow


def order_named(figures: SetFigures, name: str) -> OrderFigures:
    return next(order for order in figures.orders if order.name == name)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_figures_of_a_set_are_the_definitions(seed: int) -> None:
    case = small_case(seed)
    labelled, label = case.labelled, case.labelled.label
    orders = bare_orders(seed)
    figures = measure_set(case, orders)
    is_wrong = label[naive_nearest(labelled.embedding)] != label
    assert 0.2 < is_wrong.mean() < 0.8
    assert (case.outcomes.is_wrong == is_wrong).all()
    assert len(set(case.space.group.tolist())) == 72
    assert figures.recall_at_1.value == pytest.approx(1 - is_wrong.mean())
    assert (figures.pictures, figures.classes, figures.without_neighbour) == (72, 4, 0)

    cosine = labelled.embedding.astype(float) @ labelled.embedding.astype(float).T
    length = np.linalg.norm(labelled.embedding.astype(float), axis=1)
    cosine /= length * length[:, None]
    np.fill_diagonal(cosine, -2)
    is_paper_wrong = label[cosine.argmax(axis=1)] != label
    assert figures.paper_recall_at_1.value == pytest.approx(1 - is_paper_wrong.mean())

    probe = case.outcomes.is_probe_wrong
    assert probe is not None
    for order in figures.orders:
        for found, wrong in ((order.nearest, is_wrong), (order.probe, probe), (order.paper, is_paper_wrong)):
            assert found is not None
            draws = [draw for draw in np.atleast_2d(orders[order.name]) if not np.isnan(draw).all()]
            assert len(draws) or math.isnan(found.auroc.value)
            if len(draws):
                expected = np.nanmean([naive_auroc(draw, wrong) for draw in draws])
                assert found.auroc.value == pytest.approx(expected), order.name
    energy = order_named(figures, "energy")
    assert energy.nearest.aurc.value == pytest.approx(naive_aurc(orders["energy"], is_wrong))
    assert figures.probe_accuracy == pytest.approx(1 - probe.mean())
    assert order_named(figures, "class_error").nearest.by_class.value == 0.5
    assert order_named(figures, "ambiguity").nearest.auroc.value > order_named(figures, "entropy").nearest.auroc.value
    low, high = vars(figures.recall_at_1.interval).values()
    assert low < figures.recall_at_1.value < high


def test_within_classes_by_hand() -> None:
    # Class 0, values 1, 2, 3 and the last two wrong: both beat the 1, two pairs won of two. Class 1, values 9, 7, 8, 6
    # and 7 alone wrong: it beats the 6, and loses to 9 and 8, one of three. Weighted by pairs 3/5. All in all the wrong
    # 2, 3, 7 beat the right 1, 9, 8, 6 in 1 + 1 + 2 of 12 pairs. Class 2 is never wrong, and has no pair.
    values = np.array([1.0, 2, 3, 9, 7, 8, 6, 5])
    is_wrong = np.array([0, 1, 1, 0, 1, 0, 0, 0], bool)
    label = np.array([0, 0, 0, 1, 1, 1, 1, 2], np.int32)
    assert auroc_within_blocks(values, is_wrong, label).value == pytest.approx(3 / 5)
    assert auroc_within_blocks(values[:7], is_wrong[:7], label[:7]).value == pytest.approx(3 / 5)
    assert math.isnan(auroc_within_blocks(values, np.ones(8, bool), label).value)

    found = measure_outcome(values[None, :7], is_wrong[:7], label[:7])
    assert found.auroc.value == pytest.approx(4 / 12)
    assert found.by_class.value == pytest.approx(3 / 5)
    # Ranks within: 1/6, 3/6, 5/6 and 7/8, 3/8, 5/8, 1/8. Wrong 3/6, 5/6, 3/8 against right 1/6, 7/8, 5/8, 1/8: 2, 3, 2.
    assert found.within.value == pytest.approx(7 / 12)


def test_one_class_with_both_outcomes_says_nothing_of_how_classes_differ() -> None:
    values, label = np.arange(8.0), np.repeat([0, 1], 4)
    only_one = auroc_within_blocks(values, np.array([1, 0, 1, 0, 0, 0, 0, 0], bool), label)
    assert only_one.value == pytest.approx(1 / 4)
    assert math.isnan(only_one.interval.low)
    assert math.isfinite(auroc_within_blocks(values, np.array([1, 0, 1, 0, 0, 1, 0, 0], bool), label).interval.low)


def test_pictures_without_a_nearest_are_not_counted() -> None:
    """A burst alone has no neighbour that is no twin."""
    values, wrong = np.array([0.2, np.nan, 0.7, 0.5]), np.array([False, True, True, False])
    outcomes = Outcomes(np.array([True, False, True, True]), wrong, wrong, ~wrong)
    found = measure_order("confusability", values, np.array([0, 0, 1, 1], np.int32), outcomes, None)
    assert found.nearest.auroc.value == 1
    assert found.probe is not None
    assert found.probe.auroc.value == 1
    assert found.paper.auroc.value == 0
    assert found.knows == "set"
    known = measure_order("entropy", np.nan_to_num(values, nan=9), np.array([0, 0, 1, 1]), outcomes, None)
    assert known.nearest.auroc.value == 1


def test_draws_are_measured_each_on_its_own_pictures() -> None:
    # The first draw has 0.9, wrong, above 0.1 and 0.2: 1. The second has 0.3, wrong, between 0.2 and 0.8: 1/2.
    draws = np.array([[0.9, 0.1, np.nan, 0.2], [np.nan, 0.2, 0.3, 0.8], [np.nan] * 4])
    found = measure_outcome(draws, np.array([True, False, True, False]), np.array([0, 0, 1, 1], np.int32))
    assert found.auroc.value == pytest.approx(0.75)


def test_agreement_with_people_by_hand() -> None:
    # Entropies 0 to 9 and one without votes. The most ambiguous tenth is the 9; its value beats 7 of the nine others.
    # All but the first are ambiguous, and above it.
    entropy = np.append(np.arange(10.0), np.nan)
    values = np.array([[0, 1, 2, 3, 4, 5, 6, 9, 8, 7, 100.0]])
    found = measure_votes(values, entropy, np.arange(11, dtype=np.int32) % 2)
    assert found.tenth.value == pytest.approx(7 / 9)
    assert found.disagreed.value == 1
    assert found.spearman == pytest.approx(1 - 6 * (4 + 4) / (10 * 99))
    agreed = measure_votes(values, np.zeros(11), np.zeros(11, np.int32))
    assert math.isnan(agreed.tenth.value)


def test_orders_are_those_of_known_knowledge() -> None:
    case, others = small_case(0), [small_case(1), small_case(2)]
    assert not {"uncertainty", "tempered_entropy", "stack", "rank_stack"} & set(bare_orders(0))
    choice = fit_baselines(others)
    case = with_people(case, np.zeros(72), authors_uncertainty=np.arange(72.0))
    full = make_orders(case, first_number_head(12), choice, seed=0)
    assert list(full) == [name for name in KNOWS if name != "authors_class_entropy"]
    assert all(values.shape == (72,) for values in full.values())
    assert (full["uncertainty"] == first_number_head(12)(case.labelled.embedding)).all()


def test_ceilings_are_never_asked_of_what_they_were_taught() -> None:
    """Labels by dice: a regression that had seen its own pictures would tell their errors."""
    case = small_case(0, pictures=240)
    lucky = replace(case.outcomes, is_wrong=np.random.default_rng(0).random(240) < 0.5)
    by_picture = cross_fitted(replace(case, outcomes=lucky), case.space.group, seed=0)
    assert auroc(by_picture, lucky.is_wrong) == pytest.approx(0.5, abs=0.1)
    # Errors that a direction of the space tells are found, and within every fold of classes too.
    rows = case.space.whitened.rows[:, 0].astype(float)
    told = replace(case.outcomes, is_wrong=rows > np.median(rows))
    for group in (case.space.group, case.labelled.label):
        assert auroc(cross_fitted(replace(case, outcomes=told), group, seed=0), told.is_wrong) > 0.95
    uncounted = replace(told, is_counted=np.arange(240) > 0)
    found = cross_fitted(replace(case, outcomes=uncounted), case.space.group, seed=0)
    assert np.isnan(found).tolist() == [True] + [False] * 239


def test_beside_an_upstream_set_are_the_orders_of_single_pictures() -> None:
    case, upstream = small_case(0), small_set(3)
    head = first_number_head(12)
    orders = {"uncertainty": head(case.labelled.embedding), **bare_orders(0)}
    found = upstream_figures(case, upstream, orders, head, None)
    assert set(found) == {name for name in orders if KNOWS[name] == "picture"}
    theirs, ours = head(upstream.embedding), orders["uncertainty"]
    both = np.concatenate([theirs, ours])
    assert found["uncertainty"].value == pytest.approx(naive_auroc(both, np.arange(144) >= 72))
    assert upstream_figures(case, case.labelled, orders, head, None)["entropy"].value == 0.5
    figures = measure_set(case, orders, unfamiliar=found)
    assert order_named(figures, "entropy").unfamiliar == found["entropy"]
    assert math.isnan(order_named(figures, "ambiguity").unfamiliar.value)


def test_means_leave_out_sets_without_the_figure() -> None:
    one, two = (measure_set(small_case(seed), bare_orders(seed)) for seed in (0, 1))
    no_probe = replace(order_named(one, "entropy"), probe=None)
    found = mean_figures([replace(one, orders=(no_probe,)), two])
    entropy = next(mean for mean in found if mean.name == "entropy")
    expected = order_named(one, "entropy"), order_named(two, "entropy")
    assert entropy.sets == 2
    assert entropy.nearest.auroc.value == pytest.approx(np.mean([order.nearest.auroc.value for order in expected]))
    assert entropy.paper.aurc == pytest.approx(np.mean([order.paper.aurc.value for order in expected]))
    assert expected[1].probe is not None
    assert entropy.probe.auroc.value == expected[1].probe.auroc.value
    assert next(mean for mean in found if mean.name == "ambiguity").sets == 1
