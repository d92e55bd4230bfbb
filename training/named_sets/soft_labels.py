"""Soft labels: data sets labelled by several people, with votes, majority label and entropy in nats.

The collection of "Is one annotation enough?" (arXiv 2207.06214): SET/annotations.json and SET/fold1 … fold5. ImageNet's
validation pictures with the votes behind ReaL (arXiv 2006.07159): raters.npz and real.json of `reassessed-imagenet`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import entropy

from training.data.pictures import Labelled, PictureList, picture_list, required
from url_viz.base.errors import FolderError

COLLECTION = ("cifar10h", "treeversity1", "turkey", "pig", "benthic")
FOLDS: Mapping[str, tuple[str, ...]] = {
    "val": ("fold1",),
    "test": ("fold2",),
    "train": ("fold3", "fold4", "fold5"),
    "all": ("fold1", "fold2", "fold3", "fold4", "fold5"),
}
SPLITS = tuple(FOLDS)
COLLECTION_LAYOUT = "annotations.json next to fold1 to fold5 with their pictures"
IMAGENET_LAYOUT = "raters.npz, real.json and val/**/ILSVRC2012_val_00000001.JPEG"
IMAGENET_CLASSES = 1000
ROWS_AT_ONCE = 4096
YES = 2
"""Index of `yes` among a rater's answers no, maybe, yes."""


@dataclass(frozen=True)
class SoftLabels:
    """Pictures with people's votes (N, C) int64 by class, at least one each; ties go to the first class."""

    root: Path
    paths: tuple[Path, ...]
    votes: NDArray[np.int64]
    classes: tuple[str, ...]

    @property
    def majority(self) -> NDArray[np.int64]:
        return np.asarray(self.votes.argmax(axis=1))

    @property
    def entropy_nats(self) -> NDArray[np.float64]:
        """Entropy (N,) of each picture's votes; 0 if all agree."""
        return entropy_nats(self.votes)

    @property
    def labelled(self) -> list[Labelled]:
        return [Labelled(self.classes[m], path) for m, path in zip(self.majority, self.paths, strict=True)]

    @property
    def pictures(self) -> PictureList:
        """The pictures as a list, in the order of `votes`; raises FolderError for missing files."""
        return picture_list(self.root, self.labelled)


