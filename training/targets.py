"""Task losses, which a head learns to order, and the losses of the head itself."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import logsumexp
from torch import Tensor
from torch.nn import functional as F

from training.config import InstanceTarget, Pairing, Recipe
from training.store import MappedRows
from url_viz.base.errors import CacheError
from url_viz.base.rows import l2_normalize
from url_viz.evidence.probe import fit_probe, probe_inputs
from url_viz.pipeline.whitening import fit_whitening
from url_viz.store.tables.embedding_rows import Whitening

ROWS_AT_ONCE = 1024
FOLDS = 5

Losses = NDArray[np.float32]
Integers = NDArray[np.int64]
Pairs = tuple[Tensor, Tensor]
"""The first and the second row of each of P pairs of a batch: indices (P,) int64."""


def instance_loss(
    views: MappedRows | NDArray[np.floating],
    rows: Integers,
    clean_rows: Integers,
    clean: NDArray[np.floating],
    *,
    target: InstanceTarget,
    seed: int,
    rows_at_once: int = ROWS_AT_ONCE,
) -> Losses:
    """−log softmax (R,) of a view's cosine to its own picture among others: high if it could be taken for another.

    Of `views` those at `rows` (R,); `clean_rows` (R,) are the rows of their pictures in `clean` (P, D). At most
    `most_others` other pictures compete, drawn once for all rows, twins left out. Close to the alignment of InfoNCE.
    """
    losses, unit = np.empty(len(rows), np.float32), l2_normalize(clean)
    others = np.arange(len(unit))
    if len(unit) > target.most_others:
        others = np.sort(np.random.default_rng(seed).permutation(len(unit))[: target.most_others])
    for start in range(0, len(rows), rows_at_once):
        part = slice(start, start + rows_at_once)
        pictures, view = clean_rows[part], l2_normalize(views[rows[part]])
        competes = (unit[pictures] @ unit[others].T < target.twin_similarity) & (others[None, :] != pictures[:, None])
        to_picture = (view * unit[pictures]).sum(axis=1)
        ahead = (view @ unit[others].T - to_picture[:, None]).astype(np.float64) / target.temperature
        losses[part] = np.logaddexp(0, logsumexp(np.where(competes, ahead, -np.inf), axis=1))  # exact for tiny sums
    return losses


def classifier_loss(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> Losses:
    """Cross-entropy (B,) of the backbone's classifier, logits (B, C), on labels (B,) (PVU 2.1: hard, no smoothing)."""
    exact = torch.from_numpy(logits.astype(np.float64))
    loss = F.cross_entropy(exact, torch.from_numpy(labels.astype(np.int64)), reduction="none")
    return loss.numpy().astype(np.float32)


@dataclass(frozen=True)
class FoldProbe:
    """A linear probe fitted without the pictures of fold `number`; `is_tested` (P,) are those of its `classes` (C,).

    The classes are ascending.
    """

    number: int
    is_tested: NDArray[np.bool_]
    classes: NDArray[np.integer]
    weights: NDArray[np.floating]
    whitening: Whitening

    def logits(self, embeddings: NDArray[np.floating]) -> NDArray[np.floating]:
        """Logits (B, C) of embeddings (B, D)."""
        return np.asarray(probe_inputs(self.whitening.transform(embeddings)) @ self.weights)


def fold_probes(
    clean: NDArray[np.floating], labels: NDArray[np.integer], group: NDArray[np.integer]
) -> Iterator[FoldProbe]:
    """The probes of `fitted_classifier_loss`; raises CacheError if no class has two pictures of different groups."""
    fold = _folds(labels, group)
    if not (fold >= 0).any():
        raise CacheError(
            "No class has two pictures that are not near copies (or of one folder, with --group folder), so nothing "
            "can be learnt from labels. Use --target instance."
        )
    whitening = fit_whitening(clean)
    inputs = probe_inputs(whitening.transform(clean))
    for number in range(FOLDS):
        fits = (fold >= 0) & (fold != number)
        probe = fit_probe(inputs[fits], labels[fits])
        is_tested = (fold == number) & np.isin(labels, probe.classes)
        yield FoldProbe(number, is_tested, probe.classes, probe.weights, whitening)


