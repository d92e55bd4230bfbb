"""Task losses, which a head learns to order: against other pictures, or of a classifier on the label."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from training.config import InstanceTarget
from url_viz.analysis.probe import fit_probe, probe_inputs
from url_viz.errors import CacheError
from url_viz.pipeline.whitening import fit_whitening
from url_viz.rows import l2_normalize

ROWS_AT_ONCE = 1024
FOLDS = 5

Losses = NDArray[np.float32]
Integers = NDArray[np.int64]


def instance_loss(
    views: NDArray[np.floating], clean_rows: Integers, clean: NDArray[np.floating], *, target: InstanceTarget, seed: int
) -> Losses:
    """−log softmax over pictures of a view's cosine at its own picture: (R,) of views (R, D), clean (P, D).

    `clean_rows` (R,) are the rows of the views' pictures in `clean`. The softmax runs over that picture and at most
    `most_others` others, drawn once for all rows, its twins left out. High if the view could be taken for another
    picture. Close to the alignment of InfoNCE.
    """
    losses = np.empty(len(clean_rows), np.float32)
    for part in _compared(views, clean_rows, clean, target=target, seed=seed):
        ahead = (part.similarity - part.to_picture[:, None]).astype(np.float64) / target.temperature
        losses[part.rows] = _log_one_plus_sum_exp(np.where(part.competes, ahead, -np.inf))
    return losses


def confusability_loss(
    views: NDArray[np.floating], clean_rows: Integers, clean: NDArray[np.floating], *, target: InstanceTarget, seed: int
) -> Losses:
    """1 − the largest softmax share of one other picture: (R,), 0 if one stands out; arguments as `instance_loss`.

    A view's own picture and its twins do not count. 0 if there are no other pictures.
    """
    losses = np.zeros(len(clean_rows), np.float32)
    for part in _compared(views, clean_rows, clean, target=target, seed=seed):
        scaled = np.where(part.competes, part.similarity.astype(np.float64) / target.temperature, -np.inf)
        highest = scaled.max(axis=1, keepdims=True)
        weight = np.exp(scaled - np.where(np.isfinite(highest), highest, 0)).sum(axis=1)
        losses[part.rows] = 1 - 1 / np.maximum(weight, 1)
    return losses


@dataclass(frozen=True)
class _Part:
    """Some rows against M others: `similarity` (B, M), `to_picture` (B,) to their picture, which `competes` (B, M)."""

    rows: slice
    similarity: NDArray[np.float32]
    to_picture: NDArray[np.float32]
    competes: NDArray[np.bool_]


def _compared(
    views: NDArray[np.floating], clean_rows: Integers, clean: NDArray[np.floating], *, target: InstanceTarget, seed: int
) -> Iterator[_Part]:
    unit = l2_normalize(clean)
    others = _drawn(len(unit), target.most_others, seed)
    for start in range(0, len(clean_rows), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        pictures = clean_rows[rows]
        view = l2_normalize(views[rows])
        competes = (unit[pictures] @ unit[others].T < target.twin_similarity) & (others[None, :] != pictures[:, None])
        yield _Part(rows, view @ unit[others].T, (view * unit[pictures]).sum(axis=1), competes)


def _log_one_plus_sum_exp(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """log(1 + Σ exp) over the columns of (R, M), exact for tiny sums, so that clear rows stay ordered."""
    highest = np.maximum(values.max(axis=1), 0)
    rest = np.exp(values - highest[:, None]).sum(axis=1)
    result: NDArray[np.float64] = np.where(highest == 0, np.log1p(rest), highest + np.log(np.exp(-highest) + rest))
    return result


def _drawn(count: int, most: int, seed: int) -> Integers:
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).permutation(count)[:most])


def classifier_loss(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> Losses:
    """Cross-entropy (B,) of the backbone's classifier, logits (B, C), on labels (B,) (PVU 2.1: hard, no smoothing)."""
    exact = torch.from_numpy(logits.astype(np.float64))
    loss = F.cross_entropy(exact, torch.from_numpy(labels.astype(np.int64)), reduction="none")
    return loss.numpy().astype(np.float32)


def fitted_classifier_loss(
    views: NDArray[np.floating],
    clean_rows: Integers,
    clean: NDArray[np.floating],
    labels: NDArray[np.integer],
    group: NDArray[np.integer],
) -> Losses:
    """Cross-entropy (R,) of the linear probe on the label, never one fitted on the row's own picture or its group.

    `labels` (P,) and `group` (P,), of ids in no order of the paths, are of the rows of `clean`. Five folds; each one's
    views are scored by a probe fitted on the clean embeddings of the others, in the whitened space of all. nan if the
    label is −1 or its class is in no other fold.
    """
    fold = _folds(labels, group)
    if not (fold >= 0).any():
        raise CacheError(
            "No class has two pictures that are not twins (or of one folder, with --group folder), so nothing can be "
            "learnt from labels. Use --target instance."
        )
    whitening = fit_whitening(clean)
    known, losses = probe_inputs(whitening.transform(clean)), np.full(len(clean_rows), np.nan, np.float32)
    for number in range(FOLDS):
        fits = (fold >= 0) & (fold != number)
        probe = fit_probe(known[fits], labels[fits])
        asked = (fold == number) & np.isin(labels, probe.classes)
        rows = np.flatnonzero(asked[clean_rows])
        logits = probe_inputs(whitening.transform(views[rows])) @ probe.weights
        losses[rows] = classifier_loss(logits, np.searchsorted(probe.classes, labels[clean_rows[rows]]))
    return losses


def _folds(labels: NDArray[np.integer], group: NDArray[np.integer]) -> Integers:
    """A fold (P,) per picture, −1 without a label or where all of its class are one group; a group is in one fold.

    Groups are dealt class by class, by their numbers: ids, which are hashes, so that pictures that are neighbours by
    path meet by chance alone.
    """
    fold = np.full(len(labels), -1, np.int64)
    labelled = np.flatnonzero(labels >= 0)
    names, first, number = np.unique(group[labelled], return_index=True, return_inverse=True)
    dealt = np.empty(len(names), np.int64)
    dealt[np.lexsort((names, labels[labelled][first]))] = np.arange(len(names)) % FOLDS
    fold[labelled] = dealt[number]
    pairs = np.unique(np.stack([labels[labelled], fold[labelled]]), axis=1)
    alone, folds = np.unique(pairs[0], return_counts=True)
    fold[np.isin(labels, alone[folds == 1])] = -1
    return fold
