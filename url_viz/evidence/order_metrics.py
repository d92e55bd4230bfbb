"""Figures that say how well an order of pictures by uncertainty holds: recall@1, R-AUROC, risk–coverage, Spearman.

All are computed in float64 with mid-ranks, so that ties count half and large scores stay distinct. Rows
that are not finite, or without a label, are never counted: they raise RowsError, a ValueError, which names them. Of an
order itself infinity is the end, and nan alone is refused.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from url_viz.base.errors import RowsError
from url_viz.base.rows import l2_normalize, mid_ranks, refuse, refuse_nan, refuse_not_finite
from url_viz.base.wording import with_interval

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

MOST_OF_A_SET = 50_000
"""Pictures that two sets are compared by, at most, of each."""

NORMAL_975 = 1.959963984540054
"""How many standard errors a 95 % interval of a normal figure reaches."""
MOST_LEFT_OUT = 1000
"""How often a figure is computed again for its interval."""
MOST_SIMILARITIES = 1 << 25
"""Cosine values held at once while neighbours are searched (128 MiB of float32)."""


@dataclass(frozen=True)
class RiskCoverage:
    """Mean error of the pictures that are kept when the most uncertain are left out.

    `coverage` (N,): the share that is kept, 1/N to 1. `risk` (N,): the mean error among the kept. `aurc`: the mean of
    `risk` over all coverages; lower is better.
    """

    coverage: Floats
    risk: Floats
    aurc: float


@dataclass(frozen=True)
class Interval:
    """The two ends of an interval of 95 % (or as said); nan if there was nothing to compute it from."""

    low: float
    high: float


NO_INTERVAL = Interval(float("nan"), float("nan"))


@dataclass(frozen=True)
class Figure:
    """A figure and its interval."""

    value: float
    interval: Interval

    def text(self, *, digits: int = 2, signed: bool = False) -> str:
        """For people: ".87 [.85, .90]", or ".87" without an interval."""
        return with_interval(self.value, self.interval.low, self.interval.high, digits=digits, signed=signed)

    @property
    def sign(self) -> int:
        """What a difference shows: 1 above zero, −1 below, 0 where its interval leaves that open or is missing."""
        return int(self.interval.low > 0) - int(self.interval.high < 0)

    def cells(self, name: str) -> dict[str, float]:
        """The figure in a table: the column `name`, and the ends of its interval as `name_low` and `name_high`."""
        return {name: self.value, f"{name}_low": self.interval.low, f"{name}_high": self.interval.high}

    @classmethod
    def from_cells(cls, table: pd.DataFrame, row: str, name: str) -> "Figure":
        """The figure that stands in a row of a table, named by its index, as `cells`."""
        value, low, high = (float(table[column][row]) for column in (name, f"{name}_low", f"{name}_high"))
        return cls(value, Interval(low, high))


@dataclass(frozen=True)
class Influenced:
    """A figure of N pictures and each one's influence (N,) on it, from which intervals over blocks follow.

    Influences of figures of the same pictures add up, so the difference of two has an interval of its own.
    """

    value: float
    influence: Floats

    @classmethod
    def mean(cls, values: NDArray[np.floating] | Bools) -> "Influenced":
        """The mean of values (N,), or the share that is true; nan of none."""
        mean = float(values.mean()) if len(values) else float("nan")
        return cls(mean, (values - mean) / max(1, len(values)))

    def __sub__(self, other: "Influenced") -> "Influenced":
        return Influenced(self.value - other.value, self.influence - other.influence)

    def by_blocks(self, block: NDArray[np.integer], *, least: float = 0.0, most: float = 1.0) -> Figure:
        """The figure with a 95 % interval over blocks (N,), such as classes; see `auroc_by_blocks`.

        `least` and `most` are the figure's own bounds. The interval is nan if the figure is, or of fewer than two
        blocks.
        """
        error, blocks = self._error(block)
        if np.isnan(error):
            return Figure(self.value, NO_INTERVAL)
        half = student_975(blocks) * error
        return Figure(self.value, Interval(max(least, self.value - half), min(most, self.value + half)))

    def p_by_blocks(self, block: NDArray[np.integer]) -> float:
        """How often a figure of 0 would come out as far from it: Student's p-value, two-sided, over blocks (N,).

        nan if the figure is, or of fewer than two blocks. Below .05 where `by_blocks` leaves zero out.
        """
        from scipy.special import stdtr  # slow to import, and few commands need it

        error, blocks = self._error(block)
        if np.isnan(error):
            return float("nan")
        return float(2 * stdtr(blocks - 1, -abs(self.value) / error)) if error else float(self.value == 0)

    def _error(self, block: NDArray[np.integer]) -> tuple[float, int]:
        """The standard error over blocks (N,), nan if the figure is or of fewer than two, and how many there are."""
        sums = np.bincount(np.unique(block, return_inverse=True)[1], self.influence)
        if np.isnan(self.value) or len(sums) < 2:
            return float("nan"), len(sums)
        return float(np.sqrt((sums**2).sum() * len(sums) / (len(sums) - 1))), len(sums)

    def placed(self, rows: NDArray[np.integer], count: int) -> "Influenced":
        """The same of `count` pictures, of which those at `rows` (N,) were looked at."""
        influence = np.zeros(count)
        influence[rows] = self.influence
        return Influenced(self.value, influence)


def jackknife(value: float, left_out: ArrayLike, *, least: float = -math.inf) -> Figure:
    """A figure with its 95 % interval from its values (K,) without each of K blocks, such as classes.

    For figures whose influence nobody has worked out: of a mean over blocks of one size both intervals are the same.
    `least` is the figure's own bound. nan of fewer than two blocks, or where one cannot be left out.
    """
    values = np.asarray(left_out, dtype=np.float64)
    if np.isnan(value) or len(values) < 2 or np.isnan(values).any():
        return Figure(value, NO_INTERVAL)
    half = student_975(len(values)) * float(values.std() * np.sqrt(len(values) - 1))
    return Figure(value, Interval(max(least, value - half), value + half))


def without_each_block(
    statistic: Callable[..., float],
    *arrays: NDArray[np.generic],
    block: NDArray[np.generic],
    most: int = MOST_LEFT_OUT,
) -> Floats:
    """`statistic(*arrays)` without the rows of each block (K,), for `jackknife`; nan of a single block.

    `arrays` and `block` (N, …) have the same rows. Beyond `most` blocks, several leave at once.
    """
    part = np.unique(block, return_inverse=True)[1] % most
    if not part.any():
        return np.full(1, np.nan)
    return np.array([statistic(*(array[part != number] for array in arrays)) for number in range(part.max() + 1)])


@dataclass(frozen=True)
class Scored:
    """A labelled set under one uncertainty: `embeddings` (N, D), `uncertainty` (N,), `labels` (N,) whole numbers."""

    embeddings: NDArray[np.floating]
    uncertainty: NDArray[np.floating]
    labels: NDArray[np.integer]

    def __post_init__(self) -> None:
        if not len(self.embeddings) == len(self.uncertainty) == len(self.labels):
            raise ValueError(
                f"{len(self.embeddings)} embeddings, {len(self.uncertainty)} uncertainties, "
                f"{len(self.labels)} labels are not of one set."
            )
        refuse_not_finite(self.embeddings, "embeddings are not finite")
        refuse_nan(self.uncertainty, "uncertainties are nan")
        checked_labels(self.labels, len(self.embeddings))

    def taken(self, places: NDArray[np.int64]) -> "Scored":
        return Scored(self.embeddings[places], self.uncertainty[places], self.labels[places])


def nearest_others(
    embeddings: NDArray[np.floating], *, k: int = 1, at_once: int = MOST_SIMILARITIES
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Each picture's `k` most cosine-similar others: indices (N, k) and similarities (N, k), best first.

    Exact, in float32, `at_once` similarities in memory. A picture is left out by its index, never as "the second hit":
    with twins, the second hit may be the picture itself. Equal similarities go to the lower index. Raises RowsError if
    a row is not finite, ValueError if there are no `k` others.
    """
    if not 1 <= k < len(embeddings):
        raise ValueError(f"{len(embeddings)} embeddings have no {k} others each; give at least {k + 1}.")
    every = np.arange(len(embeddings))
    return nearest_outside_group(l2_normalize(embeddings), every, every, every, k=k, at_once=at_once)


