"""The two leading classes of a picture's neighbours: by hand, by a naive loop, and whatever the order of classes."""

import math
from collections import defaultdict

import numpy as np
import pytest

from url_viz.analysis.reasons import NEAREST, rivals


def test_by_hand() -> None:
    position = np.array([[1, 2, 3], [0, 2, -1], [0, 1, 3], [2, 1, 0]], np.int32)
    similarity = np.array([[0.9, 0.9, 0.9], [0.8, 0.8, -1], [0.7, 0.7, 0.7], [0.6, 0.6, 0.6]], np.float32)
    label, twins = np.array([0, 0, 1, 2]), np.array([0, 1, 2, 3])
    found = rivals(position, similarity, label=label, twin_group=twins)
    assert found.first_share == pytest.approx([1 / 3, 1 / 2, 2 / 3, 2 / 3])
    assert found.second_share == pytest.approx([1 / 3, 1 / 2, 1 / 3, 1 / 3])
    assert found.first.tolist()[2:] == [0, 0]
    assert found.second.tolist()[2:] == [2, 1]
    assert {found.first[1], found.second[1]} == {0, 1}


def test_a_nearer_neighbour_weighs_more() -> None:
    position, similarity = np.array([[1, 2], [0, 2], [0, 1]]), np.array([[0.9, 0.87], [0.9, 0.5], [0.87, 0.5]])
    found = rivals(position, similarity, label=np.array([0, 1, 2]), twin_group=np.arange(3), temperature=0.03)
    assert (found.first[0], found.second[0]) == (1, 2)
    assert found.second_share[0] / found.first_share[0] == pytest.approx(math.exp(-1), rel=1e-3)


def test_twins_and_pictures_without_a_class_do_not_count() -> None:
    position, similarity = np.array([[1, 2, 3]] * 4), np.full((4, 3), 0.9)
    found = rivals(position, similarity, label=np.array([0, 0, -1, 1]), twin_group=np.array([0, 0, 2, 3]))
    assert (found.first[0], found.first_share[0], found.second[0], found.second_share[0]) == (1, 1, -1, 0)


@pytest.mark.parametrize("seed", range(3))
def test_by_a_naive_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count, k = 40, 20
    position = np.array([rng.permutation(np.delete(np.arange(count), i))[:k] for i in range(count)])
    position[rng.random((count, k)) < 0.1] = -1
    similarity = np.sort(rng.uniform(0.6, 0.9, (count, k)), axis=1)[:, ::-1]
    label, twins = rng.integers(-1, 5, count), rng.integers(0, 30, count)
    found = rivals(position, similarity, label=label, twin_group=twins)
    for i in range(count):
        weight: defaultdict[int, float] = defaultdict(float)
        for j, s in zip(position[i][:NEAREST], similarity[i][:NEAREST], strict=True):
            if j >= 0 and label[j] >= 0 and twins[j] != twins[i]:
                weight[int(label[j])] += math.exp(s / 0.03)
        ordered = sorted(weight, key=weight.__getitem__, reverse=True)
        total = sum(weight.values())
        assert found.first[i] == (ordered[0] if ordered else -1)
        assert found.second[i] == (ordered[1] if len(ordered) > 1 else -1)
        assert found.first_share[i] == pytest.approx(weight[ordered[0]] / total if ordered else 0, rel=1e-4)
        assert found.second_share[i] == pytest.approx(weight[ordered[1]] / total if len(ordered) > 1 else 0, rel=1e-4)


def test_no_neighbours() -> None:
    none = rivals(np.zeros((2, 0), int), np.zeros((2, 0)), label=np.array([0, 1]), twin_group=np.arange(2))
    assert none.first.tolist() == [-1, -1]
    assert none.take(np.array([1, -1])).second_share.tolist() == [0, 0]
