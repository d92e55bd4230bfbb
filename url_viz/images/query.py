"""A picture to search with, from a file or from memory, read as the pictures of a set are."""

import io
import os
from pathlib import Path

from PIL import Image, ImageOps

from url_viz.errors import ImageError
from url_viz.images.decode import decode, read_file

_MODES_OF_PNG = frozenset(("1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA"))


def upright_query(query: Path | Image.Image, *, short_side_px: int) -> Image.Image:
    """The picture to search with, read as the pictures of the set were, also where it comes from memory."""
    if not isinstance(query, (str, os.PathLike)):
        return decode(_as_png(query))[0]
    if not Path(query).exists():
        raise ImageError(f"There is no file {os.fspath(query)!r}. Give the path of the picture to search with.")
    try:
        return decode(read_file(os.fsencode(query)), short_side_px=short_side_px)[0]
    except ImageError as error:
        raise ImageError(f"{os.fspath(query)!r} {error}. Search with another picture.") from error


def _as_png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    upright = ImageOps.exif_transpose(image)
    upright = upright if upright.mode in _MODES_OF_PNG else upright.convert("RGB")
    upright.save(file, "PNG", compress_level=0)
    return file.getvalue()
