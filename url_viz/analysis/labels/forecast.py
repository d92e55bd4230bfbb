"""How many labels are wrong: expected along the queue of doubtful ones, with an interval, and corrected by answers."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtr

from url_viz.analysis.labels.votes import Doubles

WORTH_ASKING = 0.25
"""A queue of doubtful labels ends where fewer than this fraction of what comes is wrong."""
_SHIFTS, _SLOPES = np.linspace(-4, 4, 33), np.exp(np.linspace(-1.6, 0.8, 13))
SHIFTS, SLOPES = (each.ravel() for each in np.meshgrid(_SHIFTS, _SLOPES))
_WEIGHT = np.exp(-(SHIFTS**2) / 2 - (np.log(SLOPES) / 0.5) ** 2 / 2)
PRIOR = _WEIGHT / _WEIGHT.sum()
"""What P(wrong) may be off by, logit P′ = shift + slope · logit P, before any answer: the shift is normal with a
standard deviation of 1, the log slope of .5, as development sets need (docs/labels.md)."""
PICKED = expit(np.linspace(-6, 4, 21))
PICKED_POWER = 0.1
"""Which fraction of the wrong labels somebody may have picked out elsewhere, and the prior's power of it: nearly as
likely in each order of magnitude, so that few that were picked say little of how many are left (docs/labels.md)."""
LEAST = 0.002
"""Along a queue no label is surer than this, right or wrong: else answers could not correct it."""
SPREAD = 0.3
"""Added to the standard deviation of a count: of a few sure labels it would be too sure."""
TAIL = 0.025
STEPS = 2000
QUANTILE = 1.96
WIDEST_FRACTION = 0.05
"""The standard deviation of a fraction of wrong labels that the labels themselves say nothing of."""
OFF_BY = 1.3
ODD_PICTURES = 0.03
UNSEEN_WRONG = 10
UNSEEN_OF_UNSURE = 0.05
"""What the fraction of wrong labels may be off by beyond chance, as on development sets: by three tenths either way;
three in a hundred pictures may only look wrong (blends, nothing to see); ten labels may be wrong unseen, and one in
twenty where it is unsure what the picture shows: labels of a look-alike class then are."""


@dataclass(frozen=True)
class Expected:
    """How many labels are wrong, with a 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class WrongLabels:
    """The fraction of labels that is wrong (0 to 1), with a 95 % interval."""

    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Forecast:
    """What is expected of Q labels, the most doubtful first: `wrong` (Q,) is P(wrong) of each, never rising.

    `belief` (G,) are the weights of SHIFTS and SLOPES, by which P is corrected.
    """

    wrong: Doubles
    belief: Doubles

    def heard(self, chance: Doubles, is_wrong: NDArray[np.bool_]) -> "Forecast":
        """The forecast after answers: labels of P(wrong) `chance` (A,) were wrong, or right (A,)."""
        level, place = _levels(chance)
        corrected = _corrected(level)[:, place]
        fit = np.log(np.where(is_wrong, corrected, 1 - corrected)).sum(axis=1)
        belief = self.belief * np.exp(fit - fit.max(initial=-np.inf))
        return replace(self, belief=belief / belief.sum())

    def picked(self, chance: Doubles, left: Doubles) -> "Forecast":
        """The forecast after wrong labels of P(wrong) `chance` (A,) were picked out, and those `left` (L,) not.

        Whoever picks out a fraction f of the wrong ones leaves odds of 1 − f times those before: f is not known, and as
        likely as it makes what was picked and what was not.
        """
        if not len(chance):
            return self
        level, place = _levels(chance)
        found = np.log(_corrected(level))[:, place].sum(axis=1)
        level, place = _levels(left)
        unfound, size = _corrected(level), np.bincount(place, minlength=len(level))
        fit = [len(chance) * np.log(part) + np.log1p(-part * unfound) @ size for part in PICKED]
        prior = (PICKED**PICKED_POWER * (1 - PICKED))[:, None]
        logs = np.log(np.maximum(self.belief, 1e-300)) + found + np.stack(fit) + np.log(prior)
        weight = np.exp(logs - logs.max()).reshape(len(PICKED), len(_SLOPES), len(_SHIFTS))
        belief = np.zeros(weight.shape[1:])
        for part, fraction in zip(weight, PICKED, strict=True):
            lower = np.maximum(0, np.arange(len(_SHIFTS)) + round(np.log1p(-fraction) / (_SHIFTS[1] - _SHIFTS[0])))
            np.add.at(belief.T, lower, part.T)
        return replace(self, belief=belief.ravel() / belief.sum())

    @cached_property
    def expected(self) -> Doubles:
        """P(wrong) of each label (Q,) as corrected by the answers."""
        level, place = _levels(self.wrong)
        expected: Doubles = (self.belief @ _corrected(level))[place]
        return expected

    @property
    def end(self) -> int:
        """How many labels come before the queue ends."""
        return int((self.expected >= WORTH_ASKING).sum())

    def among(self, rows: NDArray[np.integer] | slice) -> Expected:
        """How many of the labels at these rows are wrong."""
        return _expected(self.wrong[rows], self.belief)

    @property
    def shift(self) -> float:
        """By how much answers shift the log odds of every label; 0 before any. Slopes are left out here: they would
        make each of thousands of sure labels a little doubtful."""
        belief = np.where(np.isclose(SLOPES, 1), self.belief, 0)
        return float(belief @ SHIFTS / belief.sum())


