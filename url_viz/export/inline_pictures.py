"""Pictures inside pages that load nothing: thumbnails as `data:` URLs, objects in their whole pictures as SVG."""

import base64
import html
import io
from collections.abc import Iterable, Iterator

from PIL import Image

from url_viz.imaging.places import Box
from url_viz.imaging.workers import decoders
from url_viz.subjects.set_core import SetCore
from url_viz.subjects.set_objects import WholePicture

QUALITY = 72


def inlined(image_set: SetCore, ids: Iterable[int], *, side_px: int) -> dict[int, str]:
    """Thumbnails by id as `data:` URLs, the longer side at most `side_px`; pictures without one are left out."""
    wanted = list(dict.fromkeys(int(i) for i in ids))
    return {image_id: data_url(shrunk(jpeg, side_px)) for image_id, jpeg in image_set.store.thumbnails(wanted).items()}


def shrunk(jpeg: bytes, side_px: int) -> bytes:
    """A JPEG no longer than `side_px` on a side, from a JPEG."""
    with Image.open(io.BytesIO(jpeg)) as opened:
        opened.draft("RGB", (side_px, side_px))
        small = opened.convert("RGB")
    small.thumbnail((side_px, side_px), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=QUALITY, optimize=True)
    return file.getvalue()


def data_url(data: bytes, kind: str = "image/jpeg") -> str:
    """A picture as a URL that holds it."""
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


LONGEST_NAME = 28
LETTERS = 30
"""The long side of the picture is as long as so many letters are high."""
STRONG, FAINT, PREDICTED = "#ffd60a", "#ffffff", "#4cc9f0"
DASHES = "9 6"
"""In pixels as shown: the predicted box is told from the labelled one without its colour."""


def with_boxes(whole: WholePicture, *, most_px: int, is_named: bool = True) -> str:
    """The picture, at most `most_px` on its long side, with the box of its object strong, the others faint.

    If it `is_named`, with its class, and with what was predicted, if anything was, as a dashed box.
    Each line has a dark one under it, so that it is seen on any ground, and is as wide at every size.
    """
    width, height = whole.size
    size = f'width="{width}" height="{height}"'
    shown = decoders.shown(whole.data, most_px=most_px, quality=90, rendering=whole.rendering)
    parts = [f'<image {size} href="{data_url(shown)}"/>']
    for other in whole.others:
        parts += [*_lines(other.box, "#000", 2.5, opacity=0.3), *_lines(other.box, FAINT, 1, opacity=0.65)]
    if (own := whole.own) is not None:
        parts += [*_lines(own.box, "#000", 5, opacity=0.6), *_lines(own.box, STRONG, 2.5)]
        parts += [_name(own.label, own.box, whole.size)] if is_named and own.label is not None else []
    if is_named and (predicted := whole.predicted) is not None:
        parts += [
            *_lines(predicted.box, "#000", 5, opacity=0.6, dashes=DASHES),
            *_lines(predicted.box, PREDICTED, 2.5, dashes=DASHES),
            _name(
                f"predicted {predicted.label or ''}".rstrip(),
                predicted.box,
                whole.size,
                colour=PREDICTED,
                is_below=True,
            ),
        ]
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {width} {height}">{"".join(parts)}</svg>'


def _lines(box: Box, colour: str, width_px: float, *, opacity: float = 1, dashes: str = "none") -> Iterator[str]:
    x, y, width, height = box
    yield (
        f'<rect x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}" fill="none" stroke="{colour}" '
        f'stroke-width="{width_px}" stroke-opacity="{opacity}" stroke-dasharray="{dashes}" '
        'vector-effect="non-scaling-stroke"/>'
    )


def _name(text: str, box: Box, size: tuple[int, int], *, colour: str = STRONG, is_below: bool = False) -> str:
    """A class above its box, or below; inside where there is no room, and never beyond the right edge."""
    letter = max(size) / LETTERS
    x, y, width, height = box
    is_right, above, below = x > size[0] / 2, y - letter * 0.35, y + height + letter * 1.1
    start = min(x + width, size[0]) - letter * 0.15 if is_right else max(x, 0) + letter * 0.15
    down = above if above > letter else max(y, 0) + letter * 1.1
    if is_below:
        down = below if below < size[1] else min(y + height, size[1]) - letter * 0.4
    name = text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 1] + "…"
    return (
        f'<text x="{start:.2f}" y="{down:.2f}" text-anchor="{"end" if is_right else "start"}" font-family="sans-serif" '
        f'font-weight="600" font-size="{letter:.2f}" fill="{colour}" stroke="#000" stroke-opacity=".75" '
        f'stroke-width="{letter * 0.22:.2f}" stroke-linejoin="round" paint-order="stroke">{html.escape(name)}</text>'
    )
