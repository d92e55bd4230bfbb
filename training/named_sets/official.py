"""Readers for zero-shot sets as torchvision stores them: Caltech101, CIFAR-100, DTD, Flowers, Pets and others.

The others are RESISC45, SUN397 and SVHN. Test is the official test split if there is one. If validation is a part of
train, it is drawn by a hash of the names: the published runs took the last part of a shuffle of TensorFlow Datasets,
which the files do not record. Nothing is downloaded; the folders are those that torchvision's `download=True` writes.
"""

import importlib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.data.pictures import Labelled, by_hash, class_folders, required
from url_viz.base.errors import FolderError

SPLITS = ("train", "val", "test")
CALTECH_TRAINING_PICTURES = 30
"""Training pictures of each Caltech101 class."""


def read_caltech101(root: Path, split: str) -> list[Labelled]:
    """Caltech101 with its background class: 30 pictures of a class for train and val (a tenth), the others test."""
    choices = ("101_ObjectCategories", "caltech101/101_ObjectCategories")
    folder = required(root, choices, layout="caltech101/101_ObjectCategories/CLASS/image_0001.jpg")
    development, test = [], []
    for entries in class_folders(folder).values():
        mixed = by_hash(entries)
        development += mixed[:CALTECH_TRAINING_PICTURES]
        test += mixed[CALTECH_TRAINING_PICTURES:]
    return _take_split(development, test, split, val_percent=10)


def read_cifar100(root: Path, split: str) -> list[Labelled]:
    """CIFAR-100: official test; a tenth of train is val. The pictures are unpacked once."""
    required(root, ("cifar-100-python",), layout="cifar-100-python/train, test and meta")

    def pixels(official: str) -> tuple[NDArray[np.uint8], list[str]]:
        dataset = _open("CIFAR100", root, train=official == "train")
        return dataset.data, [dataset.classes[label] for label in dataset.targets]

    return _list_array(root, "cifar100", pixels, split)


def read_svhn(root: Path, split: str) -> list[Labelled]:
    """SVHN, cropped digits: official test; a tenth of train is val. The pictures are unpacked once."""
    official = "test" if split == "test" else "train"
    required(root, (f"{official}_32x32.mat",), layout="train_32x32.mat and test_32x32.mat")

    def pixels(official: str) -> tuple[NDArray[np.uint8], list[str]]:
        dataset = _open("SVHN", root, split=official)
        return dataset.data.transpose(0, 2, 3, 1), [str(label) for label in dataset.labels]

    return _list_array(root, "svhn", pixels, split)


def read_dtd(root: Path, split: str) -> list[Labelled]:
    """DTD, the official splits of partition 1."""
    required(root, ("dtd/dtd/labels",), layout="dtd/dtd/labels/train1.txt and dtd/dtd/images/CLASS/*.jpg")
    return _list_paths(_open("DTD", root, split=split, loader=Path))


def read_flowers102(root: Path, split: str) -> list[Labelled]:
    """Oxford Flowers 102, the official splits (6,149 test pictures)."""
    required(root, ("flowers-102",), layout="flowers-102/jpg/image_00001.jpg, imagelabels.mat and setid.mat")
    return _list_paths(_open("Flowers102", root, split=split, loader=Path))


def read_pets(root: Path, split: str) -> list[Labelled]:
    """Oxford-IIIT Pet: official test (3,669 pictures); a fifth of trainval is val."""
    official = "test" if split == "test" else "trainval"
    choices = (f"annotations/{official}.txt", f"oxford-iiit-pet/annotations/{official}.txt")
    table = required(root, choices, layout="oxford-iiit-pet/annotations/{trainval,test}.txt and images/Breed_1.jpg")
    names = [line.split()[0] for line in table.read_text().splitlines() if line.strip() and line[0] != "#"]
    images = table.parent.parent / "images"
    entries = [Labelled(name.rpartition("_")[0], images / f"{name}.jpg") for name in names]
    return _take_split(entries, entries, split, val_percent=20)


