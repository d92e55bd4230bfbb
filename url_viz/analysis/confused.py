"""Which pairs of classes are taken for each other."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from url_viz.analysis.ambiguity import ClassShares
from url_viz.analysis.votes import NONE


@dataclass(frozen=True)
class ConfusedPairs:
    """P pairs of classes, the most confused first; all (P,) int64.

    `class_a` and `class_b` are codes, a the one that more is lost of; `a_as_b` labelled pictures of a are likelier b
    than any other class, `b_as_a` the other way. `size_a` and `size_b`, labelled pictures of both.
    """

    class_a: NDArray[np.int64]
    class_b: NDArray[np.int64]
    a_as_b: NDArray[np.int64]
    b_as_a: NDArray[np.int64]
    size_a: NDArray[np.int64]
    size_b: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.class_a)


def confused_pairs(label: NDArray[np.integer], shares: ClassShares) -> ConfusedPairs:
    """Pairs of classes by how many pictures of one are likelier the other, from labels (N,), NONE for none."""
    has_label = label != NONE
    given, taken = label[has_label].astype(np.int64), shares.first_class[has_label].astype(np.int64)
    size = np.bincount(given, minlength=int(taken.max(initial=0)) + 1)
    is_wrong = given != taken
    low, high = np.minimum(given, taken)[is_wrong], np.maximum(given, taken)[is_wrong]
    pair, number = np.unique(low * len(size) + high, return_inverse=True)
    low_as_high = np.bincount(number, given[is_wrong] == low, minlength=len(pair)).astype(np.int64)
    high_as_low = np.bincount(number, minlength=len(pair)) - low_as_high
    is_turned = high_as_low > low_as_high
    first, second = np.divmod(pair, len(size))
    a, b = np.where(is_turned, second, first), np.where(is_turned, first, second)
    there, back = np.maximum(low_as_high, high_as_low), np.minimum(low_as_high, high_as_low)
    order = np.lexsort((b, a, -(there + back)))
    a, b = a[order], b[order]
    return ConfusedPairs(a, b, there[order], back[order], size[a], size[b])
