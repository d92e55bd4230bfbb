"""Pictures of more than 8 bits or many bands, TIFF among them: their values, and what is seen of them in 8 bits."""

import io
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

from url_viz.base.errors import ImageError
from url_viz.imaging.rendering import Range, Rendering, ValueSample

STRIP_VALUES = 1 << 22
"""How many values are converted to 8 bits at a time: in float64 they take sixteen times the memory of the result."""
SAMPLED_VALUES = 1 << 12
_TIFF_MOST, _TIFF_MOST_SAMPLE = 281, 341
_OTHER_ORDER = {";16B": ";16L", ";16L": ";16B", ";16N": ";16B" if struct.pack("=H", 1) == b"\1\0" else ";16L"}
"""Pillow keeps the high byte of 16 bits; told the other byte order, it gives the low one."""
Strips = Callable[[], Iterator[NDArray[np.float64]]]


@dataclass(frozen=True)
class Deep:
    """The values of a picture: `strips` gives its rows (H', W) or (H', W, 3) from the top, without nan.

    `stated` is the range that the file states, `window` the range to show it in unless somebody chose one. A picture
    of many bands may have 8 bits, and no range. If `is_inverted`, the least value is white.
    """

    width: int
    height: int
    strips: Strips
    is_float: bool = False
    stated: Range | None = None
    window: Range | None = None
    is_eight_bit: bool = False
    is_inverted: bool = False

    @property
    def sample(self) -> ValueSample:
        """About 4,096 values, evenly from the whole picture."""
        step = max(1, round((self.width * self.height / SAMPLED_VALUES) ** 0.5))
        rows, row = [], 0
        for strip in self.strips():
            rows.append(strip[-row % step :: step, ::step].ravel())
            row += len(strip)
        return ValueSample(np.concatenate(rows).astype(np.float32), self.is_float, self.stated, self.window)

    def in_eight_bits(self, rendering: Rendering | None) -> Image.Image:
        """Grey or RGB: in the range that somebody chose, else its window, else the set's range, else its own."""
        of_set = None if rendering is None else rendering.range
        if rendering is not None and rendering.is_chosen:
            black, white = of_set or self._own_range()
        else:
            black, white = self.window or of_set or self._own_range()
        if self.is_eight_bit:
            black, white = 0, 255
        scale = 255 / (white - black) if white > black else 0.0
        strips = [np.clip((strip - black) * scale, 0, 255).round().astype(np.uint8) for strip in self.strips()]
        values = np.concatenate(strips)
        return Image.fromarray(np.subtract(255, values, dtype=np.uint8) if self.is_inverted else values)

    def _own_range(self) -> Range:
        """All of 16 bits, 0 to 1 or 0 to 255 where these hold the values; else from the smallest to the largest."""
        ends = [(float(strip.min()), float(strip.max())) for strip in self.strips()]
        low, high = min(low for low, _ in ends), max(high for _, high in ends)
        usual = next((most for most in ((1.0, 255.0) if self.is_float else (255.0, 65535.0)) if high <= most), None)
        return (low, high) if usual is None or low < 0 else (0.0, usual)


def deep_from_array(
    values: NDArray[Any], *, stated: Range | None = None, window: Range | None = None, is_inverted: bool = False
) -> Deep:
    """An array (H, W) or (H, W, 3) of numbers as a picture."""
    height, width = values.shape[:2]
    is_float, is_eight_bit = values.dtype.kind == "f", values.dtype == np.uint8 and window is None

    def strips() -> Iterator[NDArray[np.float64]]:
        for rows in _row_slices(values.shape):
            yield _finite(values[rows])

    return Deep(width, height, strips, is_float, stated, window, is_eight_bit, is_inverted)


def deep_from_image(image: ImageFile.ImageFile, data: bytes) -> Deep | None:
    """The values of a picture, opened from `data`, if they have more than 8 bits; else None.

    Grey with alpha and JPEG 2000 in colours keep 8 bits: Pillow gives no more.
    """
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image.load()
        return Deep(*image.size, lambda: _strips_of(image), image.mode == "F", _stated_range(image, data))
    if image.mode == "RGB" and image.format == "PPM" and image.tile and image.tile[0].args == ("RGB", 65535):
        values = np.frombuffer(data, ">u2", count=3 * image.width * image.height, offset=image.tile[0].offset)
        return deep_from_array(values.reshape(image.height, image.width, 3))
    if image.mode in ("RGB", "RGBX", "RGBA") and image.tile and all(map(_other_byte, image.tile)):
        return _colour(image, data)
    return None


