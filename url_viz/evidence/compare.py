"""Comparison of two models or heads on the same pictures: how far orders and neighbours agree, and where not."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.base.errors import ImageSetError
from url_viz.base.printout import Printout, Table
from url_viz.base.wording import counted, decimal
from url_viz.columns.measures import ADAPTED_HEAD, UNCERTAINTY, in_text, measure_named, table_measures
from url_viz.columns.ranking import percentile
from url_viz.columns.twin_groups import first_of_each
from url_viz.evidence.evaluation import CountedPictures, called_in_table
from url_viz.evidence.order_metrics import (
    NO_INTERVAL,
    Figure,
    Influenced,
    Interval,
    auroc_influence,
    bootstrap_interval,
    spearman,
)
from url_viz.store.tables.tables import Graph, positions_of

TOP_SHARE = 0.1
MOST_RESAMPLES, FEWEST_RESAMPLES = 1000, 200
ROWS_RESAMPLED = 20_000_000
NEIGHBOURS = 10
FEWEST_PICTURES = 3
ABOUT_HALF = 1 / 3, 2 / 3
"""Two models that share between a third and two thirds of the most ambiguous name in part the same."""
ALIKE_IN_PART = 0.4
_ALIKE = {0.95: "almost the same", 0.7: "alike overall", ALIKE_IN_PART: "alike in part", 0.1: "hardly alike"}
"""The words for two orders, by the Spearman correlation from which they hold."""
BOUNDS = f"Spearman's correlation: {', '.join(f'{words} from {decimal(bound)}' for bound, words in _ALIKE.items())}."

NOT_KNOWN = Figure(float("nan"), NO_INTERVAL)
AGREEMENT, DIFFERENCE = "Agreement", "Difference in R-AUROC"
DEFINITIONS = {
    AGREEMENT: (
        "Spearman's rank correlation of the orders by the two models, each by itself, over the pictures that both have "
        "read. 1: the same order; 0: nothing in common. In brackets: 95 % interval."
    ),
    DIFFERENCE: (
        "R-AUROC by the other model minus that by this one, each by itself, on the same pictures. Both orders are "
        "judged by each model's nearest pictures in turn, and the mean is told: each is half of the judge. The R-AUROC "
        "beside is judged by this model alone. In brackets: 95 % interval over classes."
    ),
}
"""What the columns of `Comparison.shown` mean."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class ModelReading:
    """An image set as one model read it: its `table`, content keys (N,) in its order, and its neighbour graph.

    `counted` are the pictures that its orders are judged on, None where classes or pictures are too few. A head that
    `has_learnt` from the pictures is not judged on them.
    """

    table: pd.DataFrame
    contents: Ints
    graph: Graph | None
    counted: CountedPictures | None = None
    has_learnt: bool = False


@dataclass(frozen=True)
class ComparedMeasure:
    """One measure under two models.

    `table` has the second model's row of each picture with a value under both: `before` (the first model) and `after`
    are percentiles among them, `change` is after − before, and `change_percentile` its percentile. `rank_correlation`
    is Spearman's, −1 to 1, nan if one of the orders has no spread, and `interval` its 95 % bootstrap interval. Of the
    `top_count` most ambiguous of each model, a tenth, `top_shared` are the same. `difference` is the R-AUROC of the
    second model's order minus that of the first (`auroc_difference`), nan where there are no classes, or where it
    `is_by_adapted`: by a head that has learnt from these pictures.
    """

    measure: str
    table: pd.DataFrame
    rank_correlation: float
    interval: Interval
    top_count: int
    top_shared: int
    difference: Figure = NOT_KNOWN
    is_by_adapted: bool = False

    @property
    def agreement(self) -> Figure:
        """The rank correlation with its interval."""
        return Figure(self.rank_correlation, self.interval)

    @property
    def top_by_chance(self) -> float:
        """How many of the most ambiguous two random orders would share."""
        return self.top_count**2 / len(self)

    @property
    def is_same(self) -> bool:
        """Whether every picture stands where it stood."""
        return not self.table["change"].any()

    def __len__(self) -> int:
        return len(self.table)


