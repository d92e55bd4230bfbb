"""Joint training: the head's loss reaches the backbone only where it may, and the loss is what the paper writes."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from training.config import Joint, Recipe
from training.full.joint import (
    JointBatch,
    JointModel,
    batches_per_epoch,
    compute_scores,
    freeze_first,
    freeze_norms,
    head_loss,
    joint_loss,
    joint_model,
    linear_probe,
    rate_fraction,
    set_classifier,
    shuffled_batches,
    train_jointly,
)
from url_viz.models.backbone import Backbone, create_network

pytestmark = pytest.mark.slow

SMALL = Recipe(width=16, layer_norm=False, pairing="adjacent")
SIZE = 32


def made(*, stop_gradient: bool, recipe: Recipe = SMALL) -> JointModel:
    torch.manual_seed(0)
    network = create_network("test_resnet", num_classes=7)
    return joint_model(Backbone(network), 3, recipe=recipe, stop_gradient=stop_gradient, seed=0)


def batch_of(count: int = 8, seed: int = 0) -> JointBatch:
    """Pictures of three classes, each with its own colour under noise."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 3
    pixels = 0.5 * torch.randn(count, 3, SIZE, SIZE, generator=generator)
    pixels += 2 * F.one_hot(labels, 3)[:, :, None, None]
    return JointBatch(pixels, labels)


@pytest.mark.parametrize("loss", ["ranking", "l2"])
def test_the_heads_loss_reaches_the_backbone_only_without_stop_gradient(loss: str) -> None:
    reached = {}
    for stop_gradient in (True, False):
        model = made(stop_gradient=stop_gradient)
        batch = batch_of()
        logits, uncertainty, _ = model(batch.pixels)
        recipe = Recipe(width=16, loss=loss)  # type: ignore[arg-type]
        pairing = torch.Generator().manual_seed(0)
        head_loss(uncertainty, logits, batch.labels, recipe=recipe, pairing=pairing).backward()
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in model.head.parameters())
        assert all(p.grad is None for p in model.backbone.network.get_classifier().parameters())
        reached[stop_gradient] = any(p.grad is not None and p.grad.abs().sum() > 0 for p in model.backbone.parameters())
    assert reached == {True: False, False: True}


@pytest.mark.parametrize("stop_gradient", [True, False])
def test_training_a_fitted_classifier_keeps_the_heads_loss_away(stop_gradient: bool) -> None:
    weights = []
    for weight in (0.0, 5.0):
        model, batch = made(stop_gradient=stop_gradient), batch_of(12)
        set_classifier(model, probe_of(model, batch))
        freeze_first(model, 0.5)
        joint = Joint(uncertainty_weight=weight, backbone_rate=1e-3, classifier_rate=1e-3)
        train_jointly(model, [[batch, batch]], recipe=SMALL, joint=joint, steps=2, seed=0, after_epoch=lambda *_: None)
        weights.append([p.detach() for p in model.backbone.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*weights, strict=True)) is stop_gradient


def probe_of(model: JointModel, batch: JointBatch) -> nn.Linear:
    """A linear classifier fitted on a batch's embeddings."""
    return linear_probe(compute_scores(model, [batch.pixels]).embedding, batch.labels.numpy(), 3)


def test_the_classifier_starts_as_the_probe() -> None:
    model, batch = made(stop_gradient=True), batch_of(30)
    embedding = torch.from_numpy(compute_scores(model, [batch.pixels]).embedding)
    probe = probe_of(model, batch)
    set_classifier(model, probe)
    with torch.no_grad():
        expected = probe(embedding).numpy()
    assert np.allclose(compute_scores(model, [batch.pixels]).logits, expected, atol=1e-5)
    assert (expected.argmax(axis=1) == batch.labels.numpy()).mean() > 0.9


def test_the_first_tensors_stay_as_they_are() -> None:
    model, batch = made(stop_gradient=True), batch_of()
    freeze_first(model, 0.5)
    joint_loss(model, batch, recipe=SMALL, weight=1.0, pairing=torch.Generator())[0].backward()
    learns = [p.grad is not None for p in model.backbone.parameters()]
    assert learns == sorted(learns)
    assert sum(learns[:-2]) == pytest.approx(len(learns) / 2, abs=2)