def _colour(image: ImageFile.ImageFile, data: bytes) -> Deep:
    """16 bits a channel, read one byte at a time; transparency counts as opaque."""
    high, low = image, Image.open(io.BytesIO(data), formats=[image.format or ""])
    low.tile = [tile._replace(args=_other_byte(tile)) for tile in low.tile]
    stated = _stated_range(image, data)
    high.load()
    low.load()

    def strips() -> Iterator[NDArray[np.float64]]:
        for first, second in zip(_strips_of(high), _strips_of(low), strict=True):
            yield first[..., :3] * 256 + second[..., :3]

    return Deep(*image.size, strips, stated=stated)


def _other_byte(tile: "tuple[Any, ...]") -> Any:
    """The arguments of a tile's decoder for the low byte of 16 bits; None if values have 8 bits."""
    raw, *rest = tile[3] if isinstance(tile[3], tuple) else (tile[3],)
    mode, order = (raw[:-4], raw[-4:]) if isinstance(raw, str) else ("", "")
    if mode not in ("RGB", "RGBX", "RGBA") or order not in _OTHER_ORDER:
        return None
    other = mode + _OTHER_ORDER[order]
    return (other, *rest) if isinstance(tile[3], tuple) else other


def _stated_range(image: Image.Image, data: bytes) -> Range | None:
    """The range that a PNG (sBIT) or a TIFF (MaxSampleValue, SMaxSampleValue) states."""
    most: object = None
    if image.format == "TIFF":
        tags = image.tag_v2  # type: ignore[attr-defined]
        most = tags.get(_TIFF_MOST_SAMPLE, tags.get(_TIFF_MOST))
        most = max(most) if isinstance(most, tuple) else most
    elif image.format == "PNG":
        bits = _significant_bits(data)
        most = 2**bits - 1 if bits else None
    if isinstance(most, int | float) and 255 < most <= 65535:
        return 0.0, float(most)
    return None


def _significant_bits(data: bytes) -> int | None:
    position = 8
    while position + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[position : position + 8])
        if kind == b"sBIT" and 1 <= length <= 4:
            return max(data[position + 8 : position + 8 + length], default=None)
        if kind in (b"IDAT", b"PLTE") or length > len(data):
            return None
        position += 12 + length
    return None


def _strips_of(image: Image.Image) -> Iterator[NDArray[np.float64]]:
    for rows in _row_slices((image.height, image.width, len(image.getbands()))):
        yield _finite(np.asarray(image.crop((0, rows.start, image.width, rows.stop))))


