"""Pictures of the gradient-conflict experiment: noisy digits, or small photographs from class folders."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from typing_extensions import Doc

from training.config import Batch, Epochs, Repeats
from training.data.pictures import PictureList
from training.data.spec import list_labelled
from training.full.joint import JointBatch
from url_viz.base.command_line import AboveZero, Checked, Count, Within, ZeroOrMore
from url_viz.base.errors import FolderError
from url_viz.imaging.decode import Preprocessing, decode, middle, normalised, resized

DIGITS = 10
TRAINING_DIGITS = 900
SCALE = 4
"""Digits are 8 × 8 pixels; each becomes a square of this many."""
TRAINING_SHARE = 2 / 3
"""Of each class of photographs; the others are tested on."""
SHIFT_PX = 4
"""Photographs to train on are moved by at most so many pixels, and flipped, anew in each epoch."""
_HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class ConflictConfig(Checked):
    """Train a small network with and without stop-gradient, and plot what that does (PVU 5.1)."""

    out: Annotated[Path, Doc("Folder for curves.csv, figure.html and summary.json.")]
    backbone: Annotated[str, Doc("timm network, trained from scratch.")] = "test_resnet"
    data: Annotated[str | None, Doc("Photographs in class folders: folder:PATH. Without: noisy digits.")] = None
    classes: Annotated[Count, Doc("With photographs: so many classes, the first by name.")] = 20
    size_px: Annotated[int, Within(32, 1_024), Doc("With photographs: side of the square that the network sees.")] = 64
    noise: Annotated[
        ZeroOrMore, Doc("Of digits: most noise, as a multiple of their contrast; drawn for each picture.")
    ] = 1.0
    runs: Annotated[Repeats, Doc("Seeds of each setting.")] = 3
    uncertainty_weight: Annotated[ZeroOrMore, Doc("Weight of the head's loss beside the classifier's.")] = 1.0
    epochs: Annotated[Epochs, Doc("Epochs of a run.")] = 20
    batch: Annotated[Batch, Doc("Pictures of an optimiser step.")] = 64
    rate: Annotated[AboveZero, Doc("Highest learning rate of everything.")] = 2e-3
    beside: Annotated[Path | None, Doc("Folder with the authors' curves, to be drawn beside.")] = None


@dataclass(frozen=True)
class SplitPictures:
    """What one seed trains and is tested on: pixels (N, 3, S, S) float32 with labels (N,) int64, of `n_classes`.

    With `shift_px` those to train on are varied.
    """

    training: JointBatch
    test: JointBatch
    n_classes: int
    shift_px: int = 0

    def batch(self, positions: NDArray[np.int64], generator: torch.Generator) -> JointBatch:
        """Pictures to train on, varied by `generator` if they are to be."""
        pixels, labels = self.training.pixels[positions], self.training.labels[positions]
        return JointBatch(varied(pixels, shift_px=self.shift_px, generator=generator), labels)


def source_of(config: ConflictConfig) -> Callable[[int], SplitPictures]:
    """What gives the pictures of a seed: photographs are read once, digits get other noise with each.

    Raises FolderError if there are no class folders, or fewer than asked for.
    """
    if config.data is None:
        return partial(noisy_digits, config.noise)
    return partial(parted, photographs(list_labelled(config.data), config))


def noisy_digits(noise: float, seed: int) -> SplitPictures:
    """scikit-learn's digits in a random order, with Gaussian noise of a strength drawn for each, 0 to `noise`."""
    from sklearn.datasets import load_digits

    dataset = load_digits()
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(dataset.target))
    pictures = np.asarray(dataset.images, np.float64)[order] / 8 - 1
    strength = generator.uniform(0, noise, (len(pictures), 1, 1))
    large = (pictures + strength * generator.normal(size=pictures.shape)).repeat(SCALE, 1).repeat(SCALE, 2)
    pixels = torch.from_numpy(large.astype(np.float32))[:, None].repeat(1, 3, 1, 1)
    labels = torch.from_numpy(np.asarray(dataset.target, np.int64)[order])
    first, rest = slice(None, TRAINING_DIGITS), slice(TRAINING_DIGITS, None)
    return SplitPictures(JointBatch(pixels[first], labels[first]), JointBatch(pixels[rest], labels[rest]), DIGITS)


