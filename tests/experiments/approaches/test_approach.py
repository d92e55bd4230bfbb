"""Each approach as a module: its loss falls, its gradient reaches every weight, and it gives uncertainties."""

import numpy as np
import pytest
import torch

from experiments.approaches import direction
from experiments.approaches.approach import Batch
from experiments.approaches.named import APPROACHES, fresh


def batch(*, pictures: int = 24, size: int = 10) -> Batch:
    """Pictures of three classes, two views each, whose task loss is the first number."""
    generator = torch.Generator().manual_seed(0)
    label = torch.arange(pictures) % 3
    clean = torch.randn(3, size, generator=generator)[label] + torch.randn(pictures, size, generator=generator)
    first, second = (clean + 0.1 * torch.randn(pictures, size, generator=generator) for _ in range(2))
    return Batch(first, second, label, clean[:, 0], torch.arange(pictures), torch.arange(pictures) % 2)


def test_each_has_three_settings_and_ours_is_among_them() -> None:
    assert len(APPROACHES) == 12
    assert all(len(approach.settings) == 3 for approach in APPROACHES.values())
    assert "ranking (ours)" in APPROACHES


@pytest.mark.parametrize("name", APPROACHES)
def test_the_loss_falls_and_reaches_every_weight(name: str) -> None:
    given, generator = batch(), np.random.default_rng(0)
    approach = fresh(name, 10, 3, setting=APPROACHES[name].settings[1], seed=0)
    approach.start(24, generator)
    optimiser = torch.optim.AdamW(approach.parameters(), lr=1e-2)
    losses = []
    for _ in range(40):
        optimiser.zero_grad()
        loss = approach.loss(given, generator)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(loss.item())
    assert np.mean(losses[-5:]) < np.mean(losses[:5])
    idle = [name for name, one in approach.named_parameters() if one.grad is None or not one.grad.abs().sum() > 0]
    assert not idle
    approach.finish(given.first)
    found = approach.uncertainty(given.first, generator)
    assert found.shape == (24,)
    assert torch.isfinite(found).all()
    own = approach.embedding(given.first)
    assert own is None or own.shape == (24, 128)


SAMPLING = ("MCInfoNCE", "HIB", "nivMF", "ELK")
"""What draws samples takes long, and points its way after a third of the epochs."""


@pytest.mark.slow
@pytest.mark.parametrize("name", APPROACHES)
def test_what_varies_more_is_less_sure(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not of InfoNCE's length: its loss normalises the embedding, so that no gradient says how long it is to be."""
    if name in SAMPLING:
        monkeypatch.setattr(direction, "EPOCHS", 12)
    found = direction.direction_of(name, APPROACHES[name].settings[2 if "rate" in APPROACHES[name].varies else 0])
    assert found < 0.5 if name == "InfoNCE norm" else found > 0.65


@pytest.mark.parametrize("name", APPROACHES)
def test_the_same_seed_is_the_same_approach(name: str) -> None:
    given = batch()
    found = []
    for seed in (0, 0, 1):
        approach = fresh(name, 10, 3, setting=APPROACHES[name].settings[0], seed=seed)
        approach.finish(given.first)
        found.append(approach.uncertainty(given.first, np.random.default_rng(0)))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
