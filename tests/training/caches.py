"""Caches written straight in the store's format, for tests that need no pictures."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from training.store import ROW, Cache, Manifest, Shard, open_cache, open_for_writing, write_loss, write_shard

MANIFEST = Manifest("made", "0" * 16, {}, "float32", {}, 0, "0", 0, (), 1)


def written(
    folder: Path,
    clean: np.ndarray,
    *,
    ids: Sequence[int] | np.ndarray,
    folders: Sequence[int] | None = None,
    loss: np.ndarray | None = None,
    resolution: np.ndarray | None = None,
    views: int = 1,
    **manifest: object,
) -> Cache:
    """A cache of pictures with these clean embeddings (P, D), whose views are as the clean ones, in one shard."""
    count = len(clean)
    rows = np.zeros(count * views, ROW)
    rows["picture"], rows["id"] = np.repeat(np.arange(count), views), np.repeat(np.asarray(ids, np.int64), views)
    rows["label"] = -1
    rows["folder"] = np.repeat(np.zeros(count, int) if folders is None else np.asarray(folders), views)
    rows["resolution"] = 0 if resolution is None else resolution
    changes = {"pictures": count, "shard_pictures": count, **manifest}
    paths = open_for_writing(folder, replace(MANIFEST, **changes))  # type: ignore[arg-type]
    stored = clean.astype(np.float16)
    write_shard(paths, 0, Shard(np.repeat(stored, views, axis=0), rows, stored, np.arange(count)))
    write_loss(paths, np.arange(len(rows), dtype=np.float32) if loss is None else loss, {"target": "instance"})
    return open_cache(folder)