def entropy_nats(votes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Entropy (N,) in nats of votes (N, C), nan in rows without a vote."""
    parts = (votes[start : start + ROWS_AT_ONCE] for start in range(0, len(votes), ROWS_AT_ONCE))
    with np.errstate(invalid="ignore"):  # rows without a vote
        return np.asarray(np.abs(np.concatenate([np.zeros(0), *(entropy(part, axis=1) for part in parts)])))


def read_soft_labels(spec: str) -> SoftLabels:
    """The votes of a SPEC such as `cifar10h/val:PATH` or `imagenet-real-h:PATH`; raises FolderError."""
    kind, _, path = spec.partition(":")
    name, _, split = kind.partition("/")
    if name == "imagenet-real-h" and path:
        return imagenet_real_h(Path(path).expanduser())
    if name not in COLLECTION or not path or (split or "test") not in FOLDS:
        raise FolderError(
            f"{spec!r} has no human votes. Give one of {', '.join(COLLECTION)} (split {', '.join(FOLDS)}, "
            f"as in cifar10h/val:PATH), or imagenet-real-h:PATH."
        )
    return collection(Path(path).expanduser(), split or "test")


def collection(root: Path, split: str) -> SoftLabels:
    """A split of a set of the collection: val is fold 1, test fold 2, train folds 3 to 5."""
    file = required(root, ("annotations.json",), layout=COLLECTION_LAYOUT)
    votes = pd.DataFrame(_read_annotations(file), columns=["path", "label"], dtype=object)
    classes = tuple(sorted(votes["label"].dropna().unique()))
    votes = votes[[_find_fold(path, file) in FOLDS[split] for path in votes["path"]]]
    paths = sorted(votes["path"].unique())
    counts = pd.crosstab(votes["path"], votes["label"]).reindex(index=paths, columns=list(classes), fill_value=0)
    # The first part of a path is the set's folder, whose name may differ after unpacking.
    files = [root.joinpath(*path.split("/")[1:]) for path in paths]
    return _keep_voted(root, files, counts.to_numpy(np.int64), classes)


def _read_annotations(file: Path) -> list[tuple[str, str | None]]:
    """(picture, label) of every vote; the label is None if an annotator gave none."""
    try:
        return [
            (entry["image_path"], entry["class_label"])
            for annotator in json.loads(file.read_text())
            for entry in annotator["annotations"]
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise FolderError(
            f"{file} is not as expected ({error!r}): a list of annotators, each with annotations of image_path and "
            f"class_label."
        ) from error


def _find_fold(path: str, file: Path) -> str:
    parts = path.split("/")
    if len(parts) < 3 or ".." in parts or parts[1] not in FOLDS["all"]:
        raise FolderError(f"{file} names the picture {path!r}. Expected is SET/fold1/NAME to SET/fold5/NAME.")
    return parts[1]


def _keep_voted(root: Path, files: list[Path], votes: NDArray[np.int64], classes: tuple[str, ...]) -> SoftLabels:
    has_votes = votes.sum(axis=1) > 0
    voted = tuple(path for path, has in zip(files, has_votes, strict=True) if has)
    return SoftLabels(root, voted, votes[has_votes], classes)


def imagenet_real_h(root: Path) -> SoftLabels:
    """ImageNet's validation pictures: how many raters said yes to each label, else ReaL's labels with one vote each.

    In the whole set, 750 of 50,000 pictures have neither and are left out; 35,050 have entropy 0.
    """
    raters = required(root, ("raters.npz",), layout=IMAGENET_LAYOUT)
    real = required(root, ("real.json",), layout=IMAGENET_LAYOUT)
    files = sorted((root / "val").rglob("ILSVRC2012_val_*.JPEG"), key=lambda path: path.name)
    labels = json.loads(real.read_text())
    if not files or len(files) != len(labels):
        raise FolderError(
            f"{root / 'val'} has {len(files)} pictures, {real} {len(labels)}. Expected: {IMAGENET_LAYOUT}."
        )
    row = {path.name: index for index, path in enumerate(files)}
    votes = np.zeros((len(files), IMAGENET_CLASSES), np.int64)
    for (name, label), count in _read_raters(raters):
        if name not in row:
            raise FolderError(f"{raters} has votes on {name!r}, which is not in {root / 'val'}. Unpack it again.")
        votes[row[name], label] += count
    for index in np.flatnonzero(votes.sum(axis=1) == 0):
        votes[index, labels[index]] = 1
    return _keep_voted(root, files, votes, tuple(f"{number:03d}" for number in range(IMAGENET_CLASSES)))


def _read_raters(raters: Path) -> list[tuple[tuple[str, int], int]]:
    """((picture, label), raters who said yes) of every question; answers are (R, questions, 3): no, maybe, yes."""
    with np.load(raters) as archive:
        answers = archive["tensor"] if "tensor" in archive else archive["scores"]
        yes_votes = answers[:, :, YES].sum(axis=0).astype(int).tolist()
        questions = [(str(name), int(label)) for name, label in archive["info"]]
    return list(zip(questions, yes_votes, strict=True))


def read_majority(root: Path, split: str) -> list[Labelled]:
    """A split of a set of the collection, each picture with the majority's label."""
    return collection(root, split).labelled


def read_imagenet_majority(root: Path, split: str) -> list[Labelled]:
    """ImageNet's validation pictures that have a vote, each with the majority's label; there is only one split."""
    assert split == "test"
    return imagenet_real_h(root).labelled
