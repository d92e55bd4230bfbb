"""Training and held-out rows of one or several caches, split by groups of pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.config import Group, Mixture
from training.store import Cache, Manifest, MappedRows
from url_viz.base.errors import CacheError
from url_viz.base.rows import EXACT_ROWS
from url_viz.evidence.order_metrics import recall_at_1
from url_viz.models.classifier_functions import ClassifierFunctions
from url_viz.pipeline.twins import joined_groups, view_groups

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
        first = self.caches[0]
        for other in self.caches[1:]:
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

    @classmethod
    def from_caches(cls, caches: "Cache | Sources") -> "Sources":
        return caches if isinstance(caches, Sources) else cls((caches,))

    def __len__(self) -> int:
        return int(self.row_starts[-1])

    @property
    def embedding_size(self) -> int:
        return self.caches[0].embedding_size

    @property
    def manifest(self) -> Manifest:
        """The first source's manifest; the fields in `SPACE` are those of all."""
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

    def by_picture(self, name: str) -> NDArray[Any]:
        """A column of the rows as one value per picture (P,); −1 or 0 where a picture has no rows."""
        return end_to_end([cache.by_picture(name, without=-1 if name == "label" else 0) for cache in self.caches])

    def loss(self) -> NDArray[np.float32]:
        return end_to_end([cache.loss() for cache in self.caches])

    @cached_property
    def embeddings(self) -> MappedRows:
        return MappedRows([part for cache in self.caches for part in cache.embeddings.parts])

    @cached_property
    def mapped_clean(self) -> MappedRows:
        return MappedRows([part for cache in self.caches for part in cache.mapped_clean.parts])


