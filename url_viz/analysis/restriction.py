"""Safe retrieval measured: recall@1 when uncertain pictures leave the database, the queries, or both (METHOD 7)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from url_viz.analysis.metrics import MOST_SIMILARITIES, labels_of, mid_ranks, nearest_others
from url_viz.index.unit import normalised
from url_viz.rows import refuse_nan

Mode = Literal["database", "both", "queries"]
MODES: tuple[Mode, ...] = ("database", "both", "queries")
CLASS_WISE_SHARE = 0.1
"""The share of each class that the paper's repository takes for uncertain."""
SHARES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
RANDOM_DRAWS = 20

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class LabelledSet:
    """Pictures to search among: `unit` (N, D) of length one, `labels` (N,), and who is nearest to whom.

    `nearest` (N, K): rows of this set, nearest first, never the row itself, −1 where there is none. K may be short
    of N − 1: where all of a row's K are restricted away, its nearest is searched exactly in `unit`.
    """

    unit: NDArray[np.floating]
    labels: NDArray[np.generic]
    nearest: NDArray[np.integer]

    def __post_init__(self) -> None:
        assert len(self.unit) == len(self.labels) == len(self.nearest)

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def is_right(self) -> NDArray[np.float64]:
        """Whether each picture's nearest other picture has its label: 1, 0, or nan (N,) where there is no other."""
        return is_correct(self, np.ones(len(self), bool))


@dataclass(frozen=True)
class Restricted:
    """Recall@1 where only `coverage` of the pictures (a share) are kept: in the database, the queries, or both."""

    coverage: float
    database: float
    both: float
    queries: float

    def of(self, mode: Mode) -> float:
        """Recall@1 of one mode."""
        return float(getattr(self, mode))


@dataclass(frozen=True)
class Comparison:
    """One restriction by uncertainty, the mean of as many pictures removed at random, and by an oracle."""

    by_uncertainty: Restricted
    at_random: Restricted
    by_oracle: Restricted

    def gain(self, mode: Mode) -> float:
        """How much recall@1 is won beyond removing as many pictures at random."""
        return self.by_uncertainty.of(mode) - self.at_random.of(mode)


@dataclass(frozen=True)
class Study:
    """Recall@1 of everything; of the class-wise restriction; and of the global one for each share in `shares`."""

    everything: float
    class_wise: Comparison
    shares: tuple[float, ...]
    overall: tuple[Comparison, ...]


def labelled_set(embeddings: NDArray[np.floating], labels: ArrayLike, *, k: int = 32) -> LabelledSet:
    """Pictures with embeddings (N, D) and labels (N,), their neighbours searched exactly.

    Raises RowsError where an embedding is not finite, or a label is none.
    """
    names = labels_of(labels, len(embeddings))
    nearest, _ = nearest_others(embeddings, k=min(k, len(embeddings) - 1))
    return LabelledSet(normalised(embeddings), names, nearest)


def keep_class_wise(uncertainty: NDArray[np.floating], labels: ArrayLike, *, share: float = CLASS_WISE_SHARE) -> Bools:
    """Which pictures (N,) stay when each class loses those above its own (1 − share) quantile of uncertainty (N,).

    An oracle on labels: it needs them to decide, so it matches the paper but cannot be deployed. Raises RowsError where
    an uncertainty is nan.
    """
    refuse_nan(uncertainty, "uncertainties are nan")
    names = np.asarray(labels)
    kept = np.zeros(len(names), bool)
    for name in np.unique(names):
        of_class = names == name
        kept[of_class] = uncertainty[of_class] <= np.quantile(uncertainty[of_class], 1 - share)
    return kept


def keep_overall(uncertainty: NDArray[np.floating], *, share: float) -> Bools:
    """Which pictures (N,) stay when the `share` of highest uncertainty (N,) is left out, of the whole set.

    Exactly round(share · N) leave; of equal values the later rows leave first.
    """
    order = np.argsort(mid_ranks(uncertainty), kind="stable")
    kept = np.ones(len(order), bool)
    kept[order[len(order) - round(share * len(order)) :]] = False
    return kept


def keep_at_random(like: Bools, generator: np.random.Generator, *, labels: ArrayLike | None = None) -> Bools:
    """As many pictures stay as in `like` (N,), drawn at random: of each class as many, where labels (N,) are given."""
    names = np.zeros(len(like), int) if labels is None else np.asarray(labels)
    kept = np.empty(len(like), bool)
    for name in np.unique(names):
        of_class = np.flatnonzero(names == name)
        kept[of_class] = generator.permutation(like[of_class])
    return kept


