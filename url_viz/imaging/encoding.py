"""How a file holds its picture, as its header tells: format, JPEG quality, camera, and when it was taken."""

import datetime
import math
from contextlib import suppress
from dataclasses import dataclass, fields

import numpy as np
from PIL import ExifTags, Image

from url_viz.base.wording import one_line

ENCODING_VERSION = 1
"""Part of the name of the stored table: what a newer version says is known of pictures that are read from then on."""
_STANDARD = 57.625
"""The mean of the table for luma at quality 50 that the Independent JPEG Group's encoder, and most others, scale."""
LONGEST_CAMERA = 80


@dataclass(frozen=True)
class Encoding:
    """`quality` is that of a JPEG, 1 to 100 as most encoders count it, `taken` the camera's clock in seconds.

    `camera` is its maker and model. What a file does not tell is nan, and None.
    """

    format: str
    quality: float = math.nan
    camera: str | None = None
    taken: float = math.nan


ENCODINGS = tuple(field.name for field in fields(Encoding))


def encoding_in(image: Image.Image) -> Encoding:
    """The encoding of an opened picture, of which nothing is decoded."""
    tables = getattr(image, "quantization", None)
    quality = quality_of_table(float(np.mean(tables[0]))) if tables and 0 in tables else math.nan
    is_behind = image.format == "PNG" and "exif" not in image.info  # Pillow would decode the picture to look
    exif = Image.Exif() if is_behind else image.getexif()
    named = (str(exif.get(tag) or "").strip("\0 ") for tag in (ExifTags.Base.Make, ExifTags.Base.Model))
    camera = one_line(" ".join(filter(None, named)))[:LONGEST_CAMERA]
    when = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal) or exif.get(ExifTags.Base.DateTime)
    return Encoding(image.format or "", quality, camera or None, _seconds(str(when or "")))


def quality_of_table(mean: float) -> float:
    """The quality, 1 to 100, whose table for luma has this mean: half as coarse is 75, twice as coarse 25.

    Below, where tables end at 255, it comes out some points too high.
    """
    scale = 100 * mean / _STANDARD
    quality = 100 - scale / 2 if scale <= 100 else 5000 / scale
    return float(min(100, max(1, round(quality))))


def _seconds(text: str) -> float:
    with suppress(ValueError):
        when = datetime.datetime.strptime(text.strip("\0 ") + "+0000", "%Y:%m:%d %H:%M:%S%z")
        return when.timestamp()
    return math.nan
