"""Single-pass reading of a picture: content key, size, crop for the backbone, and thumbnail."""

import io
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from url_viz.errors import ImageError
from url_viz.imaging.decode import decode, scaled_size
from url_viz.imaging.digest import content_key
from url_viz.imaging.places import Box, cut
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
    image, size = decode(data, short_side_px=preprocessing.resize_px, rendering=preprocessing.rendering)
    scale = scaled_size(data, preprocessing.resize_px) if also else None
    images = [image]
    for other in also:
        is_alike = scaled_size(data, other.resize_px) == scale
        again = partial(decode, data, short_side_px=other.resize_px, rendering=other.rendering)
        images.append(image if is_alike else again()[0])
    return _picture(images, size, (preprocessing, *also), content=content)


def pictures_at(
    data: bytes, places: Iterable[tuple[Box, float]], preprocessings: Sequence[Preprocessing]
) -> Iterator[Picture | Failure]:
    """The `Picture` (content 0) of each place, a box and its margin, in a file that is decoded once.

    Each is that of its crop saved as a file without loss. Raises ImageError as `decode` does.
    """
    image, _ = decode(data, rendering=preprocessings[0].rendering)
    for box, margin in places:
        try:
            crop = cut(image, box, margin)
        except ImageError as error:
            yield Failure(str(error))
        else:
            yield _picture([crop] * len(preprocessings), crop.size, preprocessings, content=0)


def _picture(
    images: Sequence[Image.Image], size: tuple[int, int], preprocessings: Sequence[Preprocessing], *, content: int
) -> Picture:
    """The `Picture` of one that was decoded for each of the backbones; its full `size` is given."""
    first, small = images[0], [resized(*each) for each in zip(images, preprocessings, strict=True)]
    crop, *also = (middle(image, each.size_px) for image, each in zip(small, preprocessings, strict=True))
    whole = small[0] if max(first.size) <= WIDEST_ASPECT * min(first.size) else first
    return Picture(content, *size, crop, thumbnail(whole), tuple(also))


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