def wrong_share(wrong: Doubles, *, unsure: float = 0.0, mixed: float = 0.0, shift: float = 0.0) -> WrongLabels:
    """The fraction of labels that is wrong: the mean of P(wrong) (R,), their log odds shifted by what answers say.

    `unsure` is what the pictures' likeliest classes leave of the shares, on average, `mixed` the fraction of labels
    that are of one of two overlapping classes and look like the other: nothing tells there which are wrong, since
    labels that were shuffled among two classes look like classes that are alike.

    The interval has what chance makes of R labels of known P, what is not known of the fitted fraction of wrong labels
    (its Fisher information in these P), and what such fractions are off by. Where nothing says that labels are wrong it
    begins at 0.
    """
    size = max(1, len(wrong))
    chance = expit(logit(wrong) + shift)
    share, variance = float(chance.sum()) / size, float((chance * (1 - chance)).sum()) / size
    spread = QUANTILE * np.sqrt(variance / size + (variance * _spread_of_fraction(chance, share)) ** 2)
    low = (share - spread) / OFF_BY - ODD_PICTURES
    high = OFF_BY * (share + spread) + UNSEEN_WRONG / size + UNSEEN_OF_UNSURE * unsure + mixed
    return WrongLabels(share, max(0.0, float(low)), min(1.0, float(high)))


def _spread_of_fraction(chance: Doubles, fraction: float) -> float:
    """The standard deviation of the log odds of a fraction of wrong labels that was fitted to P(wrong) (R,)."""
    variance = max(fraction * (1 - fraction), 1e-6)
    information = float(((chance - fraction) ** 2).sum()) / variance**2
    return float((information + WIDEST_FRACTION**-2) ** -0.5) / variance


def forecast(wrong: Doubles) -> Forecast:
    """The forecast before any answer, from P(wrong) of each of Q labels in the order of doubt.

    P is made never rising (isotonic regression), which leaves its mean: the order of doubt is not quite that of P.
    """
    from sklearn.isotonic import isotonic_regression  # slow to import, and few commands need it

    falling = isotonic_regression(wrong, increasing=False) if len(wrong) else wrong
    return Forecast(np.asarray(falling, np.float64), PRIOR)


def _levels(chance: Doubles) -> tuple[Doubles, NDArray[np.int64]]:
    """The log odds (L,) that labels are wrong, in steps of a hundredth, and which each label (A,) has.

    However many labels there are, few of these differ.
    """
    level, place = np.unique(np.round(logit(np.clip(chance, LEAST, 1 - LEAST)), 2), return_inverse=True)
    return level, place.astype(np.int64, copy=False)


def _corrected(level: Doubles) -> Doubles:
    """P(wrong) of log odds (L,) under each of SHIFTS and SLOPES (G, L)."""
    corrected: Doubles = expit(SHIFTS[:, None] + SLOPES[:, None] * level)
    return corrected


def _expected(chance: Doubles, belief: Doubles) -> Expected:
    """How many of these labels (A,) are wrong: under each correction the count is nearly normal."""
    level, place = _levels(chance)
    size, most = np.bincount(place, minlength=len(level)), float(len(chance))
    corrected = _corrected(level)
    mean, spread = corrected @ size, np.sqrt((corrected * (1 - corrected)) @ size) + SPREAD
    counts = np.linspace(-0.5, most + 0.5, STEPS)
    below = belief @ ndtr((counts - mean[:, None]) / spread[:, None])
    low, high = np.interp((TAIL, 1 - TAIL), below, counts)
    return Expected(float(belief @ mean), max(0.0, float(low)), min(most, float(high)))
