"""Reading and decoding of pictures in one pass, in worker processes: a crash of the decoder costs one picture."""

import atexit
import io
import os
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from url_viz.base.errors import ImageError
from url_viz.base.limited_processes import Answer, LimitedProcesses, serve
from url_viz.base.processes import usable_cores
from url_viz.imaging.decode import (
    WIDEST_ASPECT,
    Preprocessing,
    decode,
    decode_large_in_turns,
    encoding_of,
    header_of,
    middle,
    picture_format,
    resized,
    scaled_size,
    value_sample,
)
from url_viz.imaging.encoding import Encoding
from url_viz.imaging.places import Box, Place, content_key, cut
from url_viz.imaging.quality import ASSESSMENT_BYTES, Assessment, assess
from url_viz.imaging.rendering import Rendering, ValueSample, as_rendering

THUMBNAIL_PX = 256
THUMBNAIL_QUALITY = 82


@dataclass(frozen=True)
class Picture:
    """One picture: its full size, its `crop` (S, S, 3) uint8 for the backbone, and a JPEG of at most 256 px.

    `also` has the crops for other backbones; `assessment` is of the thumbnail, where it was asked for, `encoding` of
    the file that it is.
    """

    content: int
    width: int
    height: int
    crop: NDArray[np.uint8]
    thumbnail: bytes
    also: tuple[NDArray[np.uint8], ...] = ()
    assessment: Assessment | None = None
    encoding: Encoding | None = None


@dataclass(frozen=True)
class Known:
    """A file whose content was read before, perhaps under another name.

    `also` has the crops for other backbones that were cut then, where they are wanted.
    """

    content: int
    also: tuple[NDArray[np.uint8], ...] = ()


@dataclass(frozen=True)
class Failure:
    """A file that cannot be read as a picture, and why."""

    reason: str


DecodeResult = Picture | Known | Failure


@dataclass(frozen=True)
class Unfetched:
    """A file that its store failed to deliver, and why: it is not recorded, so that the next run tries again."""

    reason: str


def picture_of(
    data: bytes, preprocessing: Preprocessing, *, content: int, also: Sequence[Preprocessing] = ()
) -> Picture:
    """Decode the bytes of a file; raises ImageError as `decode` does.

    The crops for the backbones `also` are identical to those of separate calls. The file is decoded once, except a
    large JPEG that the backbones need at different fractions of its size.
    """
    image, size = decode(data, short_side_px=preprocessing.resize_px, rendering=preprocessing.rendering)
    scale = scaled_size(data, preprocessing.resize_px) if also else None
    images = [image]
    for other in also:
        if scaled_size(data, other.resize_px) == scale:
            images.append(image)
        else:
            images.append(decode(data, short_side_px=other.resize_px, rendering=other.rendering)[0])
    return _picture(images, size, (preprocessing, *also), content=content)


def pictures_at(
    data: bytes, places: Iterable[tuple[Box, float]], preprocessings: Sequence[Preprocessing]
) -> Iterator[Picture | Failure]:
    """The picture, with content 0, of each place (a box and its margin) in a file that is decoded once.

    Each is as if its crop were a file of its own. Raises ImageError as `decode` does.
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
    """Decode the bytes that `fetch` returns, by `decoded`; an ImageError becomes a Failure.

    Contents whose keys are in `known` are not decoded again.
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


MOST_S = 60.0
MOST_KEPT_PIXELS = 32_000_000
"""A picture of at most this size stays decoded until the next one is to be cut."""
MOST_MEMORY_BYTES = 6 << 30
"""Twice what the largest accepted picture takes."""


