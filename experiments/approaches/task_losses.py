"""Approaches that learn the task loss itself: L2 loss prediction, and the ranking loss of URL-Viz's own heads.

Both compare pictures of one source and resolution alone, as `training.train` does: otherwise they would learn which
source a picture is from, since those of 64 pixels are harder.
"""

import numpy as np
import torch
from torch import Tensor

from experiments.approaches.approach import HEAD_WIDTH, Approach, Batch
from training.targets import draw_pairs, ranking_loss
from url_viz.models.head_module import HeadModule

PAIRINGS = 8


def l2_within(uncertainty: Tensor, task_loss: Tensor, group: Tensor) -> Tensor:
    """Mean over (B,) of (u − l, less its mean over the `group` (B,))²: half the squared error of all differences there.

    Of a single group it is the variance of u − l: how far apart groups are is not learnt.
    """
    number = torch.unique(group, return_inverse=True)[1]
    error, ones = uncertainty - task_loss.detach(), torch.ones_like(uncertainty)
    sums, counts = (torch.zeros(int(number.max()) + 1).index_add(0, number, one) for one in (error, ones))
    return ((error - (sums / counts)[number]) ** 2).mean()


class LossPrediction(Approach):
    """A small head that predicts the task loss within a source and resolution (after PVU 2.3)."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.head = HeadModule(size, width=HEAD_WIDTH)

    def loss(self, batch: Batch, generator: np.random.Generator) -> Tensor:
        """Squared error of the task loss, within groups."""
        return l2_within(self.head(batch.first), batch.task_loss, batch.group)

    def uncertainty(self, x: Tensor, generator: np.random.Generator) -> Tensor:
        """The predicted loss."""
        found: Tensor = self.head(x)
        return found


class Ranking(LossPrediction):
    """A small head that orders pictures as their task losses do (PVU 2.2)."""

    def loss(self, batch: Batch, generator: np.random.Generator) -> Tensor:
        """The ranking loss of eight random pairings of the batch, within groups."""
        of_pairs = torch.Generator().manual_seed(int(generator.integers(2**32)))
        pairs = draw_pairs(len(batch.label), "random", pairings=PAIRINGS, generator=of_pairs, group=batch.group)
        return ranking_loss(self.head(batch.first), batch.task_loss, pairs)
