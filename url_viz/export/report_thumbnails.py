"""Thumbnails of an image set as `data:` URLs, for a page that loads nothing from the network."""

import base64
import io
from collections.abc import Iterable

from PIL import Image

from url_viz.subjects.set_core import SetCore

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


def data_url(jpeg: bytes) -> str:
    """A JPEG as a URL that holds it."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}"