class Decoders(LimitedProcesses):
    """A pool of at most `most` decoding processes; a picture that crashes one raises ImageError."""

    def __init__(
        self, most: int | None = None, *, most_s: float = MOST_S, most_memory_bytes: int = MOST_MEMORY_BYTES
    ) -> None:
        super().__init__(
            "url_viz.imaging.workers",
            most=most or max(2, usable_cores()),  # at least two: one that hangs does not block the others
            most_s=most_s,
            most_memory_bytes=most_memory_bytes,
            error=ImageError,
        )

    def read(
        self,
        data: bytes,
        preprocessing: Preprocessing,
        *,
        content: int | None = None,
        also: Sequence[Preprocessing] = (),
        is_assessed: bool = False,
    ) -> Picture:
        """As `picture_of`, assessed if that is asked for; raises ImageError also after a crash or timeout."""
        [picture] = self._pictures("read", data, (preprocessing, *also), is_assessed=is_assessed)
        assert isinstance(picture, Picture)
        return replace(picture, content=content_key(data) if content is None else content)

    def read_places(
        self, data: bytes, places: Sequence[Place], *preprocessings: Preprocessing
    ) -> Iterator[Picture | Failure]:
        """As `pictures_at`, each assessed; raises ImageError also after a crash or timeout."""
        boxes = [(place.box, place.margin) for place in places]
        return self._pictures("places", data, preprocessings, places=boxes, is_assessed=True)

    def _pictures(
        self, what: str, data: bytes, preprocessings: Sequence[Preprocessing], *, is_assessed: bool, **how: object
    ) -> Iterator[Picture | Failure]:
        records = [p.as_record() for p in preprocessings]
        facts, body = self.ask(what, data, preprocessings=records, is_assessed=is_assessed, **how)
        ends = np.cumsum([0, *(3 * p.size_px**2 for p in preprocessings)]).tolist()
        start_of_thumbnail = ends[-1] + (ASSESSMENT_BYTES if is_assessed else 0)
        read = 0
        for fact in facts["pictures"]:
            if "failure" in fact:
                yield Failure(fact["failure"])
                continue
            part = body[read : (read := read + fact["bytes"])]
            crop, *also = (
                np.frombuffer(part, np.uint8, end - start, start).reshape(p.size_px, p.size_px, 3)
                for start, end, p in zip(ends, ends[1:], preprocessings, strict=False)
            )
            assessment = Assessment.from_bytes(part[ends[-1] : start_of_thumbnail]) if is_assessed else None
            size = fact["width"], fact["height"]
            encoding = Encoding(**fact["encoding"]) if "encoding" in fact else None
            yield Picture(0, *size, crop, part[start_of_thumbnail:], tuple(also), assessment, encoding)

    def shown(self, data: bytes, *, most_px: int, quality: int, rendering: Rendering | None = None) -> bytes:
        """A JPEG of a picture, upright, at most `most_px` on its long side; raises ImageError as `read` does."""
        how = rendering and asdict(rendering)
        return self.ask("shown", data, most_px=most_px, quality=quality, rendering=how)[1]

    def cut(self, data: bytes, place: Place, *, rendering: Rendering | None = None) -> bytes:
        """A place in a picture as a PNG; raises ImageError as `read` does, and if nothing of it lies inside."""
        how = rendering and asdict(rendering)
        return self.ask("cut", data, box=place.box, margin=place.margin, rendering=how)[1]

    def sample_of(self, data: bytes) -> ValueSample | None:
        """Some values of a picture of more than 8 bits; None for any other, and if they cannot be read."""
        with suppress(ImageError):
            facts, body = self.ask("sample", data)
            if "is_float" in facts:
                stated, window = (tuple(facts[name]) if facts[name] else None for name in ("stated", "window"))
                return ValueSample(np.frombuffer(body, np.float32), facts["is_float"], stated, window)
        return None

    def header_of(self, data: bytes) -> tuple[int, int, int]:
        """Width and height as stored, and EXIF orientation (1 to 8); raises ImageError as `read` does."""
        width, height, orientation = self.ask("header", data)[0]["header"]
        return width, height, orientation

    def format_of(self, data: bytes) -> str | None:
        """Pillow's name for a file's format; None if it is not accepted, or crashes its decoder."""
        with suppress(ImageError):
            name: str | None = self.ask("format", data)[0]["format"]
            return name
        return None


decoders = Decoders()
"""The pool that all threads of this process share."""
atexit.register(decoders.close)
os.register_at_fork(after_in_child=decoders.forget)


def fetch_and_decode_isolated(
    fetch: Callable[[], bytes],
    preprocessing: Preprocessing,
    *,
    known: Container[int] = (),
    also: Sequence[Preprocessing] = (),
    is_assessed: bool = False,
    by: Decoders = decoders,
) -> DecodeResult:
    """As `fetch_and_decode`, in a process with limits on time and memory: a crash is a Failure too."""
    decoded = partial(by.read, is_assessed=is_assessed)
    return fetch_and_decode(fetch, preprocessing, known=known, also=also, decoded=decoded)


