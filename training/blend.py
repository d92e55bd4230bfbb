"""The blended task loss without labels: the mean of the ranks of three ways in which a picture is ambiguous.

- its `instance` loss: whether the view could be taken for another picture
- the classifier's entropy on the view
- how many other pictures are as near to the view as the nearest one (confusability, without the view's picture)

Each orders some kinds of pictures well, and others worse than chance; see docs/training.md.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from training.config import InstanceTarget
from training.store import Cache
from training.targets import Integers, Losses, confusability_loss, instance_loss
from url_viz.analysis.baselines import softmax_entropy
from url_viz.analysis.ranking import percentile
from url_viz.errors import CacheError
from url_viz.models.backbone import Loaded

ROWS_AT_ONCE = 1 << 16
"""Rows per batch: the views of a large cache do not fit into memory."""


def instance_losses(cache: Cache, target: InstanceTarget, seed: int) -> Losses:
    """The `instance` loss (R,) of every row of a cache."""
    return _in_parts(
        cache, lambda views, clean_rows: instance_loss(views, clean_rows, cache.clean, target=target, seed=seed)
    )


def blended_losses(cache: Cache, target: InstanceTarget, seed: int, *, loaded: Loaded) -> Losses:
    """The blended loss (R,), 0 to 1, of every row of a cache that `loaded` wrote.

    Raises CacheError if the backbone has no classifier.
    """
    if not loaded.backbone.has_classifier:
        raise CacheError(f"--target blend takes a classifier, and {loaded.name!r} has none. Use --target instance.")
    ranks = [
        percentile(instance_losses(cache, target, seed)),
        percentile(_in_parts(cache, lambda views, _: entropy_of(views, loaded))),
        percentile(
            _in_parts(
                cache,
                lambda views, clean_rows: confusability_loss(views, clean_rows, cache.clean, target=target, seed=seed),
            )
        ),
    ]
    blend: Losses = np.mean(ranks, axis=0).astype(np.float32) / 100
    return blend


@torch.inference_mode()
def entropy_of(embeddings: NDArray[np.floating], loaded: Loaded) -> Losses:
    """Entropy (B,) in nats of the classifier's softmax on embeddings (B, D)."""
    classifier = loaded.backbone.network.get_classifier()
    logits = classifier(torch.from_numpy(embeddings.astype(np.float32))).numpy()
    return softmax_entropy(logits).astype(np.float32)


def _in_parts(cache: Cache, loss: Callable[[NDArray[np.float16], Integers], Losses]) -> Losses:
    starts = range(0, len(cache), ROWS_AT_ONCE)
    parts = [np.arange(start, min(start + ROWS_AT_ONCE, len(cache))) for start in starts]
    return np.concatenate([loss(cache.embeddings(rows), cache.clean_rows[rows]) for rows in parts])