def read_resisc45(root: Path, split: str) -> list[Labelled]:
    """RESISC45, which has no official split: 60 % train, 20 % val, 20 % test."""
    folder = root / "NWPU-RESISC45" if (root / "NWPU-RESISC45").is_dir() else root
    entries = by_hash(entry for entries in class_folders(folder).values() for entry in entries)
    if not entries:
        raise FolderError(f"{str(root)!r} has no class folders. Expected is NWPU-RESISC45/CLASS/CLASS_001.jpg.")
    first, second = len(entries) * 60 // 100, len(entries) * 60 // 100 + len(entries) * 20 // 100
    return {"train": entries[:first], "val": entries[first:second], "test": entries[second:]}[split]


def read_sun397(root: Path, split: str) -> list[Labelled]:
    """SUN397 with the splits of TensorFlow Datasets, whose three lists must be in the pictures' folder."""
    listed = {"train": "sun397_tfds_tr.txt", "val": "sun397_tfds_va.txt", "test": "sun397_tfds_te.txt"}[split]
    layout = f"SUN397/a/abbey/sun_*.jpg and {listed} (of tensorflow_datasets/image_classification)"
    table = required(root, (listed, f"SUN397/{listed}"), layout=layout)
    folder = required(root, ("SUN397", "a"), layout=layout)
    pictures = folder if folder.name == "SUN397" else root
    paths = [line.strip().lstrip("/").removeprefix("SUN397/") for line in table.read_text().splitlines()]
    return [Labelled("/".join(path.split("/")[1:-1]), pictures / path) for path in paths if path]


def _take_split(development: list[Labelled], test: list[Labelled], split: str, *, val_percent: int) -> list[Labelled]:
    """`test`, or the part of `development` that is train or val, drawn by hash."""
    if split == "test":
        return test
    mixed = by_hash(development)
    first = len(mixed) * (100 - val_percent) // 100
    return mixed[:first] if split == "train" else mixed[first:]


def _open(name: str, root: Path, **options: object) -> Any:
    """A torchvision set; raises FolderError if its files are missing or damaged."""
    datasets = importlib.import_module("torchvision.datasets")
    try:
        return getattr(datasets, name)(root, **options)
    except (RuntimeError, OSError) as error:
        raise FolderError(
            f"torchvision cannot read {name} in {str(root)!r}: {str(error).partition('. You')[0]}. "
            f"Fetch it with torchvision.datasets.{name}({str(root)!r}, download=True)."
        ) from error


def _list_paths(dataset: Any) -> list[Labelled]:
    """The files of a set that was opened with `loader=Path`: it gives paths instead of pictures."""
    return [Labelled(str(dataset.classes[label]), path) for path, label in (dataset[i] for i in range(len(dataset)))]


def _list_array(
    root: Path, name: str, pixels: Callable[[str], tuple[NDArray[np.uint8], list[str]]], split: str
) -> list[Labelled]:
    """A split of a set that is one array in a file; its pictures (N, H, W, 3) are written as PNG once, all or none."""
    official = "test" if split == "test" else "train"
    folder = root / f"{name}-{official}-png"
    if not folder.is_dir():
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            for index, (picture, label) in enumerate(zip(*pixels(official), strict=True)):
                path = temporary / label / f"{index:06d}.png"
                path.parent.mkdir(exist_ok=True)
                Image.fromarray(picture).save(path, compress_level=1)
            temporary.chmod(0o755)
            os.replace(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    entries = [entry for entries in class_folders(folder).values() for entry in entries]
    return _take_split(entries, entries, split, val_percent=10)


READERS: Mapping[str, Callable[[Path, str], list[Labelled]]] = MappingProxyType(
    {
        "caltech101": read_caltech101,
        "cifar100": read_cifar100,
        "dtd": read_dtd,
        "flowers102": read_flowers102,
        "pets": read_pets,
        "resisc45": read_resisc45,
        "sun397": read_sun397,
        "svhn": read_svhn,
    }
)
"""The reader of each set: (root, split) → labelled pictures."""
