"""The orders that are measured, from those that know a single picture to those that have seen the outcomes."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from training.benchmark.fitted_baselines import FittedBaselines, picture_features
from training.benchmark.labelled import Case, Codes, LabelledSet, Outcomes
from url_viz.analysis.evidence.probe import probe_folds
from url_viz.analysis.labels.ambiguity import classify
from url_viz.models.head import Head
from url_viz.pipeline.confusability import confusability
from url_viz.pipeline.twins import twin_representatives

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


def orders_of(case: Case, head: Head | None, baselines: FittedBaselines | None, *, seed: int) -> Orders:
    """Every order of a set, in the order of KNOWS; the fitted ones only with `baselines`."""
    labelled, space, outcomes = case.labelled, case.space, case.outcomes
    graph, label = space.graph, labelled.label
    classified = classify(graph.position, graph.similarity, space.whitened.rows, label, space.group)
    assert classified is not None  # sets with too few classes were refused
    confusable = confusability(graph.position, graph.similarity, representative=twin_representatives(graph.twins))[0]
    orders: dict[str, NDArray[np.floating]] = {
        **picture_orders(labelled, head, baselines),
        "nearest_similarity": np.where(outcomes.is_counted, -graph.similarity[:, 0], np.nan),
        "confusability": confusable,
        "ambiguity": classified.shares.ambiguity,
        "class_error": class_error(label, outcomes),
        "fitted_by_class": cross_fitted(case, label, seed=seed),
        "fitted_by_picture": cross_fitted(case, space.group, seed=seed),
        **({} if labelled.people is None else labelled.people.other_orders),
    }
    if baselines is not None:
        orders[RANK_STACK] = baselines.stack(labelled, by_ranks=True)
    return {name: orders[name] for name in KNOWS if name in orders}


def picture_orders(labelled: LabelledSet, head: Head | None, baselines: FittedBaselines | None) -> Orders:
    """The orders (N,) that know a single picture each: these may be compared between sets."""
    orders: dict[str, NDArray[np.floating]] = {} if head is None else {HEAD: head(labelled.embedding)}
    if baselines is None:
        features = picture_features(labelled, 1.0)
        return orders | {name: values for name, values in features.items() if name != "tempered_entropy"}
    orders |= picture_features(labelled, baselines.temperature)
    return orders | {STACK: baselines.stack(labelled, by_ranks=False)}


def class_error(label: Codes, outcomes: Outcomes) -> NDArray[np.float64]:
    """The error rate by N of each picture's class (N,): what class difficulty explains."""
    counted = label[outcomes.is_counted]
    classes = int(label.max()) + 1
    wrong = np.bincount(counted, outcomes.is_wrong[outcomes.is_counted], minlength=classes)
    error: NDArray[np.float64] = (wrong / np.maximum(np.bincount(counted, minlength=classes), 1))[label]
    return error


def cross_fitted(case: Case, group: NDArray[np.integer], *, seed: int) -> NDArray[np.float64]:
    """N as predicted (N,) by a logistic regression on the set's own embeddings, in five folds of whole groups (N,).

    With groups of twins it may know a picture's class, with classes as groups it does not. Wrong and right weigh the
    same. Intercepts are left out: they differ between folds, with the share of errors. nan for a picture without a
    nearest.
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
