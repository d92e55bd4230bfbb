"""Image decoding to upright RGB with Pillow, with a readable reason for files that cannot be decoded."""

import io
import os
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, PngImagePlugin, UnidentifiedImageError

from url_viz.errors import ImageError
from url_viz.imaging.plain_file import open_plain_file

PNG_START = b"\x89PNG\r\n\x1a\n"
JPEG_START = b"\xff\xd8"
MOST_PIXELS = 300_000_000
MOST_BYTES = 1 << 30
EMPTY = "is empty (0 bytes)"
DRAFT_MARGIN = 2
"""A big JPEG is decoded at a fraction of its size if that is still this many times the requested size."""
STRIP_PIXELS = 1 << 22
"""How many values of 16 bits and more are converted to 8 bits at a time."""
LARGE_PIXELS = 50_000_000
"""Larger pictures are decoded one at a time, whatever the number of threads: each may need gigabytes."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "PPM", "HEIF", "AVIF", "TGA", "JPEG2000", "ICO", "PCX")
"""Accepted formats. Pillow knows more, among them PostScript, for which it would start another program."""
WEBP_MOST_PIXELS = 120_000_000
"""An animated WebP takes four times the memory of another picture, and 4 kB may declare a canvas of any size."""

# Our own check gives the better reason; Pillow's, at twice the bound, also checks pictures inside an icon.
Image.MAX_IMAGE_PIXELS = MOST_PIXELS
PngImagePlugin.MAX_TEXT_CHUNK = 1 << 24  # bytes: colour profiles and XMP may exceed Pillow's million
# Pillow warns of damaged metadata and ignores it. Damaged pixels raise an error, which is reported here.
warnings.filterwarnings("ignore", module=r"PIL(\.|$)")
_large: AbstractContextManager[object] = threading.Lock()


def read_file(path: bytes, *, within: Sequence[Path] | None = None) -> bytes:
    """The bytes of a plain file; raises ImageError as `open_plain_file` does, and if it is empty or too large."""
    with open_plain_file(path, within=within) as file:
        refuse_large(os.fstat(file.fileno()).st_size)
        try:
            data = file.read()  # a number of bytes would be asked for as memory at once
        except OSError as error:
            raise ImageError(f"cannot be read: {error.strerror}") from error
    if not data:
        raise ImageError(EMPTY)
    refuse_large(len(data))  # it may have grown
    return data


def refuse_large(size_bytes: int) -> None:
    """Raise ImageError if a file is larger than `MOST_BYTES`."""
    if size_bytes > MOST_BYTES:
        raise ImageError(f"is {size_bytes / 2**20:,.0f} MiB; files over {MOST_BYTES / 2**20:,.0f} are not read")


def decode(data: bytes, *, short_side_px: int | None = None) -> tuple[Image.Image, tuple[int, int]]:
    """Decode a file's bytes → (upright RGB picture, its full upright (width, height)).

    If `short_side_px` is given, a large JPEG is decoded at 1/2, 1/4 or 1/8 of its size, never below twice that short
    side. EXIF orientation is applied, transparency is put on white, 16-bit and float pictures are scaled to 8 bits,
    CMYK is converted with its profile if it has one, and only the first frame of an animation is decoded.
    Raises ImageError with a readable reason.
    """
    with _opened(data) as image:
        return _decode(image, short_side_px)


@contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    """A file's bytes as Pillow opens them; whatever goes wrong with it is an ImageError with a readable reason."""
    _register_heif()
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            yield image
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError(_what_it_is_instead(data)) from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"is far larger than the {MOST_PIXELS // 10**6} million pixels that are read") from error
    except MemoryError as error:
        raise ImageError("needs more memory than there is") from error
    except Exception as error:  # a hostile file makes Pillow raise nearly anything; each is shown as a failure
        raise ImageError(_why_not_decoded(error)) from error


def scaled_size(data: bytes, short_side_px: int) -> tuple[int, int] | None:
    """The size at which `decode` would decode a JPEG; None for any other file, which is never scaled."""
    if not data.startswith(JPEG_START):
        return None
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        _draft(image, short_side_px)
        return image.size


def header_of(data: bytes) -> tuple[int, int, int]:
    """Width and height as stored, and EXIF orientation (1 to 8), of a picture; raises ImageError as `decode` does."""
    with _opened(data) as image:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
        return *image.size, orientation if orientation in _TURNS else 1


def decode_large_in_turns(turns: AbstractContextManager[object]) -> None:
    """From now on decode large pictures only while holding the lock `turns`, which other processes share."""
    global _large
    _large = turns


def format_of(data: bytes) -> str | None:
    """Pillow's name of a file's format by its first bytes; None if the format is not accepted."""
    with suppress(ImageError), _opened(data) as image:
        return image.format
    return None