def _row_slices(shape: Sequence[int]) -> Iterator[slice]:
    rows = max(1, STRIP_VALUES // int(np.prod(shape[1:])))
    for top in range(0, shape[0], rows):
        yield slice(top, min(top + rows, shape[0]))


def _finite(values: NDArray[np.generic]) -> NDArray[np.float64]:
    return np.nan_to_num(np.asarray(values, np.float64), nan=0.0, posinf=0.0, neginf=0.0)


def shown_bands(values: NDArray[np.generic], rendering: Rendering | None) -> NDArray[np.generic]:
    """The bands of an array (H, W, C) to show: those of the rendering, else the first three, or one.

    Raises ImageError for a band that it does not have.
    """
    count = values.shape[2]
    bands = rendering.bands if rendering is not None and rendering.bands else (1, 2, 3) if count >= 3 else (1,)
    if max(bands) > count:
        raise ImageError(f"has {count} bands, and band {max(bands)} is to be shown: give others (--bands)")
    chosen = values[..., [band - 1 for band in bands]]
    return chosen[..., 0] if len(bands) == 1 else chosen


_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_RAW_OF_CANON = b"CR"
_ORIENTATION, _MOST_SAMPLE = "Orientation", "SMaxSampleValue"
VOLUME = "is a volume; export its slices as pictures"
_CUT = "is a TIFF by its first bytes, but cut short (truncated) or damaged"
_MOST_VALUES = 1_000_000_000
_COLOURS = (0, 1, 2)
"""Photometric interpretations of values as they are: white or black is zero, and RGB."""


def needs_tifffile(data: bytes, rendering: Rendering | None) -> bool:
    """Whether a file is a TIFF that Pillow does not read, or one whose bands are chosen."""
    if not data.startswith(_STARTS) or data[8:10] == _RAW_OF_CANON:
        return False
    return bool(rendering and rendering.bands) or not _is_known_to_pillow(data)


@lru_cache(maxsize=1)
def _is_known_to_pillow(data: bytes) -> bool:
    try:
        with Image.open(io.BytesIO(data), formats=["TIFF"]):
            return True
    except UnidentifiedImageError:
        return False
    except Exception:  # noqa: BLE001  # decoding it gives the reason
        return True


def read_tiff(data: bytes, rendering: Rendering | None) -> tuple[Deep, int]:
    """The values of the first page in the bands to show, and its orientation (1 to 8).

    Raises ImageError with a readable reason.
    """
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            page = file.pages.first
            _refuse(page, len(data))
            values = _rows_first(page, page.asarray())
            tag = page.tags.get(_MOST_SAMPLE)
            turn = page.tags.get(_ORIENTATION)
    except ImageError:
        raise
    except MemoryError as error:
        raise ImageError("needs more memory than there is") from error
    except Exception as error:  # a hostile file makes a reader raise nearly anything; each is shown as a failure
        raise ImageError(_why_not(error, data)) from error
    seen = shown_bands(values, rendering) if values.ndim == 3 else values
    value = getattr(tag, "value", None)
    most = max(value) if isinstance(value, tuple) else value
    stated = (0.0, float(most)) if isinstance(most, int | float) and most > 255 else None
    deep = deep_from_array(seen, stated=stated, is_inverted=int(page.photometric) == 0)
    return deep, int(turn.value) if turn is not None else 1


def tiff_bytes(values: NDArray[Any]) -> bytes:
    """An array (H, W) or (H, W, C) of numbers as a TIFF."""
    import tifffile

    is_colour = values.ndim == 3 and values.shape[2] in (3, 4)
    file = io.BytesIO()
    tifffile.imwrite(
        file,
        values if values.dtype != np.int64 else values.astype(np.int32),
        photometric="rgb" if is_colour else "minisblack",
        planarconfig="contig" if values.ndim == 3 else None,
        metadata=None,
    )
    return file.getvalue()


def _refuse(page: Any, size_bytes: int) -> None:
    shape, photometric = page.shape, page.photometric
    if page.imagedepth > 1:
        raise ImageError(VOLUME)
    if int(np.prod(shape, dtype=np.int64)) > _MOST_VALUES:
        raise ImageError(
            f"has {' × '.join(map(str, shape))} values; more than {_MOST_VALUES // 10**6} million are not read"
        )
    if any(start + count > size_bytes for start, count in zip(page.dataoffsets, page.databytecounts, strict=True)):
        raise ImageError(_CUT)
    if int(photometric) not in _COLOURS:
        name = getattr(photometric, "name", photometric)
        raise ImageError(f"is a TIFF of a kind that is not read ({name}); save it as RGB or grey")


def _rows_first(page: Any, values: NDArray[Any]) -> NDArray[Any]:
    """The array as (H, W) or (H, W, C), wherever the file has its bands."""
    if values.dtype.kind not in "uif" or values.ndim not in (2, 3):
        raise ImageError(f"has values that are not read ({values.dtype}, {values.ndim} dimensions)")
    return np.moveaxis(values, 0, -1) if page.axes.startswith("S") and values.ndim == 3 else values


def _why_not(error: Exception, data: bytes) -> str:
    text = str(error).strip().partition("\n")[0]
    if "imagecodecs" in text:
        how = text.partition("requires")[0].strip()
        return f"is compressed in a way that is not read ({how}); save it with deflate, or as it is"
    if isinstance(error, struct.error) or "truncated" in text.lower() or "corrupted" in text.lower():
        return _CUT
    return f"is a TIFF that cannot be read: {text or type(error).__name__}"
