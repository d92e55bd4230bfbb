"""Losses of an uncertainty head: the pairwise ranking loss (the paper's) and L2 loss prediction."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from training.config import Pairing, Recipe


def recipe_loss(
    uncertainty: Tensor, task_loss: Tensor, recipe: Recipe, generator: torch.Generator, *, group: Tensor | None = None
) -> Tensor:
    """The recipe's loss of a batch: uncertainty (B,), task loss (B,); rows of one `group` (B,) are compared."""
    if recipe.loss == "l2":
        return l2_loss(uncertainty, task_loss)
    pairs = pairs_of(len(task_loss), recipe.pairing, pairings=recipe.pairings, generator=generator, group=group)
    return ranking_loss(uncertainty, task_loss, pairs, margin=recipe.margin, leeway=recipe.leeway)


@dataclass(frozen=True)
class Pairs:
    """P pairs of a batch's rows: indices `first` (P,) and `second` (P,), int64."""

    first: Tensor
    second: Tensor


def ranking_loss(
    uncertainty: Tensor, task_loss: Tensor, pairs: Pairs, *, margin: float = 0.1, leeway: float = 0.0
) -> Tensor:
    """Mean hinge over pairs: max(0, margin − s·(u_a − u_b)), s = +1 if l_a > l_b, else −1.

    `uncertainty` and `task_loss` are (B,). PVU 2.2, with two repairs: equal task losses are not a pair (the authors'
    code trains them as "the second is larger"), and pairs closer than `leeway` leave the mean (there they add `margin`
    to it). Zero, with zero gradient, if no pair is left.
    """
    difference = (task_loss[pairs.first] - task_loss[pairs.second]).detach()
    is_pair = (difference != 0) & (difference.abs() >= leeway)
    if not is_pair.any():
        return uncertainty.sum() * 0
    gap = uncertainty[pairs.first] - uncertainty[pairs.second]
    return F.relu(margin - difference.sign() * gap)[is_pair].mean()


def l2_loss(uncertainty: Tensor, task_loss: Tensor) -> Tensor:
    """Mean of (u − l)² over (B,) and (B,): loss prediction, the paper's baseline (PVU 2.3)."""
    return F.mse_loss(uncertainty, task_loss.detach())


def pairs_of(
    size: int, pairing: Pairing, *, pairings: int, generator: torch.Generator, group: Tensor | None = None
) -> Pairs:
    """Pairs of a batch of `size` rows: `adjacent` (0,1), (2,3), …; `random`: `pairings` random ones; or `all`.

    With `group` (size,) int64 both rows of a pair are of one group, and `adjacent` are neighbours within it.
    """
    group = torch.zeros(size, dtype=torch.int64) if group is None else group
    if pairing == "all":
        first, second = torch.triu_indices(size, size, offset=1)
        is_pair = group[first] == group[second]
        return Pairs(first[is_pair], second[is_pair])
    if pairing == "adjacent":
        return _halved(torch.arange(size)[None], group)
    orders = torch.stack([torch.randperm(size, generator=generator) for _ in range(pairings)])
    return _halved(orders, group)


def _halved(orders: Tensor, group: Tensor) -> Pairs:
    """Neighbours in each order (N, B), group by group, as pairs; the last row of a group of odd size has none."""
    in_order, by_group = group[orders].sort(dim=1, stable=True)
    orders = orders.gather(1, by_group)
    _, sizes = torch.unique_consecutive(in_order[0], return_counts=True)  # the same in every order
    index = torch.arange(orders.shape[1]) - (sizes.cumsum(0) - sizes).repeat_interleave(sizes)
    first = torch.nonzero((index % 2 == 0) & (index + 1 < sizes.repeat_interleave(sizes)))[:, 0]
    return Pairs(orders[:, first].flatten(), orders[:, first + 1].flatten())