def fetch_and_decode_places(
    fetch: Callable[[], bytes],
    places: Sequence[Place],
    preprocessings: Sequence[Preprocessing],
    *,
    known: Container[int],
    by: Decoders = decoders,
) -> list[DecodeResult]:
    """As `fetch_and_decode_isolated`, for places in one file, which is decoded once if one of them is not `known`.

    Each is assessed.
    """
    try:
        data = fetch()
        picture = content_key(data)
        contents = [place.content(picture) for place in places]
        rest = [number for number, content in enumerate(contents) if content not in known]
        results: list[DecodeResult] = [Known(content) for content in contents]
        read = by.read_places(data, [places[number] for number in rest], *preprocessings) if rest else ()
        for number, reading in zip(rest, read, strict=True):
            results[number] = reading if isinstance(reading, Failure) else replace(reading, content=contents[number])
        return results
    except ImageError as error:
        return [Failure(str(error)) for _ in places]


# The rest of this module runs in the worker processes.


def _read(data: bytes, preprocessings: list[dict[str, Any]], *, is_assessed: bool) -> Answer:
    first, *also = map(Preprocessing.from_record, preprocessings)
    picture = picture_of(data, first, content=0, also=also)  # the parent process knows the key
    answer, body = _packed([picture], is_assessed=is_assessed)
    if is_assessed:
        answer["pictures"][0]["encoding"] = asdict(encoding_of(data))
    return answer, body


def _places(
    data: bytes, places: list[tuple[Box, float]], preprocessings: list[dict[str, Any]], *, is_assessed: bool
) -> Answer:
    pictures = pictures_at(data, places, [*map(Preprocessing.from_record, preprocessings)])
    return _packed(pictures, is_assessed=is_assessed)


def _packed(pictures: Iterable[Picture | Failure], *, is_assessed: bool) -> Answer:
    facts: list[dict[str, Any]] = []
    bodies: list[bytes] = []
    for reading in pictures:
        if isinstance(reading, Failure):
            facts.append({"failure": reading.reason})
            continue
        size = {"width": reading.width, "height": reading.height}
        crops = (crop.tobytes() for crop in (reading.crop, *reading.also))
        assessment = assess(reading.thumbnail, **size).as_bytes() if is_assessed else b""
        body = b"".join([*crops, assessment, reading.thumbnail])
        facts.append({**size, "bytes": len(body)})
        bodies.append(body)
    return {"pictures": facts}, b"".join(bodies)


def _cut(data: bytes, box: Box, margin: float, rendering: dict[str, Any] | None) -> Answer:
    file, image = BytesIO(), _latest(data, as_rendering(rendering))
    if image.width * image.height > MOST_KEPT_PIXELS:
        _latest.cache_clear()
    cut(image, box, margin).save(file, "PNG")
    return {}, file.getvalue()


@lru_cache(maxsize=1)
def _latest(data: bytes, rendering: Rendering | None) -> Image.Image:
    """A picture, decoded once while its objects are cut one after another."""
    return decode(data, rendering=rendering)[0]


def _shown(data: bytes, most_px: int, quality: int, rendering: dict[str, Any] | None) -> Answer:
    image, _ = decode(data, short_side_px=most_px // 2, rendering=as_rendering(rendering))
    image.thumbnail((most_px, most_px), Image.Resampling.BICUBIC)
    file = BytesIO()
    image.save(file, "JPEG", quality=quality)
    return {}, file.getvalue()


def _sample(data: bytes) -> Answer:
    sample = value_sample(data)
    if sample is None:
        return {}, b""
    facts = {"is_float": sample.is_float, "stated": sample.stated, "window": sample.window}
    return facts, sample.values.tobytes()


def _prepare(turns: AbstractContextManager[object]) -> None:
    decode_large_in_turns(turns)
    picture_format(b"")  # imports what decoders need, before the first timer starts


if __name__ == "__main__":
    serve(
        {
            "read": _read,
            "places": _places,
            "cut": _cut,
            "header": lambda data: ({"header": header_of(data)}, b""),
            "shown": _shown,
            "sample": _sample,
            "format": lambda data: ({"format": picture_format(data)}, b""),
        },
        prepare=_prepare,
    )
