"""Ambiguity is the definition's, for whole and partial labels, and for pictures that are put beside a set."""

from dataclasses import astuple

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from tests.labels.test_votes import refitted
from tests.pipeline.whitened_examples import classes, graph_of, with_burst
from url_viz.labels import ambiguity
from url_viz.labels import votes as left_out
from url_viz.labels.ambiguity import (
    TEMPERATURE_SPREAD,
    USUAL_TEMPERATURE,
    Classified,
    classify,
    classify_new,
    labelled_means,
)
from url_viz.labels.calibration import Calibration
from url_viz.labels.votes import fit_ridge
from url_viz.pipeline.nearest import Nearest
from url_viz.pipeline.twins import twin_groups
from url_viz.store.tables.tables import Graph


def softmax(values: NDArray[np.float64]) -> NDArray[np.float64]:
    power = np.exp(values - values.max(axis=1, keepdims=True))
    return power / power.sum(axis=1, keepdims=True)


def naive_votes(graph: Graph, label: NDArray[np.int32], count: int) -> NDArray[np.float64]:
    share = np.zeros((len(graph), count))
    for i in range(len(graph)):
        near = [(p, s) for p, s in zip(graph.position[i], graph.similarity[i], strict=True) if p >= 0 and label[p] >= 0]
        for p, s in near[:20]:
            share[i, label[p]] += np.exp((float(s) - float(near[0][1])) / 0.1)
    return share / share.sum(axis=1, keepdims=True)


def naive_fit(
    whitened: NDArray[np.floating], label: NDArray[np.int32], group: NDArray[np.integer], count: int
) -> NDArray[np.float64]:
    values, has = refitted(whitened, label, group, count), label >= 0

    def loss(log_factor: float) -> float:
        likelihood = softmax(values[has] * np.exp(log_factor))[np.arange(has.sum()), label[has]]
        return -np.log(likelihood).sum() + ((log_factor - np.log(USUAL_TEMPERATURE)) / TEMPERATURE_SPREAD) ** 2 / 2

    return softmax(values * np.exp(minimize_scalar(loss, bounds=(-3, 6), method="bounded").x))


def without_prior(share: NDArray[np.float64], prior: NDArray[np.float64], power: float) -> NDArray[np.float64]:
    weighed = share / prior**power
    return weighed / weighed.sum(axis=1, keepdims=True)


