"""Registry of published zero-shot sets, and the metric-learning splits of CUB, Cars and SOP.

A SPEC `cub:PATH` means the test split; `cub/val:PATH` another one. The protocol and its counts are those of URL
(arXiv 2307.03810) and its repository `mkirchhof/url`: see docs/benchmark.md.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from training.data.pictures import Labelled, PictureList, class_folders, picture_list, required
from training.named_sets import official, soft_labels
from url_viz.base.errors import FolderError, NoImagesError

DEFAULT_SPLIT = "test"
METRIC_SPLITS = ("train", "val", "test", "train-on-test", "test-on-test")

CUB_LAYOUT = "CUB_200_2011/images/001.Black_footed_Albatross/*.jpg, with PATH at CUB_200_2011 or above it"
CARS_LAYOUT = "images/CLASS/*.jpg, or car_ims/*.jpg with cars_annos.mat"
SOP_LAYOUT = "Ebay_train.txt, Ebay_test.txt and bicycle_final/*.JPG in Stanford_Online_Products, with PATH at it"


@dataclass(frozen=True)
class NamedSet:
    """A published set: the reader of a split, and the splits' names."""

    read: Callable[[Path, str], list[Labelled]]
    splits: tuple[str, ...]


def is_named(kind: str) -> bool:
    """Whether a SPEC's kind, `cub` or `cub/val`, names a published set."""
    return kind.partition("/")[0] in SETS


def named_pictures(kind: str, root: Path) -> PictureList:
    """The pictures of the published set `kind` (`cub`, `cub/val`) below `root`.

    Raises FolderError for an unknown split or a missing file, naming the expected layout, NoImagesError if
    the split is empty.
    """
    name, _, split = kind.partition("/")
    split = split or DEFAULT_SPLIT
    named_set = SETS[name]
    if split not in named_set.splits:
        raise FolderError(f"{name!r} has no split {split!r}. Choose one of: {', '.join(named_set.splits)}.")
    if not root.is_dir():
        raise FolderError(f"{str(root)!r} is not a folder. Give the folder that {name!r} was unpacked into.")
    entries = named_set.read(root, split)
    if not entries:
        raise NoImagesError(f"The split {split!r} of {name!r} in {str(root)!r} has no pictures.")
    return picture_list(root, entries)


def read_cub(root: Path, split: str) -> list[Labelled]:
    """CUB-200-2011: classes by their numeric prefix, the first half for development, the second half for test."""
    folder = required(root, ("images", "CUB_200_2011/images", "cub200/images"), layout=CUB_LAYOUT)
    classes = class_folders(folder)
    wrong = [name for name in classes if not name.partition(".")[0].isdecimal()]
    if wrong:
        raise FolderError(f"The class folder {wrong[0]!r} has no number. Expected is {CUB_LAYOUT}.")
    return metric_split(
        [classes[name] for name in sorted(classes, key=lambda name: int(name.partition(".")[0]))], split
    )


def read_cars(root: Path, split: str) -> list[Labelled]:
    """Cars-196: classes by name, the first half for development, the second half for test."""
    folder = required(root, ("images", "cars196/images", "cars_annos.mat"), layout=CARS_LAYOUT)
    classes = class_folders(folder) if folder.is_dir() else _annotated_cars(folder)
    return metric_split([classes[name] for name in sorted(classes)], split)


def _annotated_cars(annotations: Path) -> dict[str, list[Labelled]]:
    from scipy.io import loadmat

    record = loadmat(annotations, squeeze_me=True)
    names = [str(name) for name in record["class_names"]]
    classes: dict[str, list[Labelled]] = {}
    for row in record["annotations"]:
        name = names[int(row["class"]) - 1].replace("/", "-")
        classes.setdefault(name, []).append(Labelled(name, annotations.parent / str(row["relative_im_path"])))
    return {name: sorted(entries, key=lambda entry: entry.path.name) for name, entries in classes.items()}


def metric_split(classes: list[list[Labelled]], split: str) -> list[Labelled]:
    """A split of classes in their order: the first half is train and val, which share classes; the second half test.

    In a development class of n pictures, round(linspace(0, n − 1, n // 2)) are train and the others val.
    """
    half = len(classes) // 2
    if split not in ("train", "val"):
        return _take_test(classes[half:], split)
    chosen: list[Labelled] = []
    for entries in classes[:half]:
        training = set(np.round(np.linspace(0, len(entries) - 1, len(entries) // 2)).astype(int).tolist())
        chosen += [entry for index, entry in enumerate(entries) if (index in training) == (split == "train")]
    return chosen


def _take_test(classes: list[list[Labelled]], split: str) -> list[Labelled]:
    """All pictures of test classes, or the even (train-on-test) or odd ones (test-on-test) of each."""
    start, step = {"test": (0, 1), "train-on-test": (0, 2), "test-on-test": (1, 2)}[split]
    return [entry for entries in classes for entry in entries[start::step]]


def read_sop(root: Path, split: str) -> list[Labelled]:
    """Stanford Online Products: test is Ebay_test; of Ebay_train, the first half of each super-class's ids is train."""
    is_development = split in ("train", "val")
    listed = "Ebay_train.txt" if is_development else "Ebay_test.txt"
    choices = (listed, f"Info_Files/{listed}", f"Stanford_Online_Products/{listed}")
    products = _read_products(required(root, choices, layout=SOP_LAYOUT))
    if not is_development:
        return _take_test([products[key] for key in sorted(products)], split)
    chosen: list[Labelled] = []
    for super_class in sorted({super_class for super_class, _ in products}):
        keys = sorted(key for key in products if key[0] == super_class)
        half = len(keys) // 2
        chosen += [entry for key in (keys[:half] if split == "train" else keys[half:]) for entry in products[key]]
    return chosen


def _read_products(table: Path) -> dict[tuple[int, int], list[Labelled]]:
    """(super-class id, class id) → pictures, from a list `image_id class_id super_class_id path`."""
    home = table.parent.parent if table.parent.name == "Info_Files" else table.parent
    pictures = home / "images" if (home / "images").is_dir() else home
    header, *lines = table.read_text().split("\n")
    if header.split() != ["image_id", "class_id", "super_class_id", "path"]:
        raise FolderError(f"{table} begins with {header[:60]!r}. Expected is `image_id class_id super_class_id path`.")
    products: dict[tuple[int, int], list[Labelled]] = {}
    for line in filter(str.strip, lines):
        _, class_id, super_class_id, path = line.split()
        entry = Labelled(f"{int(class_id):05d}", pictures / path)
        products.setdefault((int(super_class_id), int(class_id)), []).append(entry)
    return products


SETS: Mapping[str, NamedSet] = MappingProxyType(
    {
        "cub": NamedSet(read_cub, METRIC_SPLITS),
        "cars": NamedSet(read_cars, METRIC_SPLITS),
        "sop": NamedSet(read_sop, METRIC_SPLITS),
        **{name: NamedSet(soft_labels.read_majority, soft_labels.SPLITS) for name in soft_labels.COLLECTION},
        "imagenet-real-h": NamedSet(soft_labels.read_imagenet_majority, ("test",)),
        **{name: NamedSet(read, official.SPLITS) for name, read in official.READERS.items()},
    }
)
"""Published sets by the name that a SPEC begins with."""
