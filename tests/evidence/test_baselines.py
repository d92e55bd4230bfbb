"""The baselines by hand, and their direction: higher = less to be trusted."""

import math

import numpy as np
import pytest

from url_viz.evidence.baselines import (
    all_baselines,
    energy,
    inverse_norm,
    max_probability,
    nearest_dissimilarity,
    nearest_gap,
    softmax_entropy,
)


def test_entropy_by_hand() -> None:
    # p = (¾, ¼): −¾ ln ¾ − ¼ ln ¼; four equal logits: ln 4; one that has it all: 0.
    logits = np.array([[math.log(3), 0.0], [7.0, 7.0]])
    assert softmax_entropy(logits) == pytest.approx(
        [-0.75 * math.log(0.75) - 0.25 * math.log(0.25), math.log(2)], abs=1e-12
    )
    assert softmax_entropy(np.full((1, 4), -3.0)) == pytest.approx([math.log(4)])
    assert softmax_entropy(np.array([[1000.0, 0.0, 0.0]])) == pytest.approx([0])


def test_a_temperature_divides_the_logits() -> None:
    logits = np.random.default_rng(0).normal(scale=3, size=(6, 11))
    assert softmax_entropy(logits, temperature=2.5) == pytest.approx(softmax_entropy(logits / 2.5))
    assert (softmax_entropy(logits, temperature=9) > softmax_entropy(logits)).all()


def test_energy_by_hand() -> None:
    # −ln (3 + 1); so large that exponentials overflow: minus the logit itself; another constant, another energy.
    logits = np.array([[math.log(3), 0.0], [1000.0, 0.0], [-1000.0, -1000.0]])
    assert energy(logits) == pytest.approx([-math.log(4), -1000, 1000 - math.log(2)])


def test_max_probability_by_hand_and_next_to_one() -> None:
    assert max_probability(np.array([[math.log(3), 0.0]])) == pytest.approx([0.25])
    sure = max_probability(np.array([[60.0, 0.0], [80.0, 0.0], [0.0, 70.0]]))
    assert (sure > 0).all()
    assert sure[1] < sure[2] < sure[0]


def test_inverse_norm_by_hand() -> None:
    assert inverse_norm(np.array([[3.0, 4.0], [0.0, 0.5], [0.0, 0.0]])).tolist() == [0.2, 2.0, math.inf]


def test_neighbour_baselines_by_hand() -> None:
    angles = np.deg2rad([0, 10, 40])
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    cos10, cos30, cos40 = (math.cos(math.radians(a)) for a in (10, 30, 40))
    assert nearest_dissimilarity(embeddings) == pytest.approx([-cos10, -cos10, -cos30], abs=1e-6)
    assert nearest_gap(embeddings) == pytest.approx([cos40 - cos10, cos30 - cos10, cos40 - cos30], abs=1e-6)


def test_every_baseline_has_a_row_a_picture() -> None:
    generator = np.random.default_rng(1)
    found = all_baselines(generator.normal(size=(9, 5)), generator.normal(size=(9, 3)))
    assert list(found) == ["entropy", "max_probability", "energy", "inverse_norm", "nearest_similarity", "nearest_gap"]
    assert all(values.shape == (9,) and values.dtype == np.float64 for values in found.values())
