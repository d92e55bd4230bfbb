"""The orders that are measured, fitted baselines, verdicts, and the files that figures rest on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training.benchmark.benchmark_tables import (
    OUTCOMES,
    BaselinesRecord,
    SetLead,
    Verdict,
    Weight,
    holm_corrected,
    judge_lead,
)
from training.benchmark.labelled import ENTROPY, OTHER_ORDERS, TEMPERATURES, Bools, Case, Codes, LabelledSet, Outcomes
from url_viz.base.files import replaced
from url_viz.base.rows import mid_ranks
from url_viz.evidence.baselines import energy, inverse_norm, max_probability, softmax_entropy
from url_viz.evidence.order_metrics import Influenced, auroc, auroc_influence, mean_by_t, mean_influence
from url_viz.evidence.probe import probe_folds
from url_viz.imaging.scan import display_name
from url_viz.models.head import Head

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
        return np.asarray((features - self.mean) / self.deviation @ self.weight)


@dataclass(frozen=True)
class FittedBaselines:
    """A temperature and two stacks, fitted `on` sets by their SPECs."""

    on: tuple[str, ...]
    temperature: float
    by_values: Linear
    by_ranks: Linear

    def stack(self, labelled: LabelledSet, *, by_ranks: bool) -> Doubles:
        """The stack's order (N,) of another set."""
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
    stacks = (_fit(features, cases) for features in (values, [_ranked(columns) for columns in values]))
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
    """The mid-ranks of columns (N, F) within a set, between 0 and 1."""
    return np.stack([(mid_ranks(column) - 0.5) / len(column) for column in columns.T], axis=1)


def _fit(features: Sequence[Doubles], cases: Sequence[Case]) -> Linear:
    """A logistic regression on the features (N, F) of each set; sets and both outcomes weigh alike."""
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


SCALE, STRENGTH = 16.0, 1e-3
"""Of the whitened rows, and scikit-learn's C: the best of four on the development sets, by pictures."""
HEAD = "uncertainty"
STACK, RANK_STACK = "stack", "rank_stack"

KNOWS = {
    HEAD: "picture",
    "entropy": "picture",
    "tempered_entropy": "picture",
    "max_probability": "picture",
    "energy": "picture",
    "inverse_norm": "picture",
    STACK: "picture",
    RANK_STACK: "set",
    "nearest_similarity": "set",
    "confusability": "set",
    "ambiguity": "classes",
    "class_error": "outcomes",
    "fitted_by_class": "outcomes",
    "fitted_by_picture": "outcomes",
    "authors_uncertainty": "another model",
    "authors_class_entropy": "another model",
}
"""What each order has seen: a single picture, its set, its classes, or even the outcomes.

A temperature and a stack's weights are fitted on the outcomes of other sets.
"""

Orders = Mapping[str, NDArray[np.floating]]
"""By name (N,), or (draws, N) where an order has a draw: higher = less to be trusted, nan where it is not known."""


def make_orders(case: Case, head: Head | None, baselines: FittedBaselines | None, *, seed: int) -> Orders:
    """Every order of a set, as KNOWS lists them; the fitted ones only with `baselines`."""
    labelled, space, outcomes = case.labelled, case.space, case.outcomes
    label, people, ambiguity = labelled.label, labelled.people, space.ambiguity(labelled.label)
    assert ambiguity is not None  # sets with too few classes were refused
    orders: dict[str, NDArray[np.floating]] = {
        **picture_orders(labelled, head, baselines),
        "nearest_similarity": np.where(outcomes.is_counted, -space.graph.similarity[:, 0], np.nan),
        "confusability": space.confusability,
        "ambiguity": ambiguity,
        "class_error": class_error(label, outcomes),
        "fitted_by_class": cross_fitted(case, label, seed=seed),
        "fitted_by_picture": cross_fitted(case, space.group, seed=seed),
        **({} if people is None else {name: people[name].to_numpy() for name in OTHER_ORDERS if name in people}),
    }
    if baselines is not None:
        orders[RANK_STACK] = baselines.stack(labelled, by_ranks=True)
    return {name: orders[name] for name in KNOWS if name in orders}


def picture_orders(labelled: LabelledSet, head: Head | None, baselines: FittedBaselines | None) -> Orders:
    """The orders (N,) that know a single picture: these may be compared between sets."""
    orders: dict[str, NDArray[np.floating]] = {} if head is None else {HEAD: head(labelled.embedding)}
    if baselines is None:
        features = picture_features(labelled, 1.0)
        return orders | {name: values for name, values in features.items() if name != "tempered_entropy"}
    orders |= picture_features(labelled, baselines.temperature)
    return orders | {STACK: baselines.stack(labelled, by_ranks=False)}


def class_error(label: Codes, outcomes: Outcomes) -> NDArray[np.float64]:
    """The error rate for N of each picture's class (N,): what the classes' difficulty explains."""
    counted = label[outcomes.is_counted]
    classes = int(label.max()) + 1
    wrong = np.bincount(counted, outcomes.is_wrong[outcomes.is_counted], minlength=classes)
    return np.asarray((wrong / np.maximum(np.bincount(counted, minlength=classes), 1))[label])


def cross_fitted(case: Case, group: NDArray[np.integer], *, seed: int) -> NDArray[np.float64]:
    """N as predicted (N,) by a logistic regression on the set's own embeddings, in five folds of whole groups (N,).

    With twins as groups it may know a picture's class, with classes as groups it does not. Wrong and right weigh alike.
    Intercepts are left out: they differ between folds, with the share of errors. nan without a nearest.
    """
    from sklearn.linear_model import LogisticRegression  # slow to import

    counted, is_wrong = case.outcomes.is_counted, case.outcomes.is_wrong
    rows, fold = SCALE * case.space.whitened.rows.astype(np.float32), probe_folds(group, seed=seed)
    predicted = np.full(len(rows), np.nan)
    for number in np.unique(fold):
        tests, trains = counted & (fold == number), counted & (fold != number)
        predicted[tests] = 0
        if len(np.unique(is_wrong[trains])) == 2:
            regression = LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=1000)
            predicted[tests] = rows[tests] @ regression.fit(rows[trains], is_wrong[trains]).coef_[0]
    return predicted


