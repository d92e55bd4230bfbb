"""The linear probe: a logistic regression on whitened rows, evaluated only on pictures whose twins it has not seen."""

import warnings
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from threadpoolctl import ThreadpoolController

from url_viz.columns.ranking import NONE
from url_viz.labels.votes import Codes

PROBE_SCALE = 10.0
PROBE_PENALTY = 0.005
PROBE_FOLDS = 5
PROBE_STEPS = 500
PROBE_SLOPE = 3e-5
"""The largest slope at which the fit ends; shares are then within .003 of those at the minimum itself."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Probe:
    """`weights` (A + 1, K) float32, the last row a constant's, of the K `classes`, codes in ascending order."""

    classes: Codes
    weights: Floats

    def shares(self, inputs: Floats) -> Floats:
        """Class shares (R, K) of `probe_inputs` (R, A + 1)."""
        value = inputs @ self.weights
        return np.asarray(softmax(value, axis=1)) if len(self.classes) else value

    def called(self, inputs: Floats) -> Codes:
        """The likeliest class (R,) of `probe_inputs` (R, A + 1); NONE from a probe without classes."""
        if not len(self.classes):
            return np.full(len(inputs), NONE, np.int32)
        return np.asarray(self.classes[(inputs @ self.weights).argmax(axis=1)])


def probe_inputs(whitened: NDArray[np.floating]) -> Floats:
    """What the probe is fitted on and asked of (N, A + 1): `PROBE_SCALE` times the whitened rows (N, A), and a 1."""
    rows = np.asarray(whitened, np.float32)
    return np.column_stack([np.float32(PROBE_SCALE) * rows, np.ones(len(rows), np.float32)])


def fit_probe(inputs: Floats, label: NDArray[np.integer], *, start: Probe | None = None) -> Probe:
    """Fit to `probe_inputs` (M, A + 1) and codes (M,); the loss is mean cross-entropy + `PROBE_PENALTY` · |W|².

    The loss has one minimum, whatever the `start`; from a probe of nearly the same labels it is found sooner. Classes
    that no picture has are left out.
    """
    classes = np.unique(label).astype(np.int32)
    weights = np.zeros((inputs.shape[1], len(classes)), np.float32)
    if start is not None:
        _, here, there = np.intersect1d(classes, start.classes, assume_unique=True, return_indices=True)
        weights[:, here] = start.weights[:, there]
    return Probe(classes, weights if len(classes) < 2 else _fitted(weights, inputs, label))


def _fitted(start: Floats, inputs: Floats, label: NDArray[np.integer]) -> Floats:
    """The weights (A + 1, K) at which the loss is least, on one thread.

    SciPy and NumPy each have threads of their own for linear algebra, which wait for each other: with two cores that
    takes six times as long. For two classes scikit-learn has the difference of their weights.
    """
    from sklearn.linear_model import LogisticRegression  # slow to import, and few commands need it

    are_two = start.shape[1] == 2
    strength = (1 + are_two) / (2 * PROBE_PENALTY * len(label))
    model = LogisticRegression(C=strength, tol=PROBE_SLOPE, max_iter=PROBE_STEPS, warm_start=True)
    begin = np.diff(start, axis=1) if are_two else start
    model.coef_, model.intercept_ = begin[:-1].T, begin[-1]
    with _thread_pools().limit(limits=1, user_api="blas"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The number of unique classes")  # few pictures of each are no mistake
        model.fit(inputs[:, :-1], label)
    weights = np.vstack([model.coef_.T, model.intercept_]).astype(np.float32)
    return np.hstack([-weights, weights]) / np.float32(2) if are_two else weights


@cache
def _thread_pools() -> ThreadpoolController:
    """The threads of the libraries in this process: finding them takes as long as many a fit."""
    return ThreadpoolController()


def probe_folds(group: NDArray[np.integer], *, seed: int | tuple[int, int]) -> NDArray[np.int64]:
    """The fold (N,) of each picture, below `PROBE_FOLDS`: whole source groups (N,) are dealt by `seed`."""
    _, number = np.unique(group, return_inverse=True)
    dealt: NDArray[np.int64] = np.random.default_rng(seed).permutation(number.max() + 1) % PROBE_FOLDS
    return dealt[number]


def out_of_fold_shares(
    whitened: NDArray[np.floating], label: Codes, group: NDArray[np.integer], *, seed: int | tuple[int, int]
) -> NDArray[np.float64]:
    """Class shares (N, C) of a probe that has seen neither the picture nor its twins; rows (N, A), codes (N,).

    C is the largest label + 1; whole source groups (N,) are dealt to folds by `seed`.
    """
    inputs, fold = probe_inputs(whitened), probe_folds(group, seed=seed)
    shares = np.zeros((len(label), int(label.max()) + 1))
    for left_out in np.unique(fold):
        is_left_out = fold == left_out
        probe = fit_probe(inputs[~is_left_out], label[~is_left_out])
        shares[np.ix_(is_left_out, probe.classes)] = probe.shares(inputs[is_left_out])
    return shares
