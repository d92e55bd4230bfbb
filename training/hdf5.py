"""Conversion of the authors' HDF5 caches (`embed` (N, D), `label` (N, 1)), with task losses computed once.

The losses are the frozen classifier's, as the authors' training computes them each step. Views of one picture are not
marked, so whole classes are held out.
"""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from training.store import (
    ROW,
    Cache,
    CachePaths,
    Manifest,
    Shard,
    open_cache,
    open_for_writing,
    write_loss,
    write_shard,
)
from training.targets import classifier_loss
from url_viz.base.errors import CacheError
from url_viz.base.progress import Clock, ProgressCallback, command_report

if TYPE_CHECKING:
    from url_viz.models.backbone import LoadedBackbone

HDF5_SUFFIXES = (".hdf5", ".h5")
SHARD_ROWS = 1 << 16
ABOUT = {"target": "classifier"}
"""Not `labels`: nearest others would be views of the same picture, so epochs are compared by rank agreement."""


def convert_hdf5(
    file: Path,
    folder: Path,
    loaded: "LoadedBackbone",
    report: ProgressCallback | None = None,
    *,
    shard_rows: int = SHARD_ROWS,
) -> Cache:
    """The cache in `folder` with every row of `file`, written if it is missing; a stopped run continues.

    `loaded` is the backbone that made the file. Raises CacheError if h5py is missing, the file is not such a cache, or
    its embeddings or labels are not this backbone's.
    """
    classifier: torch.nn.Module = loaded.backbone.network.get_classifier()
    inputs, outputs = getattr(classifier, "in_features", 0), getattr(classifier, "out_features", 0)
    with _open(file) as source:
        labels = _read_labels(source, file)
        size, highest = source["embed"].shape[1], int(labels.max())
        if inputs != size or highest >= outputs:
            raise CacheError(
                f"{str(file)!r} has embeddings of size {size} and labels up to {highest}; the classifier of "
                f"{loaded.name!r} reads {inputs} and knows {outputs} classes. Give the model that made it (--backbone)."
            )
        # Labels and a few embeddings tell two files apart; hashing 70 GB to continue a run would take minutes.
        state = hashlib.blake2b(labels.tobytes(), digest_size=8)
        for row in np.linspace(0, len(labels) - 1, 16).astype(int):
            state.update(np.asarray(source["embed"][row], np.float32).tobytes())
        manifest = Manifest(
            backbone=loaded.name,
            weights_digest=loaded.weights_digest,
            preprocessing=loaded.preprocessing.as_record(),
            precision="bf16",
            views={"hdf5": file.name},
            seed=0,
            pictures_digest=state.hexdigest(),
            pictures=len(labels),
            classes=tuple(str(label) for label in np.unique(labels)),
            shard_pictures=shard_rows,
        )
        paths = open_for_writing(folder, manifest)
        _write_shards(source, labels, classifier, paths, report or command_report(), shard_rows)
    cache = open_cache(folder)
    if not paths.loss.exists():
        write_loss(paths, cache.rows["own_loss"].astype(np.float32), ABOUT)
    return cache


def _open(file: Path) -> Any:
    try:
        import h5py
    except ImportError as error:
        raise CacheError(f"Reading {str(file)!r} takes h5py. Run `pip install h5py`.") from error
    try:
        return h5py.File(file, "r")
    except OSError as error:
        raise CacheError(
            f"Cannot read {str(file)!r} ({error}). Give the dataset.hdf5 of the authors' cache."
        ) from error


def _read_labels(source: Any, file: Path) -> NDArray[np.int64]:
    shapes = {name: source[name].shape for name in source if hasattr(source[name], "shape")}
    embed, label = shapes.get("embed", ()), shapes.get("label", ())
    if len(embed) != 2 or label not in ((embed[0], 1), (embed[0],)) or embed[0] == 0:
        raise CacheError(f"{str(file)!r} holds {shapes}. Expected are embed (N, D) and label (N, 1), N at least 1.")
    labels = np.asarray(source["label"], np.float64).reshape(-1)
    if not (np.isfinite(labels) & (labels >= 0) & (labels == np.round(labels))).all():
        raise CacheError(f"{str(file)!r} has labels that are not whole numbers from 0 up. Write the cache again.")
    return labels.astype(np.int64)


def _write_shards(
    source: Any,
    labels: NDArray[np.int64],
    classifier: torch.nn.Module,
    paths: CachePaths,
    report: ProgressCallback,
    shard_rows: int,
) -> None:
    present, first = np.unique(labels, return_index=True)
    order = np.argsort(first)  # h5py requires rising rows
    clean = np.empty((len(present), source["embed"].shape[1]), np.float16)
    clean[order] = source["embed"][first[order]]
    clock = Clock("read hdf5", len(labels))
    for number, start in enumerate(range(0, len(labels), shard_rows)):
        here = slice(start, min(start + shard_rows, len(labels)))
        if not paths.shard(number).is_dir():
            embedding = np.asarray(source["embed"][here], np.float32)
            groups = slice(None) if number == 0 else slice(0, 0)
            rows = np.zeros(len(embedding), ROW)
            # A row's picture and id are its class, so that whole classes are held out.
            digests = (hashlib.blake2b(b"%d" % label, digest_size=7).digest() for label in labels[here])
            rows["id"] = list(map(int.from_bytes, digests))
            rows["picture"], rows["label"] = labels[here], labels[here]
            rows["own_loss"] = _classifier_loss(classifier, embedding, labels[here])
            write_shard(paths, number, Shard(embedding.astype(np.float16), rows, clean[groups], present[groups]))
        report(clock.at(here.stop))


@torch.inference_mode()
def _classifier_loss(
    classifier: torch.nn.Module, embedding: NDArray[np.float32], labels: NDArray[np.int64], rows_at_once: int = 2048
) -> NDArray[np.float32]:
    parts = []
    for start in range(0, len(embedding), rows_at_once):
        here = slice(start, start + rows_at_once)
        parts.append(classifier_loss(classifier(torch.from_numpy(embedding[here])).numpy(), labels[here]))
    return np.concatenate(parts)