@dataclass(frozen=True)
class Neighbourhoods:
    """How alike two models' neighbours are, of M distinct contents.

    `overlap` (M,) is the share of the `k` nearest of a `content` (M,) that are nearest under both, among the contents
    that both models know; `by_chance` what random neighbours would share.
    """

    content: Ints
    overlap: Floats
    k: int
    by_chance: float

    @property
    def mean(self) -> float:
        """The mean overlap, 0 to 1; nan if no picture has neighbours under both."""
        return float(np.nanmean(self.overlap)) if np.isfinite(self.overlap).any() else float("nan")


@dataclass(frozen=True)
class Comparison:
    """Two models on one image set: each measure that both have, and their neighbourhoods where both have a graph.

    `shared` pictures are known to both; `only_first` and `only_second` count those that one model alone has read.
    `titles` are the models' names.
    """

    measures: Mapping[str, ComparedMeasure]
    neighbourhoods: Neighbourhoods | None
    shared: int
    only_first: int
    only_second: int
    titles: tuple[str, str] = ("the first", "the second")

    def table(self) -> pd.DataFrame:
        """One row a measure, figures with the ends of their intervals: agreement, and whose R-AUROC is higher."""
        return pd.DataFrame(
            [
                {
                    "measure": name,
                    "pictures_of_both": len(each),
                    **each.agreement.cells("rank_correlation"),
                    "top_count": each.top_count,
                    "top_shared": each.top_shared,
                    **each.difference.cells("difference"),
                }
                for name, each in self.measures.items()
            ]
        )

    def shown(self) -> pd.DataFrame:
        """The same for people: Measure and Knows as in `Evaluated.shown`, then the columns of DEFINITIONS."""
        rows = [
            {
                "Measure": f"{UNCERTAINTY.title} or {ADAPTED_HEAD.title.lower()}"
                if each.is_by_adapted
                else called_in_table(name),
                "Knows": (ADAPTED_HEAD if each.is_by_adapted else measure_named(name)).knows,
                AGREEMENT: each.agreement.text(),
                DIFFERENCE: each.difference.text(digits=3, signed=True),
            }
            for name, each in self.measures.items()
        ]
        return pd.DataFrame(rows)


def compare(first: ModelReading, second: ModelReading, *, resamples: int | None = None, seed: int = 0) -> Comparison:
    """Compare two readings of one image set, matched by picture id, neighbours by content."""
    shared = int(np.isin(first.table["id"].to_numpy(), second.table["id"].to_numpy()).sum())
    measures = {}
    for name in table_measures():
        if name in first.table and name in second.table:
            table, rank_correlation = change(first.table, second.table, measure=name)
            if len(table) >= FEWEST_PICTURES:
                compared = _compared(name, table, rank_correlation, resamples=resamples, seed=seed)
                is_by_adapted = name == UNCERTAINTY.name and (first.has_learnt or second.has_learnt)
                difference = NOT_KNOWN if is_by_adapted else auroc_difference(first, second, measure=name)
                measures[name] = replace(compared, difference=difference, is_by_adapted=is_by_adapted)
    return Comparison(
        measures, neighbourhoods(first, second), shared, len(first.table) - shared, len(second.table) - shared
    )


def change(before: pd.DataFrame, after: pd.DataFrame, *, measure: str) -> tuple[pd.DataFrame, float]:
    """`ComparedMeasure.table` and `.rank_correlation` of a measure in two tables of one image set, matched by id."""
    earlier = before.set_index("id")[measure].reindex(after["id"]).to_numpy(dtype=float)
    later = after[measure].to_numpy(dtype=float)
    is_known = np.isfinite(earlier) & np.isfinite(later)
    earlier, later = earlier[is_known], later[is_known]
    old, new = percentile(earlier), percentile(later)
    table = after[is_known].assign(before=old, after=new, change=new - old, change_percentile=percentile(new - old))
    return table, spearman(earlier, later)


def disagreement(first: pd.DataFrame, second: pd.DataFrame, *, measure: str) -> NDArray[np.float32]:
    """How far apart two models rank each picture of `first` (N,), in percentiles of a measure: 0 to 100.

    The tables are of one image set, matched by id. nan for a picture that has no value under both.
    """
    table, _ = change(first, second, measure=measure)
    apart = table.set_index("id")["change"].abs()
    return np.asarray(apart.reindex(first["id"]).to_numpy(), np.float32)


def most_disagreeing(disagreements: NDArray[np.floating]) -> float:
    """The disagreement, a whole number, from which on two models disagree most: at least a tenth of the pictures (N,).

    nan where they have none in common, or no picture stands elsewhere.
    """
    known = disagreements[np.isfinite(disagreements)]
    if not known.any():
        return float("nan")
    return max(1.0, math.floor(float(np.quantile(known, 1 - TOP_SHARE))))


