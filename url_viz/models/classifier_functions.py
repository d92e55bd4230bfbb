"""Four fixed functions of an embedding, which a head reads, and the names of the 1,000 ImageNet classes."""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from url_viz.base.errors import CheckpointError

NAMES = ("logit_gap", "cosine", "cosine_gap", "distance")
RIVALS = 5
"""The largest logit is compared with the fifth: the picture's class may be unknown to the classifier."""
FARTHEST = 5.0
"""Standardised functions are clipped here on both sides, so that no outlier dominates."""
LEAST = 1e-12
NUMBERS_AT_ONCE = 1 << 23

Array = NDArray[np.float32]


@dataclass(frozen=True)
class NaturalPictures:
    """The distribution of unit embeddings of natural pictures, by probabilistic PCA (Tipping and Bishop 1999).

    `mean` (D,), `axes` (K, D) orthonormal, `variance` (K,) along them and `rest` along any other direction.
    """

    mean: Array
    axes: Array
    variance: Array
    rest: float

    def distance(self, embedding: Array) -> Array:
        """Mahalanobis distance (N,) from the mean, of embeddings (N, D): small for a picture like any other."""
        centred: Array = embedding / _lengths(embedding)[:, None] - self.mean
        along: Array = np.square(centred @ self.axes.T)
        other = np.maximum(np.square(centred).sum(axis=1) - along.sum(axis=1), 0)
        return np.asarray(np.sqrt((along / self.variance).sum(axis=1) + other / self.rest, dtype=np.float32))


@dataclass(frozen=True)
class ClassifierFunctions:
    """Embeddings (N, D) → (N, 4) float32, standardised; each is higher for a clearer picture.

    - `logit_gap`: the classifier's largest logit less its fifth
    - `cosine`: the cosine to the class weight that is nearest
    - `cosine_gap`: the same less the cosine to the second
    - `distance`: how far the picture is from the middle of all natural pictures

    `weight` (C, D) float16 and `bias` (C,) are the classifier's; `centre` (4,) and `scale` (4,) standardise.
    """

    weight: NDArray[np.float16]
    bias: Array
    pictures: NaturalPictures
    centre: Array
    scale: Array

    def __post_init__(self) -> None:
        classes, size = self.weight.shape
        pictures = self.pictures
        shapes = [self.bias.shape, pictures.mean.shape, pictures.axes.shape, self.centre.shape, self.scale.shape]
        if shapes != [(classes,), (size,), (len(pictures.variance), size), *[(len(NAMES),)] * 2] or classes < 2:
            raise CheckpointError(f"The parts of this head do not fit a classifier of {self.weight.shape}: {shapes}.")

    @property
    def embedding_size(self) -> int:
        return int(self.weight.shape[1])

    def shares(self, embedding: Array) -> Array:
        """The classifier's softmax (N, C) of embeddings (N, D) float32."""
        logits: Array = embedding @ self.weight.astype(np.float32).T + self.bias
        shares: Array = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        return shares

    def __call__(self, embedding: Array) -> Array:
        """The standardised functions (N, 4) of embeddings (N, D) float32."""
        return self.standardised(self.values(embedding))

    def standardised(self, values: Array) -> Array:
        """Function values (N, 4) on the scale that the head was trained on."""
        return np.asarray(np.clip((values - self.centre) / self.scale, -FARTHEST, FARTHEST), np.float32)

    def values(self, embedding: Array) -> Array:
        """The functions (N, 4) of embeddings (N, D) as they are."""
        rows = max(1, NUMBERS_AT_ONCE // len(self.weight))
        values = [self._values(embedding[start : start + rows]) for start in range(0, len(embedding), rows)]
        return np.concatenate(values) if values else np.zeros((0, len(NAMES)), np.float32)

    def _values(self, embedding: Array) -> Array:
        products = embedding @ self._weight.T
        cosines: Array = products / _lengths(embedding)[:, None] / self._length
        return np.stack(
            [
                gap_to(products + self.bias, min(RIVALS, len(self.weight))),
                cosines.max(axis=1),
                gap_to(cosines, 2),
                self.pictures.distance(embedding),
            ],
            axis=1,
        )

    @cached_property
    def _weight(self) -> Array:
        return self.weight.astype(np.float32)

    @cached_property
    def _length(self) -> Array:
        return _lengths(self._weight)

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        return {
            "classifier.weight": self.weight,
            "classifier.bias": self.bias,
            "functions.centre": self.centre,
            "functions.scale": self.scale,
            **{
                f"pictures.{field.name}": np.atleast_1d(np.float32(getattr(self.pictures, field.name)))
                for field in fields(NaturalPictures)
            },
        }

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[np.generic]]) -> "ClassifierFunctions":
        """The inverse of `tensors`. Raises KeyError for a missing tensor, ValueError for a scale of 0 or less."""
        as_float = {name: np.asarray(tensor, np.float32) for name, tensor in tensors.items()}
        mean, axes, variance, rest = (as_float[f"pictures.{field.name}"] for field in fields(NaturalPictures))
        pictures = NaturalPictures(mean, axes, variance, rest.item())
        functions = cls(
            np.asarray(tensors["classifier.weight"], np.float16),
            as_float["classifier.bias"],
            pictures,
            as_float["functions.centre"],
            as_float["functions.scale"],
        )
        if not ((functions.scale > 0).all() and (pictures.variance > 0).all() and pictures.rest > 0):
            raise ValueError("scales that are not above zero")
        return functions


def _lengths(vectors: Array) -> Array:
    """Lengths (N,) of vectors (N, D), at least LEAST."""
    squared = np.einsum("nd,nd->n", vectors, vectors)  # numpy's norm along an axis is far slower
    return np.asarray(np.maximum(np.sqrt(squared), LEAST), np.float32)


def gap_to(values: Array, rank: int) -> Array:
    """The largest of each row (N, C) less the one of `rank` (2 = the second largest): (N,)."""
    return np.asarray(values.max(axis=1) - np.partition(values, -rank, axis=1)[:, -rank])


@cache
def class_names() -> tuple[str, ...]:
    """The first name of each class, like "tench", "goldfish"; empty if the installed timm has no such list.

    timm itself is not imported, as that would take seconds.
    """
    spec = importlib.util.find_spec("timm")
    if spec is None or spec.origin is None:
        return ()
    folder = Path(spec.origin).parent / "data" / "_info"
    try:
        numbers = (folder / "imagenet_synsets.txt").read_text(encoding="utf-8").split()
        lines = (folder / "imagenet_synset_to_lemma.txt").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ()
    names = {number: words.split(",")[0].strip() for number, _, words in (line.partition("\t") for line in lines)}
    return tuple(names.get(number, number) for number in numbers)
