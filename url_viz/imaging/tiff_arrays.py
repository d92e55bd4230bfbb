"""TIFF files that Pillow does not know, of many bands or of float64, and bands that are chosen: read by tifffile."""

import io
import struct
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from url_viz.errors import ImageError
from url_viz.imaging.deep import Deep, banded, deep_array
from url_viz.imaging.rendering import Range, Rendering

_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_RAW_OF_CANON = b"CR"
_ORIENTATION, _MOST_SAMPLE = "Orientation", "SMaxSampleValue"
VOLUME = "is a volume; export its slices as pictures"
_CUT = "is a TIFF by its first bytes, but cut short (truncated) or damaged"
_MOST_VALUES = 1_000_000_000
_COLOURS = (0, 1, 2)
"""Photometric interpretations of values as they are: white or black is zero, and RGB."""


def is_in_arrays(data: bytes, rendering: Rendering | None) -> bool:
    """Whether a file is a TIFF that Pillow does not read, or one of which bands are chosen."""
    if not data.startswith(_STARTS) or data[8:10] == _RAW_OF_CANON:
        return False
    return bool(rendering and rendering.bands) or not _is_known(data[:8], len(data), data)


@lru_cache(maxsize=1)
def _is_known(start: bytes, size: int, data: bytes) -> bool:
    """Whether Pillow knows this kind of TIFF."""
    try:
        with Image.open(io.BytesIO(data), formats=["TIFF"]):
            return True
    except UnidentifiedImageError:
        return False
    except Exception:  # noqa: BLE001  # what is wrong with it is said where it is decoded
        return True


def deep_of_arrays(data: bytes, rendering: Rendering | None) -> tuple[Deep, int]:
    """The bands that are seen of the first page, and its orientation (1 to 8).

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
    seen = banded(values, rendering) if values.ndim == 3 else values
    deep = deep_array(seen, said=_range_said(tag), is_inverted=int(page.photometric) == 0)
    return deep, int(turn.value) if turn is not None else 1


def tiff_bytes(values: NDArray[Any]) -> bytes:
    """An array (H, W) or (H, W, C) of numbers as a file."""
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
    """An array (H, W) or (H, W, C), wherever the file has its bands."""
    axes = page.axes
    if values.dtype.kind not in "uif" or values.ndim not in (2, 3):
        raise ImageError(f"has values that are not read ({values.dtype}, {values.ndim} dimensions)")
    return np.moveaxis(values, 0, -1) if axes.startswith("S") and values.ndim == 3 else values


def _range_said(tag: Any) -> Range | None:
    value = getattr(tag, "value", None)
    most = max(value) if isinstance(value, tuple) else value
    return (0.0, float(most)) if isinstance(most, int | float) and most > 255 else None


def _why_not(error: Exception, data: bytes) -> str:
    text = str(error).strip().partition("\n")[0]
    if "imagecodecs" in text:
        how = text.partition("requires")[0].strip()
        return f"is compressed in a way that is not read ({how}); save it with deflate, or as it is"
    if isinstance(error, struct.error) or "truncated" in text.lower() or "corrupted" in text.lower():
        return _CUT
    return f"is a TIFF that cannot be read: {text or type(error).__name__}"