def fitted_classifier_loss(
    views: NDArray[np.floating],
    clean_rows: Integers,
    clean: NDArray[np.floating],
    labels: NDArray[np.integer],
    group: NDArray[np.integer],
    *,
    record: Callable[[FoldProbe], None] | None = None,
) -> Losses:
    """Cross-entropy (R,) of a linear probe that was fitted without the row's own picture and its group.

    `labels` (P,) and `group` (P,), ids in no order of the paths, are of the rows of `clean`. The views of each of five
    folds are scored by a probe fitted on the clean embeddings of the others, in the whitened space of all: nan if the
    label is −1 or its class is in no other fold. `record` gets each probe.
    """
    losses = np.full(len(clean_rows), np.nan, np.float32)
    for probe in fold_probes(clean, labels, group):
        rows = np.flatnonzero(probe.is_tested[clean_rows])
        label = np.searchsorted(probe.classes, labels[clean_rows[rows]])
        losses[rows] = classifier_loss(probe.logits(views[rows]), label)
        if record is not None:
            record(probe)
    return losses


def _folds(labels: NDArray[np.integer], group: NDArray[np.integer]) -> Integers:
    """A fold (P,) per picture, −1 without a label or where all of its class are one group; a group is in one fold."""
    # Groups are dealt class by class, by their ids: these are hashes, so neighbours by path meet only by chance.
    fold = np.full(len(labels), -1, np.int64)
    labelled = np.flatnonzero(labels >= 0)
    names, first, number = np.unique(group[labelled], return_index=True, return_inverse=True)
    dealt = np.empty(len(names), np.int64)
    dealt[np.lexsort((names, labels[labelled][first]))] = np.arange(len(names)) % FOLDS
    fold[labelled] = dealt[number]
    pairs = np.unique(np.stack([labels[labelled], fold[labelled]]), axis=1)
    classes, folds = np.unique(pairs[0], return_counts=True)
    fold[np.isin(labels, classes[folds == 1])] = -1
    return fold


def recipe_loss(
    uncertainty: Tensor, task_loss: Tensor, recipe: Recipe, generator: torch.Generator, *, group: Tensor | None = None
) -> Tensor:
    """The recipe's loss of a batch: uncertainty (B,), task loss (B,); only rows of one `group` (B,) are compared.

    `l2` is loss prediction, the paper's baseline (PVU 2.3).
    """
    if recipe.loss == "l2":
        return F.mse_loss(uncertainty, task_loss.detach())
    pairs = draw_pairs(len(task_loss), recipe.pairing, pairings=recipe.pairings, generator=generator, group=group)
    return ranking_loss(uncertainty, task_loss, pairs, margin=recipe.margin, leeway=recipe.leeway)


def ranking_loss(
    uncertainty: Tensor, task_loss: Tensor, pairs: Pairs, *, margin: float = 0.1, leeway: float = 0.0
) -> Tensor:
    """Mean hinge over pairs: max(0, margin − s·(u_a − u_b)), s = +1 if l_a > l_b, else −1.

    `uncertainty` and `task_loss` are (B,). PVU 2.2, with two repairs: equal task losses are not a pair (the authors'
    code trains them as "the second is larger"), and pairs closer than `leeway` leave the mean (there they add `margin`
    to it). Zero, with zero gradient, if no pair is left.
    """
    first, second = pairs
    difference = (task_loss[first] - task_loss[second]).detach()
    is_pair = (difference != 0) & (difference.abs() >= leeway)
    if not is_pair.any():
        return uncertainty.sum() * 0
    gap = uncertainty[first] - uncertainty[second]
    return F.relu(margin - difference.sign() * gap)[is_pair].mean()


def draw_pairs(
    size: int, pairing: Pairing, *, pairings: int, generator: torch.Generator, group: Tensor | None = None
) -> Pairs:
    """Pairs of a batch of `size` rows: `adjacent` (0,1), (2,3), …; `random`: `pairings` random orders'; or `all`.

    With `group` (size,) int64 both rows of a pair are of one group, and `adjacent` are neighbours within it.
    """
    group = torch.zeros(size, dtype=torch.int64) if group is None else group
    if pairing == "all":
        first, second = torch.triu_indices(size, size, offset=1)
        is_pair = group[first] == group[second]
        return first[is_pair], second[is_pair]
    if pairing == "adjacent":
        return _neighbours(torch.arange(size)[None], group)
    return _neighbours(torch.stack([torch.randperm(size, generator=generator) for _ in range(pairings)]), group)


def _neighbours(orders: Tensor, group: Tensor) -> Pairs:
    """Neighbours in each order (N, B), group by group, as pairs; the last row of a group of odd size has none."""
    in_order, by_group = group[orders].sort(dim=1, stable=True)
    orders = orders.gather(1, by_group)
    _, sizes = torch.unique_consecutive(in_order[0], return_counts=True)  # the same in every order
    index = torch.arange(orders.shape[1]) - (sizes.cumsum(0) - sizes).repeat_interleave(sizes)
    first = torch.nonzero((index % 2 == 0) & (index + 1 < sizes.repeat_interleave(sizes)))[:, 0]
    return orders[:, first].flatten(), orders[:, first + 1].flatten()
