"""Several caches as one: each is a source, and all must be of one embedding space."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.store import Cache, Manifest
from url_viz.errors import CacheError

SPACE = ("backbone", "weights_digest", "preprocessing", "precision")


@dataclass(frozen=True)
class Sources:
    """S caches end to end: rows (R,) and pictures (P,) are counted on from one to the next.

    Raises CacheError, naming both, if two are of different backbones, weights, preprocessing or precision.
    """

    caches: tuple[Cache, ...]

    def __post_init__(self) -> None:
        if not self.caches:
            raise CacheError("There is no cache to train on. Give one with --cache.")
        for cache in self.caches[1:]:
            _refuse_another_space(self.caches[0], cache)

    @classmethod
    def of(cls, caches: "Cache | Sources") -> "Sources":
        """A single cache as its only source."""
        return caches if isinstance(caches, Sources) else cls((caches,))

    def __len__(self) -> int:
        return int(self.row_starts[-1])

    @property
    def embedding_size(self) -> int:
        """D."""
        return self.caches[0].embedding_size

    @property
    def manifest(self) -> Manifest:
        """The first source's manifest; of the fields in `SPACE` it speaks for all."""
        return self.caches[0].manifest

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The folders of the caches, by their last names where these differ."""
        folders = [cache.paths.folder for cache in self.caches]
        last = tuple(folder.name for folder in folders)
        return last if len(set(last)) == len(last) else tuple(map(str, folders))

    @cached_property
    def row_starts(self) -> NDArray[np.int64]:
        """The first row of each source, and R (S + 1,)."""
        return np.cumsum([0, *(len(cache) for cache in self.caches)])

    @cached_property
    def picture_starts(self) -> NDArray[np.int64]:
        """The first picture of each source, and P (S + 1,)."""
        return np.cumsum([0, *(len(cache.pictures) for cache in self.caches)])

    def column(self, name: str) -> NDArray[Any]:
        """A column of the rows (R,)."""
        return end_to_end([cache.rows[name] for cache in self.caches])

    def of_pictures(self, name: str) -> NDArray[Any]:
        """A column of the rows as one value a picture (P,); −1 or 0 where a picture has no rows."""
        return end_to_end([cache.of_pictures(name, without=-1 if name == "label" else 0) for cache in self.caches])

    def loss(self) -> NDArray[np.float32]:
        """Task losses (R,); see `Cache.loss`."""
        return end_to_end([cache.loss() for cache in self.caches])

    def embeddings(self, rows: NDArray[np.int64]) -> NDArray[np.float16]:
        """Embeddings (B, D) of `rows` (B,), read from disk."""
        return self._taken(rows, self.row_starts, [cache.embeddings for cache in self.caches])

    def clean_of(self, pictures: NDArray[np.int64]) -> NDArray[np.float16]:
        """Clean embeddings (B, D) of `pictures` (B,), read from disk."""
        return self._taken(pictures, self.picture_starts, [cache.clean_of for cache in self.caches])

    def _taken(self, places: NDArray[np.int64], starts: NDArray[np.int64], read: Sequence[Any]) -> NDArray[np.float16]:
        if len(read) == 1:
            only: NDArray[np.float16] = read[0](places)
            return only
        taken = np.empty((len(places), self.embedding_size), np.float16)
        source = np.searchsorted(starts, places, side="right") - 1
        for number, read_one in enumerate(read):
            here = source == number
            taken[here] = read_one(places[here] - starts[number])
        return taken


def end_to_end(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Arrays one after another; a single one is not copied."""
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _refuse_another_space(first: Cache, other: Cache) -> None:
    differ = [
        f"{name} {getattr(first.manifest, name)!r} and {getattr(other.manifest, name)!r}"
        for name in SPACE
        if getattr(first.manifest, name) != getattr(other.manifest, name)
    ]
    if differ:
        raise CacheError(
            f"The caches {str(first.paths.folder)!r} and {str(other.paths.folder)!r} are not of one model: "
            f"{'; '.join(differ)}. Write both with the same --model and --precision."
        )
