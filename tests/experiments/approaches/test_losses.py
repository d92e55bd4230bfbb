"""The losses of the approaches by hand, by a naive loop, and in the limit where each is its plain counterpart."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from torch import Tensor
from torch.nn import functional as F

from experiments.approaches.class_densities import elk_logits, nivmf_logits
from experiments.approaches.class_probabilities import (
    ensemble_loss,
    entropy,
    feature_variance,
    heteroscedastic_loss,
    heteroscedastic_samples,
    mean_field_logits,
    mean_log_probabilities,
)
from experiments.approaches.named import APPROACHES, fresh
from experiments.approaches.pairs import divergence, hib_loss, info_nce, mc_info_nce
from experiments.approaches.task_losses import l2_within
from experiments.approaches.vmf import log_normaliser, samples

LN2 = math.log(2)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def unit(*shape: int, seed: int = 0) -> Tensor:
    return F.normalize(normal(*shape, seed=seed), dim=-1)


def double(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def exact(value: float) -> object:
    return pytest.approx(value, rel=1e-9, abs=1e-12)


# Class probabilities


def test_entropy_by_hand() -> None:
    probabilities = double([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.25, 0.25, 0.5]])
    assert entropy(probabilities.log()).tolist() == pytest.approx([LN2, 0, 1.5 * LN2])


def test_one_pass_and_equal_passes_are_a_plain_softmax() -> None:
    logits = normal(4, 3)
    for times in (1, 5):
        assert torch.allclose(mean_log_probabilities(logits.expand(times, 4, 3)), F.log_softmax(logits, 1))


def test_the_ensembles_loss_is_the_members_mean() -> None:
    many, label = normal(3, 7, 4), torch.arange(7) % 4
    times = torch.arange(21).reshape(3, 7).double() % 4
    each = {(m, i): -float(F.log_softmax(many[m, i], 0)[label[i]]) for m in range(3) for i in range(7)}
    naive = sum(float(times[m, i]) * one for (m, i), one in each.items()) / 21
    assert ensemble_loss(many, label, times).item() == exact(naive)
    once = torch.ones(1, 7, dtype=torch.float64)
    assert ensemble_loss(many[:1], label, once).item() == exact(F.cross_entropy(many[0], label).item())


def test_each_member_draws_as_many_pictures_as_there_are() -> None:
    ensemble = fresh("ensemble", 4, 3, setting=APPROACHES["ensemble"].settings[0], seed=0)
    ensemble.start(1000, np.random.default_rng(0))
    times = ensemble.get_buffer("times")
    assert times.sum(1).tolist() == [1000] * 10
    assert (times == 0).double().mean().item() == pytest.approx(math.exp(-1), abs=0.01)
    assert len({tuple(member.tolist()) for member in times}) == 10


def test_heteroscedastic_samples_by_hand() -> None:
    found = heteroscedastic_samples(
        double([[1.0, 2.0]]), double([[0.5, 0.1]]), double([[3.0, -1.0]]), double([[[2.0, 10.0]]]), double([[[-1.0]]])
    )
    assert found.flatten().tolist() == pytest.approx([1 + 1 - 3, 2 + 1 + 1])


def test_heteroscedastic_samples_have_their_covariance() -> None:
    deviation, factor = double([[0.5, 0.1]]), double([[1.0, -2.0]])
    drawn = heteroscedastic_samples(
        double([[0.0, 0.0]]), deviation, factor, normal(100_000, 1, 2), normal(100_000, 1, 1)
    )
    expected = torch.diag(deviation[0] ** 2) + factor.T @ factor
    assert torch.allclose(torch.cov(drawn[:, 0].T), expected, atol=0.05)


def test_the_heteroscedastic_loss_by_a_loop() -> None:
    many, label = normal(4, 6, 3), torch.arange(6) % 3
    naive = 0.0
    for i in range(6):
        naive -= math.log(sum(float(F.softmax(many[s, i], 0)[label[i]]) for s in range(4)) / 4) / 6
    assert heteroscedastic_loss(many, label).item() == exact(naive)


def test_without_noise_the_heteroscedastic_loss_is_cross_entropy() -> None:
    mean, label = normal(6, 3), torch.arange(6) % 3
    drawn = heteroscedastic_samples(mean, mean * 0, mean * 0, normal(8, 6, 3, seed=1), normal(8, 6, 1, seed=2))
    assert heteroscedastic_loss(drawn, label).item() == exact(F.cross_entropy(mean, label).item())


def test_the_variance_of_a_feature_by_a_loop() -> None:
    features, seen = normal(5, 3), normal(9, 3, seed=1)
    precision = np.eye(3) * 0.7
    for row in seen.numpy():
        precision += np.outer(row, row)
    naive = [float(row @ np.linalg.inv(precision) @ row) for row in features.numpy()]
    assert feature_variance(features, seen, ridge=0.7).tolist() == pytest.approx(naive)


def test_the_variance_falls_with_what_is_seen_to_none() -> None:
    features, seen = normal(5, 3), normal(9, 3, seed=1)
    unseen = feature_variance(features, seen[:0], ridge=2)
    assert torch.allclose(unseen, (features**2).sum(1) / 2)
    some, much = (feature_variance(features, seen.repeat(times, 1), ridge=2) for times in (1, 1_000_000))
    assert (some < unseen).all()
    logits = normal(5, 4)
    assert torch.allclose(mean_field_logits(logits, much), logits, atol=1e-5)


def test_mean_field_logits_by_hand() -> None:
    # v = 24/π: √(1 + 3) = 2.
    assert mean_field_logits(double([[4.0, -2.0]]), double([24 / math.pi])).tolist() == [pytest.approx([2, -1])]


# Class densities


def test_elk_by_an_integral_on_the_circle() -> None:
    # In two dimensions: ∫ vMF(θ; α, κ) vMF(θ; β, λ) dθ.
    alpha, beta, kappa, other = 0.3, 1.5, 2.0, 5.0
    directions = [double([[math.cos(angle), math.sin(angle)]]) for angle in (alpha, beta)]
    constants = [math.exp(log_normaliser(double(one), 2).item()) for one in (kappa, other)]

    def product(theta: float) -> float:
        exponent = kappa * math.cos(theta - alpha) + other * math.cos(theta - beta)
        return constants[0] * constants[1] * math.exp(exponent)

    found = elk_logits(directions[0], double([kappa]), directions[1], double([other])).item()
    assert found == pytest.approx(math.log(quad(product, 0, 2 * math.pi, epsabs=1e-13)[0]), abs=1e-9)


def test_elk_of_sure_pictures_is_the_classes_own_density() -> None:
    x, classes, class_kappa = unit(4, 64), unit(3, 64, seed=1), double([5.0, 50.0, 20.0])
    plain = log_normaliser(class_kappa, 64) + class_kappa * (x @ classes.T)
    assert torch.allclose(
        elk_logits(x, torch.full((4,), 1e8, dtype=torch.float64), classes, class_kappa), plain, atol=1e-3
    )


def test_elk_of_unsure_pictures_tells_no_class() -> None:
    logits = elk_logits(unit(4, 64), double([1e-6] * 4), unit(3, 64, seed=1), double([5.0, 50.0, 20.0]))
    assert torch.allclose(logits, log_normaliser(double(0.0), 64).expand(4, 3), atol=1e-5)


def test_nivmf_by_a_loop() -> None:
    drawn, classes, kappa = unit(3, 4, 6), unit(2, 6, seed=1), normal(2, 6, seed=2).exp() * 10
    found = nivmf_logits(drawn, classes, kappa)
    for i in range(4):
        for c in range(2):
            warped = kappa[c] * classes[c]
            density = [float(warped @ F.normalize(kappa[c] * z, dim=0)) for z in drawn[:, i]]
            assert found[i, c].item() == exact(sum(density) / 3 + log_normaliser(warped.norm(), 6).item())


def test_nivmf_of_sure_pictures_and_round_classes_is_their_vmf_density() -> None:
    x, classes = unit(4, 32), unit(3, 32, seed=1)
    drawn = samples(x, torch.full((4,), 1e14, dtype=torch.float64), 5, np.random.default_rng(0))
    plain = log_normaliser(double(20.0), 32) + 20 * (x @ classes.T)
    assert torch.allclose(
        nivmf_logits(drawn, classes, torch.full((3, 32), 20.0, dtype=torch.float64)), plain, atol=1e-4
    )


# Pairs


def test_info_nce_by_a_loop() -> None:
    first, second = unit(5, 4), unit(5, 4, seed=1)
    naive = 0.0
    for i in range(5):
        odds = [math.exp(7 * float(first[i] @ second[j])) for j in range(5)]
        naive -= math.log(odds[i] / sum(odds)) / 5
    assert info_nce(first, second, inverse_temperature=7).item() == exact(naive)


def test_mc_info_nce_by_a_loop() -> None:
    first, second = unit(3, 4, 5), unit(3, 4, 5, seed=1)
    naive = 0.0
    for i in range(4):
        chances = []
        for s in range(3):
            odds = [math.exp(7 * float(first[s, i] @ second[s, j])) for j in range(4)]
            chances.append(odds[i] / sum(odds))
        naive -= math.log(sum(chances) / 3) / 4
    assert mc_info_nce(first, second, inverse_temperature=7).item() == exact(naive)


def test_mc_info_nce_of_sure_views_or_of_one_sample_is_info_nce() -> None:
    first, second = unit(6, 16), unit(6, 16, seed=1)
    plain = info_nce(first, second, inverse_temperature=10).item()
    assert mc_info_nce(first[None], second[None], inverse_temperature=10).item() == exact(plain)
    kappa, generator = torch.full((6,), 1e14, dtype=torch.float64), np.random.default_rng(0)
    drawn = [samples(view, kappa, 8, generator) for view in (first, second)]
    assert mc_info_nce(*drawn, inverse_temperature=10).item() == pytest.approx(plain, abs=1e-4)


def test_hib_by_a_loop() -> None:
    first, second = unit(3, 4, 5), unit(3, 4, 5, seed=1)
    own, others = [], []
    for i in range(4):
        for j in range(4):
            apart = [float((first[s, i] - second[s, j]).norm()) for s in range(3)]
            p = sum(1 / (1 + math.exp(-(2 - 6 * one))) for one in apart) / 3
            (own if i == j else others).append(-math.log(p if i == j else 1 - p))
    assert hib_loss(first, second, scale=6.0, bias=2.0).item() == exact((sum(own) / 4 + sum(others) / 12) / 2)


def test_hib_of_sure_views_is_cross_entropy_of_their_distances() -> None:
    first, second = unit(6, 16), unit(6, 16, seed=1)
    logits, target = 2 - 6 * torch.cdist(first, second), torch.eye(6, dtype=torch.float64)
    each = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    plain = (each.diagonal().mean() + each[target == 0].mean()).item() / 2
    assert hib_loss(first[None], second[None], scale=6.0, bias=2.0).item() == pytest.approx(plain, rel=1e-9)


def test_hib_is_finite_where_a_probability_is_nearly_one() -> None:
    same = double([[[1.0, 0.0], [1.0, 0.0]]]).requires_grad_()
    loss = hib_loss(same, same, scale=1.0, bias=2_000.0)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == pytest.approx(1_000)
    assert same.grad is not None
    assert torch.isfinite(same.grad).all()


def test_the_divergence_is_torchs() -> None:
    mean, log_variance = normal(4, 3), normal(4, 3, seed=1)
    ours = torch.distributions.Normal(mean, (log_variance / 2).exp())
    plain = torch.distributions.kl_divergence(ours, torch.distributions.Normal(0.0, 1.0)).sum(1)
    assert torch.allclose(divergence(mean, log_variance), plain)


# Task losses


def test_l2_within_is_half_the_squared_error_of_all_differences_in_a_group() -> None:
    """Groups of 4, 3 and 1 of eight pictures; by a loop over pairs, which the mean over a group of n² of them is."""
    found, loss, group = normal(8).float(), normal(8, seed=1).float(), torch.tensor([5, 5, 5, 5, 0, 0, 0, 9])
    naive = 0.0
    for one in (0, 5, 9):
        rows = torch.nonzero(group == one)[:, 0].tolist()
        pairs = [((found[i] - found[j]) - (loss[i] - loss[j])) ** 2 for i in rows for j in rows]
        naive += float(sum(pairs)) / 2 / len(rows) / 8
    assert l2_within(found, loss, group).item() == pytest.approx(naive, rel=1e-5)
    apart = l2_within(found, loss + 10 * group, group).item()
    assert apart == pytest.approx(naive, rel=1e-3), "how far groups are apart says nothing"
