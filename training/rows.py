"""Training and held-out rows of a cache: split by picture, in memory if they fit, else memory-mapped."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.config import Recipe
from training.store import Cache
from url_viz.analysis.metrics import recall_at_1
from url_viz.errors import CacheError

MOST_BYTES_IN_MEMORY = 4 << 30
SPLIT_PARTS = 10_000


@dataclass(frozen=True)
class Rows:
    """Training and held-out rows of a cache; no picture is in both.

    `training` (T,) are rows of the cache. `held_out` (H, D) float16 and `held_out_loss` (H,) are of the held-out
    pictures' views, `held_out_clean` (Q, D) of the unvaried pictures, `held_out_is_correct` (Q,) whether their
    nearest other among them has their label. `criterion` names the figure that epochs are compared by.
    """

    cache: Cache
    device: torch.device
    training: NDArray[np.int64]
    task_loss: Tensor
    held_out: NDArray[np.float16]
    held_out_loss: NDArray[np.float32]
    held_out_clean: NDArray[np.float16]
    held_out_is_correct: NDArray[np.bool_]
    criterion: str
    resident: Tensor | None

    @property
    def embedding_size(self) -> int:
        """D."""
        return self.cache.embedding_size

    def epoch_rows(self, recipe: Recipe) -> int:
        """Rows per epoch."""
        return recipe.epoch_rows or len(self.training)

    def batch_at(self, positions: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Embeddings (B, D) float32 and task losses (B,) of the training rows at `positions`, on the device."""
        if self.resident is not None:
            on_device = torch.from_numpy(positions).to(self.device)
            return self.resident[on_device].float(), self.task_loss[on_device]
        in_order = np.sort(positions)  # a memory map is read in its own order; within a batch the order does not matter
        embedding = torch.from_numpy(self.cache.embeddings(self.training[in_order]))
        shuffled = torch.from_numpy(np.argsort(np.argsort(positions)))
        return embedding[shuffled].to(self.device).float(), self.task_loss[torch.from_numpy(positions).to(self.device)]


def rows_of(cache: Cache, *, held_out: float, device: torch.device) -> Rows:
    """Split a cache by picture: a share `held_out`, chosen by id alone, selects the epoch; the others train.

    Raises CacheError if there are too few pictures for both.
    """
    loss = cache.loss()
    is_choosing = is_held_out(cache, held_out)
    has_loss = np.isfinite(loss)
    training = np.flatnonzero(~is_choosing & has_loss)
    choosing = np.flatnonzero(is_choosing & has_loss)
    if len(training) < 2 or len(choosing) < 2:
        raise CacheError(
            f"{len(training)} rows to train and {len(choosing)} to choose by are too few. "
            f"Give more pictures, or hold out another share than {held_out} (--held-out)."
        )
    pictures = np.unique(cache.clean_rows[choosing])
    is_correct = _is_correct(cache, pictures)
    resident = None
    if len(training) * cache.embedding_size * 2 <= MOST_BYTES_IN_MEMORY:
        resident = torch.from_numpy(cache.embeddings(training)).to(device)
    return Rows(
        cache=cache,
        device=device,
        training=training,
        task_loss=torch.from_numpy(loss[training]).to(device),
        held_out=cache.embeddings(choosing),
        held_out_loss=loss[choosing],
        held_out_clean=cache.clean[pictures],
        held_out_is_correct=is_correct,
        criterion="R-AUROC" if 0 < is_correct.sum() < len(is_correct) else "rank agreement",
        resident=resident,
    )


def is_held_out(cache: Cache, share: float) -> NDArray[np.bool_]:
    """Which rows (R,) are of held-out pictures: decided by the picture's id alone, so the same in every cache of it."""
    return ids_held_out(cache.rows["id"], share)


def ids_held_out(ids: NDArray[np.int64], share: float) -> NDArray[np.bool_]:
    """Which picture ids (N,) are held out: about `share` of them, decided by the id alone."""
    chosen: NDArray[np.bool_] = ids % SPLIT_PARTS < share * SPLIT_PARTS
    return chosen


def _is_correct(cache: Cache, pictures: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Recall@1 correctness among the held-out pictures; empty if the target is not `labels`, or of one picture."""
    if cache.about_loss["target"] != "labels" or len(pictures) < 2:
        return np.zeros(0, bool)
    return recall_at_1(cache.clean[pictures], cache.labels[pictures])[1]
