"""Decode any file that Pillow reads to an upright RGB picture, or say in plain words why not."""

import io
import os
import stat
import warnings

import numpy as np
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from url_viz.errors import ImageError

MOST_PIXELS = 300_000_000
MOST_BYTES = 1 << 30
DRAFT_MARGIN = 2
"""A big JPEG is decoded at a fraction of its size only while that stays this many times the size asked for."""

# Our own check of the header's dimensions takes the place of Pillow's, which would refuse real panoramas.
Image.MAX_IMAGE_PIXELS = None
# Damaged metadata is Pillow's to warn of and pass over; damaged pixels raise, and those are ours to report.
warnings.filterwarnings("ignore", module=r"PIL(\.|$)")
_is_heif_ready = False


def read_file(path: bytes) -> bytes:
    """The bytes of a plain file; raises ImageError with the reason where it is none, empty, too large or gone."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except OSError as error:
        raise ImageError(_why_not_opened(path, error)) from error
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ImageError("is not a plain file (a pipe, socket or device)")
        if status.st_size > MOST_BYTES:
            raise ImageError(f"is {status.st_size / 2**20:,.0f} MiB; files over {MOST_BYTES / 2**20:,.0f} are not read")
        try:
            data = file.read(MOST_BYTES + 1)
        except OSError as error:
            raise ImageError(f"cannot be read: {error.strerror}") from error
    if not data:
        raise ImageError("is empty (0 bytes)")
    return data


def decode(data: bytes, *, short_side_px: int | None = None) -> tuple[Image.Image, tuple[int, int]]:
    """Decode a file's bytes → (upright RGB picture, its full upright (width, height)).

    Where `short_side_px` is given, a large JPEG is decoded at 1/2, 1/4 or 1/8 of its size, never below twice that short
    side. EXIF orientation is applied, transparency lies on white, 16-bit and float pictures are scaled to 8 bits,
    CMYK goes through its profile where it has one, and of an animation the first frame is taken.
    Raises ImageError with a reason a person understands.
    """
    _ready_heif()
    try:
        return _decoded(data, short_side_px)
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError(_what_it_is_instead(data)) from error
    except MemoryError as error:
        raise ImageError("needs more memory than there is") from error
    except Exception as error:  # a hostile file makes Pillow raise nearly anything, and each is a row that is shown
        raise ImageError(_why_not_decoded(error)) from error


def _decoded(data: bytes, short_side_px: int | None) -> tuple[Image.Image, tuple[int, int]]:
    image = Image.open(io.BytesIO(data))
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise ImageError(f"is {width:,} × {height:,} pixels; more than {MOST_PIXELS // 10**6} million are not read")
    if width < 1 or height < 1:
        raise ImageError(f"has no pixels ({width} × {height})")
    if short_side_px is not None and image.format in ("JPEG", "MPO"):
        scale = DRAFT_MARGIN * short_side_px / min(width, height)
        image.draft(None, (round(width * scale), round(height * scale)))
    image.load()
    orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    is_on_its_side = orientation in (5, 6, 7, 8)
    return _turned(_rgb(image), orientation), ((height, width) if is_on_its_side else (width, height))


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _turned(image: Image.Image, orientation: object) -> Image.Image:
    turn = _TURNS.get(orientation) if isinstance(orientation, int) else None
    return image if turn is None else image.transpose(turn)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _eight_bit(image).convert("RGB")
    if image.mode in ("CMYK", "LAB"):
        return _through_profile(image)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        return _on_white(image.convert("RGBA"))
    return image.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGBA", image.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, image).convert("RGB")


def _eight_bit(image: Image.Image) -> Image.Image:
    """16-bit pictures keep the top byte; others are stretched from their smallest to their largest value."""
    values = np.asarray(image, dtype=np.float64)
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    if image.mode != "F" and low >= 0 and 255 < high < 65536:
        scaled = values / 257
    elif image.mode == "F" and low >= 0 and high <= 1:
        scaled = values * 255
    elif low >= 0 and high <= 255:
        scaled = values
    else:
        scaled = (values - low) * (255 / (high - low))
    return Image.fromarray(scaled.round().astype(np.uint8))


def _through_profile(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            managed = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
            if managed is not None:
                return managed
        except (
            ImageCms.PyCMSError,
            OSError,
            ValueError,
        ):  # a corrupt profile: the plain conversion below is what is left
            return image.convert("RGB")
    if image.mode == "LAB":
        transform = ImageCms.buildTransform(ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB")
        return ImageCms.applyTransform(image, transform) or image.convert("RGB")
    return image.convert("RGB")


def _ready_heif() -> None:
    """Teach Pillow HEIC and HEIF, once."""
    global _is_heif_ready
    if not _is_heif_ready:
        from pillow_heif import register_heif_opener

        register_heif_opener()
        _is_heif_ready = True


def _why_not_opened(path: bytes, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "is a symlink to nothing" if os.path.islink(path) else "vanished while the folder was being read"
    if isinstance(error, PermissionError):
        return "cannot be opened: permission denied"
    return f"cannot be opened: {error.strerror or error}"


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
    return f"is not a picture that can be read (it starts with {data[:8].hex(' ')})"


def _why_not_decoded(error: Exception) -> str:
    text = str(error).strip()
    if "truncated" in text.lower() or isinstance(error, EOFError):
        return "is cut short (truncated)"
    return f"is damaged: {text or type(error).__name__}"
