"""Single-pass reading of a picture: content key, size, crop for the backbone, and thumbnail."""

import io
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from url_viz.errors import ImageError
from url_viz.imaging.annotations.annotated import Box
from url_viz.imaging.decode import decode, scaled_size
from url_viz.imaging.digest import content_key
from url_viz.imaging.places import cut
from url_viz.imaging.preprocess import WIDEST_ASPECT, Preprocessing, middle, resized

THUMBNAIL_PX = 256
THUMBNAIL_QUALITY = 82


@dataclass(frozen=True)
class Picture:
    """The data of one file: `crop` (S, S, 3) uint8 for the backbone, `thumbnail` a JPEG of at most 256 px.

    `also` are the crops for other backbones that were asked for.
    """

    content: int
    width: int
    height: int
    crop: NDArray[np.uint8]
    thumbnail: bytes
    also: tuple[NDArray[np.uint8], ...] = ()


@dataclass(frozen=True)
class Known:
    """A file whose content was read before, perhaps under another name."""

    content: int


@dataclass(frozen=True)
class Failure:
    """A file that cannot be read as a picture, and why."""

    reason: str


DecodeResult = Picture | Known | Failure


@dataclass(frozen=True)
class Unfetched:
    """A file that its store failed to deliver, and why: it is not recorded, so that the next run reads it."""

    reason: str


def picture_of(
    data: bytes, preprocessing: Preprocessing, *, content: int, also: Sequence[Preprocessing] = ()
) -> Picture:
    """The `Picture` from the bytes of a file; raises ImageError as `decode` does.

    The crops for the backbones `also` are identical to those of separate calls. The file is decoded once, except a
    large JPEG that the backbones need at different fractions of its size.
    """
    image, size = decode(data, short_side_px=preprocessing.resize_px)
    others = tuple(_other_crop(data, image, preprocessing, other) for other in also)
    return _picture(image, size, preprocessing, content, others)


def pictures_of(
    data: bytes,
    places: Sequence[tuple[Box, float]],
    preprocessing: Preprocessing,
    *,
    also: Sequence[Preprocessing] = (),
) -> list[Picture | Failure]:
    """The `Picture` (content 0) of each place, a box and its margin, in a file that is decoded once.

    Each is that of its crop saved as a file without loss. Raises ImageError as `decode` does.
    """
    image, _ = decode(data)
    return [_picture_at(image, box, margin, preprocessing, also) for box, margin in places]


def _picture_at(
    image: Image.Image, box: Box, margin: float, preprocessing: Preprocessing, also: Sequence[Preprocessing]
) -> Picture | Failure:
    try:
        crop = cut(image, box, margin)
    except ImageError as error:
        return Failure(str(error))
    others = tuple(middle(resized(crop, other), other.size_px) for other in also)
    return _picture(crop, crop.size, preprocessing, 0, others)


def _picture(
    image: Image.Image,
    size: tuple[int, int],
    preprocessing: Preprocessing,
    content: int,
    others: tuple[NDArray[np.uint8], ...],
) -> Picture:
    """The `Picture` of a decoded one, whose full `size` is given."""
    small = resized(image, preprocessing)
    crop = middle(small, preprocessing.size_px)
    whole = small if max(image.size) <= WIDEST_ASPECT * min(image.size) else image
    return Picture(content, *size, crop, thumbnail(whole), others)


def _other_crop(data: bytes, image: Image.Image, done: Preprocessing, other: Preprocessing) -> NDArray[np.uint8]:
    """The crop for another backbone from a picture decoded for `done`, decoded again if it needs another scale."""
    if scaled_size(data, other.resize_px) != scaled_size(data, done.resize_px):
        image, _ = decode(data, short_side_px=other.resize_px)
    return middle(resized(image, other), other.size_px)


def fetch_and_decode(
    fetch: Callable[[], bytes],
    preprocessing: Preprocessing,
    *,
    known: Container[int] = (),
    also: Sequence[Preprocessing] = (),
    decoded: Callable[..., Picture] = picture_of,
) -> DecodeResult:
    """Read the bytes that `fetch` returns; an ImageError from it, or from decoding, becomes a Failure.

    Contents whose keys are in `known` are not decoded again; all others are decoded by `decoded`, like `picture_of`.
    """
    try:
        data = fetch()
        content = content_key(data)
        return Known(content) if content in known else decoded(data, preprocessing, content=content, also=also)
    except ImageError as error:
        return Failure(str(error))


def thumbnail(image: Image.Image) -> bytes:
    """A JPEG of `image`, at most 256 px on its long side, without metadata."""
    small = image.copy()
    small.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.BICUBIC, reducing_gap=3.0)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=THUMBNAIL_QUALITY)
    return file.getvalue()