def nearest_outside_group(
    unit: NDArray[np.floating],
    rows: NDArray[np.int64],
    database: NDArray[np.int64],
    group: NDArray[np.integer],
    *,
    k: int,
    at_once: int = MOST_SIMILARITIES,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The `k` rows of `database` nearest to each of `rows` (R,) and outside its `group` (N,), with cosines, (R, k).

    `unit` (N, D) are of length one. Exact, as `nearest_others`; −1 and nan where there are fewer.
    """
    nearest, similarity = np.full((len(rows), k), -1, np.int64), np.full((len(rows), k), np.nan, np.float32)
    others, rows_at_once = unit[database].T, max(1, at_once // max(1, len(database)))
    for start in range(0, len(rows), rows_at_once):
        part = slice(start, start + rows_at_once)
        cosines = unit[rows[part]] @ others
        cosines[group[rows[part]][:, None] == group[database]] = -np.inf
        for place in range(min(k, len(database))):
            best = cosines.argmax(axis=1)[:, None]
            cosine = np.take_along_axis(cosines, best, 1)
            is_there = np.isfinite(cosine)
            nearest[part, place, None] = np.where(is_there, database[best], -1)
            similarity[part, place, None] = np.where(is_there, cosine, np.nan)
            np.put_along_axis(cosines, best, -np.inf, 1)
    return nearest, similarity


def recall_at_1(embeddings: NDArray[np.floating], labels: ArrayLike) -> tuple[float, Bools]:
    """How often the most similar other picture has the same label: the share, and which pictures (N,).

    Embeddings are (N, D), labels (N,) numbers or names. URL, arXiv 2307.03810, section 3: cosine, among all pictures
    of the same set. Raises RowsError if an embedding is not finite or a label is none (nan, None, −1).
    """
    names = checked_labels(labels, len(embeddings))
    is_correct = np.asarray(names[nearest_others(embeddings)[0][:, 0]] == names)
    return float(is_correct.mean()), is_correct


def r_auroc(uncertainty: ArrayLike, is_correct: ArrayLike) -> float:
    """Probability that a picture whose neighbour is wrong is more uncertain than one whose neighbour is right.

    `uncertainty` (N,), `is_correct` (N,) from `recall_at_1`. Ties count half, so .5 is chance; 1 is a perfect order;
    nan if all are right or all wrong. URL, arXiv 2307.03810, section 3. Raises RowsError if an uncertainty is
    nan, or `is_correct` neither true nor false.
    """
    return auroc(uncertainty, ~_outcomes(is_correct))


def classification_auroc(uncertainty: ArrayLike, logits: NDArray[np.floating], labels: ArrayLike) -> float:
    """Probability that a picture whose class is mistaken is more uncertain than one whose class is right.

    `uncertainty` (N,), `logits` (N, C), `labels` (N,) numbers of classes; ties count half, nan if all are right or
    all wrong. PVU 5.1: AUROC against top-1 correctness. Raises RowsError if an uncertainty is nan, logits are not
    finite, or a label is none of 0 to C − 1.
    """
    refuse_not_finite(logits, "rows of logits are not finite")
    return auroc(uncertainty, logits.argmax(axis=1) != _class_numbers(labels, logits.shape))


def auroc(score: ArrayLike, is_positive: ArrayLike) -> float:
    """P(score of a positive > score of a negative) + ½ P(equal), of (N,) and (N,); nan if one kind is missing."""
    positive = _outcomes(is_positive)
    ranks = mid_ranks(score)
    if ranks.shape != positive.shape:
        raise ValueError(f"Scores {ranks.shape} and outcomes {positive.shape} are not of one length.")
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    if n_positive == 0 or n_negative == 0:
        return float("nan")
    wins = ranks[positive].sum() - n_positive * (n_positive + 1) / 2
    return float(wins / (n_positive * n_negative))


def auroc_by_blocks(score: ArrayLike, is_positive: ArrayLike, block: NDArray[np.integer]) -> Figure:
    """`auroc` of (N,) and (N,) with a 95 % interval over blocks (N,), such as classes, not over single pictures.

    Pictures of one class are not independent: the class is what is resampled. In closed form: each picture's influence
    on the figure, summed by block (DeLong et al. 1988, Obuchowski 1997). The figure and the interval are nan if one
    kind of outcome is missing, the interval also with fewer than two blocks.
    """
    return auroc_influence(score, is_positive).by_blocks(block)


def auroc_influence(score: ArrayLike, is_positive: ArrayLike) -> Influenced:
    """`auroc` of (N,) and (N,) with each picture's influence on it; nan without influence if one kind is missing."""
    positive = _outcomes(is_positive)
    figure = auroc(score, positive)
    if np.isnan(figure):
        return Influenced(figure, np.zeros(len(positive)))
    values, positives, negatives = np.asarray(score), positive.sum(), (~positive).sum()
    above = (mid_ranks(values) - _ranks_within(values, positive)) / np.where(positive, negatives, positives)
    influence = np.where(positive, above - figure, 1 - above - figure)
    return Influenced(figure, influence / np.where(positive, positives, negatives))


def auroc_within_blocks(score: ArrayLike, is_positive: ArrayLike, block: NDArray[np.integer]) -> Figure:
    """`auroc` over pairs of one block (N,), such as a class, alone: how hard a block is does not count.

    The share of all such pairs that are in order, with a 95 % interval over blocks; nan if no block has both outcomes.
    A single block that has them tells nothing of how blocks differ: there is no interval then.
    """
    figure = auroc_within_influence(score, is_positive, block).by_blocks(block)
    positive = _outcomes(is_positive)
    has_both = np.intersect1d(block[positive], block[~positive])
    return figure if len(has_both) > 1 else Figure(figure.value, NO_INTERVAL)


def auroc_within_influence(score: ArrayLike, is_positive: ArrayLike, block: NDArray[np.integer]) -> Influenced:
    """`auroc_within_blocks` with each block's influence, in equal parts on its pictures (N,)."""
    positive, values = _outcomes(is_positive), np.asarray(score)
    number = np.unique(block, return_inverse=True)[1]
    ranks = _ranks_within(values, number)
    count, ahead = np.bincount(number), np.bincount(number, positive)
    wins = np.bincount(number, ranks * positive) - ahead * (ahead + 1) / 2
    pairs = ahead * (count - ahead)
    if not pairs.sum():
        return Influenced(float("nan"), np.zeros(len(values)))
    figure = float(wins.sum() / pairs.sum())
    return Influenced(figure, ((wins - figure * pairs) / pairs.sum() / count)[number])


def share_by_blocks(is_true: NDArray[np.bool_], block: NDArray[np.integer]) -> Figure:
    """The share of (N,) that is true, with a 95 % interval over blocks (N,); see `auroc_by_blocks`."""
    return Influenced.mean(is_true).by_blocks(block)


def share_of(hits: float, count: int) -> Figure:
    """The share of `count`, with Wilson's 95 % interval, ties among the hits as halves; nan if nothing is counted."""
    if count == 0:
        return Figure(float("nan"), NO_INTERVAL)
    z, share = NORMAL_975, hits / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return Figure(share, Interval(max(0.0, middle - half), min(1.0, middle + half)))


def aurc_influence(uncertainty: ArrayLike, errors: ArrayLike) -> Influenced:
    """`risk_coverage(…).aurc` of (N,) and (N,) with each picture's influence on it.

    A picture weighs on the risk of every coverage at which it is kept, and its own coverage is one of those that are
    averaged: its influence is (r − A) / N + the sum over k ≥ its place of (its error − r_k) / (k N).
    """
    curve, losses = risk_coverage(uncertainty, errors), np.asarray(errors, dtype=np.float64)
    position = np.unique(mid_ranks(uncertainty), return_inverse=True)[1]
    tied = np.bincount(position)
    starts, count = np.cumsum(tied) - tied, len(losses)
    share = 1 / np.arange(1, count + 1)
    from_here_on = (np.cumsum(values[::-1])[::-1] for values in (share, curve.risk * share))
    weight, risks, own = (
        (np.add.reduceat(values, starts) / tied)[position] for values in (*from_here_on, curve.risk)
    )  # of pictures of equal uncertainty the mean over their places
    return Influenced(curve.aurc, (own - curve.aurc + losses * weight - risks) / count)


def mean_influence(figures: Sequence[Influenced]) -> Influenced:
    """The mean of figures of the same N pictures, as of some draws; those that are nan are left out, nan if all are."""
    numbers = [figure for figure in figures if not np.isnan(figure.value)]
    if not numbers:
        return Influenced(float("nan"), np.zeros(len(figures[0].influence)))
    influence = np.mean([figure.influence for figure in numbers], axis=0)
    return Influenced(float(np.mean([figure.value for figure in numbers])), np.asarray(influence))


def student_975(count: int) -> float:
    """How many standard errors a 95 % interval over `count` blocks, sets or draws reaches (Student, count − 1).

    With 1.96 in its place an interval over two classes would hold the true figure 70 % of the time, not 95 %.
    """
    from scipy.special import stdtrit  # slow to import, and few commands need it

    return float(stdtrit(count - 1, 0.975))


def mean_by_t(values: Sequence[float], *, least: float = 0.0, most: float = 1.0, shared: float = 0.0) -> Figure:
    """The mean of figures of K sets, or of differences on them, with Student's 95 % interval over the sets.

    `least` and `most` are the figures' own bounds. Sets without a figure (nan) are left out; the interval is nan of
    fewer than two. Of folds, which share what they are trained on, `shared` is how many pictures a fold is tested on
    for each that it is trained on (1/4 of five): the variance is K · shared larger (Nadeau and Bengio, 2003).
    """
    numbers = np.array([value for value in values if not np.isnan(value)])
    mean = float(numbers.mean()) if len(numbers) else float("nan")
    if len(numbers) < 2:
        return Figure(mean, NO_INTERVAL)
    half = student_975(len(numbers)) * float(numbers.std(ddof=1) * np.sqrt(1 / len(numbers) + shared))
    return Figure(mean, Interval(max(least, mean - half), min(most, mean + half)))


def p_by_t(values: Sequence[float]) -> float:
    """How often K figures of mean 0 would have a mean as far from it: Student's p-value, two-sided, K − 1.

    Figures that are nan are left out; nan of fewer than two. Below .05 where `mean_by_t` leaves zero out.
    """
    from scipy.special import stdtr  # slow to import, and few commands need it

    numbers = np.array([value for value in values if not np.isnan(value)])
    if len(numbers) < 2:
        return float("nan")
    mean, error = float(numbers.mean()), float(numbers.std(ddof=1) / np.sqrt(len(numbers)))
    if error == 0:
        return float(mean == 0)
    return float(2 * stdtr(len(numbers) - 1, -abs(mean) / error))


def holm(p_values: ArrayLike, *, level: float = 0.05) -> Bools:
    """Which hypotheses (M,) are refused so that all of them together refuse a true one at most at `level`.

    The smallest p-value must be level / M at most, the next level / (M − 1), and so on; the first that is larger ends
    it (Holm 1979). One that is nan is no test: it is not refused, and does not count.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")[: int((~np.isnan(p)).sum())]  # nan come last
    refused = np.zeros(len(p), dtype=bool)
    refused[order] = np.logical_and.accumulate(p[order] <= level / np.arange(len(order), 0, -1))
    return refused


def _ranks_within(values: NDArray[np.generic], block: NDArray[np.generic]) -> Floats:
    """The mid-rank of each value (N,) among those of its block (N,)."""
    refuse_nan(values, "values are nan, and cannot be ranked")
    return pd.Series(values).groupby(block).rank().to_numpy(np.float64)


def ood_auroc(
    upstream: NDArray[np.floating], other: NDArray[np.floating], *, most: int = MOST_OF_A_SET, seed: int = 0
) -> float:
    """Probability that a picture of another set is more uncertain than an upstream one, from (N,) and (M,).

    As many of each, drawn from `seed` alone. Below .5 the other set looks *clearer*; the sign is never turned. PVU 5.4.
    """
    places, others = _equally_many(len(upstream), len(other), most, seed)
    scores = np.concatenate([upstream[places], other[others]])
    return auroc(scores, np.arange(len(scores)) >= len(places))


def mixed_r_auroc(upstream: Scored, other: Scored, *, most: int = MOST_OF_A_SET, seed: int = 0) -> float:
    """R-AUROC on as many upstream pictures as others in one set, neighbours searched among both (URL, appendix).

    A class of one set is never one of the other, whatever its number.
    """
    places, others = _equally_many(len(upstream.labels), len(other.labels), most, seed)
    first, second = upstream.taken(places), other.taken(others)
    origin = np.repeat([0, 1], [len(places), len(others)])
    pairs = np.stack([origin, np.concatenate([first.labels, second.labels])], axis=1)
    _, labels = np.unique(pairs, axis=0, return_inverse=True)
    is_correct = recall_at_1(np.concatenate([first.embeddings, second.embeddings]), labels.ravel())[1]
    return r_auroc(np.concatenate([first.uncertainty, second.uncertainty]), is_correct)


def _equally_many(first: int, second: int, most: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    count = min(first, second, most)
    generator = np.random.default_rng(seed)
    return np.sort(generator.permutation(first)[:count]), np.sort(generator.permutation(second)[:count])


def human_alignment(uncertainty: ArrayLike, entropy_nats: ArrayLike) -> float:
    """Spearman of uncertainty (N,) with the entropy (N,) of people's votes in nats; pictures without votes (nan) drop.

    URL, arXiv 2307.03810, section 3.
    """
    entropy = np.asarray(entropy_nats, dtype=np.float64)
    has_votes = ~np.isnan(entropy)
    return spearman(np.asarray(uncertainty)[has_votes], entropy[has_votes])


def risk_coverage(uncertainty: ArrayLike, errors: ArrayLike) -> RiskCoverage:
    """The risk–coverage curve of `errors` (N,), 0/1 or any loss, kept from the least uncertain on.

    Ties are broken by chance, see `errors_in_order`, which says what it raises.
    """
    losses = errors_in_order(uncertainty, errors)
    kept = np.arange(1, len(losses) + 1)
    risk = np.cumsum(losses) / kept
    return RiskCoverage(kept / len(losses), risk, float(risk.mean()))


def errors_in_order(uncertainty: ArrayLike, errors: ArrayLike) -> Floats:
    """The `errors` (N,), 0/1 or any loss, from the least uncertain picture to the most: (N,).

    Pictures of equal uncertainty each count with their mean error: it is what a random order among them gives on
    average, so it does not depend on the order of the rows. Raises ValueError without pictures, RowsError where an
    error is not finite or an uncertainty nan.
    """
    ranks, losses = mid_ranks(uncertainty), np.asarray(errors, dtype=np.float64)
    if len(ranks) == 0 or ranks.shape != losses.shape:
        raise ValueError(f"Give one error a picture and at least one picture; got {losses.shape} for {ranks.shape}.")
    refuse_not_finite(losses, "errors are not finite")
    _, group = np.unique(ranks, return_inverse=True)
    means: Floats = np.bincount(group, weights=losses) / np.bincount(group)
    return means[np.sort(group)]


def spearman(a: ArrayLike, b: ArrayLike) -> float:
    """Rank correlation of (N,) and (N,), −1 to 1, ties by mid-ranks; nan if one of them is constant."""
    ranks, others = mid_ranks(a), mid_ranks(b)
    if ranks.shape != others.shape:
        raise ValueError(f"{ranks.shape} and {others.shape} values cannot be compared.")
    if len(ranks) == 0 or np.ptp(ranks) == 0 or np.ptp(others) == 0:
        return float("nan")
    return float(np.corrcoef(ranks, others)[0, 1])


def bootstrap_interval(
    statistic: Callable[..., float],
    *arrays: NDArray[np.generic],
    resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """The 95 % interval of `statistic(*arrays)` over rows drawn with replacement, the same rows of each array.

    Where pictures of one class are not independent it is too narrow; `jackknife` is not. What was computed for a row
    before (its neighbour, say) stays its own: the pictures vary, not the set they are searched in. Resamples without a
    figure (nan) are left out; nan if none is left. Raises ValueError if the arrays are not of one length, RowsError
    where a row of one is not finite.
    """
    count = len(arrays[0])
    if count == 0 or any(len(array) != count for array in arrays):
        raise ValueError(f"Give arrays of one length, and at least one row; got {[len(array) for array in arrays]}.")
    for array in arrays:
        refuse_not_finite(array, "rows are not finite")
    generator = np.random.default_rng(seed)
    draws = (generator.integers(count, size=count) for _ in range(resamples))
    figures = np.array([statistic(*(array[rows] for array in arrays)) for rows in draws], np.float64)
    figures = figures[~np.isnan(figures)]
    return Interval(*np.quantile(figures, [0.025, 0.975]).tolist()) if len(figures) else NO_INTERVAL


def checked_labels(labels: ArrayLike, count: int) -> NDArray[np.generic]:
    """Labels (N,) of `count` pictures as an array. Raises RowsError if one is none: nan, None or −1."""
    names = np.asarray(labels)
    if names.shape != (count,):
        raise ValueError(f"Give one label a picture: got {names.shape} labels for {count} embeddings.")
    is_list = not hasattr(labels, "dtype")  # NumPy makes the name "nan" of a nan among names
    is_none: Bools = pd.isna(np.asarray(labels, object) if is_list else names)
    if names.dtype.kind in "if":
        is_none = is_none | (names == -1)
    refuse(is_none, "pictures have no label", "Leave them out; nan, None and −1 stand for no label.")
    return names


def _class_numbers(labels: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.integer]:
    names = checked_labels(labels, shape[0])
    if names.dtype.kind not in "iufb":
        raise RowsError(f"Labels such as {str(names[0])!r} are no numbers. Give each picture's column of the logits.")
    numbers = names.astype(np.int64)
    is_wrong = (numbers != names) | (numbers < 0) | (numbers >= shape[1])
    refuse(is_wrong, f"labels are no column of the {shape[1]} logits", "Give each picture's column, from 0 on.")
    return numbers


def _outcomes(values: ArrayLike) -> Bools:
    """Outcomes (N,) as booleans. Raises RowsError if one is neither true nor false, such as nan."""
    outcomes = np.asarray(values)
    if outcomes.dtype == bool:
        return outcomes
    numbers = outcomes.astype(np.float64)
    refuse((numbers != 0) & (numbers != 1), "outcomes are neither true nor false", "Leave them out.")
    return np.asarray(numbers == 1)
