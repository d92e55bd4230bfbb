"""The study of objects: average precision by weights, places in a queue with ties, what is planted, what is masked."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import integers
from PIL import Image
from sklearn.metrics import average_precision_score

from experiments.objects import PLANTED, ObjectSet, in_first, masked, plant, precisions


@given(integers(0, 1 << 32))
def test_a_weight_counts_an_object_so_many_times(seed: int) -> None:
    rng = np.random.default_rng(seed)
    is_bad, score, times = rng.random(30) < 0.3, rng.integers(0, 12, 30) / 3, rng.integers(0, 3, 30)
    is_bad[0], times[0] = True, 1
    found = precisions(is_bad, score, np.stack([np.ones(30), times]))
    again = np.repeat(is_bad, times), np.repeat(score, times)
    assert found == pytest.approx([average_precision_score(is_bad, score), average_precision_score(*again)])


def test_nothing_bad_has_no_precision() -> None:
    assert np.isnan(precisions(np.array([True, False]), np.array([1.0, 0.0]), np.array([[0.0, 1.0]])))


def test_equal_scores_share_the_last_places_by_hand() -> None:
    assert in_first(np.array([3.0, 2, 2, 2, 1, 0]), 0.5).tolist() == pytest.approx([1, 2 / 3, 2 / 3, 2 / 3, 0, 0])
    assert in_first(np.array([3.0, 2, 1, 0]), 0.5).tolist() == [1, 1, 0, 0]


@pytest.mark.parametrize("noise", ["by frequency", "any class", "similar class", "whole picture"])
def test_a_twentieth_is_planted_and_of_whole_pictures_each_class_as_one(noise: str) -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 4, 400).astype(np.int32)
    embedding = (2 * np.eye(4)[label][:, [0, 1, 2, 3] * 8] + rng.normal(size=(400, 32))).astype(np.float32)
    of = ObjectSet(embedding, label, np.repeat(np.arange(80), 5).astype(np.int32), np.zeros((400, 4))).witnesses()
    wrong = plant(of, noise, 1)
    is_bad = wrong != label
    assert PLANTED * 400 - 5 <= is_bad.sum() <= PLANTED * 400
    if noise == "similar class":
        assert all(len(set(wrong[is_bad & (label == code)])) <= 1 for code in range(4))
    if noise == "whole picture":
        for picture, code in set(zip(of.of.picture[is_bad], label[is_bad], strict=True)):
            assert len(set(wrong[(of.of.picture == picture) & (label == code)])) == 1
    assert is_bad[of.draw(wrong).score.argsort()[-10:]].mean() > 0.5


def test_a_mask_leaves_the_ellipse_and_fills_the_rest_with_one_colour() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    found = np.asarray(masked(Image.fromarray(pixels), (20, 10, 20, 10), 0.5))
    assert found.shape == (20, 40, 3)
    assert (found[10, 20] == pixels[15, 30]).all()
    assert len(np.unique(found[[0, 0, -1, -1], [0, -1, 0, -1]], axis=0)) == 1
    assert (found[0, 0] == np.round(pixels[5:25, 10:50].mean(axis=(0, 1)))).all()
