"""Approaches that tell two views of one picture from those of others: InfoNCE, MCInfoNCE and HIB."""

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from experiments.approaches.approach import HEAD_WIDTH, Approach, Batch, Concentrated, Projected, normal_numbers
from experiments.approaches.vmf import samples

SAMPLES = 16
HEDGED_SIZE = 3
"""Dimensions of HIB's normals. In many, spread can only lengthen distances; in few it also lets a far pair meet."""
LEAST_SQUARE = 1e-12


def info_nce(first: Tensor, second: Tensor, *, inverse_temperature: float) -> Tensor:
    """−log softmax of each view's cosine to its other view among all B of these; unit directions (B, D) each.

    The view itself is not among them (URL's code adds it as a constant).
    """
    return F.cross_entropy(inverse_temperature * first @ second.T, torch.arange(len(first)))


def mc_info_nce(first: Tensor, second: Tensor, *, inverse_temperature: float) -> Tensor:
    """InfoNCE of samples (S, B, D) each: probabilities are averaged before the logarithm (Kirchhof et al. 2023)."""
    log_probabilities = F.log_softmax(inverse_temperature * first @ second.transpose(1, 2), dim=2)
    of_own = log_probabilities.diagonal(dim1=1, dim2=2)
    return (math.log(len(first)) - torch.logsumexp(of_own, dim=0)).mean()


def hib_loss(first: Tensor, second: Tensor, *, scale: Tensor | float, bias: Tensor | float) -> Tensor:
    """Mean of −log p over the B pairs of one picture, plus that of −log(1 − p) over the others; half of the sum.

    p is the mean over samples (S, B, E) of sigmoid(bias − scale · distance) (Oh et al. 2019, equations 2 and 4). 1 − p
    is averaged itself, so that it does not vanish where p is nearly one.
    """
    logits = bias - scale * distances(first, second)
    log_p, log_not_p = (torch.logsumexp(F.logsigmoid(one), 0) - math.log(len(first)) for one in (logits, -logits))
    is_other = ~torch.eye(first.shape[1], dtype=torch.bool)
    return -(log_p.diagonal().mean() + log_not_p[is_other].mean()) / 2


def distances(first: Tensor, second: Tensor) -> Tensor:
    """Euclidean distances (S, B, C) of points (S, B, E) and (S, C, E); with a gradient also where they are zero."""
    difference = first.unsqueeze(2) - second.unsqueeze(1)
    return ((difference**2).sum(-1) + LEAST_SQUARE).sqrt()


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL divergence in nats (B,) of normals with `mean` (B, E) and `log_variance` (B, E) from the standard normal."""
    return (mean**2 + log_variance.exp() - log_variance - 1).sum(1) / 2


class InfoNce(Projected):
    """InfoNCE: the longer an embedding, the surer."""

    def __init__(self, size: int, *, inverse_temperature: float) -> None:
        super().__init__(size)
        self.inverse_temperature = inverse_temperature

    def loss(self, batch: Batch, generator: np.random.Generator) -> Tensor:
        """InfoNCE of both views' directions."""
        first, second = (F.normalize(self.embedding(view), dim=1) for view in (batch.first, batch.second))
        return info_nce(first, second, inverse_temperature=self.inverse_temperature)

    def uncertainty(self, x: Tensor, generator: np.random.Generator) -> Tensor:
        """One over the embedding's length."""
        length: Tensor = self.embedding(x).norm(dim=1)
        return length.clamp_min(1e-12).reciprocal()


class MonteCarloInfoNce(Concentrated):
    """MCInfoNCE: a vMF for each view."""

    def __init__(self, size: int, *, inverse_temperature: float) -> None:
        super().__init__(size)
        self.inverse_temperature = inverse_temperature

    def loss(self, batch: Batch, generator: np.random.Generator) -> Tensor:
        """MCInfoNCE of 16 samples."""
        return mc_info_nce(*_drawn(self, batch, generator), inverse_temperature=self.inverse_temperature)


class Hedged(Approach):
    """HIB: whether two views are of one picture, each a normal in few dimensions with a variance in each of them.

    Its uncertainty is the self-mismatch: how often two samples of one picture are taken for different pictures.
    """

    def __init__(self, size: int, *, weight: float) -> None:
        super().__init__()
        self.weight = weight
        self.mean = nn.Linear(size, HEDGED_SIZE)
        self.log_variance = nn.Sequential(nn.Linear(size, HEAD_WIDTH), nn.GELU(), nn.Linear(HEAD_WIDTH, HEDGED_SIZE))
        self.log_scale = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.tensor(math.sqrt(HEDGED_SIZE)))

    def loss(self, batch: Batch, generator: np.random.Generator) -> Tensor:
        """HIB's loss of 16 samples, with `weight` times the divergence of both views from a standard normal."""
        views = batch.first, batch.second
        drawn = [self.samples(view, generator) for view in views]
        apart = sum(divergence(self.mean(view), self.log_variance(view)).mean() for view in views)
        return hib_loss(*drawn, scale=self.log_scale.exp(), bias=self.bias) + self.weight * apart

    def uncertainty(self, x: Tensor, generator: np.random.Generator) -> Tensor:
        """One minus the mean chance of a match over all pairs of 16 and 16 samples."""
        first, second = (self.samples(x, generator).transpose(0, 1) for _ in range(2))
        is_match = torch.sigmoid(self.bias - self.log_scale.exp() * distances(first, second))
        mismatch: Tensor = 1 - is_match.mean((1, 2))
        return mismatch

    def samples(self, x: Tensor, generator: np.random.Generator) -> Tensor:
        """Samples (S, B, E)."""
        mean: Tensor = self.mean(x)
        deviation: Tensor = (self.log_variance(x) / 2).exp()
        return mean + deviation * normal_numbers((SAMPLES, *mean.shape), generator)


def _drawn(approach: Concentrated, batch: Batch, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Samples (S, B, E) of both views."""
    first, second = (
        samples(approach.direction(view), approach.concentration(view), SAMPLES, generator)
        for view in (batch.first, batch.second)
    )
    return first, second
