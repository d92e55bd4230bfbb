"""Orders by a probe that learns from some labels of the set itself, a few or half of them: the paper's references."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training.benchmark.labelled import Bools, Case, Codes
from url_viz.analysis.probe import fit_probe, probe_inputs

SHOTS = (1, 2, 5, 10)
"""Labels of each class (URL, arXiv 2307.03810, its study of few labels)."""
HALF = "labels_half"
DRAWS = 5

Rows = NDArray[np.int64]


def probes_of_few_labels(case: Case, *, seed: int) -> dict[str, NDArray[np.float64]]:
    """`labels_K` (DRAWS, N) for each of SHOTS and HALF (N,): the uncertainty of a probe fitted on so many labels.

    It is fitted on even pictures of each class, K drawn per class (or as many as there are), or all of them; it
    predicts the odd ones, except those with a twin among the even. nan elsewhere; everywhere if half of the classes
    have fewer than K even pictures.
    """
    label, rows = case.labelled.label, probe_inputs(case.space.whitened.rows)
    is_even = even_of_class(label)
    is_predicted = ~is_even & ~np.isin(case.space.group, case.space.group[is_even])
    many = np.median(np.bincount(label[is_even], minlength=int(label.max()) + 1))
    orders: dict[str, NDArray[np.float64]] = {}
    for shots in SHOTS:
        draws = np.full((DRAWS, len(label)), np.nan)
        for draw, fitted in zip(draws, _drawn(label, is_even, shots, seed), strict=True):
            if shots <= many:
                draw[is_predicted] = _doubt(rows, label, fitted, is_predicted)
        orders[f"labels_{shots}"] = draws
    orders[HALF] = np.full(len(label), np.nan)
    orders[HALF][is_predicted] = _doubt(rows, label, np.flatnonzero(is_even), is_predicted)
    return orders


def even_of_class(label: Codes) -> Bools:
    """Which pictures (N,) are the first, third, … of their class, in the order of the set."""
    is_even: Bools = _index_in_class(label) % 2 == 0
    return is_even


def _index_in_class(label: Codes) -> Rows:
    """The number (N,) of each picture among those of its class, from 0, in the order of the rows."""
    return np.asarray(pd.Series(label).groupby(label).cumcount(), np.int64)


def _drawn(label: Codes, is_even: Bools, shots: int, seed: int) -> Iterator[Rows]:
    """DRAWS times the rows of `shots` even pictures of each class, or all that it has; part of those of more shots."""
    for number in range(DRAWS):
        rows = np.random.default_rng([seed, number]).permutation(np.flatnonzero(is_even))
        yield np.sort(rows[_index_in_class(label[rows]) < shots])


def _doubt(rows: NDArray[np.float32], label: Codes, fitted: Rows, is_predicted: Bools) -> NDArray[np.float64]:
    """One minus the lead of the likeliest class over the second, of the predicted pictures."""
    shares = np.sort(fit_probe(rows[fitted], label[fitted]).shares(rows[is_predicted]), axis=1)
    return 1.0 - (shares[:, -1] - shares[:, -2]).astype(np.float64)
