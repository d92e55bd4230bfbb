"""Functions of the classifier as what a head reads: fitted on caches, and their values for the rows of a run.

Half of the training rows are seen as if the classifier did not know the picture's class and those most like it, since
the sets that a head will order are of such classes. No picture is measured against a spread that its class helped to
fit.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.cache import classes_of_classifier
from training.rows import HeldOut, Rows
from training.sources import Sources, end_to_end
from url_viz.errors import CacheError
from url_viz.models.backbone import Loaded
from url_viz.models.classifier_functions import NAMES, ClassifierFunctions, NaturalPictures
from url_viz.rows import l2_normalize

AXES = 256
FOLDS = 5
UNKNOWN_ROWS = 0.5
"""Share of the training rows whose class is hidden from the classifier."""
UNKNOWN_CLASSES = 0.01
"""Share of its classes that are hidden then: the picture's own and those whose weights are most like it."""
ROWS_AT_ONCE = 4096
LEAST_SPREAD = 1e-6

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Classes:
    """The classes of the P pictures of all sources: `number` (P,), one for a class of one name, −1 without a label.

    `known` (P,) is its place among the classifier's classes, −1 if it is none of them.
    """

    number: Integers
    known: Integers


def read_by_functions(rows: Rows, loaded: Loaded, *, seed: int) -> tuple[ClassifierFunctions, Rows]:
    """The functions that fit the rows' sources, and the same rows with their values instead of embeddings.

    Raises CacheError if the backbone has no linear classifier.
    """
    sources = rows.sources
    weight, bias = _classifier_of(loaded)
    classes = _classes_of(sources, len(weight))
    clean = end_to_end([cache.clean for cache in sources.caches])
    pictures, none = fit_pictures(clean, classes.number), np.zeros(len(NAMES), np.float32)
    unfinished = ClassifierFunctions(weight, bias, pictures, none, none + 1)
    picture = end_to_end(
        [cache.clean_rows + first for cache, first in zip(sources.caches, sources.picture_starts, strict=False)]
    )
    values = _training_values(unfinished, sources, rows.training, picture[rows.training], classes, clean, seed=seed)
    functions = replace(unfinished, centre=values.mean(axis=0), scale=np.maximum(values.std(axis=0), LEAST_SPREAD))
    resident = torch.from_numpy(functions.standardised(values)).to(rows.device)
    return functions, replace(
        rows, resident=resident, choosing=tuple(_held_out(functions, held_out) for held_out in rows.choosing)
    )


def fit_pictures(clean: NDArray[np.floating], number: Integers, *, axes: int = AXES) -> NaturalPictures:
    """How embeddings (P, D) of unit length are spread; every class of `number` (P,) weighs alike, −1 as one class."""
    unit = l2_normalize(clean)
    _, place, sizes = np.unique(number, return_inverse=True, return_counts=True)
    share = (1 / sizes / len(sizes))[place][:, None].astype(np.float32)
    mean = (unit * share).sum(axis=0)
    centred = (unit - mean) * np.sqrt(share)
    variance, directions = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    kept = min(axes, len(unit) - 1, len(variance) - 1)
    rest = float(np.maximum(variance[: len(variance) - kept].mean(), LEAST_SPREAD**2))
    largest = slice(len(variance) - kept, None)
    return NaturalPictures(
        mean,
        np.ascontiguousarray(directions[:, largest].T, np.float32),
        np.maximum(variance[largest], rest).astype(np.float32),
        rest,
    )


def hidden_classes(weight: NDArray[np.floating], known: Integers) -> NDArray[np.bool_]:
    """Which classes (N, C) are hidden of rows of `known` classes (N,): the own, and those most like it; none for −1."""
    names, place = np.unique(known, return_inverse=True)
    count = max(1, round(UNKNOWN_CLASSES * len(weight)))
    directions = l2_normalize(weight.astype(np.float32) - weight.astype(np.float32).mean(axis=0))
    nearest = np.argsort(-(directions[names] @ directions.T), axis=1)[:, :count]
    hidden = np.zeros((len(names), len(weight)), bool)
    np.put_along_axis(hidden, nearest, True, axis=1)
    hidden[names < 0] = False
    return hidden[place]


def _training_values(
    functions: ClassifierFunctions,
    sources: Sources,
    training: Integers,
    picture: Integers,
    classes: Classes,
    clean: NDArray[np.float16],
    *,
    seed: int,
) -> Floats:
    """The functions (T, 3) of the `training` rows (T,), which are of pictures (T,)."""
    generator = np.random.default_rng(seed)
    is_hidden = generator.random(len(training)) < UNKNOWN_ROWS
    fold = generator.integers(0, FOLDS, classes.number.max() + 2)[classes.number]
    values = np.empty((len(training), len(NAMES)), np.float32)
    for number in range(FOLDS):
        others, mine = fold != number, np.flatnonzero(fold[picture] == number)
        if not len(mine):
            continue
        fitted = functions.pictures if others.sum() < 2 else fit_pictures(clean[others], classes.number[others])
        of_others = replace(functions, pictures=fitted)
        for part in (mine[start : start + ROWS_AT_ONCE] for start in range(0, len(mine), ROWS_AT_ONCE)):
            known = np.where(is_hidden[part], classes.known[picture[part]], -1)
            embedding = sources.embeddings(training[part]).astype(np.float32)
            values[part] = of_others.values(embedding, unknown=hidden_classes(functions.weight, known))
    return values


def _held_out(functions: ClassifierFunctions, held_out: HeldOut) -> HeldOut:
    return replace(
        held_out,
        views=functions(held_out.views.astype(np.float32)),
        clean=functions(held_out.clean.astype(np.float32)),
    )


def _classes_of(sources: Sources, n_classes: int) -> Classes:
    """A class that two sources name alike is one."""
    names = sorted({name for cache in sources.caches for name in cache.manifest.classes})
    known = classes_of_classifier(names, n_classes)
    place = {name: number for number, name in enumerate(names)}
    number = end_to_end(
        [
            np.array([*(place[name] for name in cache.manifest.classes), -1], np.int64)[cache.labels]
            for cache in sources.caches
        ]
    )
    lookup = np.full(len(names) + 1, -1) if known is None else np.append(known, -1)
    return Classes(number, lookup[number])


def _classifier_of(loaded: Loaded) -> tuple[NDArray[np.float16], Floats]:
    classifier = loaded.backbone.network.get_classifier()
    if not isinstance(classifier, nn.Linear):
        raise CacheError(
            f"{loaded.name!r} has no linear classifier whose functions a head could read. Use --reads embedding."
        )
    bias = torch.zeros(classifier.out_features) if classifier.bias is None else classifier.bias
    weight: NDArray[np.float16] = classifier.weight.detach().numpy().astype(np.float16)
    return weight, bias.detach().numpy().astype(np.float32)