def end_to_end(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Arrays one after another; a single one is not copied."""
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


Integers = NDArray[np.int64]
ROWS_AT_ONCE = 1 << 13


def find_groups(
    sources: Sources, by: Group, *, most_exact: int = EXACT_ROWS, rows_at_once: int = ROWS_AT_ONCE
) -> Integers:
    """The group (P,) of each picture of all sources: the smallest id in it.

    Pictures with the same id or equal clean embeddings, and views of one thing by these, are one group; `by` folder
    also those of one folder of a source. Among more than `most_exact` pictures no views are looked for: all pairs
    would take hours. Raises CacheError by folder if a cache does not say where its pictures lie.
    """
    ids = sources.by_picture("id")
    group = joined_groups(_codes(_fingerprints(sources, len(ids), rows_at_once)), _codes(ids))
    if len(ids) <= most_exact:
        group = joined_groups(group, view_groups(sources.mapped_clean[np.arange(len(ids))]))
    return smallest_ids(ids, group if by == "twins" else joined_groups(group, _codes(_folders(sources))))


def smallest_ids(ids: Integers, number: NDArray[np.integer]) -> Integers:
    """The smallest of the `ids` (P,) in each picture's group, by the group's `number` (P,)."""
    smallest = np.full(int(number.max(initial=-1)) + 1, np.iinfo(np.int64).max)
    np.minimum.at(smallest, number, ids)
    return np.asarray(smallest[number])


def _codes(keys: NDArray[np.integer]) -> Integers:
    return np.asarray(np.unique(keys, return_inverse=True)[1])


def _fingerprints(sources: Sources, count: int, rows_at_once: int) -> NDArray[np.uint64]:
    """A number (P,) for each clean embedding: equal for equal ones, else different but for a chance of 2⁻⁴⁸."""
    size = sources.embedding_size
    factors = np.random.default_rng(0).integers(1 << 63, size=size, dtype=np.uint64) * 2 + 1
    prints = np.zeros(count, np.uint64)
    for start in range(0, count, rows_at_once):
        rows = np.arange(start, min(start + rows_at_once, count))
        prints[rows] = sources.mapped_clean[rows].view(np.uint16).astype(np.uint64) @ factors
    return prints


def _folders(sources: Sources) -> Integers:
    for cache in sources.caches:
        if not cache.rows["folder"].any():
            raise CacheError(
                f"The cache {str(cache.paths.folder)!r} does not say in which folders its pictures lie: it is of an "
                f"HDF5 file. Write it from the pictures with training.cache, or leave out --group folder."
            )
    source = np.repeat(np.arange(len(sources.caches)), np.diff(sources.picture_starts))
    return (source << 32) + sources.by_picture("folder").astype(np.int64)


MOST_BYTES_IN_MEMORY = 4 << 30
SPLIT_PARTS = 10_000
MOST_HELD_OUT = 36_890
"""Most pictures per source that are held out, and most views of these that are compared: the authors' number."""
LARGEST_GROUP = 2
"""A group larger than this many times the held-out share trains, or the choice would be by little else."""


@dataclass(frozen=True)
class HeldOut:
    """The held-out pictures of one source, by which the epoch is chosen.

    `views` (H, D) and their task `loss` (H,), `clean` (Q, D) of the unvaried pictures: float16 embeddings, or float32
    functions of these (H, 4). `is_correct` (Q,): whether the nearest other among them has their label; empty if that
    is not known.
    """

    views: NDArray[np.floating]
    loss: NDArray[np.float32]
    clean: NDArray[np.floating]
    is_correct: NDArray[np.bool_]


@dataclass(frozen=True)
class Rows:
    """Training and held-out rows; no group of pictures is in both.

    `training` (T,) are rows of the sources with `task_loss` (T,). Those of one `pair_group` (T,) are compared, or all
    without it. A batch takes as many rows of each of `parts`, positions among the training rows. `choosing` are the
    held-out pictures of each source, `criterion` the name of the figure that epochs are compared by. `resident` are
    the training rows in memory, None where they are read from disk. With `functions`, these and the held-out ones are
    values of these.
    """

    sources: Sources
    device: torch.device
    training: NDArray[np.int64]
    task_loss: Tensor
    pair_group: Tensor | None
    parts: tuple[NDArray[np.int64], ...]
    choosing: tuple[HeldOut, ...]
    criterion: str
    resident: Tensor | None
    functions: ClassifierFunctions | None = None

    @property
    def input_size(self) -> int:
        """How many numbers the head reads of a row: D, or one per function."""
        return self.sources.embedding_size if self.resident is None else self.resident.shape[1]

    @property
    def held_out(self) -> NDArray[np.floating]:
        """Held-out views (H, D) of all sources."""
        return end_to_end([held_out.views for held_out in self.choosing])

    def batch_at(self, positions: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Embeddings (B, D) float32 and task losses (B,) of the training rows at `positions`, on the device."""
        on_device = torch.from_numpy(positions).to(self.device)
        if self.resident is not None:
            return self.resident[on_device].float(), self.task_loss[on_device]
        embedding = torch.from_numpy(self.sources.embeddings[self.training[positions]])
        return embedding.to(self.device).float(), self.task_loss[on_device]

    def groups_at(self, positions: NDArray[np.int64]) -> Tensor | None:
        """The `pair_group` (B,) of the training rows at `positions`; None if all are compared."""
        return None if self.pair_group is None else self.pair_group[torch.from_numpy(positions)]


def training_rows(
    caches: Cache | Sources,
    *,
    held_out: float,
    device: torch.device,
    group: Group = "twins",
    mixture: Mixture | None = None,
    most_held_out: int = MOST_HELD_OUT,
    most_bytes_in_memory: int = MOST_BYTES_IN_MEMORY,
) -> Rows:
    """Split the pictures by `are_held_out`: a share `held_out` of each source chooses the epoch, the others train.

    Raises CacheError if a source has too few pictures for both.
    """
    sources, mixture = Sources.from_caches(caches), mixture or Mixture()
    loss = sources.loss()
    pictures = are_held_out(find_groups(sources, group), held_out, most=most_held_out * len(sources.caches))
    parts = np.split(pictures, sources.picture_starts[1:-1])
    is_choosing = end_to_end([part[cache.clean_rows] for part, cache in zip(parts, sources.caches, strict=True)])
    has_loss = np.isfinite(loss)
    training = np.flatnonzero(~is_choosing & has_loss)
    starts = np.searchsorted(training, sources.row_starts)
    choosing = tuple(
        _held_out(cache, np.flatnonzero((is_choosing & has_loss)[first:end]), loss[first:end], most=most_held_out)
        for cache, first, end in zip(sources.caches, sources.row_starts, sources.row_starts[1:], strict=False)
    )
    for name, rows, chosen in zip(sources.names, np.diff(starts), choosing, strict=True):
        if rows < 2 or len(chosen.loss) < 2:
            raise CacheError(
                f"{rows} rows to train and {len(chosen.loss)} to choose by are too few in {name!r}. Give more "
                f"pictures, or hold out another share than {held_out} (--held-out)."
            )
    resident = None
    if len(training) * sources.embedding_size * 2 <= most_bytes_in_memory:
        resident = torch.from_numpy(sources.embeddings[training]).to(device)
    positions = np.arange(len(training))
    return Rows(
        sources=sources,
        device=device,
        training=training,
        task_loss=torch.from_numpy(loss[training]).to(device),
        pair_group=_pair_groups(sources, training, mixture),
        parts=tuple(np.split(positions, starts[1:-1])) if mixture.share == "equal" else (positions,),
        choosing=choosing,
        criterion="R-AUROC"
        if all(0 < chosen.is_correct.sum() < len(chosen.is_correct) for chosen in choosing)
        else "rank agreement",
        resident=resident,
    )


def are_held_out(groups: NDArray[np.int64], share: float, *, most: int) -> NDArray[np.bool_]:
    """Which pictures (P,) are held out, by their groups (P,), each named by the smallest id in it.

    About `share` of them, at most `most`, in whole groups by their names: the same ones in every cache of the pictures.
    Groups of more than twice the share train.
    """
    names, number, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    may = (names % SPLIT_PARTS < share * SPLIT_PARTS) & (sizes <= max(1, LARGEST_GROUP * share * len(groups)))
    order = np.lexsort((names, names % SPLIT_PARTS))
    order = order[may[order]]
    chosen = np.zeros(len(names), bool)
    chosen[order[np.cumsum(sizes[order]) <= most]] = True
    return chosen[number]


def _held_out(cache: Cache, rows: NDArray[np.int64], loss: NDArray[np.float32], *, most: int) -> HeldOut:
    """The held-out pictures of a cache with their `rows`; of more views than `most`, that many are drawn."""
    pictures = np.unique(cache.clean_rows[rows])
    if len(rows) > most:
        rows = np.sort(np.random.default_rng(0).choice(rows, most, replace=False))
    clean = cache.mapped_clean[pictures]
    is_correct = np.zeros(0, bool)
    if cache.about_loss["target"] == "labels" and len(pictures) >= 2:
        is_correct = recall_at_1(clean, cache.labels[pictures])[1]
    return HeldOut(cache.embeddings[rows], loss[rows], clean, is_correct)


def _pair_groups(sources: Sources, training: NDArray[np.int64], mixture: Mixture) -> Tensor | None:
    if len(sources.caches) == 1 and mixture.pair_within == "source":
        return None
    group = np.searchsorted(sources.row_starts, training, side="right") - 1
    if mixture.pair_within == "resolution":
        group = (group << 8) + end_to_end([cache.rows["resolution"] for cache in sources.caches])[training]
    return torch.from_numpy(group)
