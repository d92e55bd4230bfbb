"""The hash is the signs of the lowest frequencies: by hand, by the definition, and as pictures are changed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from tests.imaging.pictures import noise
from url_viz.imaging.quality import FEWEST, INNER, MIRRORED, SIDE, WORDS, perceptual_hash
from url_viz.pipeline.near_copies import COPY_LOWEST_BITS


def bits(words: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """(2, 256): of the whole, then of the inner part."""
    return np.unpackbits(words.view(np.uint8)).reshape(2, 256).astype(bool)


def waves(size: NDArray[np.floating]) -> Image.Image:
    """A picture of 32 × 32 whose frequencies (down, right) have the sizes (A, B)."""
    place = (np.arange(SIDE) + 0.5) * np.pi / SIDE
    down, right = (np.cos(place[:, None] * np.arange(count)) for count in size.shape)
    return Image.fromarray((128 + down @ size @ right.T).round().clip(0, 255).astype(np.uint8))


def by_definition(cells: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The signs of 16 × 16 sums over cells, the lowest 8 × 8 of them first, then the others, row by row."""
    place = (np.arange(SIDE) + 0.5) * np.pi / SIDE
    sums = {
        (down, right): float((cells * np.outer(np.cos(down * place), np.cos(right * place))).sum())
        for down in range(16)
        for right in range(16)
    }
    sums[0, 0] = 0
    low = [key for key in sums if max(key) < 8]
    return np.array([sums[key] > 0 for key in [*low, *(key for key in sums if key not in low)]])


def test_by_hand() -> None:
    """Waves whose signs are chosen come out as bits: the lowest first, and the mean as 0."""
    chosen = np.random.default_rng(0).choice([-1.0, 1.0], (16, 16))
    chosen[0, 0] = 0
    first, _ = bits(perceptual_hash(waves(chosen)))
    low, rest = chosen[:8, :8].ravel() > 0, [chosen[d, r] > 0 for d in range(16) for r in range(16) if max(d, r) > 7]
    assert first.tolist() == [*low.tolist(), *map(bool, rest)]


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.sampled_from([(32, 32), (64, 32), (96, 160)]))
def test_of_the_whole_and_the_inner_part_it_is_the_definition(seed: int, size: tuple[int, int]) -> None:
    grey = noise(seed, width=size[0], height=size[1]).convert("L")
    rims = [(1 - share) / 2 for share in (1, INNER)]
    boxes = [(rim * size[0], rim * size[1], (1 - rim) * size[0], (1 - rim) * size[1]) for rim in rims]
    cells = [np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=box), np.float64) for box in boxes]
    differ = bits(perceptual_hash(grey)) != [by_definition(part) for part in cells]
    assert differ.sum() <= 2, "a sum of nearly nothing may be rounded to either side"


@given(st.integers(0, 10_000))
def test_a_mirrored_picture_differs_in_the_odd_frequencies_along_rows(seed: int) -> None:
    grey = noise(seed, width=128, height=96).convert("L")
    mirrored = perceptual_hash(grey.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    assert np.bitwise_count(mirrored ^ perceptual_hash(grey) ^ MIRRORED).sum() <= 16
    assert bits(MIRRORED).sum() == 2 * 128


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(-20, 20), st.floats(0.6, 1))
def test_it_stays_when_a_picture_is_made_darker_or_flatter(seed: int, shift: int, factor: float) -> None:
    values = np.asarray(noise(seed, width=96, height=96).convert("L"), float) * 0.6 + 40
    one, other = (Image.fromarray(v.round().astype(np.uint8)) for v in (values, 30 + factor * (values - 30) + shift))
    apart = np.bitwise_count(perceptual_hash(one) ^ perceptual_hash(other))
    assert apart[[0, 4]].max() <= COPY_LOWEST_BITS, "of the lowest, which stand out of rounding"


@pytest.mark.parametrize("level", [0, 90, 255])
def test_a_blank_picture_has_none(level: int) -> None:
    blank = np.full((96, 128), level, np.uint8)
    grain = np.random.default_rng(level).integers(-1, 2, blank.shape)
    for picture in (blank, (blank.astype(int) + grain).clip(0, 255).astype(np.uint8)):
        assert not perceptual_hash(Image.fromarray(picture)).any()


def test_a_plain_ramp_has_none_and_a_picture_with_enough_waves_has() -> None:
    ramp = np.tile(np.linspace(0, 255, 128).astype(np.uint8), (96, 1))
    assert not perceptual_hash(Image.fromarray(ramp)).any()
    for count, has in ((FEWEST // 2, False), (2 * FEWEST - 1, True)):
        size = np.zeros((16, 16))
        size.ravel()[1:count] = np.random.default_rng(0).choice([-1.0, 1.0], count - 1)
        assert perceptual_hash(waves(size)).any() == has


@pytest.mark.parametrize(("size", "has"), [((15, 200), False), ((16, 16), True)])
def test_a_picture_of_a_few_pixels_has_none(size: tuple[int, int], has: bool) -> None:
    grey = noise(1, width=size[0], height=size[1]).convert("L")
    assert perceptual_hash(grey).shape == (WORDS,)
    assert perceptual_hash(grey).any() == has
