"""What is chosen on other sets: the temperature of the entropy, and the weights of a stack of baselines.

Neither may be chosen on the set that it is reported on. A stack is a logistic regression of N on what the classifier
and the embedding's length say of a picture alone: on the values in units of their spread over the sets that it is
chosen on, so that it knows the picture alone; or on their ranks within each set.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.benchmark.benchmark_records import BaselinesRecord, Weight
from training.benchmark.labelled import Case, LabelledSet
from url_viz.analysis.baselines import energy, inverse_norm, max_probability, softmax_entropy
from url_viz.analysis.order_metrics import auroc, mean_by_t
from url_viz.rows import mid_ranks

TEMPERATURES = (0.1, 0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0, 16.0, 32.0)

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Linear:
    """A weighted sum of F baselines: `weight` (F,) on values less `middle` (F,) in units of `spread` (F,)."""

    weight: Doubles
    middle: Doubles
    spread: Doubles

    def __call__(self, features: Doubles) -> Doubles:
        """The sums (N,) of features (N, F)."""
        summed: Doubles = (features - self.middle) / self.spread @ self.weight
        return summed


@dataclass(frozen=True)
class FittedBaselines:
    """What was chosen `on` the sets with these SPECs."""

    on: tuple[str, ...]
    temperature: float
    by_values: Linear
    by_ranks: Linear


class Chooser:
    """Chooses on sets; what each set says of every temperature is worked out once."""

    def __init__(self) -> None:
        self._told: dict[int, tuple[Case, list[float]]] = {}  # with its case, so that no other gets its id

    def choose(self, cases: Sequence[Case]) -> FittedBaselines | None:
        """The temperature with the best mean R-AUROC for N, and both stacks; None of sets that have no error or all.

        Each set counts alike, and in each the wrong as much as the right.
        """
        cases = [case for case in cases if 0 < _wrong(case).mean() < 1]
        if not cases:
            return None
        means = [mean_by_t(told).value for told in zip(*map(self._of_temperatures, cases), strict=True)]
        temperature = TEMPERATURES[int(np.argmax(means))]
        features = [_columns(picture_features(case.labelled, temperature)) for case in cases]
        ranks = [_ranked(columns) for columns in features]
        wrong = [_wrong(case) for case in cases]
        counted = [case.outcomes.is_counted for case in cases]
        return FittedBaselines(
            tuple(case.labelled.data for case in cases),
            temperature,
            *(
                _fitted([one[is_counted] for one, is_counted in zip(columns, counted, strict=True)], wrong)
                for columns in (features, ranks)
            ),
        )

    def _of_temperatures(self, case: Case) -> list[float]:
        """The R-AUROC of one set at each of TEMPERATURES."""
        if id(case) not in self._told:
            counted, logits = case.outcomes.is_counted, case.labelled.logits
            entropies = (softmax_entropy(logits[counted], temperature=one) for one in TEMPERATURES)
            self._told[id(case)] = case, [auroc(entropy, _wrong(case)) for entropy in entropies]
        return self._told[id(case)][1]


def picture_features(labelled: LabelledSet, temperature: float) -> Mapping[str, Doubles]:
    """The baselines (N,) of a stack by name, all finite."""
    logits = labelled.logits
    return {
        "entropy": softmax_entropy(logits),
        "tempered_entropy": softmax_entropy(logits, temperature=temperature),
        "max_probability": max_probability(logits),
        "energy": energy(logits),
        "inverse_norm": _finite(inverse_norm(labelled.embedding)),
    }


def _finite(values: Doubles) -> Doubles:
    """Values (N,) with the largest finite one for infinity, so that they can be weighted."""
    finite: Doubles = np.minimum(values, values[np.isfinite(values)].max(initial=0))
    return finite


def stacked(labelled: LabelledSet, baselines: FittedBaselines, *, by_ranks: bool) -> Doubles:
    """The order (N,) of a set by the weights that were chosen elsewhere."""
    columns = _columns(picture_features(labelled, choice.temperature))
    return choice.by_ranks(_ranked(columns)) if by_ranks else choice.by_values(columns)


def as_chosen(baselines: FittedBaselines, names: Sequence[str]) -> BaselinesRecord:
    """A choice as it stands in the JSON; `names` are those of the baselines."""
    weights = (
        tuple(Weight(name, float(one)) for name, one in zip(names, linear.weight, strict=True))
        for linear in (choice.by_values, choice.by_ranks)
    )
    return BaselinesRecord(choice.on, choice.temperature, *weights)


def _wrong(case: Case) -> NDArray[np.bool_]:
    return case.outcomes.is_wrong[case.outcomes.is_counted]


def _columns(features: Mapping[str, Doubles]) -> Doubles:
    return np.stack(list(features.values()), axis=1)


def _ranked(columns: Doubles) -> Doubles:
    """The mid-ranks within a set of columns (N, F), between 0 and 1."""
    return np.stack([(mid_ranks(column) - 0.5) / len(column) for column in columns.T], axis=1)


def _fitted(features: Sequence[Doubles], wrong: Sequence[NDArray[np.bool_]]) -> Linear:
    """A logistic regression on features (N, F) of each set, each set and both outcomes weighted alike."""
    from sklearn.linear_model import LogisticRegression  # slow to import

    rows, is_wrong = np.concatenate(features), np.concatenate(wrong)
    weight = np.concatenate([np.where(one, 0.5 / one.sum(), 0.5 / (~one).sum()) for one in wrong])
    weight *= len(rows) / weight.sum()
    middle = np.average(rows, axis=0, weights=weight)
    spread = np.sqrt(np.average((rows - middle) ** 2, axis=0, weights=weight))
    spread = np.where(spread > 0, spread, 1)
    fitted = LogisticRegression(max_iter=1000).fit((rows - middle) / spread, is_wrong, sample_weight=weight)
    return Linear(fitted.coef_[0].astype(np.float64), middle, spread)
