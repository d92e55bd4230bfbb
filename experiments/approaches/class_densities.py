"""Approaches where a picture and a class are both distributions over directions: ELK and nivMF."""

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from experiments.approaches.approach import OWN_SIZE, Batch, Concentrated
from experiments.approaches.vmf import log_normaliser, samples

SAMPLES = 16


def elk_logits(direction: Tensor, kappa: Tensor, class_direction: Tensor, class_kappa: Tensor) -> Tensor:
    """Logits (B, C): log of the integral of the product of two vMF densities, of pictures and of classes.

    log C(κ_x) + log C(κ_c) − log C(‖κ_x μ_x + κ_c μ_c‖), with unit directions (B, D) and (C, D), concentrations (B,)
    and (C,): the expected-likelihood kernel (Jebara and Kondor 2003; URL, arXiv 2307.03810, appendix).
    """
    size = direction.shape[1]
    cosine = direction @ class_direction.T
    square = kappa[:, None] ** 2 + class_kappa[None] ** 2 + 2 * kappa[:, None] * class_kappa[None] * cosine
    joint = square.clamp_min(1e-12).sqrt()
    alone = log_normaliser(kappa.double(), size)[:, None] + log_normaliser(class_kappa.double(), size)[None]
    return (alone - log_normaliser(joint.double(), size)).to(direction.dtype)


def nivmf_logits(drawn: Tensor, class_direction: Tensor, class_kappa: Tensor) -> Tensor:
    """Logits (B, C): mean over samples z (S, B, D) of log C(‖Kμ‖) + ⟨Kμ, Kz⟩ / ‖Kz‖ for every class.

    μ (C, D) are unit directions and K (C, D) positive concentrations, one a dimension (after Kirchhof et al. 2022; the
    Jacobian of z → Kz / ‖Kz‖ is left out). With all of K equal it is a vMF density.
    """
    size = class_direction.shape[1]
    weighted = class_kappa**2 * class_direction
    length = (drawn**2 @ (class_kappa**2).T).clamp_min(1e-12).sqrt()
    along = drawn @ weighted.T / length
    normaliser = log_normaliser((class_kappa * class_direction).norm(dim=1).double(), size)
    return along.mean(0) + normaliser.to(drawn.dtype)


class ExpectedLikelihood(Concentrated):
    """ELK; the concentrations of classes begin at `inverse_temperature` and are learnt."""

    def __init__(self, size: int, classes: int, *, inverse_temperature: float) -> None:
        super().__init__(size)
        self.class_direction = nn.Parameter(torch.randn(classes, OWN_SIZE) / math.sqrt(OWN_SIZE))
        self.log_kappa = nn.Parameter(torch.full((classes,), math.log(inverse_temperature)))

    def loss(self, batch: Batch, generator: np.random.Generator) -> Tensor:
        """Cross-entropy of the kernel's logits."""
        directions = self.direction(batch.first), F.normalize(self.class_direction, dim=1)
        logits = elk_logits(directions[0], self.concentration(batch.first), directions[1], self.log_kappa.exp())
        return F.cross_entropy(logits, batch.label)


class NonIsotropic(Concentrated):
    """nivMF; the classes' concentrations of every dimension begin at `inverse_temperature` and are learnt."""

    def __init__(self, size: int, classes: int, *, inverse_temperature: float) -> None:
        super().__init__(size)
        self.class_direction = nn.Parameter(torch.randn(classes, OWN_SIZE) / math.sqrt(OWN_SIZE))
        self.log_kappa = nn.Parameter(torch.full((classes, OWN_SIZE), math.log(inverse_temperature)))

    def loss(self, batch: Batch, generator: np.random.Generator) -> Tensor:
        """Cross-entropy of the samples' mean log-densities."""
        drawn = samples(self.direction(batch.first), self.concentration(batch.first), SAMPLES, generator)
        logits = nivmf_logits(drawn, F.normalize(self.class_direction, dim=1), self.log_kappa.exp())
        return F.cross_entropy(logits, batch.label)