def restricted_recall(pictures: LabelledSet, is_kept: Bools) -> Restricted:
    """Recall@1 of the three modes where the pictures `is_kept` (N,) remain.

    A query never finds itself: it is left out by its row, whether or not it is in the database. nan where a mode has no
    query, or no database to search.
    """
    inside = is_correct(pictures, is_kept)
    return Restricted(
        coverage=float(is_kept.mean()),
        database=_mean(inside),
        both=_mean(inside[is_kept]),
        queries=_mean(pictures.is_right[is_kept]),
    )


def is_correct(pictures: LabelledSet, is_in_database: Bools) -> NDArray[np.float64]:
    """Whether each picture's nearest other picture in the database has its label: 1, 0, or nan (N,) where none is."""
    nearest = _nearest_in(pictures, is_in_database)
    right = pictures.labels[nearest] == pictures.labels
    return np.where(nearest >= 0, right.astype(np.float64), np.nan)


def study(
    pictures: LabelledSet,
    uncertainty: NDArray[np.floating],
    *,
    shares: Sequence[float] = SHARES,
    draws: int = RANDOM_DRAWS,
    seed: int = 0,
) -> Study:
    """The three modes class-wise and for each global share, beside `draws` random removals and an oracle.

    `uncertainty` (N,): higher = removed first. The oracle removes the pictures whose own nearest neighbour is wrong
    first; that is the best order for queries, not always for the database. Raises RowsError on nan.
    """
    generator = np.random.default_rng(seed)
    right = pictures.is_right
    oracle = np.where(right == 1, 0.0, 1.0) + mid_ranks(uncertainty) / (2 * len(pictures))

    def compared(kept: Bools, best: Bools, labels: NDArray[np.generic] | None) -> Comparison:
        drawn = [restricted_recall(pictures, keep_at_random(kept, generator, labels=labels)) for _ in range(draws)]
        return Comparison(restricted_recall(pictures, kept), _mean_of(drawn), restricted_recall(pictures, best))

    names = pictures.labels
    class_wise = compared(keep_class_wise(uncertainty, names), keep_class_wise(oracle, names), names)
    overall = [compared(keep_overall(uncertainty, share=s), keep_overall(oracle, share=s), None) for s in shares]
    return Study(_mean(right), class_wise, tuple(shares), tuple(overall))


def _nearest_in(pictures: LabelledSet, is_in_database: Bools) -> NDArray[np.int64]:
    """The nearest row of the database to each row (N,), itself left out; −1 where the database has no other."""
    usable = (pictures.nearest >= 0) & is_in_database[pictures.nearest]
    first = usable.argmax(axis=1)
    rows = np.arange(len(pictures))
    nearest = np.where(usable[rows, first], pictures.nearest[rows, first], -1).astype(np.int64)
    lost = np.flatnonzero(nearest < 0)
    if len(lost):
        nearest[lost] = _searched(pictures.unit, lost, np.flatnonzero(is_in_database))
    return nearest


def _searched(unit: NDArray[np.floating], rows: NDArray[np.int64], database: NDArray[np.int64]) -> NDArray[np.int64]:
    """The nearest of `database` to each of `rows`, by exact search; −1 where there is none but the row itself."""
    found = np.full(len(rows), -1, np.int64)
    if not len(database):
        return found
    at_once = max(1, MOST_SIMILARITIES // len(database))
    for start in range(0, len(rows), at_once):
        block = rows[start : start + at_once]
        cosines = unit[block] @ unit[database].T
        cosines[block[:, None] == database[None, :]] = -np.inf
        best = cosines.argmax(axis=1)
        is_there = np.isfinite(cosines[np.arange(len(block)), best])
        found[start : start + len(block)] = np.where(is_there, database[best], -1)
    return found


def _mean_of(drawn: Sequence[Restricted]) -> Restricted:
    return Restricted(
        coverage=float(np.mean([d.coverage for d in drawn])),
        database=float(np.mean([d.database for d in drawn])),
        both=float(np.mean([d.both for d in drawn])),
        queries=float(np.mean([d.queries for d in drawn])),
    )


def _mean(values: NDArray[np.float64]) -> float:
    """The mean of what is known; nan where nothing is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
