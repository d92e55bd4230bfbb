"""Approaches that learn the task loss itself: L2 loss prediction, and the ranking loss of URL-Viz's own heads."""

import numpy as np
import torch
from torch import Tensor

from experiments.approaches.approach import HEAD_WIDTH, Approach, Batch
from training.losses import l2_loss, pairs_of, ranking_loss
from url_viz.models.head_module import HeadModule

PAIRINGS = 8


class LossPrediction(Approach):
    """A small head that predicts the task loss (PVU 2.3)."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.head = HeadModule(size, width=HEAD_WIDTH)

    def loss(self, batch: Batch, generator: np.random.Generator) -> Tensor:
        """Squared error of the task loss."""
        return l2_loss(self.head(batch.first), batch.task_loss)

    def uncertainty(self, x: Tensor, generator: np.random.Generator) -> Tensor:
        """The predicted loss."""
        found: Tensor = self.head(x)
        return found


class Ranking(LossPrediction):
    """A small head that orders pictures as their task losses do (PVU 2.2)."""

    def loss(self, batch: Batch, generator: np.random.Generator) -> Tensor:
        """The ranking loss of eight random pairings of the batch."""
        of_pairs = torch.Generator().manual_seed(int(generator.integers(2**32)))
        pairs = pairs_of(len(batch.label), "random", pairings=PAIRINGS, generator=of_pairs)
        return ranking_loss(self.head(batch.first), batch.task_loss, pairs)
