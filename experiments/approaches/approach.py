"""What every approach has in common: its batch, its loss, its uncertainty, and maybe an embedding of its own."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from url_viz.models.head_module import HeadModule

OWN_SIZE = 128
"""Dimensions of the embedding that an approach learns for itself, of one linear layer."""
HEAD_WIDTH = 256


@dataclass(frozen=True)
class Batch:
    """B pictures: embeddings of two views of each, `first` and `second` (B, D), its `label` and `task_loss` (B,).

    `place` (B,) are their places among the pictures that train. Task losses are compared within a `group` (B,): of one
    source and resolution.
    """

    first: Tensor
    second: Tensor
    label: Tensor
    task_loss: Tensor
    place: Tensor
    group: Tensor


class Approach(nn.Module):
    """A small head on embeddings (B, D) of a frozen backbone; random numbers come from the generator alone."""

    def start(self, pictures: int, generator: np.random.Generator) -> None:
        """Called once before training with the number of training pictures."""

    def loss(self, batch: Batch, generator: np.random.Generator) -> Tensor:
        """The loss of a batch, a scalar."""
        raise NotImplementedError

    def uncertainty(self, x: Tensor, generator: np.random.Generator) -> Tensor:
        """Uncertainty (B,) of embeddings (B, D): higher is less sure."""
        raise NotImplementedError

    def embedding(self, x: Tensor) -> Tensor | None:
        """The approach's own embedding (B, E) of (B, D), to be compared by cosine; None if it has none."""
        return None

    def finish(self, x: Tensor) -> None:
        """Called once after training with all training embeddings (N, D)."""


class Projected(Approach):
    """An approach with an embedding of its own: a linear layer on the backbone's."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.projection = nn.Linear(size, OWN_SIZE)

    def embedding(self, x: Tensor) -> Tensor:
        """The layer's output (B, E), not normalised."""
        projected: Tensor = self.projection(x)
        return projected


class Concentrated(Projected):
    """A distribution over directions for each picture: its own embedding's direction, and a concentration κ.

    κ is 128 over the uncertainty of a small head: URL takes its inverse. The factor, the number of dimensions, puts
    an untrained head where κ tells something.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.head = HeadModule(size, width=HEAD_WIDTH)

    def direction(self, x: Tensor) -> Tensor:
        """Unit directions (B, E)."""
        return F.normalize(self.embedding(x), dim=1)

    def concentration(self, x: Tensor) -> Tensor:
        """κ (B,) of embeddings (B, D)."""
        uncertainty: Tensor = self.head(x)
        return OWN_SIZE / uncertainty

    def uncertainty(self, x: Tensor, generator: np.random.Generator) -> Tensor:
        """The head's output (B,): 128 / κ."""
        found: Tensor = self.head(x)
        return found


def normal_numbers(shape: tuple[int, ...], generator: np.random.Generator) -> Tensor:
    """Standard normal float32 numbers of a shape."""
    return torch.from_numpy(generator.standard_normal(shape, np.float32))
