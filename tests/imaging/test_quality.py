"""Quality by hand-worked pictures (flat, step, ramp), by ladders of blur and light, and by a naive loop on noise."""

import io
import math

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from tests.imaging.pictures import encoded, noise
from url_viz.imaging.quality import EDGE_QUANTILE, QUALITIES, grey_thumbnail, quality_of_image, sharpness


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


class TestSharpness:
    def test_a_step_is_one(self) -> None:
        assert sharpness(np.asarray(step())) == 1

    @pytest.mark.parametrize("ramp_px", [1, 2, 4])
    def test_a_ramp_of_w_steps_is_one_over_w(self, ramp_px: int) -> None:
        result = sharpness(np.asarray(step(low=20, high=220, ramp_px=ramp_px)))
        assert result == pytest.approx(1 / (ramp_px + 1), rel=0.02)

    def test_contrast_makes_no_difference(self) -> None:
        pictures = [drawing().filter(ImageFilter.GaussianBlur(1.5)).point(lambda v, k=k: v * k) for k in (1, 0.5, 0.25)]
        values = [sharpness(np.asarray(picture)) for picture in pictures]
        assert max(values) - min(values) < 0.04

    @pytest.mark.parametrize("seed", range(3))
    def test_it_falls_with_every_step_of_blur(self, seed: int) -> None:
        values = [sharpness(np.asarray(drawing(seed).filter(ImageFilter.GaussianBlur(r)))) for r in (0, 0.7, 1.5, 3, 5)]
        assert values == sorted(values, reverse=True)
        assert len(set(values)) == 5
        assert values[-1] < 0.2

    def test_one_sharp_thing_before_a_soft_background_is_sharp(self) -> None:
        picture = drawing().filter(ImageFilter.GaussianBlur(6))
        picture.paste(255, (90, 60, 140, 110))
        assert sharpness(np.asarray(picture)) > 0.5

    def test_too_small_to_tell(self) -> None:
        assert math.isnan(sharpness(np.asarray(step().crop((0, 0, 64, 15)))))

    def test_by_sorting_all_pairs(self) -> None:
        values = np.random.default_rng(5).integers(0, 256, (30, 20)).astype(np.uint8)

        def edge(distance: int) -> int:
            whole = values.astype(int)
            pairs = [abs(whole[i, j] - whole[i, j - distance]) for i in range(30) for j in range(distance, 20)]
            pairs += [abs(whole[i, j] - whole[i - distance, j]) for i in range(distance, 30) for j in range(20)]
            return sorted(pairs)[math.ceil(EDGE_QUANTILE * len(pairs)) - 1]

        assert sharpness(values) == edge(1) / edge(8)


class TestThumbnails:
    def test_an_enlarged_thumbnail_is_brought_back_to_the_picture_s_own_size(self) -> None:
        enlarged = drawing().crop((0, 0, 64, 48)).resize((256, 192), Image.Resampling.BICUBIC)
        assert sharpness(np.asarray(enlarged)) < 0.6
        small = grey_thumbnail(encoded(enlarged, quality=82), width=64, height=48)
        assert (small.size, small.mode) == ((64, 48), "L")
        assert quality_of_image(small).sharpness > 0.7

    def test_a_large_picture_s_thumbnail_stays(self) -> None:
        jpeg = encoded(noise(2, width=256, height=192))
        luma = Image.open(io.BytesIO(jpeg)).convert("L")
        result = grey_thumbnail(jpeg, width=4000, height=3000)
        assert np.abs(np.asarray(result, int) - np.asarray(luma, int)).max() <= 2

    def test_a_line_of_pixels_has_measures(self) -> None:
        result = quality_of_image(grey_thumbnail(encoded(noise(2, width=200, height=1)), width=200, height=1))
        assert {name for name in QUALITIES if math.isnan(getattr(result, name))} == {"sharpness"}
