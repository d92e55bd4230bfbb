"""Views are inside their bounds, follow their seed, and degradations degrade."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.training.conftest import draw
from training.augment import darkened, draw_view, noised, random_box, shrunk
from training.config import Augmentation

NOTHING = Augmentation(smallest_share=1, flip=0, jitter=0)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def view_of(
    image: Image.Image, augmentation: Augmentation = NOTHING, *, size_px: int = 32, seed: int = 0
) -> np.ndarray:
    return draw_view(image, augmentation, size_px=size_px, generator=rng(seed))[0]


def test_boxes_lie_inside_keep_their_aspect_and_are_spread_evenly_by_area() -> None:
    generator = rng()
    for _ in range(300):
        left, top, right, bottom = random_box(200, 150, 0.08, generator)
        w, h = right - left, bottom - top
        assert 0 <= left < right <= 200
        assert 0 <= top < bottom <= 150
        assert 0.07 < w * h / (200 * 150) <= 1
        assert 0.7 < w / h < 1.4
    boxes = [random_box(1000, 1000, 0.08, generator) for _ in range(2000)]
    shares = [(right - left) * (bottom - top) / 1e6 for left, top, right, bottom in boxes]
    assert np.mean(shares) == pytest.approx(0.5, abs=0.05)  # less than .54: large boxes of odd aspect do not fit
    # a strip gives its middle
    left, top, right, bottom = random_box(1000, 10, 1, rng())
    assert (top, bottom) == (0, 10)
    assert (left + right) / 2 == 500
    assert (right - left) / 10 == pytest.approx(4 / 3)


def test_a_view_follows_its_seed_alone() -> None:
    image = draw(1)
    first, again, other = (view_of(image, Augmentation(), seed=seed) for seed in (4, 4, 5))
    assert first.shape == (32, 32, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    # a flip is a mirror
    image = draw(2, size_px=32)
    plain = view_of(image)
    mirrored = view_of(image, replace(NOTHING, flip=1))
    assert np.array_equal(mirrored, plain[:, ::-1])


@pytest.mark.parametrize("kind", ["blur", "dark", "noise", "downscale"])
def test_each_degradation_changes_a_view_and_only_when_asked(kind: str) -> None:
    image = draw(3)
    plain = view_of(image, size_px=64).astype(float)
    change: dict[str, Any] = {kind: 1.0}
    degraded = view_of(image, replace(NOTHING, **change), size_px=64)
    assert np.abs(degraded - plain).mean() > 1


def test_shrunk_loses_detail_darkened_loses_light_noised_gains_variance() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))
    image = Image.fromarray(np.repeat(stripes[..., None], 3, axis=2))
    assert np.asarray(shrunk(image, 8)).std() < 10
    grey = np.full((64, 64, 3), 128, np.uint8)
    dark = darkened(grey, 0.1, rng())
    assert dark.mean() < 45
    assert noised(grey, 20, rng()).std() == pytest.approx(20, rel=0.1)
