"""What labels of a set's own classes teach about its errors, a few or half of them: the paper's references."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from training.benchmark.labelled import Bools, Case, Codes
from url_viz.analysis.probe import fit_probe, probe_inputs

SHOTS = (1, 2, 5, 10)
"""Labels of each class (URL, arXiv 2307.03810, its study of few labels)."""
HALF = "labels_half"
DRAWS = 5


def taught_by_labels(case: Case, *, seed: int) -> dict[str, NDArray[np.float64]]:
    """`labels_K` (DRAWS, N) for each of SHOTS and HALF (N,): the doubt of a probe that was taught so many labels.

    Taught are even pictures of each class, drawn K a class (a class with fewer gives all) or all of them; asked are the
    odd ones, except those with a twin among the even. nan elsewhere; everywhere where half of the classes have fewer
    than K even pictures.
    """
    label, rows = case.labelled.label, probe_inputs(case.space.whitened.rows)
    is_even = even_of_class(label)
    is_asked = ~is_even & ~np.isin(case.space.group, case.space.group[is_even])
    many = np.median(np.bincount(label[is_even], minlength=int(label.max()) + 1))
    found: dict[str, NDArray[np.float64]] = {}
    for shots in SHOTS:
        draws = np.full((DRAWS, len(label)), np.nan)
        for draw, taught in zip(draws, _drawn(label, is_even, shots, seed), strict=True):
            if shots <= many:
                draw[is_asked] = _doubt(rows, label, taught, is_asked)
        found[f"labels_{shots}"] = draws
    found[HALF] = np.full(len(label), np.nan)
    found[HALF][is_asked] = _doubt(rows, label, np.flatnonzero(is_even), is_asked)
    return found


def even_of_class(label: Codes) -> Bools:
    """Which pictures (N,) are the first, third, … of their class, in the order of the set."""
    is_even: Bools = _place_in_class(label) % 2 == 0
    return is_even


def _place_in_class(label: Codes) -> NDArray[np.int64]:
    """The number (N,) of each picture among those of its class, from 0, in the order of the rows."""
    order, size = np.argsort(label, kind="stable"), np.bincount(label)
    place = np.empty(len(label), np.int64)
    place[order] = np.arange(len(label)) - np.repeat(np.cumsum(size) - size, size)
    return place


def _drawn(label: Codes, is_even: Bools, shots: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """DRAWS times the rows of `shots` even pictures of each class, or all that it has; part of those of more shots."""
    for number in range(DRAWS):
        rows = np.random.default_rng([seed, number]).permutation(np.flatnonzero(is_even))
        yield np.sort(rows[_place_in_class(label[rows]) < shots])


def _doubt(rows: NDArray[np.float32], label: Codes, taught: NDArray[np.int64], is_asked: Bools) -> NDArray[np.float64]:
    """One minus the lead of the likeliest class over the second, of the pictures that are asked."""
    shares = np.sort(fit_probe(rows[taught], label[taught]).shares(rows[is_asked]), axis=1)
    return 1.0 - (shares[:, -1] - shares[:, -2]).astype(np.float64)
