"""A map-style Dataset of Python as a source of pictures: Hugging Face's, torchvision's, or one of the user's."""

import io
import math
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from url_viz.base.errors import FolderError, ImageError
from url_viz.base.files import replaced
from url_viz.imaging.containers.archives import CLASS
from url_viz.imaging.decode import EMPTY, read_file
from url_viz.imaging.deep import tiff_bytes
from url_viz.imaging.places import content_key
from url_viz.imaging.scan import Scan, ScannedFile

ENDING = ".dataset"
_UNNAMED = re.compile(r"[^a-zA-Z0-9_-]+")


def is_dataset(root: Path) -> bool:
    """Whether a path stands for a Dataset that was read."""
    return root.suffix == ENDING and os.path.isfile(root)


def open_dataset(
    dataset: Any, folder: Path, *, image: str | int, label: str | int | None, name: str | None
) -> "PythonDataset":
    """The source of a Dataset; a file of its name in `folder` stands for it.

    Raises FolderError if it is not of the map style, or its first item has no such picture.
    """
    if not (hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")):
        raise FolderError(
            f"A {type(dataset).__name__} has no length, or no items by number, so it is no map-style Dataset. Give one "
            "that has both, such as torch.utils.data.Dataset, or write its pictures into a folder or shards."
        )
    plain = _UNNAMED.sub("-", name or type(dataset).__name__).strip("-") or "dataset"
    root = Path(os.path.realpath(folder)) / f"{plain}{ENDING}"
    source = _OPEN[root] = PythonDataset(root, dataset, image=image, label=label)
    if len(dataset):
        source.check_first()
    root.parent.mkdir(parents=True, exist_ok=True)
    with replaced(root) as temporary:
        temporary.write_text("A Dataset of Python, which url_viz.embed_dataset reads.\n", encoding="utf-8")
    return source


class PythonDataset:
    """The pictures of a Dataset by their index; encoded ones as they are, others as PNG or TIFF. Thread-safe."""

    at_a_time = None

    def __init__(
        self, root: Path, dataset: Any, *, image: str | int = "image", label: str | int | None = "label"
    ) -> None:
        self.root, self.within = root, None
        self._item = _getter(dataset, image, label)
        self._dataset, self._image, self._label = dataset, image, label
        self._names = _class_names(dataset, label)
        self._labels: list[object] = [None] * len(dataset)
        self._lock = Lock()

    @property
    def base(self) -> Path:
        return self.root

    def check_first(self) -> None:
        """Raise FolderError if the first item has no picture where it should be."""
        try:
            self._read(0)
        except ImageError as error:
            raise FolderError(
                f"The first item of {type(self._dataset).__name__} {error}. Correct it, or name the keys of picture "
                "and class: url_viz.embed_dataset(dataset, image=…, label=…)."
            ) from error

    def list(self) -> Scan:
        """Every index; a class is known once its picture was read."""
        fingerprint = getattr(self._dataset, "_fingerprint", None)
        stamp = content_key(str(fingerprint or time.time_ns()).encode())  # another Dataset is read whole
        files = tuple(ScannedFile(b"%07d" % index, 0, stamp, position=index) for index in range(len(self._dataset)))
        return Scan(self.root, files, columns={} if self._label is None else {CLASS: self._labels})

    def read(self, file: ScannedFile) -> bytes:
        """The bytes of a picture. Raises ImageError if the Dataset does not give it."""
        return self._read(int(file.path))

    def _read(self, index: int) -> bytes:
        try:
            with self._lock:  # a Dataset may share an open file between its items
                picture, label = self._item(index)
            encoded = _encoded(picture)  # a picture that was opened lazily is read only now
        except ImageError:
            raise
        except Exception as error:  # whatever a Dataset of the user's raises is the reason of this item
            raise ImageError(f"is not given by its Dataset: {type(error).__name__}: {error}") from error
        self._labels[index] = self._named(label)
        return encoded

    def _named(self, label: Any) -> object:
        if math.prod(getattr(label, "shape", ())) != 1:
            raise ImageError(f"has a class of shape {tuple(label.shape)}, not one: name another label, or label=None")
        label = getattr(label, "item", lambda: label)()
        is_code = isinstance(label, int) and not isinstance(label, bool)
        if is_code and 0 <= label < len(self._names):
            return self._names[label]
        return None if label is None else str(label)


_OPEN: dict[Path, PythonDataset] = {}
"""The Datasets opened in this process, by the file that stands for each."""


class ClosedDataset:
    """A Dataset that was read once, and is not open in this process."""

    at_a_time = None

    def __init__(self, root: Path, within: Sequence[Path] | None = None) -> None:
        self.root = self.base = root
        self.within = within

    def list(self) -> Scan:
        """Raises FolderError: only the program that has the Dataset can list it."""
        raise FolderError(f"{self.root.stem!r} {_CLOSED}.")

    def read(self, file: ScannedFile) -> bytes:
        """Raises ImageError: only the program that has the Dataset can read it."""
        raise ImageError(_CLOSED)


_CLOSED = "is a Dataset of Python, which is not open here: open it in Python by url_viz.embed_dataset"


def source_of_dataset(root: Path, within: Sequence[Path] | None = None) -> PythonDataset | ClosedDataset:
    """The Dataset that a file stands for, if it was opened in this process; else one that cannot be read."""
    return _OPEN.get(root) or ClosedDataset(root, within)


def _getter(dataset: Any, image: str | int, label: str | int | None) -> Callable[[int], tuple[Any, Any]]:
    """A function from an index to picture and class: undecoded where the Dataset has them so, which saves time."""
    if hasattr(dataset, "cast_column") and image in getattr(dataset, "features", {}):  # Hugging Face's
        feature = dataset.features[image]
        if hasattr(feature, "decode"):
            dataset = dataset.cast_column(image, type(feature)(decode=False))
        return lambda index: _parts(dataset[index], image, label)
    samples = getattr(dataset, "samples", None)
    if isinstance(samples, list) and samples and isinstance(samples[0], tuple) and os.path.isfile(str(samples[0][0])):
        return lambda index: samples[index][:2]
    return lambda index: _parts(dataset[index], image, label)


def _parts(item: Any, image: str | int, label: str | int | None) -> tuple[Any, Any]:
    if isinstance(item, Mapping):
        is_there = label in item or label not in (None, "label")  # another name that is not there is a mistake
        return item[image], item[label] if is_there else None
    if isinstance(item, tuple | list):
        place = label if isinstance(label, int) else 1
        is_there = label is not None and place < len(item)
        return item[image if isinstance(image, int) else 0], item[place] if is_there else None
    return item, None


def _class_names(dataset: Any, label: str | int | None) -> Sequence[str]:
    feature = getattr(dataset, "features", {}).get(label) if hasattr(dataset, "cast_column") else None
    names = getattr(feature, "names", None) or getattr(dataset, "classes", None)
    return [str(name) for name in names] if isinstance(names, list | tuple) else []


_AS_PNG, _AS_TIFF = ("1", "L", "LA", "I;16", "P", "RGB", "RGBA"), ("CMYK", "F", "I", "LAB")


def _encoded(picture: Any) -> bytes:
    """The bytes of a picture's file, else a PNG, or a TIFF where PNG has no such pixels.

    Raises ImageError for what is no picture.
    """
    if isinstance(picture, Mapping):
        picture = picture.get("bytes") or picture.get("path")
    if isinstance(picture, str | os.PathLike):
        return read_file(os.fsencode(picture))
    if isinstance(picture, bytes | bytearray):
        if not picture:
            raise ImageError(EMPTY)
        return bytes(picture)
    if not isinstance(picture, Image.Image):
        pixels = _pixels(picture)
        if _is_deep(pixels):
            return tiff_bytes(pixels)
        if pixels.dtype.kind == "f":
            pixels = np.round(np.nan_to_num(pixels) * 255)
        picture = Image.fromarray(pixels.astype(np.uint8))
    file = io.BytesIO()
    if picture.mode in _AS_TIFF:
        picture.save(file, "TIFF")
    else:
        picture = picture if picture.mode in _AS_PNG else picture.convert("RGB")
        picture.save(file, "PNG", compress_level=1)
    return file.getvalue()


def _pixels(picture: Any) -> NDArray[Any]:
    """The numbers (H, W) or (H, W, C) of an array or of a tensor (C, H, W)."""
    is_tensor = hasattr(picture, "detach")
    pixels = np.asarray(picture.detach().cpu() if is_tensor else picture)
    if pixels.ndim == 3 and is_tensor:
        pixels = pixels.transpose(1, 2, 0)
    if pixels.ndim not in (2, 3) or pixels.dtype.kind not in "uif":
        raise ImageError(f"has no picture there, but a {type(picture).__name__} of shape {pixels.shape}")
    return pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels


def _is_deep(pixels: NDArray[Any]) -> bool:
    """Whether numbers have more than 8 bits, or many bands.

    Raises ImageError for colours as floats outside of 0 to 1, which were normalised for a model.
    """
    if pixels.dtype in (np.uint16, np.int16) or (pixels.ndim == 3 and pixels.shape[2] not in (3, 4)):
        return True  # also one that happens to be dark
    low, high = np.nanmin(pixels, initial=0), np.nanmax(pixels, initial=0)
    if pixels.dtype.kind == "f" and pixels.ndim == 3 and not 0 <= low <= high <= 1:
        raise ImageError("has floats outside of 0 to 1: give pictures before they are normalised")
    return not 0 <= low <= high <= (1 if pixels.dtype.kind == "f" else 255)
