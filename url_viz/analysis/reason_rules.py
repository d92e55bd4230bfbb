"""Which reasons are given, and in which order: none that contradict each other, none that nearly all pictures share."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from url_viz.analysis.measures import CONFUSABILITY, TUNED

Values = NDArray[np.float32]

MOTION_BLUR, BLURRED = "motion blur", "blurred"
DARK, BLOWN_OUT, LOW_CONTRAST, NEAR_EMPTY = "dark", "blown out", "low contrast", "near-empty"
TINY, EXTREME_ASPECT = "tiny", "extreme aspect"
BETWEEN_CLASSES, CONFUSED, OUTLIER, TWIN = "between classes", "easily confused", "out on its own", "twin"

NAMES = (
    *(MOTION_BLUR, BLURRED, DARK, BLOWN_OUT, LOW_CONTRAST, NEAR_EMPTY, TINY, EXTREME_ASPECT),
    *(BETWEEN_CLASSES, CONFUSED, OUTLIER, TWIN),
)
"""Every reason, by name; of two that explain as much, the earlier comes first."""

EXCLUDES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (NEAR_EMPTY, (MOTION_BLUR, BLURRED, LOW_CONTRAST, BETWEEN_CLASSES, CONFUSED)),
    (DARK, (BLOWN_OUT, LOW_CONTRAST)),
    (MOTION_BLUR, (BLURRED,)),
    (OUTLIER, (CONFUSED,)),
)
"""Reasons that contradict or only repeat each other: a picture with the first is not given the others.

What shows nothing is neither sharp nor soft, and like no class; the dark have little contrast, and no white; what is
smeared by motion is not out of focus; what has nothing near it is not taken for something else, however far up
confusability, which counts the distance, puts it.
"""

COMMON_SHARE = 0.8
"""A reason of more pictures than this says nothing of one of them: on average they lie at most a tenth of the order
above the middle, whatever the order, so it is stated once, for the set …"""
FEWEST_FOR_COMMON = 20
"""… if that is not a handful."""

PRIOR = 10
"""Pictures in the middle of the order that each reason is thought to have besides: few say little."""
LEAST = 0.01
"""What a reason explains at least, so that of those that explain nothing the stronger comes first."""
RESTATES = {CONFUSED: (CONFUSABILITY.name, TUNED.name)}
"""Reasons that are the leading measure in other words explain nothing of its order."""

WORDS = {
    MOTION_BLUR: "are smeared by motion",
    BLURRED: "are blurred",
    DARK: "are dark",
    BLOWN_OUT: "are blown out",
    LOW_CONTRAST: "have little contrast",
    NEAR_EMPTY: "are near-empty",
    TINY: "are tiny",
    EXTREME_ASPECT: "are long and narrow",
    BETWEEN_CLASSES: "lie between two classes",
    CONFUSED: "are easily confused",
    OUTLIER: "are out on their own",
    TWIN: "have twins",
}
"""What is said of a set whose pictures share a reason."""


@dataclass(frozen=True)
class Shared:
    """A reason that `count` of a set's `pictures` have, too many to state it for each; `detail` in brackets, or ""."""

    name: str
    count: int
    pictures: int
    detail: str = ""

    @property
    def words(self) -> str:
        """A sentence: "All 2,500 pictures are tiny (32 px)."."""
        of = f"All {self.pictures:,}" if self.count == self.pictures else f"{self.count:,} of {self.pictures:,}"
        return f"{of} pictures {WORDS[self.name]}{f' ({self.detail})' if self.detail else ''}."


def shared_by_most(strength: Values) -> tuple[str, ...]:
    """The reasons that more than COMMON_SHARE of the pictures have, by their strengths (N, len(NAMES))."""
    if len(strength) < FEWEST_FOR_COMMON:
        return ()
    is_common = (strength > 0).mean(axis=0) > COMMON_SHARE
    return tuple(name for name, common in zip(NAMES, is_common, strict=True) if common)


def without(strength: Values, names: tuple[str, ...]) -> Values:
    """Strengths (N, len(NAMES)) with those of some reasons taken away."""
    return np.where(np.isin(NAMES, names), np.float32(0), strength) if names else strength


def without_contradictions(strength: Values) -> Values:
    """Strengths (N, len(NAMES)) without those that EXCLUDES takes away."""
    left = strength.copy()
    for name, others in EXCLUDES:
        has = left[:, NAMES.index(name)] > 0
        left[np.ix_(has, np.isin(NAMES, others))] = 0
    return left


def explained(strength: Values, percentile: NDArray[np.floating], leading: str) -> Values:
    """How much each reason goes with the leading order (len(NAMES),), LEAST to 1: 2 m − 1.

    m is the mean place in the order, 0 to 1, of the pictures that have the reason, by their `percentile` (N,), 0 to 100
    (nan counts as the middle), and of PRIOR in the middle.
    """
    rows, which = np.nonzero(strength > 0)
    place = np.nan_to_num(np.asarray(percentile[rows], np.float64) / 100, nan=0.5)
    total, count = (np.bincount(which, weights, len(NAMES)) for weights in (place, None))
    mean = (total + PRIOR / 2) / (count + PRIOR)
    restates = np.array([leading in RESTATES.get(name, ()) for name in NAMES])
    return np.where(restates, LEAST, np.maximum(LEAST, 2 * mean - 1)).astype(np.float32)
