"""Baselines that are fitted on other sets: the temperature of the entropy, and the weights of a stack of baselines.

Neither may be fitted on the set that it is reported on. A stack is a logistic regression of N on what the classifier
and the embedding's length say of a single picture: on the values in units of their standard deviation over the sets of
the fit, so that it knows one picture at a time; or on their ranks within each set.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.benchmark.benchmark_records import BaselinesRecord, Weight
from training.benchmark.labelled import TEMPERATURES, Case, LabelledSet
from url_viz.analysis.evidence.baselines import energy, inverse_norm, max_probability, softmax_entropy
from url_viz.analysis.evidence.order_metrics import mean_by_t
from url_viz.rows import mid_ranks

SINGLE_BASELINES = ("entropy", "tempered_entropy", "max_probability", "energy", "inverse_norm")
"""Baselines that know one picture at a time; a stack weighs them in this order."""

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Linear:
    """A weighted sum of F baselines: `weight` (F,) on values less `mean` (F,) in units of `deviation` (F,)."""

    weight: Doubles
    mean: Doubles
    deviation: Doubles

    def __call__(self, features: Doubles) -> Doubles:
        """The sums (N,) of features (N, F)."""
        summed: Doubles = (features - self.mean) / self.deviation @ self.weight
        return summed


@dataclass(frozen=True)
class FittedBaselines:
    """A temperature and two stacks, fitted `on` the sets with these SPECs."""

    on: tuple[str, ...]
    temperature: float
    by_values: Linear
    by_ranks: Linear

    def stack(self, labelled: LabelledSet, *, by_ranks: bool) -> Doubles:
        """The order (N,) of another set by the fitted weights."""
        columns = _columns(labelled, self.temperature)
        return self.by_ranks(_ranked(columns)) if by_ranks else self.by_values(columns)

    @property
    def record(self) -> BaselinesRecord:
        weights = (
            tuple(Weight(name, float(weight)) for name, weight in zip(SINGLE_BASELINES, linear.weight, strict=True))
            for linear in (self.by_values, self.by_ranks)
        )
        return BaselinesRecord(self.on, self.temperature, *weights)


def fit_baselines(cases: Sequence[Case]) -> FittedBaselines | None:
    """The temperature with the best mean R-AUROC for N, and both stacks; None if every set has only one outcome.

    Each set counts alike, and within each the wrong pictures as much as the right ones.
    """
    cases = [case for case in cases if 0 < _wrong(case).mean() < 1]
    if not cases:
        return None
    means = [mean_by_t(aurocs).value for aurocs in zip(*(case.auroc_by_temperature for case in cases), strict=True)]
    temperature = TEMPERATURES[int(np.argmax(means))]
    values = [_columns(case.labelled, temperature) for case in cases]
    stacks = (_fitted(features, cases) for features in (values, [_ranked(columns) for columns in values]))
    return FittedBaselines(tuple(case.labelled.data for case in cases), temperature, *stacks)


def picture_features(labelled: LabelledSet, temperature: float) -> Mapping[str, Doubles]:
    """The values (N,) of SINGLE_BASELINES by name, all finite."""
    logits, inverse = labelled.logits, inverse_norm(labelled.embedding)
    return {
        "entropy": softmax_entropy(logits),
        "tempered_entropy": softmax_entropy(logits, temperature=temperature),
        "max_probability": max_probability(logits),
        "energy": energy(logits),
        # The largest finite value in place of infinity, so that it can be weighted.
        "inverse_norm": np.minimum(inverse, inverse[np.isfinite(inverse)].max(initial=0)),
    }


def _wrong(case: Case) -> NDArray[np.bool_]:
    return case.outcomes.is_wrong[case.outcomes.is_counted]


def _columns(labelled: LabelledSet, temperature: float) -> Doubles:
    return np.stack(list(picture_features(labelled, temperature).values()), axis=1)


def _ranked(columns: Doubles) -> Doubles:
    """The mid-ranks within a set of columns (N, F), between 0 and 1."""
    return np.stack([(mid_ranks(column) - 0.5) / len(column) for column in columns.T], axis=1)


def _fitted(features: Sequence[Doubles], cases: Sequence[Case]) -> Linear:
    """A logistic regression on the features (N, F) of each set, each set and both outcomes weighted alike."""
    from sklearn.linear_model import LogisticRegression  # slow to import

    rows = np.concatenate([part[case.outcomes.is_counted] for part, case in zip(features, cases, strict=True)])
    wrong = [_wrong(case) for case in cases]
    weight = np.concatenate([np.where(part, 0.5 / part.sum(), 0.5 / (~part).sum()) for part in wrong])
    weight *= len(rows) / weight.sum()
    mean = np.average(rows, axis=0, weights=weight)
    deviation = np.sqrt(np.average((rows - mean) ** 2, axis=0, weights=weight))
    deviation = np.where(deviation > 0, deviation, 1)
    regression = LogisticRegression(max_iter=1000)
    regression.fit((rows - mean) / deviation, np.concatenate(wrong), sample_weight=weight)
    return Linear(regression.coef_[0].astype(np.float64), mean, deviation)
