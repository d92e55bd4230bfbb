"""Query images for a search, from a file or from memory, preprocessed like the pictures of the set."""

import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from url_viz.errors import ImageError
from url_viz.imaging.decode import decode, read_file
from url_viz.imaging.preprocess import Preprocessing, middle, resized
from url_viz.imaging.read import Picture
from url_viz.imaging.workers import decoders

_MODES_OF_PNG = frozenset(("1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA"))


def query_crop(query: Image.Image, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """The crop (S, S, 3) uint8 of a picture in memory for the backbone."""
    return middle(resized(decode(_as_png(query))[0], preprocessing), preprocessing.size_px)


def read_query(path: Path, preprocessing: Preprocessing, *, also: Sequence[Preprocessing] = ()) -> Picture:
    """A file decoded in a separate process; raises ImageError also if that process crashes."""
    if not Path(path).exists():
        raise ImageError(f"There is no file {os.fspath(path)!r}. Give the path of the picture to search with.")
    try:
        return decoders.read(read_file(os.fsencode(path)), preprocessing, also=also)
    except ImageError as error:
        raise ImageError(f"{os.fspath(path)!r} {error}. Search with another picture.") from error


def _as_png(image: Image.Image) -> bytes:
    """A picture in memory as a file, so that it is decoded like the pictures of the set."""
    file = io.BytesIO()
    upright = ImageOps.exif_transpose(image)
    upright = upright if upright.mode in _MODES_OF_PNG else upright.convert("RGB")
    upright.save(file, "PNG", compress_level=0)
    return file.getvalue()
