"""Functions of the classifier as what a head reads: fitted on caches, and their values for the rows of a run.

Training weighs the functions on pictures of classes that the classifier knows. There the distance from the mean of all
pictures says little, but it says most of pictures of other classes (docs/training.md). So it is left out of training
and gets a fixed weight.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.sources import Sources, end_to_end
from training.training_rows import Rows
from url_viz.errors import CacheError
from url_viz.models.classifier_functions import NAMES, ClassifierFunctions, NaturalPictures
from url_viz.models.head_module import HeadModule
from url_viz.rows import l2_normalize

if TYPE_CHECKING:
    from url_viz.models.backbone import LoadedBackbone

AXES = 256
DISTANCE = NAMES.index("distance")
DISTANCE_WEIGHT = 0.6
"""Weight of the distance, in standard deviations of the rest: chosen on development sets and left-out sources."""
ROWS_AT_ONCE = 1 << 14
LEAST_SPREAD = 1e-6

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


def read_by_functions(rows: Rows, loaded: "LoadedBackbone") -> Rows:
    """The same rows with values of the functions that fit their sources instead of embeddings.

    Raises CacheError if the backbone has no linear classifier.
    """
    weight, bias = _classifier_of(loaded)
    clean = end_to_end([cache.clean for cache in rows.sources.caches])
    pictures, none = fit_pictures(clean, _classes_of(rows.sources)), np.zeros(len(NAMES), np.float32)
    unfinished = ClassifierFunctions(weight, bias, pictures, none, none + 1)
    parts = np.split(rows.training, range(ROWS_AT_ONCE, len(rows.training), ROWS_AT_ONCE))
    values = np.concatenate([unfinished.values(rows.sources.embeddings(part).astype(np.float32)) for part in parts])
    scale: Floats = np.maximum(values.std(axis=0), LEAST_SPREAD).astype(np.float32)
    functions = replace(unfinished, centre=values.mean(axis=0, dtype=np.float32), scale=scale)
    return replace(
        rows,
        resident=torch.from_numpy(functions.standardised(values)).to(rows.device),
        choosing=tuple(
            replace(
                part, views=functions(part.views.astype(np.float32)), clean=functions(part.clean.astype(np.float32))
            )
            for part in rows.choosing
        ),
        functions=functions,
    )


def without_distance(rows: Rows) -> Rows:
    """The same rows with a distance of zero."""
    assert rows.resident is not None
    mask = (np.arange(len(NAMES)) != DISTANCE).astype(np.float32)
    choosing = tuple(replace(part, views=part.views * mask, clean=part.clean * mask) for part in rows.choosing)
    return replace(rows, resident=rows.resident * torch.from_numpy(mask).to(rows.device), choosing=choosing)


@torch.no_grad()
def weigh_distance(module: HeadModule, rows: Rows, *, weight: float = DISTANCE_WEIGHT) -> None:
    """Give the distance its `weight` in a linear head that was trained without it: farther is less uncertain."""
    assert rows.resident is not None
    weights = module.layers[0].weight[0]  # type: ignore[index]  # one linear layer
    weights[DISTANCE] = 0
    weights[DISTANCE] = -weight * (rows.resident @ weights).std()


def fit_pictures(clean: NDArray[np.floating], number: Integers, *, axes: int = AXES) -> NaturalPictures:
    """Mean and covariance of embeddings (P, D) of unit length; every class of `number` (P,) weighs the same, −1 too."""
    unit = l2_normalize(clean)
    _, inverse, sizes = np.unique(number, return_inverse=True, return_counts=True)
    weight = (1 / sizes / len(sizes))[inverse][:, None].astype(np.float32)
    mean = (unit * weight).sum(axis=0)
    centred = (unit - mean) * np.sqrt(weight)
    variance, directions = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    count = min(axes, len(unit) - 1, len(variance) - 1)
    rest = float(np.maximum(variance[: len(variance) - count].mean(), LEAST_SPREAD**2))
    largest = slice(len(variance) - count, None)
    return NaturalPictures(
        mean,
        np.ascontiguousarray(directions[:, largest].T, np.float32),
        np.maximum(variance[largest], rest).astype(np.float32),
        rest,
    )


def _classes_of(sources: Sources) -> Integers:
    """The class (P,) of every picture, −1 without a label; classes of two sources with the same name are one."""
    names = sorted({name for cache in sources.caches for name in cache.manifest.classes})
    number_of = {name: number for number, name in enumerate(names)}
    numbers = [np.array([*map(number_of.get, cache.manifest.classes), -1], np.int64) for cache in sources.caches]
    return end_to_end([number[cache.labels] for number, cache in zip(numbers, sources.caches, strict=True)])


def _classifier_of(loaded: "LoadedBackbone") -> tuple[NDArray[np.float16], Floats]:
    classifier = loaded.backbone.network.get_classifier()
    if not isinstance(classifier, nn.Linear):
        raise CacheError(
            f"{loaded.name!r} has no linear classifier whose functions a head could read. Use --reads embedding."
        )
    bias = torch.zeros(classifier.out_features) if classifier.bias is None else classifier.bias
    weight: NDArray[np.float16] = classifier.weight.detach().numpy().astype(np.float16)
    return weight, bias.detach().numpy().astype(np.float32)
