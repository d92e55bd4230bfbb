"""Uncertainties that need no head, to measure a head against: each (N,) float64, higher = less to be trusted."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from url_viz.evidence.order_metrics import nearest_others

Floats = NDArray[np.float64]


def softmax_entropy(logits: NDArray[np.floating], *, temperature: float = 1.0) -> Floats:
    """Entropy in nats of the softmax over logits (N, C): 0 if one class has it all, log C if all are equal.

    Logits are divided by `temperature` first.
    """
    shifted = _shifted(logits) / temperature
    total = np.exp(shifted).sum(axis=1)
    entropy: Floats = np.log(total) - (np.exp(shifted) * shifted).sum(axis=1) / total
    return np.maximum(entropy, 0)


def max_probability(logits: NDArray[np.floating]) -> Floats:
    """One minus the largest softmax probability over logits (N, C).

    Summed from the other classes, so that probabilities next to 1 keep their order.
    """
    others = np.exp(np.sort(_shifted(logits), axis=1)[:, :-1]).sum(axis=1)
    return np.asarray(others / (1 + others))


def margin(logits: NDArray[np.floating]) -> Floats:
    """One minus how far the largest softmax probability is ahead of the second, over logits (N, C), C ≥ 2."""
    shifted = _shifted(logits)
    return class_margin(np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True))


def class_margin(shares: NDArray[np.floating]) -> Floats:
    """One minus how far the largest class share is ahead of the second, of shares (N, C), C ≥ 2."""
    first_two = np.sort(shares, axis=1)[:, -2:].astype(np.float64)
    return np.asarray(1 - (first_two[:, 1] - first_two[:, 0]))


def energy(logits: NDArray[np.floating]) -> Floats:
    """Minus the log of the summed exponentials of logits (N, C): how little any class speaks for the picture.

    Liu et al. 2020, arXiv 2010.03759, at temperature 1.
    """
    largest = logits.astype(np.float64).max(axis=1)
    return np.asarray(-(largest + np.log(np.exp(_shifted(logits)).sum(axis=1))))


def inverse_norm(embeddings: NDArray[np.floating]) -> Floats:
    """One over the length of the embeddings (N, D); infinite for an embedding of zeros."""
    norms = np.linalg.norm(embeddings.astype(np.float64), axis=1)
    return np.asarray(np.divide(1.0, norms, out=np.full(len(norms), np.inf), where=norms > 0))


def nearest_dissimilarity(embeddings: NDArray[np.floating]) -> Floats:
    """Minus the cosine to the most similar other picture, of embeddings (N, D): the nearest-neighbour similarity."""
    return -nearest_others(embeddings)[1][:, 0].astype(np.float64)


def nearest_gap(embeddings: NDArray[np.floating]) -> Floats:
    """Minus how much more similar the nearest other picture is than the second, of embeddings (N, D), N ≥ 3."""
    similarities = nearest_others(embeddings, k=2)[1].astype(np.float64)
    return similarities[:, 1] - similarities[:, 0]


def all_baselines(embeddings: NDArray[np.floating], logits: NDArray[np.floating]) -> Mapping[str, Floats]:
    """Every baseline by its name: of one picture by itself first, then those that look at its neighbours."""
    return {
        "entropy": softmax_entropy(logits),
        "max_probability": max_probability(logits),
        "energy": energy(logits),
        "inverse_norm": inverse_norm(embeddings),
        "nearest_similarity": nearest_dissimilarity(embeddings),
        "nearest_gap": nearest_gap(embeddings),
    }


def _shifted(logits: NDArray[np.floating]) -> Floats:
    exact = logits.astype(np.float64)
    return np.asarray(exact - exact.max(axis=1, keepdims=True))