def _decode(image: Image.Image, short_side_px: int | None) -> tuple[Image.Image, tuple[int, int]]:
    width, height = image.size
    most = WEBP_MOST_PIXELS if image.format == "WEBP" else MOST_PIXELS
    if width * height > most:
        raise ImageError(f"is {width:,} × {height:,} pixels; more than {most // 10**6} million are not read")
    if width < 1 or height < 1:
        raise ImageError(f"has no pixels ({width} × {height})")
    if short_side_px is not None and image.format in ("JPEG", "MPO"):
        _draft(image, short_side_px)
    is_large = image.width * image.height >= LARGE_PIXELS
    with _large if is_large else nullcontext():
        image.load()
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
        rgb = _rgb(image)
        turn = _TURNS.get(orientation) if isinstance(orientation, int) else None
        upright = rgb if turn is None else rgb.transpose(turn)
    return upright, ((height, width) if orientation in (5, 6, 7, 8) else (width, height))


def _draft(image: Image.Image, short_side_px: int) -> None:
    """Have a JPEG decoded at a fraction of its size, if that is large enough."""
    width, height = image.size
    scale = DRAFT_MARGIN * short_side_px / min(width, height)
    image.draft(None, (round(width * scale), round(height * scale)))


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _eight_bit(image).convert("RGB")
    if image.mode in ("CMYK", "LAB"):
        return _through_profile(image)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        return _on_white(image if image.mode == "RGBA" else image.convert("RGBA"))
    return image.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGB", image.size, (255, 255, 255))
    white.paste(image, mask=image.getchannel("A"))  # blends in place: no third copy of a large picture
    return white


def _eight_bit(image: Image.Image) -> Image.Image:
    """16-bit pictures keep the top byte; others are stretched from their smallest to their largest value.

    Done in strips: the values in float64 take sixteen times the memory of the result.
    """
    ends = [(float(strip.min()), float(strip.max())) for strip in _strips(image)]
    scale, zero = _stretch(image.mode, low=min(low for low, _ in ends), high=max(high for _, high in ends))
    strips = [((strip - zero) * scale).round().astype(np.uint8) for strip in _strips(image)]
    return Image.fromarray(np.concatenate(strips))


def _strips(image: Image.Image) -> Iterator[NDArray[np.float64]]:
    rows = max(1, STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        box = (0, top, image.width, min(top + rows, image.height))
        yield np.nan_to_num(np.asarray(image.crop(box), np.float64), copy=False, nan=0.0, posinf=0.0, neginf=0.0)


def _stretch(mode: str, *, low: float, high: float) -> tuple[float, float]:
    """Scale and black value that map `low` … `high` into 0 … 255."""
    if mode != "F" and low >= 0 and 255 < high < 65536:
        return 1 / 257, 0.0
    if mode == "F" and low >= 0 and high <= 1:
        return 255.0, 0.0
    if low >= 0 and high <= 255:
        return 1.0, 0.0
    return (255 / (high - low), low) if high > low else (0.0, low)


def _through_profile(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            managed = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
            if managed is not None:
                return managed
        except (ImageCms.PyCMSError, OSError, ValueError):  # a corrupt profile: convert without it
            return image.convert("RGB")
    if image.mode == "LAB":
        transform = ImageCms.buildTransform(ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB")
        return ImageCms.applyTransform(image, transform) or image.convert("RGB")
    return image.convert("RGB")


@cache
def _register_heif() -> None:
    from pillow_heif import register_heif_opener

    register_heif_opener()


_MARKS = {
    "PNG": (0, PNG_START),
    "JPEG": (0, b"\xff\xd8\xff"),
    "GIF": (0, b"GIF8"),
    "WebP": (8, b"WEBP"),
    "AVIF": (4, b"ftypavif"),
    "HEIC": (4, b"ftyphei"),
    "TIFF": (0, b"II*\0"),
    "big-endian TIFF": (0, b"MM\0*"),
}
"""Offset and magic bytes of each format."""


def _what_it_is_instead(data: bytes) -> str:
    start = data[:512].lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "is an HTML page, not a picture"
    if b"<svg" in start:
        return "is an SVG drawing; only raster pictures are read"
    if start.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer; fetch the real file with `git lfs pull`"
    if start.startswith(b"%pdf"):
        return "is a PDF, not a picture"
    for kind, (offset, mark) in _MARKS.items():
        if data.startswith(mark, offset):
            return f"is a {kind} by its first bytes, but cut short (truncated) or damaged"
    return f"is not in a known image format (it starts with {data[:8].hex(' ')})"


def _why_not_decoded(error: Exception) -> str:
    text = str(error).strip()
    if "truncated" in text.lower() or isinstance(error, EOFError):
        return "is cut short (truncated)"
    return f"is damaged: {text or type(error).__name__}"
