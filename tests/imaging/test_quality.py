"""Quality by hand-worked pictures (flat, step, ramp), by ladders of blur and light, and by a naive loop on noise."""

import io
import math
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from tests.imaging.pictures import encoded, noise
from url_viz.imaging.quality import (
    DIRECTION_SHARE,
    DIRECTIONS,
    EDGE_SHARE,
    FEWEST_EDGES,
    HIGH_QUANTILE,
    INNER_PX,
    LEAST_EDGE,
    QUALITIES,
    SHARPEST,
    STRIDE_PX,
    Sharpness,
    grey_thumbnail,
    quality_of_image,
    sharpness_by_direction,
    sharpness_of,
)


def grey(values: NDArray[np.generic]) -> Image.Image:
    return Image.fromarray(values.astype(np.uint8))


def step(*, low: int = 50, high: int = 200, ramp_px: int = 0) -> Image.Image:
    """Two halves of 32 columns, with a straight ramp of `ramp_px` columns between them."""
    columns = np.interp(np.arange(64 + ramp_px), [31, 32 + ramp_px], [low, high])
    return grey(np.tile(columns.round(), (48, 1)))


def drawing(seed: int = 0) -> Image.Image:
    """Blocks of random grey with hard edges."""
    blocks = np.random.default_rng(seed).integers(0, 256, (12, 16))
    return grey(np.kron(blocks, np.ones((16, 16))))


class TestTones:
    def test_a_flat_picture_is_one_tone_and_nothing_tells_how_sharp_it_is(self) -> None:
        result = quality_of_image(grey(np.full((40, 60), 102)))
        assert (result.brightness, result.highlights, result.contrast) == (0.4, 0.4, 0)
        assert (result.flat_share, result.white_share, result.black_share, result.white_border) == (1, 0, 0, 0)
        assert math.isnan(result.sharpness)

    def test_two_halves(self) -> None:
        result = quality_of_image(step(low=0, high=255))
        assert (result.brightness, result.highlights, result.contrast) == (0, 1, 1)
        assert (result.flat_share, result.white_share, result.black_share) == (0.5, 0.5, 0.5)
        assert result.white_border == pytest.approx((2 * 2 * 32 + 2 * 48) / (2 * 2 * 64 + 2 * 2 * 48))

    def test_one_tone_is_nine_levels_wide_wherever_it_lies(self) -> None:
        levels = np.repeat(np.arange(100, 120), 40).reshape(20, 40)
        assert quality_of_image(grey(levels)).flat_share == pytest.approx(9 / 20)

    def test_tones_by_a_naive_count(self) -> None:
        picture = noise(3)
        values = sorted(np.asarray(picture.convert("L")).ravel().tolist())
        result = quality_of_image(picture)
        assert result.brightness * 255 == pytest.approx(values[math.ceil(0.5 * len(values)) - 1])
        assert result.highlights * 255 == pytest.approx(values[math.ceil(0.9 * len(values)) - 1])
        assert result.white_share == sum(v >= 250 for v in values) / len(values)
        assert result.black_share == sum(v <= 5 for v in values) / len(values)

    def test_less_light_is_less_bright_and_less_contrast(self) -> None:
        pictures = [noise(1).point(lambda v, light=light: round(v * light)) for light in (1, 0.6, 0.3, 0.1, 0.02)]
        result = [quality_of_image(picture) for picture in pictures]
        for name in ("brightness", "highlights", "contrast"):
            values = [getattr(measures, name) for measures in result]
            assert values == sorted(values, reverse=True)
            assert len(set(values)) == len(values)

    def test_more_light_is_more_white(self) -> None:
        shares = [quality_of_image(noise(1).point(lambda v, k=k: min(255, v * k))).white_share for k in (1, 2, 4, 8)]
        assert shares == sorted(shares)
        assert shares[-1] > 0.8


