"""Several caches as one: each is a source, and all must be of one embedding space."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.store import Cache, Manifest, MappedRows
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
    def from_caches(cls, caches: "Cache | Sources") -> "Sources":
        """A single cache as its only source."""
        return caches if isinstance(caches, Sources) else cls((caches,))

    def __len__(self) -> int:
        return int(self.row_starts[-1])

    @property
    def embedding_size(self) -> int:
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
        return end_to_end([cache.rows[name] for cache in self.caches])

    def of_pictures(self, name: str) -> NDArray[Any]:
        """A column of the rows as one value a picture (P,); −1 or 0 where a picture has no rows."""
        return end_to_end([cache.of_pictures(name, without=-1 if name == "label" else 0) for cache in self.caches])

    def loss(self) -> NDArray[np.float32]:
        return end_to_end([cache.loss() for cache in self.caches])

    def embeddings(self, rows: NDArray[np.int64]) -> NDArray[np.float16]:
        """Embeddings (B, D) of `rows` (B,), read from disk."""
        return self._mapped_embeddings.taken(rows)

    def clean_of(self, pictures: NDArray[np.int64]) -> NDArray[np.float16]:
        """Clean embeddings (B, D) of `pictures` (B,), read from disk."""
        return self._mapped_clean.taken(pictures)

    @cached_property
    def _mapped_embeddings(self) -> MappedRows:
        return MappedRows([part for cache in self.caches for part in cache.mapped_embeddings.parts])

    @cached_property
    def _mapped_clean(self) -> MappedRows:
        return MappedRows([part for cache in self.caches for part in cache.mapped_clean.parts])


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