def write_pictures(case: Case, orders: Orders, path: Path) -> None:
    """Write a row per picture: path, class, outcomes (null without one), the votes' entropy, and each order's value."""
    labelled, outcomes = case.labelled, case.outcomes
    assert labelled.pictures is not None
    pictures = labelled.pictures
    wrong = {f"{name}_wrong": values for name, values in outcomes.by_name().items()}
    table = pd.DataFrame(
        {
            "path": [display_name(name) for name in pictures.paths],
            "label": [pictures.classes[code] for code in labelled.label],
            **{name: pd.array(values, dtype="boolean") for name, values in wrong.items()},
            **({} if labelled.people is None else {"human_entropy": labelled.people[ENTROPY].to_numpy()}),
            **orders,
        }
    )
    table.loc[~outcomes.is_counted, "nearest_wrong"] = pd.NA
    with replaced(path) as temporary:
        table.to_parquet(temporary, index=False)


def write_arrays(case: Case, orders: Orders, path: Path) -> None:
    """Write what the figures of a set rest on, for other programs; orders are `order_NAME`."""
    labelled, space, outcomes = case.labelled, case.space, case.outcomes
    arrays: dict[str, NDArray[np.generic]] = {
        "embedding": labelled.embedding,
        "logits": labelled.logits,
        "label": labelled.label,
        "whitened": space.whitened.rows,
        "group": space.group,
        "is_counted": outcomes.is_counted,
        "is_wrong": outcomes.is_wrong,
        "is_paper_wrong": outcomes.is_paper_wrong,
        **{f"order_{name}": values for name, values in orders.items()},
    }
    if outcomes.is_probe_wrong is not None:
        arrays["is_probe_wrong"] = outcomes.is_probe_wrong
    if labelled.people is not None:
        arrays["votes_entropy"] = labelled.people[ENTROPY].to_numpy()
    with replaced(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


SET_BASELINES = (*SINGLE_BASELINES, "nearest_similarity")
"""Baselines for orders that know the set."""
Rivals = Mapping[str, tuple[tuple[str, ...], ...]]
"""Of each order the baselines that it is compared with: the best of each group."""
RIVALS: Rivals = {
    HEAD: (SINGLE_BASELINES, (STACK,)),
    STACK: (SINGLE_BASELINES,),
    RANK_STACK: (SINGLE_BASELINES,),
    "confusability": (SET_BASELINES,),
    "ambiguity": (SET_BASELINES,),
}


def judge_orders(cases: Sequence[Case], orders: Sequence[Orders], rivals: Rivals = RIVALS) -> tuple[Verdict, ...]:
    """The verdicts on every order in `rivals`, for each outcome, over the sets that have both.

    The best of a group of baselines has the highest mean over these very sets, which favours the baselines.
    """
    verdicts = []
    for name, groups in rivals.items():
        for outcome in OUTCOMES:
            sets = [
                (case, of_case, case.outcomes.by_name()[outcome])
                for case, of_case in zip(cases, orders, strict=True)
                if outcome in case.outcomes.by_name() and name in of_case
            ]
            best = (_best(sets, group) for group in groups)
            verdicts += [_verdict(name, rival, outcome, sets) for rival in best if rival is not None]
    return holm_corrected(verdicts)


_Measured = tuple[Case, Orders, Bools]


def _best(sets: Sequence[_Measured], group: Sequence[str]) -> str | None:
    """The baseline of a group with the highest mean R-AUROC, among those that all sets have; None without any."""
    everywhere = [name for name in group if sets and all(name in orders for _, orders, _ in sets)]
    means = {}
    for name in everywhere:
        aurocs = []
        for case, orders, is_wrong in sets:
            counted = case.outcomes.is_counted & ~np.isnan(orders[name])
            aurocs.append(auroc(orders[name][counted], is_wrong[counted]))
        means[name] = mean_by_t(aurocs).value
    numbers = {name: mean for name, mean in means.items() if not np.isnan(mean)}
    return max(numbers, key=lambda name: numbers[name]) if numbers else None


def _verdict(name: str, rival: str, outcome: str, sets: Sequence[_Measured]) -> Verdict:
    leads = []
    for case, orders, is_wrong in sets:
        lead = auroc_lead(orders[name], orders[rival], is_wrong, case.outcomes.is_counted)
        figure = lead.by_blocks(case.labelled.label, least=-1.0)
        leads.append(SetLead(case.labelled.data, figure, judge_lead(figure)))
    mean = mean_by_t([lead.lead.value for lead in leads], least=-1.0)
    return Verdict(name, rival, outcome, mean, judge_lead(mean), tuple(leads))


def auroc_lead(
    values: NDArray[np.floating], rival: NDArray[np.floating], is_wrong: Bools, is_counted: Bools
) -> Influenced:
    """By how much the R-AUROC of values (N,) is above that of a rival (N,), on the pictures that both have.

    For values (draws, N), the mean over draws.
    """
    leads = []
    for draw in np.atleast_2d(values):
        rows = np.flatnonzero(is_counted & ~np.isnan(draw) & ~np.isnan(rival))
        lead = auroc_influence(draw[rows], is_wrong[rows]) - auroc_influence(rival[rows], is_wrong[rows])
        leads.append(lead.placed(rows, len(is_wrong)))
    return mean_influence(leads)