def discs(seed: int = 0) -> Image.Image:
    """Discs of random grey, size and place: hard edges in all directions."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:192, :256]
    values = np.full((192, 256), 128)
    for _ in range(80):
        inside = np.hypot(y - rng.uniform(0, 192), x - rng.uniform(0, 256)) < rng.uniform(8, 30)
        values[inside] = rng.integers(0, 256)
    return grey(values)


def of(picture: Image.Image) -> Sharpness:
    return sharpness_of(np.asarray(picture))


def smeared(picture: Image.Image, *, px: int, down: int, right: int) -> Image.Image:
    """The mean of a picture and itself shifted, as a camera that moves in a straight line makes it."""
    values = np.asarray(picture, float)
    shifted = [np.roll(values, (k * down, k * right), (0, 1)) for k in range(px)]
    return grey(np.mean(shifted, axis=0).round())


class TestSharpness:
    def test_a_step_is_one_in_the_only_direction_that_has_an_edge(self) -> None:
        assert (of(step()).least, of(step()).most) == (1, 1)
        assert math.isnan(of(step()).across)
        along, *others = sharpness_by_direction(np.asarray(step()))
        assert along == 1
        assert all(math.isnan(other) for other in others)

    @pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 6])
    def test_a_ramp_of_w_steps_by_how_much_of_it_is_seen(self, steps: int) -> None:
        """All of its w steps, or no more than make an edge, four tenths of the height."""
        sharp = of(step(low=0, high=240, ramp_px=steps - 1)).least
        assert 1 / steps <= sharp <= 1 / math.ceil(0.4 * steps)

    def test_contrast_makes_no_difference(self) -> None:
        pictures = [drawing().filter(ImageFilter.GaussianBlur(1.5)).point(lambda v, k=k: v * k) for k in (1, 0.5, 0.25)]
        values = [of(picture).least for picture in pictures]
        assert max(values) - min(values) < 0.04

    @pytest.mark.parametrize("seed", range(3))
    def test_it_falls_in_all_directions_with_every_step_of_blur(self, seed: int) -> None:
        found = [of(discs(seed).filter(ImageFilter.GaussianBlur(radius))) for radius in (0.7, 1.5, 3, 5)]
        for values in ([one.least for one in found], [one.most for one in found]):
            assert values == sorted(values, reverse=True)
            assert len(set(values)) == 4
            assert values[-1] < 0.35
        assert all(one.across < 1.2 * one.least for one in found[1:])

    @pytest.mark.parametrize(("down", "right", "direction"), [(0, 1, 0), (1, 1, 1), (1, 0, 2), (1, -1, 3)])
    @pytest.mark.parametrize("length_px", [5, 9])
    def test_motion_spreads_the_edges_along_itself(self, down: int, right: int, direction: int, length_px: int) -> None:
        px = round(length_px / np.hypot(down, right))
        picture = smeared(discs(), px=px, down=down, right=right)
        by_direction = sharpness_by_direction(np.asarray(picture))
        assert int(np.nanargmin(by_direction)) == direction
        assert of(picture).least < 0.45
        assert of(picture).across > 1.2 * of(picture).least

    def test_one_sharp_thing_before_a_soft_background_is_sharp_and_not_smeared(self) -> None:
        picture = drawing().filter(ImageFilter.GaussianBlur(6))
        picture.paste(255, (90, 60, 140, 110))
        assert of(picture).most > 0.7
        assert of(picture).across < 1.2 * of(picture).least

    def test_what_hardly_rises_beside_a_horizon_is_no_edge(self) -> None:
        fading = np.linspace(90, 130, 256)[None].repeat(96, 0)
        picture = np.concatenate([fading, np.full((96, 256), 20)])
        found = sharpness_by_direction(picture.round().astype(np.uint8))
        assert math.isnan(found[0])
        assert found[2] == 1

    def test_too_small_or_too_faint_to_tell(self) -> None:
        assert math.isnan(of(step().crop((0, 0, 64, 15))).least)
        assert math.isnan(of(step(low=100, high=100 + LEAST_EDGE - 1)).least)

    @pytest.mark.parametrize("seed", range(4))
    def test_by_a_naive_loop(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        picture = noise(seed, width=62, height=51).convert("L").filter(ImageFilter.GaussianBlur(rng.uniform(0, 2)))
        values = np.asarray(picture)
        assert sharpness_by_direction(values) == pytest.approx(naive(values.astype(int)), rel=1e-6, nan_ok=True)


def naive(values: NDArray[np.int64]) -> list[float]:
    """Window after window: its highest difference, the direction of that, and the steepest step in it."""
    found: list[tuple[int, int, float]] = []
    rows, columns = (range(INNER_PX, size - INNER_PX, STRIDE_PX) for size in values.shape)
    for y in rows:
        for x in columns:
            lines = [[values[y + k * down, x + k * right] for k in range(-n, n + 1)] for down, right, n in DIRECTIONS]
            heights = [abs(line[-1] - line[0]) for line in lines]
            steepest = [max(abs(b - a) for a, b in pairwise(line)) for line in lines]
            which = heights.index(max(heights))
            length = math.hypot(*DIRECTIONS[which][:2])
            found.append((heights[which], which, min(1, steepest[which] / max(1, heights[which])) / length))
    high = sorted(height for height, _, _ in found)[math.ceil(HIGH_QUANTILE * len(found)) - 1]
    edges = [one for one in found if one[0] >= max(LEAST_EDGE, math.ceil(EDGE_SHARE * high))]
    result = []
    for direction in range(len(DIRECTIONS)):
        shares = sorted(share for _, which, share in edges if which == direction)
        is_told = len(shares) >= max(FEWEST_EDGES, DIRECTION_SHARE * len(edges))
        result.append(shares[math.ceil(SHARPEST * len(shares)) - 1] if is_told else math.nan)
    return result


class TestThumbnails:
    def test_an_enlarged_thumbnail_is_brought_back_to_the_picture_s_own_size(self) -> None:
        enlarged = drawing().crop((0, 0, 64, 48)).resize((256, 192), Image.Resampling.BICUBIC)
        assert of(enlarged).least < 0.5
        small = grey_thumbnail(encoded(enlarged, quality=82), width=64, height=48)
        assert (small.size, small.mode) == ((64, 48), "L")
        assert quality_of_image(small).least_sharpness > 0.5

    def test_a_large_picture_s_thumbnail_stays(self) -> None:
        jpeg = encoded(noise(2, width=256, height=192))
        luma = Image.open(io.BytesIO(jpeg)).convert("L")
        result = grey_thumbnail(jpeg, width=4000, height=3000)
        assert np.abs(np.asarray(result, int) - np.asarray(luma, int)).max() <= 2

    def test_a_line_of_pixels_has_measures(self) -> None:
        result = quality_of_image(grey_thumbnail(encoded(noise(2, width=200, height=1)), width=200, height=1))
        assert {name for name in QUALITIES if math.isnan(getattr(result, name))} == {
            "sharpness",
            "least_sharpness",
            "sharpness_across",
        }
