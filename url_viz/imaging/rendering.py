"""How pictures of more than 8 bits, or of more than three bands, are seen: one range and one choice of bands a set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from url_viz.base.errors import UsageError

USUAL_BITS = (8, 10, 12, 14, 16)
LOW_PERCENTILE, HIGH_PERCENTILE = 0.1, 99.9
LEAST_FILLED = 0.5
"""Values that fill less of a usual range have another one: a thermal camera's 7,000 to 8,500, say."""
MOST_OUTSIDE = 0.01
"""The share of new pictures' values that may lie outside a set's range without a remark."""
Range = tuple[float, float]
PageChoice = Literal["each", "first", "middle", "brightest"]


@dataclass(frozen=True)
class Rendering:
    """Which values of more than 8 bits are black and white, and which `bands`, from 1, are red, green and blue.

    None and no bands where it does not matter: files of 8 bits a channel, of one or three bands. A file's own window
    comes before the range of a set, but not before one that somebody has chosen (`is_chosen`). In files with several
    pages each is a picture, or only one `page`.
    """

    black: float | None = None
    white: float | None = None
    bands: tuple[int, ...] = ()
    is_chosen: bool = False
    page: PageChoice = "each"

    @property
    def range(self) -> Range | None:
        """Black and white, if both are given."""
        return None if self.black is None or self.white is None else (self.black, self.white)

    @property
    def words(self) -> str:
        """A sentence: "12-bit pictures, shown from 0 to 4,095"."""
        sentences = []
        if self.range is not None:
            bits = next((bits for bits in USUAL_BITS[1:] if self.range == (0, 2**bits - 1)), None)
            what = f"{bits}-bit pictures" if bits else "Pictures of more than 8 bits"
            sentences.append(f"{what}, shown from {number_words(self.range[0])} to {number_words(self.range[1])}")
        if len(self.bands) == 1:
            sentences.append(f"band {self.bands[0]} is shown")
        elif self.bands:
            sentences.append(f"bands {', '.join(map(str, self.bands))} are shown as red, green and blue")
        if self.page != "each":
            sentences.append(f"of files with several pages the {self.page} is shown")
        words = "; ".join(sentences)
        return words[:1].upper() + words[1:]


@dataclass(frozen=True)
class ValueSample:
    """Some `values` (M,) float32 of a picture of more than 8 bits, and the range that its file states.

    A picture with a `window` of its own needs no range of the set.
    """

    values: NDArray[np.float32]
    is_float: bool = False
    stated: Range | None = None
    window: Range | None = None


def common_range(samples: Sequence[ValueSample]) -> Range | None:
    """The range of a set from samples of its pictures of more than 8 bits; None without any, and for all of 16 bits.

    If all files state a range, it is theirs. Else it is the smallest usual range that holds the 99.9th percentile;
    but from the 0.1th to the 99.9th percentile where values fill less than half of that, reach below zero or are
    neither integers nor fractions.
    """
    values = np.concatenate([sample.values for sample in samples]) if samples else np.empty(0, np.float32)
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    low, high = np.percentile(values, (LOW_PERCENTILE, HIGH_PERCENTILE)).tolist()
    stated = [sample.stated for sample in samples if sample.stated is not None]
    if len(stated) == len(samples):
        black, white = min(least for least, _ in stated), max(most for _, most in stated)
        if black <= low and high <= white:  # a file may say less than it has
            return _unless_usual(black, white)
    usual = (1, 255) if any(sample.is_float for sample in samples) else tuple(2**bits - 1 for bits in USUAL_BITS)
    most_usual = next((most for most in usual if high <= most), None)
    if low >= 0 and most_usual is not None and high - low >= LEAST_FILLED * most_usual:
        return _unless_usual(0, most_usual)
    return _unless_usual(low, high) if high > low else None


def share_outside(samples: Sequence[ValueSample], shown: Range) -> float:
    """The share of sampled values outside a range; 0.0 without any."""
    values = np.concatenate([sample.values for sample in samples]) if samples else np.empty(0, np.float32)
    return float(((values < shown[0]) | (values > shown[1])).mean()) if len(values) else 0.0


def as_rendering(record: Mapping[str, Any] | None) -> Rendering | None:
    """The rendering with these fields, as JSON has them; None for None."""
    return None if record is None else Rendering(**{**record, "bands": tuple(record["bands"])})


def with_rest_of(wanted: Rendering | None, before: Rendering | None) -> Rendering | None:
    """What is wanted, with the range, bands and page from before where it has none."""
    if wanted is None or before is None:
        return wanted or before
    by = wanted if wanted.range is not None else before
    page = wanted.page if wanted.page != "each" else before.page
    return Rendering(by.black, by.white, wanted.bands or before.bands, by.is_chosen, page)


def in_window(rendering: Rendering | None, black: str | None, white: str | None) -> Rendering | None:
    """The rendering with a window that is given as text; unchanged if the text is no window."""
    try:
        window = float(black or "nan"), float(white or "nan")
    except ValueError:
        return rendering
    if not np.isfinite(window).all() or window[0] >= window[1]:
        return rendering
    return replace(rendering or Rendering(), black=window[0], white=window[1], is_chosen=True)


def as_range(text: str) -> Range:
    """`0:4095` as black and white. Raises UsageError for anything else."""
    try:
        black, white = map(float, text.split(":"))
    except ValueError:
        black = white = float("nan")
    if not (np.isfinite([black, white]).all() and black < white):
        raise UsageError(f"--range is {text!r}. Give what is black and what is white, as in `--range 0:4095`.")
    return black, white


def as_bands(text: str) -> tuple[int, ...]:
    """`4,3,2` as bands from 1. Raises UsageError for anything else."""
    try:
        bands = tuple(map(int, text.split(",")))
    except ValueError:
        bands = ()
    if len(bands) not in (1, 3) or min(bands) < 1:
        raise UsageError(f"--bands is {text!r}. Give three bands as red, green and blue, or one: `--bands 4,3,2`.")
    return bands


def _unless_usual(black: float, white: float) -> Range | None:
    """The range; None for all of 16 bits and for fractions from 0 to 1, which need none."""
    return None if (black, white) in ((0, 65535), (0, 1)) else (float(black), float(white))


def number_words(value: float) -> str:
    """A value of a picture as text: "4,095"."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.4g}"
