"""Stable ids and content keys of pictures, and places in them: boxes, crops, keys of objects."""

import hashlib
import math
from dataclasses import dataclass

from PIL import Image

from url_viz.base.errors import ImageError


def _positive_int64(data: bytes) -> int:
    """63 bits of a digest: a non-negative int64, for the store, pandas and URLs."""
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big") >> 1


def image_id(relative_path: bytes) -> int:
    """The id of the picture at this root-relative path."""
    return _positive_int64(relative_path)


def content_key(data: bytes) -> int:
    """The key of a file's content: equal bytes have equal keys."""
    return _positive_int64(data)


Box = tuple[float, float, float, float]
"""x, y, width and height: of the upright picture, in pixels, or in fractions of its size."""
Size = tuple[float, float]
SEPARATOR = b"#"
"""Between the path of a picture and the key of an object in it."""


@dataclass(frozen=True)
class Place:
    """The `box` (x, y, width, height in pixels of the upright picture) of the object `key` in the file `picture`.

    `margin` is the context that is cut with it, as a fraction of its width and height on each side.
    """

    picture: bytes
    key: str
    box: Box
    margin: float = 0.0

    @property
    def path(self) -> bytes:
        """The path of the object: its picture's, and its key without separators."""
        is_plain = not any(part in self.key for part in ("#", "%23", "%25"))
        key = self.key if is_plain else self.key.replace("%", "%25").replace("#", "%23")
        return self.picture + SEPARATOR + key.encode("utf-8", "surrogateescape")

    def content(self, picture_content: int) -> int:
        """The content key of this place in a picture of that content."""
        return content_key(f"{picture_content} {self.box} {self.margin}".encode())


@dataclass(frozen=True)
class PictureSize:
    """A picture as stored, `width` × `height` pixels, and its EXIF `orientation` (1 to 8)."""

    width: int
    height: int
    orientation: int = 1

    @property
    def stored(self) -> Size:
        return self.width, self.height

    @property
    def upright(self) -> Size:
        return (self.height, self.width) if self.orientation >= 5 else self.stored

    def turned(self, box: Box) -> Box:
        """A box in the stored picture as one in the upright picture."""
        x, y, width, height = box
        if self.orientation >= 5:
            x, y, width, height = y, x, height, width
        if self.orientation in (2, 3, 6, 7):
            x = self.upright[0] - x - width
        if self.orientation in (3, 4, 7, 8):
            y = self.upright[1] - y - height
        return x, y, width, height


def cut(image: Image.Image, box: Box, margin: float) -> Image.Image:
    """The crop of a place in an upright picture, in whole pixels, without what lies outside the picture.

    Raises ImageError if nothing of it lies inside.
    """
    x, y, width, height = box
    left, top = math.floor(x - margin * width), math.floor(y - margin * height)
    right, bottom = math.ceil(x + width * (1 + margin)), math.ceil(y + height * (1 + margin))
    inside = max(0, left), max(0, top), min(image.width, right), min(image.height, bottom)
    if inside[0] >= inside[2] or inside[1] >= inside[3]:
        raise ImageError(f"lies outside its picture of {image.width} × {image.height} pixels")
    return image.crop(inside)


def picture_path(path: bytes) -> bytes:
    """The path of an object's picture, from its own."""
    return path.rpartition(SEPARATOR)[0]
