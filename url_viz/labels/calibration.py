"""Calibration of class shares as shares of cases, whether the classes are known, and how reliable the shares are."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.base.wording import decimal, percent
from url_viz.columns.engine import column
from url_viz.columns.twin_groups import first_of_each
from url_viz.evidence.order_metrics import Figure, jackknife, share_of, without_each_block
from url_viz.labels.votes import Codes, Doubles
from url_viz.store.columns.source_columns import BOX_COLUMNS

Bools = NDArray[np.bool_]

USUAL_SHARPNESS = 1.5
SHARPNESS_SPREAD = 0.3
"""The prior of log sharpness: normal about the usual one, so that a set of a few pictures has about that one."""
SEEN = np.array([38.0, 2.0, 0.5, 0.25])
"""The prior of the four kinds of labels, as numbers of labels that were seen; chosen on development sets
(docs/labels.md). The last two are wrong: else a set whose few errors are not certain is fitted as if it had none."""
SEEN_COVERED = np.array([2.0, 18.0])
"""The prior of crops that show a covering object in place of their own, as numbers that did and did not."""
SHARPNESSES = np.geomspace(0.6, 3.0, 25)
BEGIN = (0.85, 0.05, 0.05, 0.05)
STEPS = 80
"""Where the shares of the four kinds of labels begin, and how often they are improved."""
LEAST_SHARE = 1e-9
LEAST_REST = 1e-6


@dataclass(frozen=True)
class Calibration:
    """What takes mean shares of witnesses to shares of labels: P(label) = (1 − ε₁ − ε₂) · q + ε₁ · prior + ε₂ · rest.

    q is what the picture shows: meanᵞ, summing to 1, with γ the `sharpness` (a linear mean of calibrated witnesses is
    too even: Ranjan and Gneiting 2010). `hidden` is the fraction of pictures on which the witnesses see how likely the
    first class is, and of no other whether it is there (`hidden_shares`). `by_chance` is ε₁, the fraction of labels
    given whatever the picture shows, and `prior` (C,) float64 each class's fraction of the labels. `look_alike` is ε₂,
    the fraction given in favour of a class that the picture resembles without being of it: by the mean shares without
    the largest (`rest_shares`).

    `covered` is for crops that an object of their likeliest class covers (`is_covered`): the fraction of them that show
    it in place of their own, of which nothing is then known but that the class is another (`other_shares`).
    """

    sharpness: float
    by_chance: float
    look_alike: float
    prior: Doubles
    hidden: float
    covered: float = 0.0

    def likeness(self, mean: Doubles, is_covered: Bools | None = None) -> Doubles:
        """Shares (R, C) of what pictures are of, from the witnesses' mean shares (R, C)."""
        likeness = sharpened(mean, self.sharpness)
        hidden = hidden_shares(likeness, self.prior)
        hidden *= self.hidden
        likeness *= 1 - self.hidden
        likeness += hidden
        if is_covered is not None and is_covered.any():
            likeness[is_covered] *= 1 - self.covered
            likeness[is_covered] += self.covered * other_shares(mean[is_covered], self.prior)
        return likeness

    def shares(self, mean: Doubles, is_covered: Bools | None = None) -> Doubles:
        """Shares (R, C) of the labels of pictures like these, wrong ones among them."""
        right = 1 - self.by_chance - self.look_alike
        mixed: Doubles = self.likeness(mean, is_covered)
        mixed *= right
        mixed += self.by_chance * self.prior
        mixed += self.look_alike * rest_shares(mean)
        return mixed

    def label_is_wrong(self, mean: Doubles, label: Codes, is_covered: Bools | None = None) -> Doubles:
        """P (R,) that a label (R,) is wrong, from the mean shares (R, C): one given by chance can be right."""
        every = np.arange(len(label))
        own = self.likeness(mean, is_covered)[every, label]
        unseen = self.by_chance * self.prior[label] + self.look_alike * rest_shares(mean)[every, label]
        likely = unseen + (1 - self.by_chance - self.look_alike) * own
        return np.asarray((1 - own) * unseen / np.maximum(likely, LEAST_SHARE))


def sharpened(mean: Doubles, sharpness: float) -> Doubles:
    """Shares (R, C) raised to a power, summing to 1 again."""
    value = sharpness * np.log(np.maximum(mean, LEAST_SHARE))
    value -= value.max(axis=1, keepdims=True)
    np.exp(value, out=value)  # in place twice as fast as scipy's softmax
    value /= value.sum(axis=1, keepdims=True)
    return value


