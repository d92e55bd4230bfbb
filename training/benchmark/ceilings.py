"""Ceilings: how well a model fitted on a set's own errors orders it, which no real order can know."""

import numpy as np
from numpy.typing import NDArray

from training.benchmark.labelled import Case, Codes, Outcomes
from url_viz.analysis.probe import probe_folds

SCALE, STRENGTH = 16.0, 1e-3
"""Of the whitened rows, and scikit-learn's C: the best of four on the development sets, by pictures."""


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
