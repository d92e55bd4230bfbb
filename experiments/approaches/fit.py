"""Training of an approach on the two-view pictures of caches, and its uncertainty on others."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from experiments.approaches.approach import Approach, Batch
from experiments.approaches.named import Setting, fresh
from training.store import Cache
from training.train import Ring, steps_per_epoch
from training.training_rows import MOST_HELD_OUT, Sources, are_held_out, end_to_end, find_groups
from url_viz.base.errors import CacheError
from url_viz.evidence.order_metrics import recall_at_1
from url_viz.models.head import NORM_EPS

DECAY = 1e-4
ROWS_AT_ONCE = 1024
LEAST_VIEWS = 2


@dataclass(frozen=True)
class MeasuredSet:
    """N pictures that an order is measured on: `embedding` (N, D), `label` and `is_correct` (N,) by recall@1."""

    name: str
    embedding: NDArray[np.floating]
    label: NDArray[np.integer]
    is_correct: NDArray[np.bool_]

    @classmethod
    def of(cls, name: str, embedding: NDArray[np.floating], label: NDArray[np.integer]) -> "MeasuredSet":
        """Whether each picture's nearest by the backbone's own embedding has its label is looked up here."""
        return cls(name, embedding, label, recall_at_1(embedding, label)[1])


@dataclass(frozen=True)
class TrainingPictures:
    """What all approaches learn from: `views` (P, V, D) float16, `task_loss` (P, V) and `label` (P,) of 0 to C − 1.

    `group` (P, V) numbers the source and resolution of a view. `held_out` are other pictures of each source, by which
    settings are chosen.
    """

    views: Tensor
    task_loss: Tensor
    label: Tensor
    group: Tensor
    classes: int
    held_out: tuple[MeasuredSet, ...]

    @property
    def size(self) -> int:
        """D."""
        return int(self.views.shape[2])


def upstream_of(sources: Sources, *, held_out: float) -> TrainingPictures:
    """Split the labelled pictures of caches: whole groups of twins train or are held out; see `are_held_out`.

    Classes of one name are one, whatever their source. Raises CacheError without labels, with fewer than two views, or
    if the held-out pictures of a source are all right or all wrong.
    """
    views = min(_views_of(cache) for cache in sources.caches)
    is_choosing = are_held_out(find_groups(sources, "twins"), held_out, most=MOST_HELD_OUT * len(sources.caches))
    names = np.unique([name for cache in sources.caches for name in cache.manifest.classes])
    parts, choosing = [], []
    for number, (cache, start) in enumerate(zip(sources.caches, sources.picture_starts, strict=False)):
        part = _part_of(cache, number, views, names)
        chosen = is_choosing[start : start + len(cache.pictures)]
        training, others = np.flatnonzero(part.is_usable & ~chosen), np.flatnonzero(part.is_usable & chosen)
        if min(len(training), len(others)) < 2:
            raise CacheError(
                f"{len(training)} pictures to train and {len(others)} to choose by are too few in "
                f"{cache.paths.folder}. Give more pictures, or another --held-out than {held_out}."
            )
        parts.append(part.at(training))
        choosing.append(_judged(MeasuredSet.of("held-out", cache.mapped_clean[others], part.label[others]), cache))
    known, label = np.unique(end_to_end([part.label for part in parts]), return_inverse=True)
    return TrainingPictures(
        torch.from_numpy(end_to_end([part.views for part in parts])),
        torch.from_numpy(end_to_end([part.loss for part in parts])),
        torch.from_numpy(label.astype(np.int64)),
        torch.from_numpy(end_to_end([part.group for part in parts])),
        len(known),
        tuple(choosing),
    )


@dataclass(frozen=True)
class _Part:
    """P pictures of a source: `views` (P, V, D), `loss` and `group` (P, V), `label` (P,), and which are usable (P,)."""

    views: NDArray[np.float16]
    loss: NDArray[np.float32]
    group: NDArray[np.int64]
    label: NDArray[np.int64]
    is_usable: NDArray[np.bool_]

    def at(self, places: NDArray[np.int64]) -> "_Part":
        return _Part(
            self.views[places], self.loss[places], self.group[places], self.label[places], self.is_usable[places]
        )


def _part_of(cache: Cache, number: int, views: int, names: NDArray[np.str_]) -> _Part:
    rows = np.argsort(cache.clean_rows, kind="stable").reshape(-1, _views_of(cache))[:, :views]
    loss, code = cache.loss()[rows], np.searchsorted(names, np.array(cache.manifest.classes))
    return _Part(
        cache.embeddings[rows.ravel()].reshape(*rows.shape, -1),
        loss,
        (number << 8) + cache.rows["resolution"][rows].astype(np.int64),
        code[cache.labels].astype(np.int64),
        (cache.labels >= 0) & np.isfinite(loss).all(axis=1),
    )


def _views_of(cache: Cache) -> int:
    """Views a picture; raises CacheError where an approach cannot learn from them."""
    if cache.about_loss["target"] != "labels":
        raise CacheError(f"The cache {cache.paths.folder} is not of labels. Write it with --target labels.")
    views = len(cache) // max(1, len(cache.pictures))
    if views < LEAST_VIEWS:
        raise CacheError(f"The cache {cache.paths.folder} has one view a picture. Write it with --views 2 or more.")
    return views


def _judged(held_out: MeasuredSet, cache: Cache) -> MeasuredSet:
    if held_out.is_correct.all() or not held_out.is_correct.any():
        raise CacheError(
            f"The nearest of {len(held_out.label)} held-out pictures of {cache.paths.folder} are all right or all "
            f"wrong, so nothing can be chosen by them. Give more pictures, or hold out more of them (--held-out)."
        )
    return held_out


def fitted(name: str, upstream: TrainingPictures, *, setting: Setting, seed: int, epochs: int, batch: int) -> Approach:
    """An approach trained for `epochs`, in each of which every picture counts once; the last step's weights.

    AdamW, the rate falling to zero on a cosine. Weights, order, views and samples are drawn by `seed`.
    """
    approach = fresh(name, upstream.size, upstream.classes, setting=setting, seed=seed)
    optimiser = torch.optim.AdamW(approach.parameters(), lr=setting.rate, weight_decay=DECAY)
    generator = np.random.default_rng(seed)
    pictures = len(upstream.label)
    ring = Ring(np.arange(pictures), torch.Generator().manual_seed(seed))
    steps = epochs * steps_per_epoch(pictures, batch)
    approach.start(pictures, np.random.default_rng(seed))
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = setting.rate / 2 * (1 + math.cos(math.pi * step / steps))
        optimiser.zero_grad()
        loss = approach.loss(batch_at(upstream, ring.take(batch), generator), generator)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    with torch.no_grad():
        approach.finish(normalised(upstream.views[:, 0]))
    return approach


def batch_at(upstream: TrainingPictures, positions: NDArray[np.int64], generator: np.random.Generator) -> Batch:
    """The pictures at `positions` (B,), with two different views of each drawn at random."""
    count = upstream.views.shape[1]
    first = generator.integers(count, size=len(positions))
    second = (first + generator.integers(1, count, size=len(positions))) % count
    return Batch(
        normalised(upstream.views[positions, first]),
        normalised(upstream.views[positions, second]),
        upstream.label[positions],
        upstream.task_loss[positions, first],
        torch.from_numpy(positions),
        upstream.group[positions, first],
    )


def normalised(embedding: Tensor) -> Tensor:
    """Embeddings (B, D) float32 of mean 0 and spread 1 each: what every approach reads."""
    return F.layer_norm(embedding.float(), embedding.shape[-1:], eps=NORM_EPS)


def uncertainty_of(approach: Approach, embedding: NDArray[np.floating], *, seed: int) -> NDArray[np.float32]:
    """Uncertainty (N,) of a backbone's embeddings (N, D), in bounded memory; sampling by `seed`."""
    generator = np.random.default_rng(seed)
    with torch.no_grad():
        found = [approach.uncertainty(part, generator).numpy() for part in _parts(embedding)]
    return np.concatenate(found)


def own_embedding_of(approach: Approach, embedding: NDArray[np.floating]) -> NDArray[np.float32] | None:
    """The approach's own embedding (N, E) of a backbone's (N, D); None if it has none."""
    with torch.no_grad():
        found = [approach.embedding(part) for part in _parts(embedding)]
    own = [part.numpy() for part in found if part is not None]
    return np.concatenate(own) if own else None


def _parts(embedding: NDArray[np.floating]) -> list[Tensor]:
    starts = range(0, len(embedding), ROWS_AT_ONCE)
    return [normalised(torch.from_numpy(embedding[start : start + ROWS_AT_ONCE])) for start in starts]
