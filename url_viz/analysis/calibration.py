"""Calibration of class shares: what makes them shares of cases, how many labels are wrong, and how well it holds."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.order_metrics import Figure, jackknife, without_each_block
from url_viz.analysis.twin_groups import first_of_each
from url_viz.analysis.votes import Codes, Doubles
from url_viz.wording import decimal, percent

USUAL_SHARPNESS = 1.4
SHARPNESS_SPREAD = 0.15
"""The prior of log sharpness: normal about the usual one, so that a set of a few pictures has about that one."""
LABELS_RIGHT = 40.0
"""The prior of wrong labels: as if so many right ones had been seen."""
SHARPNESSES = np.geomspace(0.4, 4.0, 24)
WRONG_SHARES = np.concatenate([[0.0], np.geomspace(0.0005, 0.6, 60)])
LIKELIHOOD_DROP = 1.92
"""How far the log likelihood may fall within a 95 % interval of one number (half of chi-squared's 3.84)."""
LEAST_SHARE = 1e-9
FEW_LABELS = 30
"""Of fewer labels no interval is given."""
LEAST_TOLD = 0.01
"""Below this fraction of wrong labels no number is told."""

NOT_SEEN = "mix-ups of classes that look alike often go unseen"
"""What every figure on wrong labels leaves out."""


@dataclass(frozen=True)
class WrongLabels:
    """The fraction of a set's labels that say nothing of their pictures, with its 95 % interval; nan for few labels.

    A lower bound: labels that are wrong in favour of a class that looks alike are not seen.
    """

    share: float
    low: float
    high: float

    @property
    def words(self) -> str:
        """What to tell people, without a full stop: "at least 4 of 100 labels look wrong (5.3 %, 4.1 to 7.7)"."""
        ends = "" if math.isnan(self.low) else f", {100 * self.low:.1f} to {100 * self.high:.1f}"
        estimate = f"({percent(self.share, digits=1)}{ends})"
        least = self.share if math.isnan(self.low) else self.low
        if least < LEAST_TOLD:
            return f"hardly any label looks wrong {estimate}"
        return f"at least {max(1, math.floor(100 * least))} of 100 labels look wrong {estimate}"


@dataclass(frozen=True)
class Calibration:
    """What takes mean shares of witnesses to shares of cases: P(label) = (1 − ε) · pᵞ + ε · class share.

    `sharpness` is γ, `wrong` the labels that say nothing of the picture, whose share is ε; `prior` (C,) float64 each
    class's fraction of the labels. A linear mean of calibrated witnesses is too even, hence γ (Ranjan and Gneiting
    2010).
    """

    sharpness: float
    wrong: WrongLabels
    prior: Doubles

    def likeness(self, mean: Doubles) -> Doubles:
        """Shares (R, C) of what pictures show, from the witnesses' mean shares (R, C): pᵞ, summing to 1."""
        return sharpened(mean, self.sharpness)

    def shares(self, mean: Doubles) -> Doubles:
        """Shares (R, C) of the labels of pictures like these, wrong ones among them."""
        return self.with_wrong_labels(self.likeness(mean))

    def with_wrong_labels(self, likeness: Doubles) -> Doubles:
        """Shares (R, C) of labels, from those of what pictures show."""
        shares: Doubles = (1 - self.wrong.share) * likeness + self.wrong.share * self.prior
        return shares

    def label_is_wrong(self, own: Doubles, label: Codes) -> Doubles:
        """P (R,) that a label says nothing of its picture, from the label's likeness `own` (R,)."""
        by_chance = self.wrong.share * self.prior[label]
        probability: Doubles = by_chance / np.maximum(by_chance + (1 - self.wrong.share) * own, LEAST_SHARE)
        return probability


def sharpened(mean: Doubles, sharpness: float) -> Doubles:
    """Shares (R, C) raised to a power, summing to 1 again."""
    value = sharpness * np.log(np.maximum(mean, LEAST_SHARE))
    value -= value.max(axis=1, keepdims=True)
    np.exp(value, out=value)  # in place twice as fast as scipy's softmax
    value /= value.sum(axis=1, keepdims=True)
    return value


def calibrate(mean: Doubles, label: Codes, group: NDArray[np.integer], *, prior: Doubles) -> Calibration:
    """The likeliest sharpness and fraction of wrong labels of R labelled pictures.

    `mean` (R, C) are the witnesses' mean shares, own labels unseen; `label` (R,) codes; `group` (R,) source groups,
    each of which counts as one picture; `prior` (C,) each class's fraction of all labels.
    """
    _, number, size = np.unique(group, return_inverse=True, return_counts=True)
    weight, every = 1 / size[number], np.arange(len(label))
    by_chance = prior[label][:, None] * WRONG_SHARES
    surface = np.empty((len(SHARPNESSES), len(WRONG_SHARES)))
    for row, sharpness in enumerate(SHARPNESSES):
        own = sharpened(mean, sharpness)[every, label][:, None]
        surface[row] = weight @ np.log(np.maximum(own * (1 - WRONG_SHARES) + by_chance, LEAST_SHARE))
        surface[row] -= (np.log(sharpness / USUAL_SHARPNESS) / SHARPNESS_SPREAD) ** 2 / 2
    low, high = _interval(surface) if len(size) >= FEW_LABELS else (np.nan, np.nan)
    surface += LABELS_RIGHT * np.log1p(-WRONG_SHARES)
    row, column = divmod(int(surface.argmax()), len(WRONG_SHARES))
    best = float(np.exp(_vertex(np.log(SHARPNESSES), surface[:, column], row)))
    wrong = max(0.0, _vertex(WRONG_SHARES, surface[row], column))
    return Calibration(best, WrongLabels(wrong, min(low, wrong), max(high, wrong)), prior)


def _interval(surface: Doubles) -> tuple[float, float]:
    """The fractions of wrong labels (95 %) that the likelihood allows, whatever the sharpness."""
    profile = surface.max(axis=0)
    bound, best = profile.max() - LIKELIHOOD_DROP, int(profile.argmax())
    low = np.interp(bound, profile[: best + 1], WRONG_SHARES[: best + 1]) if profile[0] < bound else 0.0
    high = np.interp(-bound, -profile[best:], WRONG_SHARES[best:])
    return float(low), float(high)


def _vertex(x: Doubles, y: Doubles, at: int) -> float:
    """Where the parabola through a grid's best value and both beside it has its top."""
    if not 0 < at < len(x) - 1:
        return float(x[at])
    a, b, _ = np.polyfit(x[at - 1 : at + 2] - x[at], y[at - 1 : at + 2], 2)
    top = -b / (2 * a) if a < 0 else 0.0
    return float(np.clip(x[at] + top, x[at - 1], x[at + 1]))


BINS = 15
SHOWN_BINS = 10
MOST_LEFT_OUT = 100
"""How often the error is computed again for its interval: of more classes several leave at once."""
FEWEST = 100
"""Of fewer labelled pictures too little can be said."""


@dataclass(frozen=True)
class Reliability:
    """The shares of the first class of P labelled pictures, in bins of equally many, and how often each is right.

    `share`, `right` (B,) float64 are the mean share of a bin and the fraction whose label is the first class. `error`
    is the expected calibration error with an interval over classes, `bias` the mean share less the right fraction.
    """

    share: NDArray[np.float64]
    right: NDArray[np.float64]
    pictures: int
    error: Figure
    bias: float

    @property
    def words(self) -> str:
        """In a sentence, how far shares are shares of cases."""
        way = "too high" if self.bias > 0 else "too low"
        return (
            f"On average a share is {decimal(abs(self.bias), digits=3)} {way}; the expected calibration error is "
            f"{self.error.text()} ({self.pictures:,} pictures, own labels unseen)."
        )


def reliability(table: pd.DataFrame) -> Reliability | None:
    """How reliable the shares in `ImageSet.table()` are; twins count once. None below FEWEST labelled pictures."""
    rows = first_of_each(table[table["label"].notna() & table["first_class"].notna()])
    if len(rows) < FEWEST:
        return None
    share = rows["first_share"].to_numpy(np.float64)
    is_right = (rows["first_class"] == rows["label"]).to_numpy(dtype=bool)
    block = pd.factorize(rows["label"])[0]
    left_out = without_each_block(calibration_error, share, is_right, block=block, most=MOST_LEFT_OUT)
    parts = np.array_split(np.argsort(share, kind="stable"), SHOWN_BINS)
    return Reliability(
        np.array([share[part].mean() for part in parts]),
        np.array([is_right[part].mean() for part in parts]),
        len(rows),
        jackknife(calibration_error(share, is_right), left_out, least=0.0),
        float(share.mean() - is_right.mean()),
    )


def calibration_error(share: NDArray[np.floating], is_right: NDArray[np.bool_]) -> float:
    """How far shares (N,) lie from how often they are right (N,), on average over BINS of equally many; nan of none.

    The expected calibration error with bins of equal mass (Nixon et al. 2019).
    """
    if not len(share):
        return float("nan")
    parts = np.array_split(np.argsort(share, kind="stable"), BINS)
    gaps = [len(rows) * abs(share[rows].mean(dtype=float) - is_right[rows].mean()) for rows in parts if len(rows)]
    return float(sum(gaps) / len(share))