def auroc_difference(first: ModelReading, second: ModelReading, *, measure: str) -> Figure:
    """R-AUROC of a measure by the second model minus that by the first, with a 95 % interval over classes.

    On the pictures that count under both. Which of them are mistaken depends on whose nearest is asked: the difference
    is the mean of those by the first model's nearest and by the second's. nan without classes, or mistakes.
    """
    if first.counted is None or second.counted is None:
        return NOT_KNOWN
    if measure not in first.counted.values or measure not in second.counted.values:
        return NOT_KNOWN
    own, other = (each.table["id"].to_numpy(np.int64)[each.counted.rows] for each in (first, second) if each.counted)
    _, mine, theirs = np.intersect1d(own, other, return_indices=True)
    values = second.counted.values[measure][theirs], first.counted.values[measure][mine]
    judges = first.counted.is_right[mine], second.counted.is_right[theirs]
    by_each = [auroc_influence(values[0], ~right) - auroc_influence(values[1], ~right) for right in judges]
    mean = Influenced(
        sum(each.value for each in by_each) / len(by_each), np.mean([each.influence for each in by_each], axis=0)
    )
    return mean.by_blocks(first.counted.code[mine], least=-1)


def _compared(
    measure: str, table: pd.DataFrame, rank_correlation: float, *, resamples: int | None, seed: int
) -> ComparedMeasure:
    before, after = (table[name].to_numpy(np.float64) for name in ("before", "after"))
    codes = [np.unique(values, return_inverse=True)[1].astype(np.int64) for values in (before, after)]
    draws = resamples or min(MOST_RESAMPLES, max(FEWEST_RESAMPLES, ROWS_RESAMPLED // len(table)))
    interval = bootstrap_interval(spearman_of_codes, *codes, resamples=draws, seed=seed)
    count = max(1, round(TOP_SHARE * len(table)))
    return ComparedMeasure(measure, table, rank_correlation, interval, count, top_shared(before, after, count=count))


def spearman_of_codes(first: Ints, second: Ints) -> float:
    """`metrics.spearman` of values given by their rank among the distinct ones (N,), without sorting."""
    each, other = _centred_ranks(first), _centred_ranks(second)
    spread = math.sqrt((each @ each) * (other @ other))
    return float(each @ other) / spread if spread else math.nan


def _centred_ranks(codes: Ints) -> Floats:
    """Mid-ranks minus their mean, which is the same for all values."""
    counts = np.bincount(codes)
    return np.asarray((np.cumsum(counts) - (counts + len(codes)) / 2)[codes])


def top_shared(first: Floats, second: Floats, *, count: int) -> int:
    """How many of the `count` highest are the same in two orders of the same pictures (N,)."""
    tops = [set(np.argsort(-values, kind="stable")[:count].tolist()) for values in (first, second)]
    return len(tops[0] & tops[1])


def neighbourhoods(first: ModelReading, second: ModelReading, *, k: int = NEIGHBOURS) -> Neighbourhoods | None:
    """How many of the `k` nearest are the same under both; None if a graph is missing or nothing is shared."""
    if first.graph is None or second.graph is None:
        return None
    content = np.intersect1d(
        np.intersect1d(first.graph.content, second.graph.content),
        np.intersect1d(first.contents, second.contents),
    )
    if len(content) < 2:
        return None
    k = min(k, len(content) - 1)
    each, other = (_nearest(graph, content, k) for graph in (first.graph, second.graph))
    columns = (each[:, [place]] for place in range(k))
    same = np.sum([((column >= 0) & (column == other)).any(axis=1) for column in columns], axis=0)
    possible = np.minimum((each >= 0).sum(axis=1), (other >= 0).sum(axis=1))
    overlap = np.divide(same, possible, out=np.full(len(content), np.nan), where=possible > 0)
    return Neighbourhoods(content, overlap, k, k / (len(content) - 1))


def _nearest(graph: Graph, content: Ints, k: int) -> Ints:
    """The k nearest (M, k) of contents (M,) among these contents alone, as places; −1 where the graph knows fewer."""
    place = np.append(positions_of(graph.content, content), -1)  # the last stands for −1, no neighbour
    near = place[graph.position[positions_of(content, graph.content)]]
    nearest = np.take_along_axis(near, np.argsort(near < 0, axis=1, kind="stable"), 1)[:, :k]
    return np.pad(nearest, ((0, 0), (0, k - nearest.shape[1])), constant_values=-1)


def agreement_in_words(compared: ComparedMeasure, *, called: Callable[[str], str] = in_text) -> str:
    """How far two models agree on a measure, overall and on what is most ambiguous, as a sentence.

    `called` gives the measure's name in it.
    """
    rho, title = compared.rank_correlation, called(compared.measure)
    if not np.isfinite(rho):
        return f"Nothing to compare: {title} is the same for every picture under one of them."
    lowest = "not alike" if rho > -0.1 else "opposite"
    alike = next((words for bound, words in _ALIKE.items() if rho >= bound), lowest)
    figure, pictures = compared.agreement.text(), counted(len(compared), "picture")
    return f"By {title}, the orders are {alike} (Spearman {figure}, {pictures}), {_top_in_words(compared)}."


def _top_in_words(compared: ComparedMeasure) -> str:
    count, shared = compared.top_count, compared.top_shared
    share, is_alike = shared / count, compared.rank_correlation >= ALIKE_IN_PART
    if ABOUT_HALF[0] <= share <= ABOUT_HALF[1]:
        link, which = "and", "in part the same pictures"
    else:
        link = "and" if (share > ABOUT_HALF[1]) == is_alike else "but"
        which = f"mostly {'the same' if share > ABOUT_HALF[1] else 'different'} pictures"
    which = "the same pictures" if shared == count else which
    in_common = f"{shared:,} of {count:,} in common (chance: {compared.top_by_chance:.2g})"
    return f"{link} they name {which} as most ambiguous: {in_common}"


def difference_in_words(compared: ComparedMeasure) -> str:
    """Whose order is the better one by the classes, as a sentence; nothing without classes."""
    difference = compared.difference
    if compared.is_by_adapted:
        return f"By {in_text(compared.measure)}, neither is judged better: a head has learnt from these pictures."
    if np.isnan(difference.value):
        return ""
    whose = {1: "the second", -1: "the first", 0: "neither"}[difference.sign]
    figure = difference.text(digits=3, signed=True)
    return f"By {in_text(compared.measure)}, {whose} clearly orders better: difference in R-AUROC {figure}."


def neighbours_in_words(both: Neighbourhoods) -> str:
    """How far two models agree on who is alike, as a sentence."""
    if both.mean == 1:
        return f"The {both.k} nearest of every picture are the same under both."
    return (
        f"Of a picture's {both.k} nearest, {both.k * both.mean:.1f} are the same under both "
        f"(chance: {both.k * both.by_chance:.1f})."
    )


def comparison_printout(image_set: Any, comparison: Comparison) -> Printout:
    """Agreement and difference by each measure, and the pictures that the models disagree on, each way.

    Raises ImageSetError where there is nothing to compare.
    """
    measures, both = comparison.measures.values(), comparison.neighbourhoods
    first, second = comparison.titles
    if not measures and both is None:
        raise ImageSetError(
            f"Too few pictures of {str(image_set.root)!r} have a value under both {first!r} and {second!r}."
        )
    words = [f"{first} (first) and {second} (second), {counted(comparison.shared, 'picture')}:"]
    words += [said for each in measures for said in (agreement_in_words(each), difference_in_words(each)) if said]
    if UNCERTAINTY.name not in comparison.measures:
        words.append("There is no uncertainty under both: one of them has no head.")
    if both is not None:
        words.append(neighbours_in_words(both))
    named = {"before": "first", "after": "second"}
    tables = [
        Table(
            rows.rename(columns=named),
            ("first", "second", "path", "label"),
            f"More ambiguous to the {which} model by {each.measure}:",
            "{:.0f}",
        )
        for each in measures
        for which, rows in zip(("second", "first"), disagreements(each), strict=True)
    ]
    return Printout(words, tables, file=Table(comparison.table(), noun="measure"))


def disagreements(compared: ComparedMeasure, *, most: int | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The pictures that are most more ambiguous to the second model, and to the first; twins are counted once."""
    rows = compared.table
    up = first_of_each(rows.sort_values(["change", "id"], ascending=[False, True]))
    down = first_of_each(rows.sort_values(["change", "id"], ascending=[True, True]))
    return up[up["change"] > 0][:most], down[down["change"] < 0][:most]