def rest_shares(mean: Doubles) -> Doubles:
    """Shares (R, C) without each row's likeliest class, which has 0, summing to 1 again."""
    rest = np.maximum(mean, LEAST_REST)
    rest[np.arange(len(mean)), mean.argmax(axis=1)] = 0
    rest /= rest.sum(axis=1, keepdims=True)
    return rest


def hidden_shares(shown: Doubles, prior: Doubles) -> Doubles:
    """Shares (R, C) with the likeliest class of each row as it is, and the others by their fraction of all labels.

    Of a picture that hides its class (crowded, cut off, blurred) witnesses may give all classes but one next to
    nothing. A label of a rare class is then not as unlikely as they say.
    """
    first, share, left = _first_and_left(shown, prior)
    hidden: Doubles = left[:, None] * prior
    hidden[np.arange(len(shown)), first] = share
    return hidden


def other_shares(mean: Doubles, prior: Doubles) -> Doubles:
    """Each class's fraction of all labels (R, C), without each row's likeliest class, which has 0; summing to 1."""
    others = np.tile(prior, (len(mean), 1))
    others[np.arange(len(mean)), mean.argmax(axis=1)] = 0
    others /= np.maximum(others.sum(axis=1, keepdims=True), LEAST_SHARE)
    return others


def _hidden_share(shown: Doubles, label: Codes, prior: Doubles) -> Doubles:
    """`hidden_shares` of one class a row, `label` (R,)."""
    first, share, left = _first_and_left(shown, prior)
    return np.where(label == first, share, left * prior[label])


def _first_and_left(shown: Doubles, prior: Doubles) -> tuple[NDArray[np.int64], Doubles, Doubles]:
    """The likeliest class of each row (R,), its share, and what is left by the prior of all others together."""
    first = shown.argmax(axis=1)
    share = shown[np.arange(len(shown)), first]
    return first, share, (1 - share) / np.maximum(1 - prior[first], LEAST_SHARE)


def calibrate(
    mean: Doubles, label: Codes, group: NDArray[np.integer], *, prior: Doubles, is_covered: Bools | None = None
) -> Calibration:
    """The likeliest sharpness, and fractions of hidden and of wrong labels, of R labelled pictures.

    `mean` (R, C) are the witnesses' mean shares, own labels unseen; `label` (R,) codes; `group` (R,) source groups,
    each of which counts as one picture; `prior` (C,) each class's fraction of all labels; `is_covered` (R,) which crops
    an object of their likeliest class covers.
    """
    _, number, size = np.unique(group, return_inverse=True, return_counts=True)
    weight, every = 1 / size[number], np.arange(len(label))
    is_covered = np.zeros(len(label), bool) if is_covered is None else is_covered
    likelihood = np.zeros((len(label), 5))
    likelihood[:, 2], likelihood[:, 3] = prior[label], rest_shares(mean)[every, label]
    likelihood[is_covered, 4] = other_shares(mean[is_covered], prior)[np.arange(is_covered.sum()), label[is_covered]]
    best = -np.inf, USUAL_SHARPNESS, SEEN / SEEN.sum(), 0.0
    for sharpness in SHARPNESSES:
        shown = sharpened(mean, sharpness)
        likelihood[:, 0], likelihood[:, 1] = shown[every, label], _hidden_share(shown, label, prior)
        kinds, covered = _fit_kinds(likelihood, weight, is_covered)
        likely = _by_kind(likelihood, kinds, covered, is_covered).sum(axis=1)
        fit = float(weight @ np.log(np.maximum(likely, LEAST_SHARE)) + SEEN @ np.log(kinds))
        fit += float(SEEN_COVERED @ np.log((covered, 1 - covered))) if is_covered.any() else 0.0
        fit -= (np.log(sharpness / USUAL_SHARPNESS) / SHARPNESS_SPREAD) ** 2 / 2
        best = max(best, (fit, sharpness, kinds, covered), key=lambda candidate: candidate[0])
    _, sharpness, (seen, hidden, by_chance, look_alike), covered = best
    hidden /= seen + hidden
    return Calibration(float(sharpness), float(by_chance), float(look_alike), prior, float(hidden), float(covered))


