"""The von-Mises–Fisher normaliser against scipy and its limits, and samples against their mean length."""

import math

import numpy as np
import pytest
import torch
from scipy.special import gammaln, ive
from torch.nn import functional as F

from experiments.approaches.vmf import log_normaliser, samples


def of_scipy(kappa: float, size: int) -> float:
    order = size / 2 - 1
    return order * math.log(kappa) - size / 2 * math.log(2 * math.pi) - math.log(ive(order, kappa)) - kappa


def of_uniform(size: int) -> float:
    """−log of the sphere's surface, 2 π^(D/2) / Γ(D/2)."""
    return float(gammaln(size / 2) - math.log(2) - size / 2 * math.log(math.pi))


def mean_length(kappa: float, size: int) -> float:
    """E[μᵀz] = I_{D/2}(κ) / I_{D/2−1}(κ), by the continued fraction of the ratio (DLMF 10.33.1 for I)."""
    ratio = 0.0
    for order in reversed(range(20_000)):
        ratio = 1 / (2 * (size / 2 + order) / kappa + ratio)
    return ratio


def double(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("size", [2, 3, 4, 7, 16, 17, 34, 35, 64, 128, 512, 1280, 2048])
def test_the_normaliser_is_scipys_where_scipy_has_one(size: int) -> None:
    compared = 0
    for kappa in (0.01, 0.5, 1.0, 3.0, 10.0, 50.0, 200.0, 1_000.0, 20_000.0, 500_000.0):
        if ive(size / 2 - 1, kappa) > 1e-290:
            assert log_normaliser(double(kappa), size).item() == pytest.approx(
                of_scipy(kappa, size), rel=1e-11, abs=1e-9
            )
            compared += 1
    assert compared >= 3


@pytest.mark.parametrize("size", [2, 3, 33, 128, 1280, 2048])
def test_without_concentration_it_is_the_uniform_density_also_where_scipy_underflows(size: int) -> None:
    assert log_normaliser(double(0.0), size).item() == pytest.approx(of_uniform(size), rel=1e-12, abs=1e-10)
    # Second order: log C_D(κ) = log C_D(0) − κ²/2D + …
    small = log_normaliser(double(0.1), size).item()
    assert small == pytest.approx(of_uniform(size) - 0.1**2 / (2 * size), rel=1e-12, abs=1e-5 / size)


def test_where_scipy_underflows_it_meets_the_power_series() -> None:
    order, size, kappa = 1023, 2048, 40.0
    assert ive(order, kappa) == 0
    terms = [2 * k * math.log(kappa / 2) - math.lgamma(k + 1) - math.lgamma(order + k + 1) for k in range(200)]
    log_bessel_by_power = -order * math.log(2) + float(np.logaddexp.reduce(terms))
    expected = -size / 2 * math.log(2 * math.pi) - log_bessel_by_power
    assert log_normaliser(double(kappa), size).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("size", [2, 3, 128, 2048])
def test_at_great_concentration_it_is_a_normal_of_d_minus_one_dimensions(size: int) -> None:
    kappa = 1e9
    expected = (size - 1) / 2 * math.log(kappa / (2 * math.pi)) - kappa
    assert log_normaliser(double(kappa), size).item() - expected == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("size", [2, 3, 20, 128, 2048])
def test_its_gradient_is_minus_the_mean_length(size: int) -> None:
    kappa = double(0.3, 5.0, 80.0, 3_000.0).requires_grad_()
    log_normaliser(kappa, size).sum().backward()
    assert kappa.grad is not None
    assert (-kappa.grad).tolist() == pytest.approx([mean_length(one, size) for one in kappa.tolist()], rel=1e-7)


def test_the_mean_length_is_scipys() -> None:
    for size, kappa in ((3, 2.0), (64, 30.0), (128, 500.0)):
        assert mean_length(kappa, size) == pytest.approx(ive(size / 2, kappa) / ive(size / 2 - 1, kappa), rel=1e-10)


def test_one_dimension_is_refused() -> None:
    with pytest.raises(ValueError, match="2 or more"):
        log_normaliser(double(1.0), 1)


@pytest.mark.parametrize(("size", "kappa"), [(2, 1.0), (3, 4.0), (16, 20.0), (128, 100.0), (128, 5_000.0)])
def test_samples_are_of_unit_length_and_lie_as_far_as_they_should(size: int, kappa: float) -> None:
    generator = np.random.default_rng(0)
    direction = F.normalize(torch.from_numpy(generator.normal(size=(2, size))), dim=1)
    drawn = samples(direction, double(kappa, kappa), 4_000, generator)
    assert drawn.shape == (4_000, 2, size)
    assert torch.allclose(drawn.norm(dim=-1), torch.ones(4_000, 2, dtype=torch.float64))
    along = (drawn * direction).sum(-1)
    error = float(along.std()) / math.sqrt(8_000)
    assert float(along.mean()) == pytest.approx(mean_length(kappa, size), abs=4 * error + 1e-9)
    assert torch.allclose(F.normalize(drawn.mean(0), dim=1), direction, atol=0.2)


def test_samples_of_great_concentration_are_the_direction() -> None:
    direction = F.normalize(torch.randn(5, 8, generator=torch.Generator().manual_seed(0)), dim=1)
    drawn = samples(direction, torch.full((5,), 1e12), 3, np.random.default_rng(0))
    assert torch.allclose(drawn, direction.expand(3, 5, 8), atol=1e-4)


def test_the_gradient_by_samples_is_near_the_exact_one() -> None:
    kappa = torch.full((1,), 100.0, dtype=torch.float64, requires_grad=True)
    direction = F.normalize(torch.ones(1, 128, dtype=torch.float64), dim=1)
    (samples(direction, kappa, 20_000, np.random.default_rng(0)) * direction).sum(-1).mean().backward()
    exact = (mean_length(100.1, 128) - mean_length(99.9, 128)) / 0.2
    assert kappa.grad is not None
    assert kappa.grad.item() == pytest.approx(exact, rel=0.05)
