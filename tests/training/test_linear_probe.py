"""The linear probe reads embeddings as they are, and does not care about their shift and spread."""

import numpy as np
import pytest
import torch

from training.joint import linear_probe


def classes_of(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings (N, 20) of three classes around middles of their own, and labels (N,)."""
    middles = np.random.default_rng(0).normal(size=(3, 20))
    labels = np.arange(count) % 3
    noise = np.random.default_rng(seed).normal(scale=0.5, size=(count, 20))
    return (middles[labels] + noise).astype(np.float32), labels


def logits_of(probe: torch.nn.Linear, embeddings: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return probe(torch.from_numpy(embeddings)).numpy()


def test_it_tells_the_classes_of_pictures_it_was_not_fitted_on() -> None:
    probe = linear_probe(*classes_of(60, seed=1), 3)
    embeddings, labels = classes_of(90, seed=2)
    assert (logits_of(probe, embeddings).argmax(axis=1) == labels).mean() > 0.95


@pytest.mark.slow
@pytest.mark.parametrize(("factor", "shift"), [(30.0, 0.0), (1.0, 7.0), (0.02, -3.0)])
def test_shift_and_spread_are_folded_into_the_weights(factor: float, shift: float) -> None:
    embeddings, labels = classes_of(60, seed=1)
    moved = embeddings * np.float32(factor) + np.float32(shift)
    expected = logits_of(linear_probe(embeddings, labels, 3), embeddings)
    assert np.allclose(logits_of(linear_probe(moved, labels, 3), moved), expected, atol=1e-2)


def test_embeddings_that_are_all_alike_give_no_nan() -> None:
    probe = linear_probe(np.ones((6, 4), np.float32), np.arange(6) % 3, 3)
    assert np.isfinite(logits_of(probe, np.ones((6, 4), np.float32))).all()
