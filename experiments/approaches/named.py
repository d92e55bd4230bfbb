"""The twelve approaches by name, each with the three settings that are tried."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch

from experiments.approaches.approach import Approach
from experiments.approaches.class_densities import ExpectedLikelihood, NonIsotropic
from experiments.approaches.class_probabilities import CrossEntropy, Dropout, Ensemble, Heteroscedastic, RandomFeatures
from experiments.approaches.pairs import Hedged, InfoNce, MonteCarloInfoNce
from experiments.approaches.task_losses import LossPrediction, Ranking

OURS = "ranking (ours)"
RATE = 1e-3
"""Highest learning rate of the approaches whose settings are something else."""
RATE_OF_FEATURES = 3e-2
"""That of SNGP's layer: its features are small, and nothing below them learns."""

Make = Callable[[int, int, float], Approach]


@dataclass(frozen=True)
class Setting:
    """One value that is tried, and the highest learning rate with it."""

    value: float
    rate: float


@dataclass(frozen=True)
class ApproachSpec:
    """How an approach is made of D, the number of classes and a setting's value; what the value is; the settings."""

    make: Make
    varies: str
    settings: tuple[Setting, ...]


def _of_rate(make: Callable[[int, int], Approach]) -> ApproachSpec:
    settings = tuple(Setting(rate, rate) for rate in (3e-4, 1e-3, 3e-3))
    return ApproachSpec(lambda size, classes, value: make(size, classes), "learning rate", settings)


def _of(varies: str, values: tuple[float, float, float], make: Make, *, rate: float = RATE) -> ApproachSpec:
    return ApproachSpec(make, varies, tuple(Setting(value, rate) for value in values))


APPROACHES: Mapping[str, ApproachSpec] = MappingProxyType(
    {
        "cross-entropy": _of_rate(CrossEntropy),
        "MC-Dropout": _of("dropout", (0.05, 0.15, 0.3), lambda size, classes, p: Dropout(size, classes, rate=p)),
        "ensemble": _of_rate(Ensemble),
        "HET-XL": _of(
            "temperature", (0.3, 1, 3), lambda size, classes, t: Heteroscedastic(size, classes, temperature=t)
        ),
        "SNGP layer": _of(
            "length scale",
            (0.5, 1, 2),
            lambda size, classes, s: RandomFeatures(size, classes, length=s),
            rate=RATE_OF_FEATURES,
        ),
        "InfoNCE norm": _of("1/τ", (8, 16, 32), lambda size, classes, s: InfoNce(size, inverse_temperature=s)),
        "MCInfoNCE": _of("1/τ", (16, 32, 64), lambda size, classes, s: MonteCarloInfoNce(size, inverse_temperature=s)),
        "HIB": _of("weight", (1e-4, 1e-3, 1e-2), lambda size, classes, w: Hedged(size, weight=w)),
        "nivMF": _of(
            "1/τ", (64, 128, 256), lambda size, classes, s: NonIsotropic(size, classes, inverse_temperature=s)
        ),
        "ELK": _of(
            "1/τ", (64, 128, 256), lambda size, classes, s: ExpectedLikelihood(size, classes, inverse_temperature=s)
        ),
        "L2 loss prediction": _of_rate(lambda size, classes: LossPrediction(size)),
        OURS: _of_rate(lambda size, classes: Ranking(size)),
    }
)


def fresh(name: str, size: int, classes: int, *, setting: Setting, seed: int) -> Approach:
    """An untrained approach for embeddings of `size` numbers and so many `classes`; weights by `seed` alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return APPROACHES[name].make(size, classes, setting.value)