def _fit_kinds(likelihood: Doubles, weight: Doubles, is_covered: Bools) -> tuple[Doubles, float]:
    """The likeliest fractions (4,): right labels that show, right hidden ones, those by chance, and look-alikes.

    Also the fraction of right labels where `is_covered` (R,) whose crop shows another object. `likelihood` (R, 5) is
    that of each label under each kind, `weight` (R,) how much a picture counts; by expectation-maximisation.
    """
    kinds, covered = np.array(BEGIN), float(SEEN_COVERED[0] / SEEN_COVERED.sum()) if is_covered.any() else 0.0
    for _ in range(STEPS):
        part = _by_kind(likelihood, kinds, covered, is_covered)
        each = weight / np.maximum(part.sum(axis=1), LEAST_SHARE)
        count = each @ part
        if is_covered.any():
            own = float((each[is_covered] @ part[is_covered, :2]).sum())
            covered = float((count[4] + SEEN_COVERED[0]) / (count[4] + own + SEEN_COVERED.sum()))
        kinds = SEEN + count[:4] + np.append(count[4] * kinds[:2] / kinds[:2].sum(), (0, 0))
        kinds /= kinds.sum()
    return kinds, covered


def _by_kind(likelihood: Doubles, kinds: Doubles, covered: float, is_covered: Bools) -> Doubles:
    """How likely each label is of each kind (R, 5)."""
    part: Doubles = likelihood * np.append(kinds, kinds[:2].sum() * covered)
    part[is_covered, :2] *= 1 - covered
    return part


KNOWN = 0.5
"""Classes are known if the model agrees with their labels for at least this part of the way from chance to always:
below, forecasts of wrong labels miss, and most mix-ups are the model's own (docs/labels.md)."""


@dataclass(frozen=True)
class LabelAgreement:
    """How often the likeliest class of a picture, its own label unseen, is its label.

    The `share` of `count` pictures, or objects, of twins one, and what it would be `by_chance`.
    """

    share: float
    by_chance: float
    count: int
    is_of_objects: bool = False

    @property
    def is_known(self) -> bool:
        """Whether the model knows the classes; in a small set agreement must not be luck, either."""
        is_enough = self.share >= self.by_chance + KNOWN * (1 - self.by_chance)
        return is_enough and share_of(self.share * self.count, self.count).interval.low > self.by_chance

    @property
    def words(self) -> str:
        """Why nothing is forecast where the classes are not known, without a full stop."""
        chance = f", chance with {percent(self.by_chance)}" if self.share >= KNOWN else ""
        return (
            f"The model agrees with {percent(self.share)} of the labels{chance}: they are wrong as a whole "
            f"({'shifted class numbers' if self.is_of_objects else 'a shifted column'}?), or it does not know these "
            "classes"
        )


def agreement_in(table: pd.DataFrame) -> LabelAgreement:
    """The agreement of `label` and `first_class` in rows of `ImageSet.table()`."""
    rows = first_of_each(table[table["label"].notna() & table["first_class"].notna()])
    label, taken_for = rows["label"].astype(str), rows["first_class"].astype(str)
    by_chance = (label.value_counts() * taken_for.value_counts()).sum() / max(1, len(rows)) ** 2
    share = float((label == taken_for).sum()) / max(1, len(rows))
    return LabelAgreement(share, float(by_chance), len(rows), BOX_COLUMNS[0] in table)


@column()
def agreement(measured: pd.DataFrame) -> LabelAgreement:
    """The agreement of the set's labels with the model."""
    return agreement_in(measured)


BINS = 15
SHOWN_BINS = 10
MOST_LEFT_OUT = 100
"""How often the error is computed again for its interval: of more classes several leave at once."""
MIN_LABELLED = 100
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
        worst = int(np.abs(self.share - self.right).argmax())
        share, right = decimal(self.share[worst]), decimal(self.right[worst])
        return (
            f"On average a share is {decimal(abs(self.bias), digits=3)} {way}, at most where it is about {share}: "
            f"there {right} are right. The expected calibration error is {self.error.text()} ({self.pictures:,} "
            "pictures, own labels unseen)."
        )


def reliability(table: pd.DataFrame) -> Reliability | None:
    """How reliable the shares in `ImageSet.table()` are; twins count once. None below MIN_LABELLED pictures."""
    rows = first_of_each(table[table["label"].notna() & table["first_class"].notna()])
    if len(rows) < MIN_LABELLED:
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