def test_the_joint_loss_by_a_naive_loop() -> None:
    model, batch = made(stop_gradient=True).eval(), batch_of(6)
    found, said = joint_loss(model, batch, recipe=SMALL, weight=2.0, pairing=torch.Generator())
    logits, uncertainty, _ = (part.detach() for part in model(batch.pixels))
    assert torch.equal(said, logits)
    losses = [-float(torch.log_softmax(row, 0)[label]) for row, label in zip(logits, batch.labels, strict=True)]
    hinges = []
    for a in (0, 2, 4):
        sign = 1 if losses[a] > losses[a + 1] else -1
        hinges.append(max(0.0, 0.1 - sign * float(uncertainty[a] - uncertainty[a + 1])))
    assert float(found.detach()) == pytest.approx(np.mean(losses) + 2.0 * np.mean(hinges), rel=1e-4)


def test_training_learns_the_classes_and_moves_the_backbone() -> None:
    model = made(stop_gradient=True)
    before = model.backbone.network.conv1[0].weight.detach().clone()
    told: list[tuple[int, float]] = []
    train_jointly(
        model,
        ([batch_of(24, seed=2 * epoch + step) for step in range(2)] for epoch in range(8)),
        recipe=SMALL,
        joint=Joint(freeze_norms=False, backbone_rate=3e-3, classifier_rate=3e-3, fresh_rate=3e-3),
        steps=16,
        seed=0,
        after_epoch=lambda number, loss: told.append((number, loss)),
    )
    assert [number for number, _ in told] == list(range(1, 9))
    assert told[-1][1] < 0.5 * told[0][1]
    assert not torch.equal(before, model.backbone.network.conv1[0].weight)
    fresh = batch_of(30, seed=99)
    scores = compute_scores(model, [fresh.pixels[:20], fresh.pixels[20:]])
    assert (scores.logits.argmax(axis=1) == fresh.labels.numpy()).mean() > 0.8
    assert scores.uncertainty.shape == (30,)


def test_rates_rise_and_fall_and_an_epoch_shows_each_picture_once_and_leaves_out_the_rest() -> None:
    assert [rate_fraction(step, 100) for step in (0, 10, 55, 100)] == pytest.approx([0.1, 1, 0.5, 0])
    generator = torch.Generator().manual_seed(0)
    batches = list(shuffled_batches(11, 4, generator))
    assert [len(batch) for batch in batches] == [4, 4]
    assert len(np.unique(np.concatenate(batches))) == 8
    assert [len(batch) for batch in shuffled_batches(3, 4, generator)] == [3]
    assert (batches_per_epoch(11, 4), batches_per_epoch(3, 4)) == (2, 1)


def test_frozen_norms_keep_their_statistics_and_others_move() -> None:
    network: Any = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    pixels = torch.randn(8, 3, 6, 6, generator=torch.Generator().manual_seed(0)) + 5
    network.train()
    freeze_norms(network)
    before = network[1].running_mean.clone()
    network(pixels)
    assert torch.equal(network[1].running_mean, before)
    assert network[0].training
    network.train()
    network(pixels)
    assert not torch.equal(network[1].running_mean, before)


def classes_of(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings (N, 20) of three classes around middles of their own, and labels (N,)."""
    middles = np.random.default_rng(0).normal(size=(3, 20))
    labels = np.arange(count) % 3
    noise = np.random.default_rng(seed).normal(scale=0.5, size=(count, 20))
    return (middles[labels] + noise).astype(np.float32), labels


def logits_of(probe: torch.nn.Linear, embeddings: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return probe(torch.from_numpy(embeddings)).numpy()


def test_a_probe_tells_the_classes_of_pictures_it_was_not_fitted_on_and_gives_no_nan() -> None:
    probe = linear_probe(*classes_of(60, seed=1), 3)
    embeddings, labels = classes_of(90, seed=2)
    assert (logits_of(probe, embeddings).argmax(axis=1) == labels).mean() > 0.95
    alike = np.ones((6, 4), np.float32)
    assert np.isfinite(logits_of(linear_probe(alike, np.arange(6) % 3, 3), alike)).all()


@pytest.mark.parametrize(("factor", "shift"), [(30.0, 0.0), (1.0, 7.0), (0.02, -3.0)])
def test_shift_and_spread_are_folded_into_the_weights(factor: float, shift: float) -> None:
    embeddings, labels = classes_of(60, seed=1)
    moved = embeddings * np.float32(factor) + np.float32(shift)
    expected = logits_of(linear_probe(embeddings, labels, 3), embeddings)
    assert np.allclose(logits_of(linear_probe(moved, labels, 3), moved), expected, atol=1e-2)
