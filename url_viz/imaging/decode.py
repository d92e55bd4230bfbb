"""Files to upright RGB pixels, opened safely, and preprocessing for a backbone."""

import fcntl
import io
import logging
import math
import os
import stat
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, ImageFile, PngImagePlugin, UnidentifiedImageError

from url_viz.base.errors import ImageError
from url_viz.imaging.deep import VOLUME, Deep, deep_from_image, needs_tifffile, read_tiff
from url_viz.imaging.dicom import is_dicom, read_dicom
from url_viz.imaging.encoding import Encoding, encoding_in
from url_viz.imaging.pages import chosen_page
from url_viz.imaging.rendering import Rendering, ValueSample, as_rendering

VANISHED = "no longer exists"
OUTSIDE = "leads out of the folders that may be read"
_LONGEST_PATH = 1024
"""Bytes of a path on macOS (MAXPATHLEN)."""


@contextmanager
def open_plain_file(path: bytes, *, within: Sequence[Path] | None = None) -> Iterator[BinaryIO]:
    """The file at `path`, open for reading; with `within` (real paths) only if it lies in one of these folders.

    The check looks at the open file, not at its path: even if the path is replaced by a link meanwhile, what was
    checked is what is read. Raises ImageError if the file is gone, cannot be opened, lies outside, or is not plain.
    """
    if b"\0" in path:
        raise ImageError("has a zero byte in its name, which no file has")
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except OSError as error:
        raise ImageError(_why_not_opened(path, error) if lies_within(path, within) else OUTSIDE) from error
    try:
        _refuse(handle, within)
        with os.fdopen(handle, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(handle)


def lies_within(path: bytes | Path, within: Sequence[Path] | None) -> bool:
    """Whether a path leads into a folder that may be read; ask this before whether anything is there."""
    if within is None:
        return True
    try:
        target = Path(os.path.realpath(os.fsdecode(path)))
    except OSError:  # a link that was exchanged while it was followed
        return False
    return any(map(target.is_relative_to, within))


def size_and_time(path: bytes, *, within: Sequence[Path] | None) -> tuple[int, int]:
    """A file's bytes and its time of change in nanoseconds; zeros where reading it will give a reason."""
    try:
        status = os.stat(path) if lies_within(path, within) else None
    except (OSError, ValueError):
        status = None
    return (0, 0) if status is None else (status.st_size, status.st_mtime_ns)


def _refuse(handle: int, within: Sequence[Path] | None) -> None:
    if within is not None:
        real = _real_path(handle)
        if not any(real.is_relative_to(folder) for folder in within):
            raise ImageError(OUTSIDE)
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        raise ImageError("is a folder" if stat.S_ISDIR(mode) else "is not a plain file (a pipe, socket or device)")


def _real_path(handle: int) -> Path:
    try:
        if sys.platform == "darwin":
            return Path(os.fsdecode(fcntl.fcntl(handle, fcntl.F_GETPATH, bytes(_LONGEST_PATH)).rstrip(b"\0")))
        return Path(os.readlink(f"/proc/self/fd/{handle}"))
    except OSError as error:
        raise ImageError(f"cannot be said to lie in a folder that may be read: {error.strerror}") from error


def _why_not_opened(path: bytes, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "is a symlink to nothing" if os.path.islink(path) else VANISHED
    if isinstance(error, PermissionError):
        return "cannot be opened: permission denied"
    return f"cannot be opened: {error.strerror or error}"


PNG_START = b"\x89PNG\r\n\x1a\n"
JPEG_START = b"\xff\xd8"
MOST_PIXELS = 300_000_000
MOST_BYTES = 1 << 30
EMPTY = "is empty (0 bytes)"
DRAFT_MARGIN = 2
"""A big JPEG is decoded at a fraction of its size if that is still this many times the requested size."""
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
for _library in ("PIL", "tifffile", "pydicom"):  # what they would print of a file is a reason here
    logging.getLogger(_library).addHandler(logging.NullHandler())
    logging.getLogger(_library).propagate = False
_TIFF_DEPTH = 32997
_large: AbstractContextManager[object] = threading.Lock()


def read_file(path: bytes, *, within: Sequence[Path] | None = None) -> bytes:
    """The bytes of a plain file. Raises ImageError as `open_plain_file` does, and if it is empty or too large."""
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
    """Raise ImageError for more than `MOST_BYTES`."""
    if size_bytes > MOST_BYTES:
        raise ImageError(f"is {size_bytes / 2**20:,.0f} MiB; files over {MOST_BYTES / 2**20:,.0f} are not read")


def decode(
    data: bytes, *, short_side_px: int | None = None, rendering: Rendering | None = None
) -> tuple[Image.Image, tuple[int, int]]:
    """The upright RGB picture in a file's bytes, and its full upright (width, height).

    If `short_side_px` is given, a large JPEG is decoded at 1/2, 1/4 or 1/8 of its size, never below twice that short
    side. EXIF orientation is applied, transparency is put on white, CMYK is converted with its profile if it has one,
    and only the first frame of an animation is decoded. The `rendering` has the range of values of more than 8 bits
    (else it is the picture's own) and names the bands to show. Raises ImageError with a readable reason.
    """
    data = chosen_page(data, "each" if rendering is None else rendering.page)
    if (arrays := _read_without_pillow(data, rendering)) is not None:
        deep, orientation = arrays
        return _upright(deep.in_eight_bits(rendering).convert("RGB"), orientation, (deep.width, deep.height))
    with _opened(data) as image:
        return _decode(image, data, short_side_px, rendering)


def value_sample(data: bytes) -> ValueSample | None:
    """Some values of a picture of more than 8 bits, and its window; None for any other, and for a damaged one."""
    with suppress(ImageError):
        if (arrays := _read_without_pillow(data, None)) is not None:
            return None if arrays[0].is_eight_bit else arrays[0].sample
        with _opened(data) as image:
            deep = deep_from_image(image, data)
            return None if deep is None else deep.sample
    return None


def _read_without_pillow(data: bytes, rendering: Rendering | None) -> tuple[Deep, int] | None:
    """A picture that Pillow does not read, and its orientation; None for any other."""
    if is_dicom(data):
        return read_dicom(data), 1
    return read_tiff(data, rendering) if needs_tifffile(data, rendering) else None


@contextmanager
def _opened(data: bytes) -> Iterator[ImageFile.ImageFile]:
    """A picture opened by Pillow; whatever goes wrong while it is used is an ImageError with a readable reason."""
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
    """The size at which `decode` decodes a JPEG; None for any other file, which is never scaled."""
    if not data.startswith(JPEG_START):
        return None
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        _draft(image, short_side_px)
        return image.size


def header_of(data: bytes) -> tuple[int, int, int]:
    """Width and height as stored, and EXIF orientation (1 to 8). Raises ImageError as `decode` does."""
    if (arrays := _read_without_pillow(data, None)) is not None:
        deep, orientation = arrays
        return deep.width, deep.height, orientation if orientation in _TURNS else 1
    with _opened(data) as image:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
        return *image.size, orientation if orientation in _TURNS else 1


def decode_large_in_turns(turns: AbstractContextManager[object]) -> None:
    """Decode large pictures only while holding `turns`, a lock that other processes share."""
    global _large
    _large = turns


def picture_format(data: bytes) -> str | None:
    """Pillow's name for a file's format; None if the format is not accepted."""
    if is_dicom(data) or needs_tifffile(data, None):
        return "DICOM" if is_dicom(data) else "TIFF"
    with suppress(ImageError), _opened(data) as image:
        return image.format
    return None


def encoding_of(data: bytes) -> Encoding:
    """How a file holds its picture; a damaged header tells nothing."""
    with suppress(ImageError), _opened(data) as image:
        return encoding_in(image)
    return Encoding(picture_format(data) or "")


def _decode(
    image: ImageFile.ImageFile, data: bytes, short_side_px: int | None, rendering: Rendering | None
) -> tuple[Image.Image, tuple[int, int]]:
    width, height = image.size
    most = WEBP_MOST_PIXELS if image.format == "WEBP" else MOST_PIXELS
    if width * height > most:
        raise ImageError(f"is {width:,} × {height:,} pixels; more than {most // 10**6} million are not read")
    if image.format == "TIFF" and image.tag_v2.get(_TIFF_DEPTH, 1) != 1:  # type: ignore[attr-defined]
        raise ImageError(VOLUME)
    if width < 1 or height < 1:
        raise ImageError(f"has no pixels ({width} × {height})")
    if short_side_px is not None and image.format in ("JPEG", "MPO"):
        _draft(image, short_side_px)
    is_large = image.width * image.height >= LARGE_PIXELS
    is_deep = image.mode in ("I", "F") or image.mode.startswith("I;16")
    if rendering is not None and rendering.range is not None:  # Pillow has no range for colours
        is_deep = True
    with _large if is_large else nullcontext():
        deep = deep_from_image(image, data) if is_deep else None
        image.load()
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
        rgb = _rgb(image) if deep is None else deep.in_eight_bits(rendering).convert("RGB")
        return _upright(rgb, orientation, (width, height))


def _upright(rgb: Image.Image, orientation: object, size: tuple[int, int]) -> tuple[Image.Image, tuple[int, int]]:
    turn = _TURNS.get(orientation) if isinstance(orientation, int) else None
    upright = rgb if turn is None else rgb.transpose(turn)
    return upright, (size[::-1] if orientation in (5, 6, 7, 8) else size)


def _draft(image: Image.Image, short_side_px: int) -> None:
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
    if image.mode in ("CMYK", "LAB"):
        return _through_profile(image)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image if image.mode == "RGBA" else image.convert("RGBA")
        white = Image.new("RGB", image.size, (255, 255, 255))
        white.paste(image, mask=image.getchannel("A"))  # blends in place: no third copy of a large picture
        return white
    return image.convert("RGB")


def _through_profile(image: Image.Image) -> Image.Image:
    if profile := image.info.get("icc_profile"):
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


_UNREAD = {
    b"CR\2": "is a raw file of a camera (CR2); export it as JPEG or TIFF",
    b"JXL ": "is JPEG XL, which is not read; save it as PNG or JPEG",
    b"\xff\x0a": "is JPEG XL, which is not read; save it as PNG or JPEG",
    b"\x93NUMPY": "is an array of NumPy; save it as TIFF or PNG, or give arrays by `embed_dataset`",
}
"""The reasons for files that contain this among their first bytes."""


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
    for mark, what in _UNREAD.items():
        if mark in data[:16]:
            return what
    for kind, (offset, mark) in _MARKS.items():
        if data.startswith(mark, offset):
            return f"is a {kind} by its first bytes, but cut short (truncated) or damaged"
    return f"is not in a known image format (it starts with {data[:8].hex(' ')})"


def _why_not_decoded(error: Exception) -> str:
    text = str(error).strip()
    if "truncated" in text.lower() or isinstance(error, EOFError):
        return "is cut short (truncated)"
    return f"is damaged: {text or type(error).__name__}"


WIDEST_ASPECT = 4.0
"""A longer picture is cut to its middle before it is resized: resized as a whole it would not fit in memory."""

_INTERPOLATIONS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


@dataclass(frozen=True)
class Preprocessing:
    """The evaluation transform: short side to floor(size / crop_share), middle `size_px` square, normalised.

    `rendering` is how a set's pictures of more than 8 bits, or of many bands, are seen; None where it does not matter.
    With `is_squeezed`, another look at the same pictures: the whole squeezed to a square, and mirrored.
    """

    size_px: int = 224
    crop_share: float = 0.875
    interpolation: str = "bicubic"
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    rendering: Rendering | None = None
    is_squeezed: bool = False

    def __post_init__(self) -> None:
        if self.interpolation not in _INTERPOLATIONS:
            raise ValueError(f"interpolation is {self.interpolation!r}; known: {', '.join(_INTERPOLATIONS)}")

    @property
    def resize_px(self) -> int:
        """The short side before the centre crop."""
        return math.floor(self.size_px / self.crop_share)

    def as_record(self) -> dict[str, object]:
        """The fields as plain values; without a rendering if there is none, and `is_squeezed` only if it is."""
        record = {**vars(self), "rendering": None if self.rendering is None else asdict(self.rendering)}
        return {name: value for name, value in record.items() if value}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Preprocessing":
        """The preprocessing with the fields that `as_record` gave, also through JSON."""
        rendering = as_rendering(record.get("rendering"))
        return cls(**{**record, "mean": tuple(record["mean"]), "std": tuple(record["std"]), "rendering": rendering})


AUTHORS = Preprocessing()
"""What the authors' heads were most likely trained with: ImageNet statistics, crop .875 (METHOD 1.6)."""


def resized(image: Image.Image, preprocessing: Preprocessing) -> Image.Image:
    """`image` with its short side at `resize_px`, or squeezed to `size_px` squared and mirrored.

    A very long one is cut to its middle first.
    """
    image = _cut_long(image)
    if preprocessing.is_squeezed:
        square = image.resize((preprocessing.size_px,) * 2, _INTERPOLATIONS[preprocessing.interpolation])
        return square.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    width, height = image.size
    short = preprocessing.resize_px
    size = (short, int(short * height / width)) if width <= height else (int(short * width / height), short)
    if size == image.size:
        return image
    return image.resize(size, _INTERPOLATIONS[preprocessing.interpolation])


def middle(image: Image.Image, size_px: int) -> NDArray[np.uint8]:
    """The middle square of a resized picture: (size, size, 3) uint8."""
    left, top = (round((side - size_px) / 2) for side in image.size)
    return np.asarray(image.crop((left, top, left + size_px, top + size_px)), dtype=np.uint8)


def normalised(crops: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.float32]:
    """Crops (B, H, W, 3) uint8 → pixels (B, 3, H, W) float32 as the backbone was trained on."""
    mean = np.asarray(preprocessing.mean, np.float32) * 255
    std = np.asarray(preprocessing.std, np.float32) * 255
    return np.ascontiguousarray(((crops.astype(np.float32) - mean) / std).transpose(0, 3, 1, 2))


def _cut_long(image: Image.Image) -> Image.Image:
    short, long = sorted(image.size)
    keep = max(1, round(short * WIDEST_ASPECT))
    if long <= keep:
        return image
    start = (long - keep) // 2
    is_wide = image.width > image.height
    return image.crop((start, 0, start + keep, short) if is_wide else (0, start, short, start + keep))
