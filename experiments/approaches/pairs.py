"""Approaches that tell two views of one picture from those of others: InfoNCE, MCInfoNCE and HIB."""

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from experiments.approaches.approach import Batch, Concentrated, Projected
from experiments.approaches.vmf import samples

SAMPLES = 16


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

    p is the mean over samples (S, B, D) of sigmoid(scale · cosine + bias) (Oh et al. 2019). 1 − p is averaged itself,
    so that it does not vanish where p is nearly one.
    """
    logits = scale * first @ second.transpose(1, 2) + bias
    log_p, log_not_p = (torch.logsumexp(F.logsigmoid(one), 0) - math.log(len(first)) for one in (logits, -logits))
    is_other = ~torch.eye(first.shape[1], dtype=torch.bool)
    return -(log_p.diagonal().mean() + log_not_p[is_other].mean()) / 2


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


class Hedged(Concentrated):
    """HIB: whether two views are of one picture; the bias begins so that a cosine of one half is even odds."""

    def __init__(self, size: int, *, scale: float) -> None:
        super().__init__(size)
        self.scale = scale
        self.bias = nn.Parameter(torch.tensor(-scale / 2))

    def loss(self, batch: Batch, generator: np.random.Generator) -> Tensor:
        """HIB's loss of 16 samples, without its regulariser."""
        return hib_loss(*_drawn(self, batch, generator), scale=self.scale, bias=self.bias)


def _drawn(approach: Concentrated, batch: Batch, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Samples (S, B, E) of both views."""
    first, second = (
        samples(approach.direction(view), approach.concentration(view), SAMPLES, generator)
        for view in (batch.first, batch.second)
    )
    return first, second
