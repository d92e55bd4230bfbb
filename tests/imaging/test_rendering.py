"""The range of a set from a sample of its pictures: what files say, the usual ranges, and what fits none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from url_viz.base.errors import UsageError
from url_viz.imaging.rendering import (
    Rendering,
    ValueSample,
    as_bands,
    as_range,
    common_range,
    in_window,
    share_outside,
    with_rest_of,
)


def sample(low: float, high: float, *, is_float: bool = False, said: tuple[float, float] | None = None) -> ValueSample:
    return ValueSample(np.linspace(low, high, 5000, dtype=np.float32), is_float, said)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 250, (0, 255)),
        (3, 1000, (0, 1023)),
        (0, 4095, (0, 4095)),
        (100, 12_000, (0, 16383)),
        (0, 65535, None),
        (0, 60_000, None),
        (7000, 8500, (7001.5, 8498.5)),
        (100, 600, (100.5, 599.5)),
        (-1024, 3000, (-1020, 2996)),
        (0, 1_000_000, (1000, 999_000)),
        (0.0, 1.0, None),
        (0.0, 0.3, (0, 0.3)),
        (0.0, 240.0, (0, 255)),
        (-3.0, 7.0, (-3, 7)),
    ],
)
def test_the_range_of_integers_and_of_fractions(low: float, high: float, expected: tuple[float, float] | None) -> None:
    is_float = isinstance(low, float)
    found = common_range([sample(low, high, is_float=is_float)])
    assert found == (None if expected is None else pytest.approx(expected, abs=0.02 if is_float else 2))


def test_what_all_files_say_wins_unless_they_have_more() -> None:
    assert common_range([sample(0, 300, said=(0, 4095)), sample(0, 200, said=(0, 4095))]) == (0, 4095)
    assert common_range([sample(0, 300, said=(0, 4095)), sample(0, 3900)]) == (0, 4095), "by its values"
    assert common_range([sample(0, 16_000, said=(0, 4095))]) == (0, 16383)
    assert common_range([sample(0, 50_000, said=(0, 65535))]) is None


def test_pictures_of_one_value_and_none_have_no_range() -> None:
    assert common_range([]) is None
    assert common_range([sample(7000, 7000)]) is None
    assert common_range([ValueSample(np.array([np.nan, np.inf], np.float32))]) is None


def naive_range(values: NDArray[np.float32]) -> tuple[float, float] | None:
    low, high = (float(np.percentile(values, percent)) for percent in (0.1, 99.9))
    for bits in (8, 10, 12, 14, 16):
        if high <= 2**bits - 1:
            if low >= 0 and high - low >= (2**bits - 1) / 2:
                return None if bits == 16 else (0, 2**bits - 1)
            break
    return (low, high) if high > low else None


@pytest.mark.slow
@given(st.lists(st.integers(-2000, 80_000), min_size=1, max_size=300), st.integers(1, 4))
def test_the_range_is_that_of_a_naive_search(values: list[int], files: int) -> None:
    parts = np.array_split(np.array(values, np.float32), files)
    found, expected = common_range([ValueSample(part) for part in parts]), naive_range(np.array(values, np.float32))
    assert found == (None if expected is None else pytest.approx(expected, abs=0.01))


def test_the_share_outside() -> None:
    assert share_outside([], (0, 1)) == 0
    assert share_outside([ValueSample(np.array([-1, 0, 5, 10, 11], np.float32))], (0, 10)) == 0.4


def test_ranges_and_bands_as_they_are_typed() -> None:
    assert as_range("0:4095") == (0, 4095)
    assert as_range("-1000:400.5") == (-1000, 400.5)
    assert as_bands("4,3,2") == (4, 3, 2)
    assert as_bands("8") == (8,)
    for text in ("", "5", "5:5", "9:1", "a:b", "0:nan", "1:2:3"):
        with pytest.raises(UsageError, match="--range 0:4095"):
            as_range(text)
    for text in ("", "1,2", "0,1,2", "a", "1,2,3,4"):
        with pytest.raises(UsageError, match="--bands 4,3,2"):
            as_bands(text)


def test_a_rendering_in_words() -> None:
    assert Rendering(0, 4095).words == "12-bit pictures, shown from 0 to 4,095"
    assert Rendering(7001.6, 8499).words == "Pictures of more than 8 bits, shown from 7,002 to 8,499"
    assert Rendering(0, 0.31).words == "Pictures of more than 8 bits, shown from 0 to 0.31"
    assert Rendering(bands=(4, 3, 2)).words == "Bands 4, 3, 2 are shown as red, green and blue"
    assert Rendering(0, 1023, (4, 3, 2)).words == (
        "10-bit pictures, shown from 0 to 1,023; bands 4, 3, 2 are shown as red, green and blue"
    )
    assert Rendering(bands=(8,)).words == "Band 8 is shown"


def test_what_is_not_chosen_anew_stays() -> None:
    before = Rendering(0, 1023, (4, 3, 2))
    assert with_rest_of(None, before) == before
    assert with_rest_of(before, None) == before
    assert with_rest_of(Rendering(5, 9, is_chosen=True), before) == Rendering(5, 9, (4, 3, 2), is_chosen=True)
    assert with_rest_of(Rendering(bands=(8,)), before) == Rendering(0, 1023, (8,))
    assert with_rest_of(Rendering(bands=(8,)), Rendering(bands=(1,))) == Rendering(bands=(8,))


@pytest.mark.parametrize(
    ("black", "white"), [(None, None), ("a", "5"), ("5", "5"), ("nan", "1"), ("0", "inf"), ("3", "")]
)
def test_a_window_of_an_address_that_is_none_changes_nothing(black: str | None, white: str | None) -> None:
    assert in_window(Rendering(0, 1023), black, white) == Rendering(0, 1023)
    assert in_window(None, black, white) is None


def test_a_window_of_an_address() -> None:
    assert in_window(Rendering(0, 1023, (4, 3, 2)), "-5", "9.5") == Rendering(-5, 9.5, (4, 3, 2), is_chosen=True)
    assert in_window(None, "0", "9") == Rendering(0, 9, is_chosen=True)