def naive_shares(
    votes: NDArray[np.float64], fit: NDArray[np.float64], prior: NDArray[np.float64], by: Calibration
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Shares (N, C) of what pictures show, of labels that say nothing of them, and of labels."""
    mean = (without_prior(votes, prior, 0.5) + without_prior(fit, prior, 0.5)) / 2
    power = mean**by.sharpness
    likeness = power / power.sum(axis=1, keepdims=True)
    first = likeness.max(axis=1, keepdims=True)
    others = np.where(likeness == first, 0, prior)
    hidden = np.where(likeness == first, first, (1 - first) * others / others.sum(axis=1, keepdims=True))
    likeness = (1 - by.hidden) * likeness + by.hidden * hidden
    rest = np.where(mean == mean.max(axis=1, keepdims=True), 0, np.maximum(mean, 1e-6))
    unseen = by.by_chance * prior + by.look_alike * rest / rest.sum(axis=1, keepdims=True)
    return likeness, unseen, (1 - by.by_chance - by.look_alike) * likeness + unseen


def is_close(found: Classified, votes: NDArray[np.float64], fit: NDArray[np.float64], label: NDArray[np.int32]) -> None:
    each, calibration = np.arange(len(label)), found.model.calibration
    prior = np.bincount(label[label >= 0]) / (label >= 0).sum()
    assert calibration.prior == pytest.approx(prior)
    likeness, unseen, share = naive_shares(votes, fit, prior, calibration)
    two = np.sort(share, axis=1)[:, ::-1][:, :2]
    assert found.shares.first_share == pytest.approx(two[:, 0], abs=4e-4)
    assert found.shares.second_share == pytest.approx(two[:, 1], abs=4e-4)
    assert share[each, found.shares.first_class] == pytest.approx(two[:, 0], abs=4e-4)
    assert share[each, found.shares.second_class] == pytest.approx(two[:, 1], abs=4e-4)
    assert found.shares.ambiguity == pytest.approx(1 - two[:, 0] + two[:, 1], abs=8e-4)
    evidence, has = found.evidence, label >= 0
    own = likeness[each, label]
    assert evidence.own_share[has] == pytest.approx(own[has], abs=4e-4)
    wrong = (1 - own) * unseen[each, label] / share[each, label]
    assert evidence.label_wrong[has] == pytest.approx(wrong[has], abs=2e-3)
    value = np.log(without_prior(fit, prior, 1)) + 2.5 * without_prior(votes, prior, 1)
    doubt = 1 - softmax(value)[each, label] ** 0.1
    assert evidence.doubt[has] == pytest.approx(doubt[has], abs=1e-4)
    value[each[has], label[has]] = -np.inf
    assert value[each, evidence.other_class][has] == pytest.approx(value.max(axis=1)[has], abs=1e-2)
    assert evidence.other_share[has] == pytest.approx(likeness[each, evidence.other_class][has], abs=4e-4)


@pytest.mark.parametrize(("share", "cells"), [(1, 400), (0.4, 1 << 21)])
def test_is_the_definition(share: float, cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(left_out, "CELLS", cells)
    embeddings, label = classes(200, of=5, spread=1.2)
    embeddings[190:] = embeddings[:10]  # copies
    label[190:] = label[:10]
    label[np.random.default_rng(0).random(200) > share] = -1
    graph, whitened = graph_of(embeddings)
    group = twin_groups(graph.twins)
    assert len(np.unique(group)) == 190
    found = classify(graph.position, graph.similarity, whitened, label, group)
    assert found is not None
    votes, fit = naive_votes(graph, label, 5), naive_fit(whitened, label, group, 5)
    is_close(found, votes, fit, label)
    for nothing in (found.evidence.doubt, found.evidence.own_share, found.evidence.label_wrong):
        assert np.isnan(nothing[label < 0]).all()
    assert (found.evidence.other_class[label < 0] == -1).all()


def test_six_points_by_hand() -> None:
    """Two classes on a line of one axis: the two in the middle are each nearest to the other class."""
    whitened = np.array([[-1.0], [-0.9], [-0.1], [0.1], [0.9], [1.0]])
    label = np.array([0, 0, 0, 1, 1, 1], np.int32)
    position = np.array([[1], [0], [3], [2], [5], [4]])
    similarity = np.full((6, 1), 0.5)
    found = classify(position, similarity, whitened, label, np.arange(6))
    assert found is not None
    # Votes: the only neighbour's class. Of the ridge, w = 2 / (3 + 3.64) along the axis and ½ · 6 / 9 of each class.
    assert found.model.weights == pytest.approx(np.array([[-2 / 6.64, 2 / 6.64], [3 / 9, 3 / 9]]), abs=1e-6)
    assert (found.evidence.own_share > 0.5).tolist() == [True, True, False, False, True, True]
    assert found.shares.first_class.tolist() == [0, 0, 1, 0, 1, 1]
    assert found.shares.ambiguity[2] == pytest.approx(found.shares.ambiguity[3])
    assert found.shares.ambiguity[2] > found.shares.ambiguity[1] > found.shares.ambiguity[0]
    assert found.evidence.doubt.argsort()[-2:].tolist() in ([2, 3], [3, 2])


def test_the_evidence_is_on_labels_as_given_and_the_witnesses_are_as_corrected() -> None:
    """One wrong label was corrected: what speaks against it as it was given stays, and the corrected one votes."""
    embeddings, label = classes(120, of=3, spread=0.4)
    graph, whitened = graph_of(embeddings)
    given = label.copy()
    given[7], given[3] = (label[7] + 1) % 3, -1
    found, before = (
        classify(graph.position, graph.similarity, whitened, now, np.arange(120), given=given)
        for now in (label, np.where(given < 0, label, given).astype(np.int32))
    )
    assert found is not None
    assert before is not None
    assert found.evidence.label_wrong[7] > 0.5
    assert found.evidence.doubt[7] == pytest.approx(before.evidence.doubt[7], abs=0.05)
    assert np.isfinite(found.evidence.doubt[3]), "one that had none is judged as it is now"
    assert (found.shares.first_class[graph.position[7, :3]] == label[7]).all()
    assert found.model.calibration.prior == pytest.approx(np.bincount(label) / 120)


def test_classes_of_two_are_left_out() -> None:
    embeddings, label = classes(60, of=3)
    label[:20] = np.append(np.zeros(2), np.full(18, 5))  # class 0 keeps two pictures
    graph, whitened = graph_of(embeddings)
    group = np.arange(60)
    found = classify(graph.position, graph.similarity, whitened, label, group)
    unlabelled = classify(graph.position, graph.similarity, whitened, np.where(label == 0, -1, label), group)
    assert found is not None
    assert unlabelled is not None
    assert found.model.classes.tolist() == [1, 2, 5]
    for one, other in zip(
        astuple(found.shares) + astuple(found.evidence),
        astuple(unlabelled.shares) + astuple(unlabelled.evidence),
        strict=True,
    ):
        assert np.array_equal(one, other, equal_nan=True)
    assert np.isnan(found.evidence.doubt[:2]).all()


@pytest.mark.parametrize("label", [[-1] * 9, [0] * 9, [0] * 7 + [1] * 2, [-1] * 5 + [3] * 4])
def test_it_takes_two_classes_of_three(label: list[int]) -> None:
    graph, whitened = graph_of(classes(9)[0])
    assert classify(graph.position, graph.similarity, whitened, np.array(label), np.arange(9)) is None


@pytest.mark.slow
def test_a_burst_does_not_vouch_for_its_own_label() -> None:
    """Frames under a wrong label, more than a list holds: each is told by the others of the set, not by its twins."""
    embeddings = with_burst(160, 66)
    _, label = classes(160)
    label = np.append(label, np.full(65, 5)).astype(np.int32)
    label[0] = 5
    graph, whitened = graph_of(embeddings, which=np.where(np.arange(225) < 160, np.arange(225), 0))
    found = classify(graph.position, graph.similarity, whitened, label, twin_groups(graph.twins))
    assert found is not None
    assert (found.shares.first_class[160:] == 0).all()
    assert found.evidence.doubt[160:].min() > np.quantile(found.evidence.doubt[1:160], 0.9)


@pytest.mark.slow
def test_all_pictures_are_twins() -> None:
    """Nobody is left to say anything: all classes alike, but for what is thought of wrong labels."""
    embeddings = with_burst(1, 40)
    graph, whitened = graph_of(embeddings, which=np.zeros(40, np.int64))
    found = classify(graph.position, graph.similarity, whitened, np.arange(40) % 2, twin_groups(graph.twins))
    assert found is not None
    assert found.shares.ambiguity == pytest.approx(1, abs=0.01)


def test_new_pictures_are_told_as_unlabelled_ones_of_the_set_are() -> None:
    embeddings, label = classes(150, of=4, spread=1.2)
    label[::3] = -1
    graph, whitened = graph_of(embeddings)
    found = classify(graph.position, graph.similarity, whitened, label, np.arange(150))
    assert found is not None
    new = classify_new(graph.position[::3], graph.similarity[::3], whitened[::3], found.model)
    assert new.ambiguity == pytest.approx(found.shares.ambiguity[::3], abs=1e-5)
    assert np.array_equal(new.first_class, found.shares.first_class[::3])
    nobody = classify_new(np.full((1, 64), -1), np.full((1, 64), -1.0), whitened[:1], found.model)
    assert np.isfinite(nobody.first_share).all()


def test_the_temperature_of_a_sample_is_near_that_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    embeddings, label = classes(1200, of=4, spread=1.5)
    graph, whitened = graph_of(embeddings)
    every = classify(graph.position, graph.similarity, whitened, label, np.arange(1200))
    monkeypatch.setattr(ambiguity, "SAMPLE_ROWS", 600)
    some = [
        classify(graph.position, graph.similarity, whitened, label, np.arange(1200), seed=seed) for seed in (0, 0, 1)
    ]
    assert every is not None
    first, same, other = (each.model.temperature for each in some if each is not None)
    assert first == same
    assert first != other
    assert first == pytest.approx(every.model.temperature, rel=0.2)


def test_other_models_votes_count_as_much() -> None:
    """By hand: the first model's only neighbour says one class, others' the other; nobody votes for the last."""
    whitened = np.array([[-1.0], [-0.9], [-0.1], [0.1], [0.9], [1.0]])
    label = np.array([0, 0, 0, 1, 1, 1], np.int32)
    first = np.array([[1], [0], [3], [2], [5], [-1]])
    other = np.array([[1], [0], [1], [2], [2], [-1]], np.int32)
    third = np.array([[1], [0], [3], [4], [5], [-1]], np.int32)
    similarity = np.full((6, 1), 0.5, np.float32)
    ridge, lists = (
        fit_ridge(whitened, label, np.arange(6), 2),
        [Nearest(by, similarity) for by in (first, other, third)],
    )
    single, both, all_three = (labelled_means(ridge, lists[:n]).mean[np.arange(6), label] for n in (1, 2, 3))
    assert 2 * (both - single) == pytest.approx([0, 0, 0.5, 0, -0.5, 0]), (
        "of [1, 1, .5, 0, .5, –] and [1, 1, 0, 0, 1, –]"
    )
    assert 2 * (all_three - single) == pytest.approx([0, 0, 1 / 3, 1 / 3, -1 / 3, 0]), (
        "of [1, 1, 1/3, 1/3, 2/3, –] and [1, 1, 0, 0, 1, –]"
    )
    for others, wanted in ((lists[1:2], [0, 0, 0, 0, 1, 1]), (lists[1:], [0, 0, 0, 1, 1, 1])):
        found = classify(first, similarity, whitened, label, np.arange(6), also=others)
        assert found is not None
        new = classify_new(first, similarity, whitened, found.model, also=others)
        assert new.first_class.tolist() == wanted