def photographs(pictures: PictureList, config: ConflictConfig) -> JointBatch:
    """The middle squares of all pictures of the first `config.classes` classes by name, `config.size_px` wide."""
    if len(pictures.classes) < config.classes:
        raise FolderError(
            f"{str(pictures.root)!r} has {len(pictures.classes):,} class folders, and {config.classes:,} are "
            "asked for. Ask for fewer (--classes)."
        )
    chosen = pictures.subset(np.flatnonzero(pictures.labels < config.classes))
    sheet = Preprocessing(config.size_px, crop_share=1.0, mean=_HALF, std=_HALF)
    crops = [middle(resized(decode(chosen.read(path))[0], sheet), config.size_px) for path in chosen.paths]
    pixels = torch.from_numpy(normalised(np.stack(crops), sheet))
    return JointBatch(pixels, torch.from_numpy(chosen.labels.astype(np.int64)))


def parted(every: JointBatch, seed: int) -> SplitPictures:
    """Two thirds of each class to train on, at random, and the others to test on."""
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(every.labels))
    labels = every.labels.numpy()[order]
    place = np.zeros(len(order), np.int64)
    for label in np.unique(labels):
        place[labels == label] = np.arange((labels == label).sum())
    counts = np.bincount(labels)
    trains = place < np.ceil(TRAINING_SHARE * counts)[labels]
    first, rest = order[trains], order[~trains]
    return SplitPictures(
        JointBatch(every.pixels[first], every.labels[first]),
        JointBatch(every.pixels[rest], every.labels[rest]),
        len(counts),
        shift_px=SHIFT_PX,
    )


def varied(pixels: Tensor, *, shift_px: int, generator: torch.Generator) -> Tensor:
    """Pixels (B, 3, S, S), each flipped with a chance of a half and moved by up to `shift_px`, edges mirrored."""
    if not shift_px:
        return pixels
    count, size = len(pixels), pixels.shape[-1]
    flips = torch.rand(count, generator=generator) < 0.5
    moves = torch.randint(0, 2 * shift_px + 1, (count, 2), generator=generator).tolist()
    flipped = torch.where(flips[:, None, None, None], pixels.flip(-1), pixels)
    wide = F.pad(flipped, [shift_px] * 4, mode="reflect")
    return torch.stack([one[:, y : y + size, x : x + size] for one, (y, x) in zip(wide, moves, strict=True)])


@dataclass(frozen=True)
class AuthorsCurve:
    """A curve of the paper's figure (PVU 5.1, ImageNet-1k): `values` by `epochs`, from 1, as shares of 1."""

    epochs: list[int]
    values: list[float]


def authors_curves(folder: Path) -> dict[tuple[str, bool], AuthorsCurve]:
    """The authors' four curves by name ("accuracy", "auroc") and whether with stop-gradient, from their CSV files.

    Their names end in gradient_conflict_losspred[_stopgrad]_1k_(r1|auroc).csv. Raises FolderError if one is not there.
    """
    return {
        (name, stop): _curve(folder, f"gradient_conflict_losspred{'_stopgrad' if stop else ''}_1k_{end}.csv", scale)
        for name, end, scale in (("accuracy", "r1", 0.01), ("auroc", "auroc", 1.0))
        for stop in (True, False)
    }


def _curve(folder: Path, ending: str, scale: float) -> AuthorsCurve:
    found = sorted(path for path in folder.glob(f"*{ending}") if path.is_file())
    if not found:
        raise FolderError(f"There is no file *{ending} in {str(folder)!r}. Give the folder with the authors' curves.")
    try:
        with found[0].open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))[1:]
        return AuthorsCurve([int(row[0]) + 1 for row in rows], [scale * float(row[1]) for row in rows])
    except (OSError, ValueError, IndexError) as error:
        raise FolderError(f"{str(found[0])!r} is no curve: its lines are step, value. ({error})") from error
