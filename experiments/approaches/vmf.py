"""The von-Mises–Fisher distribution on the unit sphere in D dimensions: its normaliser, and samples."""

import math
from functools import cache

import numpy as np
import torch
from numpy.polynomial import Polynomial
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

Floats = NDArray[np.float64]

DEBYE_TERMS = 8
LEAST_ORDER = 16
"""From this order of the Bessel function on the expansion is exact to about 1e-12; lower ones follow by recurrence."""
LEAST_CONCENTRATION = 1e-9


def log_normaliser(concentration: Tensor, size: int) -> Tensor:
    """log C_D(κ) of concentrations κ ≥ 0 (…) in D = `size` dimensions: the log-density is log C_D(κ) + κ μᵀz.

    float64 inside, in the dtype of κ outside; differentiable, and finite where the Bessel function over- or underflows.
    C_D(κ) = κ^ν / ((2π)^(D/2) I_ν(κ)), ν = D/2 − 1. Raises ValueError for fewer than two dimensions.
    """
    if size < 2:
        raise ValueError(f"The sphere in {size} dimensions has no directions; give 2 or more.")
    kappa = concentration.double().clamp_min(LEAST_CONCENTRATION)
    order = size / 2 - 1
    return (-size / 2 * math.log(2 * math.pi) - _log_bessel_by_power(kappa, order)).to(concentration.dtype)


def _log_bessel_by_power(kappa: Tensor, order: float) -> Tensor:
    """log(I_ν(κ) / κ^ν) (…), by the expansion at a high order and the recurrence down from there.

    With J_ν = I_ν / κ^ν the recurrence (DLMF 10.29.1) is J_{ν−1} = 2ν J_ν + κ² J_{ν+1}: a sum of positive numbers.
    """
    steps = max(0, math.ceil(LEAST_ORDER - order))
    if steps == 0:
        return _expanded(kappa, order)
    above, here = _expanded(kappa, order + steps + 1), _expanded(kappa, order + steps)
    for step in range(steps, 0, -1):
        below = torch.logaddexp(math.log(2 * (order + step)) + here, 2 * kappa.log() + above)
        above, here = here, below
    return here


def _expanded(kappa: Tensor, order: float) -> Tensor:
    """log(I_ν(κ) / κ^ν) by Debye's expansion, uniform in κ (DLMF 10.41.3)."""
    root = (order**2 + kappa**2).sqrt()
    p = order / root
    series = torch.ones_like(kappa)
    for number, coefficients in enumerate(_debye_polynomials(), 1):
        value = torch.zeros_like(kappa)
        for coefficient in reversed(coefficients):
            value = value * p + coefficient
        series = series + value / order**number
    return root - order * (order + root).log() - 0.5 * (2 * math.pi * root).log() + series.log()


@cache
def _debye_polynomials() -> tuple[tuple[float, ...], ...]:
    """Coefficients of U_1 to U_8, lowest power first, by their recurrence (DLMF 10.41.9)."""
    found, last = [], Polynomial([1.0])
    for _ in range(DEBYE_TERMS):
        slope = Polynomial([0, 0, 0.5, 0, -0.5]) * last.deriv()
        last = slope + (Polynomial([1, 0, -5]) * last).integ() / 8
        found.append(tuple(last.coef.tolist()))
    return tuple(found)


def samples(direction: Tensor, concentration: Tensor, count: int, generator: np.random.Generator) -> Tensor:
    """`count` unit vectors (S, B, D) around each unit `direction` (B, D) with `concentration` (B,).

    Ulrich's rejection as corrected by Wood (1994). The gradient runs through direction and concentration along the path
    of the accepted proposals; what the acceptance itself would add is left out, as is usual.
    """
    size = direction.shape[1]
    kappa = concentration.double().clamp_min(LEAST_CONCENTRATION).expand(count, -1)
    b = (size - 1) / (2 * kappa + (4 * kappa**2 + (size - 1) ** 2).sqrt())
    proposal = torch.from_numpy(_accepted(kappa.detach().numpy(), b.detach().numpy(), size, generator))
    along = ((1 - (1 + b) * proposal) / (1 - (1 - b) * proposal)).to(direction.dtype).unsqueeze(-1)
    noise = torch.from_numpy(generator.standard_normal((count, *direction.shape), np.float32)).to(direction.dtype)
    across = F.normalize(noise - (noise * direction).sum(-1, keepdim=True) * direction, dim=-1)
    return along * direction + (1 - along**2).clamp_min(1e-12).sqrt() * across


def _accepted(kappa: Floats, b: Floats, size: int, generator: np.random.Generator) -> Floats:
    """Proposals ε ~ Beta((D − 1)/2, (D − 1)/2) (S, B) that Wood's test accepts."""
    x0 = (1 - b) / (1 + b)
    level = kappa * x0 + (size - 1) * np.log1p(-(x0**2))
    found, is_open = np.empty_like(kappa), np.ones(kappa.shape, bool)
    while is_open.any():
        epsilon = generator.beta((size - 1) / 2, (size - 1) / 2, int(is_open.sum()))
        along = (1 - (1 + b[is_open]) * epsilon) / (1 - (1 - b[is_open]) * epsilon)
        score = kappa[is_open] * along + (size - 1) * np.log1p(-x0[is_open] * along) - level[is_open]
        found[is_open] = epsilon
        is_open[is_open] = score < np.log(generator.uniform(size=len(epsilon)))
    return found
