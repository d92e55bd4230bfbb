"""Spoiled photographs: kernels by hand, and every way makes a picture worse the more, the stronger, the same again."""

import io
import math

import numpy as np
import pytest
from PIL import Image

from experiments.spoiling import SPOILINGS, disc, line, out_of_focus
from tests.imaging.pictures import noise


def picture() -> Image.Image:
    return noise(3, width=160, height=120)


def test_a_line_along_the_rows_spreads_a_point_over_its_length() -> None:
    kernel = line(5, 0.0)
    middle = len(kernel) // 2
    assert kernel.sum() == pytest.approx(1)
    assert np.delete(kernel, middle, axis=0).max() < 1e-12
    assert kernel[middle, middle - 2 : middle + 3] == pytest.approx([0.2] * 5, abs=0.03)
    assert line(5, math.pi / 2) == pytest.approx(kernel.T, abs=1e-12)


def test_a_disc_is_round_and_even() -> None:
    kernel = disc(6)
    middle = len(kernel) // 2
    assert kernel.sum() == pytest.approx(1)
    assert kernel == pytest.approx(kernel.T)
    assert kernel[middle, middle] == pytest.approx(1 / (math.pi * 36), rel=0.01)
    assert kernel[middle, middle + 7] == kernel[0, 0] == 0


def test_a_point_becomes_the_kernel() -> None:
    black = np.zeros((60, 100, 3), np.uint8)
    black[30, 50] = 255
    spread = np.asarray(out_of_focus(Image.fromarray(black), 0.03, np.random.default_rng()))[..., 0]
    reach = len(disc(3)) // 2
    around = spread[30 - reach : 31 + reach, 50 - reach : 51 + reach]
    assert around == pytest.approx(255 * disc(3), abs=0.51)
    assert spread.sum() == around.sum()


@pytest.mark.parametrize("how", SPOILINGS)
def test_the_stronger_the_worse_and_the_same_again(how: str) -> None:
    spoiling, whole = SPOILINGS[how], picture()
    made = [spoiling.made(whole, strength, np.random.default_rng(1)) for strength in spoiling.strengths]
    again = [spoiling.made(whole, strength, np.random.default_rng(1)) for strength in spoiling.strengths]
    assert [one.tobytes() for one in made] == [one.tobytes() for one in again]
    if how == "crop":
        lost = [-one.width * one.height for one in made]
    else:
        lost = [float(np.abs(np.asarray(one, float) - np.asarray(whole, float)).mean()) for one in made]
    assert lost == sorted(lost)
    assert len(set(lost)) == 5
    file = io.BytesIO()
    made[-1].save(file, "JPEG")
    assert file.getvalue()
