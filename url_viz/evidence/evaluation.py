"""How well measures order a labelled image set: R-AUROC, AURC and deciles with intervals, in tables and in words."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.base.rows import l2_normalize
from url_viz.base.wording import MISSING, counted, decimal, listed, percent
from url_viz.columns.measures import (
    AMBIGUITY,
    CONFUSABILITY,
    LOGISTIC,
    MODEL_DOUBT,
    NEAREST_GAP,
    TRAINING_MEASURES,
    UNCERTAINTY,
    added_measures,
    every_measure,
    measure_named,
    measure_title,
    quoted,
    table_measures,
)
from url_viz.columns.measures import NEAREST as NEAREST_MEASURE
from url_viz.columns.ranking import percentile, percentile_of_each
from url_viz.evidence.baselines import class_margin
from url_viz.evidence.order_metrics import (
    NO_INTERVAL,
    Figure,
    Influenced,
    Interval,
    RiskCoverage,
    auroc_influence,
    auroc_within_blocks,
    nearest_outside_group,
    r_auroc,
    risk_coverage,
    share_by_blocks,
    share_of,
)
from url_viz.evidence.probe import out_of_fold_shares
from url_viz.evidence.selective_retrieval import Restriction, SearchedPictures, study
from url_viz.pipeline.twins import source_groups
from url_viz.store.tables.tables import Graph, positions_of

NEAREST = NEAREST_MEASURE.name

FEWEST_PICTURES = 20
MOST_CELLS = 500_000
"""Pictures times classes up to which a logistic regression is a baseline: so many take five seconds."""
MOST_CURVE_POINTS = 200
NEEDED = (
    f"Evaluation needs classes: at least {FEWEST_PICTURES:d} pictures in two or more class folders, with neighbours."
)
DECILES = 10
DEFINITIONS = {
    "R-AUROC": (
        "how often a picture whose nearest is of another class ranks above one whose nearest is of the same; .5 is "
        "chance. In brackets: 95 % interval over classes."
    ),
    "Within class": "the same among pictures of one class, so that it does not help to know which classes are hard.",
    "Knows": "what the order has seen. Compare only orders that have seen the same.",
    "Pictures": "how many the figures are on.",
    "AURC": "mean error over all coverages; lower is better.",
    "Lead over nearest similarity": (
        "the difference in R-AUROC to the baseline that looks at the nearest picture alone, for orders that have seen "
        "no more than the set."
    ),
}
"""What the columns of `Evaluated.shown` mean."""
R_AUROC, WITHIN, LEAD = "r_auroc", "within_class", "lead_over_nearest_similarity"
BROUGHT = frozenset(measure.name for measure in (MODEL_DOUBT, *TRAINING_MEASURES))
"""Measures of the user's own model, which may have seen a part of the pictures, as a user's column may."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """Recall@1 of the queries that are kept, the least uncertain first: `coverage` and `recall` (P,), thinned."""

    coverage: Floats
    recall: Floats


@dataclass(frozen=True, eq=False)  # as `Evaluated`
class CountedPictures:
    """The M pictures that are counted: distinct, with a class, with neighbours, with a value of every measure of ours.

    `rows` (M,) of the image set's table, `nearest` (M,) the rows of their nearest others among all distinct pictures
    with a class, `labels` and `nearest_labels` (M,), `values` by measure (M,) float64. `left_out` counts the other rows
    of the table. `with_gaps` (M,) are the measures that a user brought and some of the pictures lack (nan).
    `not_judged` says why uncertainty is not among these, if its head has learnt from the pictures.
    """

    rows: NDArray[np.int64]
    nearest: NDArray[np.int64]
    labels: NDArray[np.str_]
    nearest_labels: NDArray[np.str_]
    values: Mapping[str, Floats]
    left_out: int
    with_gaps: Mapping[str, Floats] = field(default_factory=dict)
    not_judged: str = ""

    def __len__(self) -> int:
        return len(self.rows)

    def having(self, name: str) -> "CountedPictures":
        """Those that have a value of a measure with gaps, which is among their `values`."""
        has = np.isfinite(self.with_gaps[name])
        values = {**self.values, name: self.with_gaps[name]}
        return replace(
            self,
            **{each: getattr(self, each)[has] for each in ("rows", "nearest", "labels", "nearest_labels")},
            values={each: every[has] for each, every in values.items()},
            left_out=self.left_out + int((~has).sum()),
            with_gaps={},
        )

    @cached_property
    def is_right(self) -> NDArray[np.bool_]:
        """Whether each picture's nearest other has its class (M,)."""
        return np.asarray(self.labels == self.nearest_labels)

    @property
    def recall(self) -> float:
        """Recall@1 of the counted pictures."""
        return float(self.is_right.mean())

    @property
    def recall_interval(self) -> Interval:
        """Recall@1's 95 % interval over classes."""
        return share_by_blocks(self.is_right, self.code).interval

    @cached_property
    def code(self) -> NDArray[np.int64]:
        """The number of each picture's class (M,)."""
        return np.unique(self.labels, return_inverse=True)[1].astype(np.int64)

    @property
    def classes(self) -> int:
        """The number of classes that the counted pictures have."""
        return int(self.code.max()) + 1

    def auroc(self, name: str) -> Influenced:
        """R-AUROC of a measure with each picture's influence on it."""
        return auroc_influence(self.values[name], ~self.is_right)

    @property
    def oracle(self) -> Curve:
        """Recall by coverage of the best order there can be."""
        wrong = ~self.is_right
        return _thinned(risk_coverage(wrong, wrong))


def counted_pictures(
    table: pd.DataFrame,
    contents: NDArray[np.int64],
    *,
    graph: Graph,
    embeddings: Callable[[], NDArray[np.floating]],
    user_measures: Sequence[str] = (),
    not_judged: str = "",
) -> CountedPictures | None:
    """The pictures of `ImageSet.table()` to count, with content keys (N,) in its order; None if there are too few.

    Copies count once: a copy would make its picture's search right whatever its value. `embeddings` gives rows (N, A)
    in the whitened space, for the logistic regression (see MOST_CELLS), and to search the nearest of a picture whose
    neighbours in the graph are all without a class. `user_measures` are columns that a user brought. One with gaps
    leaves no picture out: it is `with_gaps`. Where `not_judged`, uncertainty is left out.
    """
    database = _distinct_with_class(table, contents, graph)
    if len(database) < FEWEST_PICTURES or table["label"].iloc[database].nunique() < 2:
        return None
    in_graph = positions_of(contents[database], graph.content)
    nearest, similarity = _two_nearest(graph, in_graph, database, embeddings)
    values = {name: table[name].iloc[database].to_numpy(np.float64) for name in table_measures() if name in table}
    values |= {NEAREST: -similarity[:, 0], NEAREST_GAP.name: similarity[:, 1] - similarity[:, 0]}
    code = np.unique(table["label"].iloc[database].astype(str), return_inverse=True)[1].astype(np.int32)
    if len(code) * (code.max() + 1) <= MOST_CELLS:
        group = source_groups(graph.twins, graph.apart)[in_graph]
        values[LOGISTIC.name] = class_margin(out_of_fold_shares(embeddings()[database], code, group, seed=0))
    values |= {name: table[name].iloc[database].to_numpy(np.float64) for name in user_measures}
    every = dict.fromkeys((*(measure.name for measure in every_measure()), *user_measures))
    if not_judged:
        every.pop(UNCERTAINTY.name)
    names = [name for name in every if name in values and np.isfinite(values[name]).any()]
    brought = BROUGHT.union(user_measures, (measure.name for measure in added_measures()))
    has_all = np.logical_and.reduce([np.isfinite(values[name]) for name in names if name not in brought])
    if NEAREST not in names or has_all.sum() < FEWEST_PICTURES:  # all of one source group have no neighbour
        return None
    measures = {name: values[name][has_all] for name in names}
    gaps = [name for name in names if name in brought and not np.isfinite(measures[name]).all()]
    labels = table["label"].to_numpy(dtype=object)
    nearest_rows = database[nearest[has_all, 0]]
    return CountedPictures(
        rows=database[has_all],
        nearest=nearest_rows,
        labels=labels[database[has_all]].astype(str),
        nearest_labels=labels[nearest_rows].astype(str),
        values={name: each for name, each in measures.items() if name not in gaps},
        left_out=len(table) - int(has_all.sum()),
        with_gaps={name: measures[name] for name in gaps},
        not_judged=not_judged,
    )


@dataclass(frozen=True, eq=False)  # one is like no other: what pages draw of it is kept by it
class Evaluated:
    """The counted pictures of a set, the figures of each measure, and the `lead` of confusability over uncertainty.

    `figures` has a row a measure, by its name: pictures, r_auroc, within_class (the same among pictures of one class),
    aurc (lower is better), and lead_over_nearest_similarity in R-AUROC on the same pictures (nan for itself); all but
    aurc with the ends of 95 % intervals over classes (_low, _high). Measures that the user brought may be `partial`:
    their figures, the last rows, are on the pictures that have a value.
    """

    pictures: CountedPictures
    figures: pd.DataFrame
    lead: Figure | None
    partial: Mapping[str, CountedPictures] = field(default_factory=dict)

    @property
    def measures(self) -> list[str]:
        """The measures whose figures are on all counted pictures."""
        return [name for name in self.figures.index if name not in self.partial]

    @cached_property
    def pictures_of(self) -> Mapping[str, CountedPictures]:
        """The pictures that the figures of each measure are on."""
        return {**dict.fromkeys(self.measures, self.pictures), **self.partial}

    def figure(self, measure: str, name: str = R_AUROC) -> Figure:
        """A figure of a measure with its interval."""
        return Figure.from_cells(self.figures, measure, name)

    def curve(self, measure: str) -> Curve:
        """Recall@1 by coverage, the most uncertain left out first."""
        pictures = self.pictures_of[measure]
        return _thinned(risk_coverage(pictures.values[measure], ~pictures.is_right))

    @cached_property
    def gap_words(self) -> Mapping[str, str]:
        """Of each measure in `partial`, how many pictures its figures are on, and what others have there."""
        words, total = {}, counted(len(self.pictures), "picture")
        for measure, pictures in self.partial.items():
            names = [name for name in (AMBIGUITY.name, CONFUSABILITY.name, NEAREST) if name in pictures.values]
            others = {name: pictures.auroc(name).by_blocks(pictures.code).text(digits=3) for name in names}
            there = listed([f"{quoted(name)} {figure}" for name, figure in others.items()])
            words[measure] = (
                f"{quoted(measure)} has a value for {len(pictures):,} of the {total}: its figures are on these, "
                f"on which the R-AUROC of others is: {there}. Charts of all measures leave it out."
            )
        return words

    @property
    def gaps(self) -> str:
        """`gap_words` of all, and which measures have no figures; "" for none."""
        sentences = [*filter(None, [self.pictures.not_judged]), *self.gap_words.values()]
        few = [quoted(name) for name in self.pictures.with_gaps if name not in self.partial]
        if few:
            sentences.append(
                f"Without figures, as fewer than {FEWEST_PICTURES} pictures have a value: {', '.join(few)}."
            )
        return " ".join(sentences)

    @property
    def recall_words(self) -> str:
        """The interval of recall@1, and what it is counted on."""
        pictures, interval = self.pictures, self.pictures.recall_interval
        words = (
            f"95 % interval {100 * interval.low:.1f} to {percent(interval.high, digits=1)}, counted on "
            f"{counted(len(pictures), 'picture')} of {counted(pictures.classes, 'class')}"
        )
        if not pictures.left_out:
            return f"{words}."
        return f"{words}; {pictures.left_out:,} left out (copies, and pictures without a class, neighbours or a value)."

    @property
    def verdict(self) -> str:
        """Which of confusability and uncertainty predicts errors better, by the interval; "" where one is not there."""
        right = int(self.pictures.is_right.sum())
        if right in (0, len(self.pictures)):
            return f"Every nearest neighbour is {'right' if right else 'wrong'}, so there is no R-AUROC."
        if self.lead is None:
            return ""
        first, second = quoted(CONFUSABILITY.name), quoted(UNCERTAINTY.name)
        how = {1: "better", -1: "worse"}.get(self.lead.sign)
        outcome = f"{first} and {second} do not clearly differ here"
        if how is not None:
            outcome = f"{first} predicts errors {how} than {second}"
        by = self.lead.text(digits=3, signed=True)
        return f"Of the measures without classes, {outcome}: difference in R-AUROC {by}."

    @property
    def how_to_read(self) -> str:
        """What the figures mean, and what keeps some of them from being compared."""
        figures = ("R-AUROC", "Within class", "AURC", "Lead over nearest similarity")
        return " ".join((*(f"{name}: {DEFINITIONS[name]}" for name in figures), self.what_is_fair))

    @property
    def what_is_fair(self) -> str:
        """What makes some measures better informed than others; "" if nothing is to be said."""
        names, sentences = self.measures, []
        if AMBIGUITY.name in names:
            sentences.append(
                f"{AMBIGUITY.title} (ambiguity) uses the classes it is judged by, but never a picture's own label or "
                "a near copy's: its figure says how well it orders this set, not how well it would do without classes. "
                "Compare only measures that have seen the same."
            )
        if {CONFUSABILITY.name, NEAREST} <= set(names):
            sentences.append(
                f"{CONFUSABILITY.title} (confusability) is computed from the same neighbours whose correctness it "
                "predicts, so nearest similarity is its baseline."
            )
        if {AMBIGUITY.name, LOGISTIC.name} <= set(names):
            sentences.append(
                f"{LOGISTIC.title} knows what {AMBIGUITY.title.lower()} knows, but errors are counted by neighbours "
                "here, which favours orders by neighbours: judged by where another classifier errs, the two were level "
                "on seven published sets (.774 and .805)."
            )
        return " ".join(sentences)

    def table(self) -> pd.DataFrame:
        """`figures` with the measure as a column, for other programs."""
        return self.figures.reset_index(names="measure")

    def shown(self) -> pd.DataFrame:
        """The same for people: one row a measure, figures with their intervals as text; DEFINITIONS has the columns."""

        def row(measure: str) -> dict[str, str]:
            named, lead = measure_named(measure), self.figure(measure, LEAD).text(digits=3, signed=True)
            return {
                "Measure": called_in_table(measure),
                "R-AUROC": self.figure(measure).text(digits=3),
                "Within class": self.figure(measure, WITHIN).text(digits=3),
                "Knows": named.knows,
                "Pictures": f"{len(self.pictures_of[measure]):,}",
                "AURC": decimal(float(self.figures["aurc"][measure]), digits=3),
                "Lead over nearest similarity": lead if named.knows_no_more_than_nearest else MISSING,
            }

        return pd.DataFrame([row(measure) for measure in self.figures.index])


def called_in_table(measure: str) -> str:
    """A measure's title, with a word where it is a baseline."""
    return f"{measure_title(measure)}{' (baseline)' if measure_named(measure).is_baseline else ''}"


def evaluated(pictures: CountedPictures) -> Evaluated:
    """Work out every measure's figures on the pictures, with intervals, the user's own last: seconds for 100,000."""
    first, second = CONFUSABILITY.name, UNCERTAINTY.name
    both = pictures.having(second) if second in pictures.with_gaps else pictures
    lead = lead_over(both, first, second) if {first, second} <= both.values.keys() else None
    of_user = {name: pictures.having(name) for name in pictures.with_gaps}
    partial = {name: having for name, having in of_user.items() if len(having) >= FEWEST_PICTURES}
    judged = {**dict.fromkeys(pictures.values, pictures), **partial}
    rows = [_measured(on, name) for name, on in judged.items()]
    return Evaluated(pictures, pd.DataFrame(rows, index=list(judged)), lead, partial)


def _measured(pictures: CountedPictures, name: str) -> dict[str, float]:
    is_wrong, values = ~pictures.is_right, pictures.values[name]
    lead = Figure(float("nan"), NO_INTERVAL) if name == NEAREST else lead_over(pictures, name, NEAREST)
    return {
        "pictures": len(pictures),
        **pictures.auroc(name).by_blocks(pictures.code).cells(R_AUROC),
        **auroc_within_blocks(values, is_wrong, pictures.code).cells(WITHIN),
        "aurc": risk_coverage(values, is_wrong).aurc,
        **lead.cells(LEAD),
    }


def lead_over(pictures: CountedPictures, name: str, other: str) -> Figure:
    """R-AUROC of one measure minus that of another on the same pictures, with the 95 % interval of the difference."""
    return (pictures.auroc(name) - pictures.auroc(other)).by_blocks(pictures.code, least=-1)


@dataclass(frozen=True, eq=False)  # as `Evaluated`
class Evidence:
    """What the counted `pictures` say of withholding those that are ambiguous by a `measure` whose R-AUROC is `auroc`.

    `class_wise` is what leaving out a tenth of each class does, `overall` each share of the whole; `percentile` (M,) is
    where each picture stands by the measure in the whole set.
    """

    pictures: CountedPictures
    measure: str
    auroc: Figure
    class_wise: Restriction
    overall: Mapping[float, Restriction]
    percentile: NDArray[np.float32]

    @property
    def shows_errors(self) -> bool:
        """Whether the measure puts pictures whose nearest is of another class first, by its interval."""
        return self.auroc.interval.low > 0.5

    def wrong_on_sides(self, percentile: float) -> tuple[float, float]:
        """The share whose nearest is of another class, up to a percentile and above it; nan for an empty side."""
        is_above, is_right = self.percentile > percentile, self.pictures.is_right
        low, high = (float((~is_right[side]).mean()) if side.any() else math.nan for side in (~is_above, is_above))
        return low, high


def evidence(
    results: Evaluated,
    measure: str,
    table: pd.DataFrame,
    whitened: NDArray[np.floating],
    contents: NDArray[np.int64],
    *,
    graph: Graph,
) -> Evidence | None:
    """The evidence of `results` for one of their measures; None for another. The others are as for `searched`."""
    if measure not in results.figures.index:
        return None
    pictures = results.pictures_of[measure]
    class_wise, overall = study(searched(pictures, whitened, contents, graph=graph), pictures.values[measure])
    ranks = percentile_of_each(table, measure)[pictures.rows]
    return Evidence(pictures, measure, results.figure(measure), class_wise, overall, ranks)


def searched(
    pictures: CountedPictures, whitened: NDArray[np.floating], contents: NDArray[np.int64], *, graph: Graph
) -> SearchedPictures:
    """The counted pictures as a search meets them: `whitened` (N, A) and content keys (N,) are of the whole table."""
    in_graph = positions_of(contents[pictures.rows], graph.content)
    unit, group = l2_normalize(whitened[pictures.rows]), source_groups(graph.twins, graph.apart)[in_graph]
    return SearchedPictures(unit, pictures.labels, _lists_among(graph, in_graph), group)


def deciles(values: Floats, is_right: NDArray[np.bool_]) -> pd.DataFrame:
    """Recall@1 by tenths of a measure (M,), clearest first, whose search `is_right` (M,).

    Columns: percentile_from, pictures, recall, and recall_low and recall_high, the ends of its 95 % interval. Equal
    values share a tenth; one that is empty for that reason has no recall (nan).
    """
    rank = percentile(values).astype(np.float64) * (len(values) - 1) / 100  # 0 to M − 1, ties sharing their middle
    tenth = np.minimum((rank + 0.5) * DECILES / len(values), DECILES - 1).astype(np.int64)
    pictures = np.bincount(tenth, minlength=DECILES)
    hits = np.bincount(tenth, weights=is_right, minlength=DECILES)
    shares = [share_of(float(right), int(count)) for right, count in zip(hits, pictures, strict=True)]
    return pd.DataFrame(
        {
            "percentile_from": np.arange(DECILES) * 10,
            "pictures": pictures,
            "recall": [share.value for share in shares],
            "recall_low": [share.interval.low for share in shares],
            "recall_high": [share.interval.high for share in shares],
        }
    )


def by_class(pictures: CountedPictures, measure: str) -> pd.DataFrame:
    """One row per class: label, pictures, recall, mean_percentile and r_auroc of a measure, and taken_for.

    `mean_percentile` is among all counted pictures; `r_auroc` is nan if all of a class are right, or all wrong;
    `taken_for` is the class that its mistaken pictures find most often, None if none is mistaken.
    """
    values, right = pictures.values[measure], pictures.is_right
    ranks = pd.DataFrame({"label": pictures.labels.astype(object), "right": right, "rank": percentile(values)})
    by_label = ranks.groupby("label")
    table = by_label.agg(pictures=("right", "size"), recall=("right", "mean"), mean_percentile=("rank", "mean"))
    members = [by_label.indices[name] for name in table.index]
    taken_for = [pd.Series(pictures.nearest_labels[rows[~right[rows]]], dtype=object).mode() for rows in members]
    return table.reset_index().assign(
        r_auroc=[r_auroc(values[rows], right[rows]) for rows in members],
        taken_for=pd.Series([next(iter(names), None) for names in taken_for], dtype=object),
    )


def by_two_models(second: str) -> str:
    """Which measures are by both models of a set that two have read."""
    return (
        f"{AMBIGUITY.title} and {CONFUSABILITY.title} are by two models (also {second}), the other measures by the "
        "first alone: a part of a lead over these is the second model's."
    )


def _two_nearest(
    graph: Graph,
    in_graph: NDArray[np.int64],
    database: NDArray[np.int64],
    embeddings: Callable[[], NDArray[np.floating]],
) -> tuple[NDArray[np.int64], Floats]:
    """Places in `database` (M,) of each one's two nearest that are no twins (M, 2), and cosines (M, 2), or nan."""
    place = _lists_among(graph, in_graph)
    first_two = np.argsort(place < 0, axis=1, kind="stable")[:, :2]
    nearest = np.take_along_axis(place, first_two, 1)
    similarity = np.take_along_axis(graph.similarity[in_graph], first_two, 1).astype(np.float64)
    lost = np.flatnonzero((nearest < 0).any(axis=1))
    if len(lost):
        unit, group = l2_normalize(embeddings()[database]), source_groups(graph.twins, graph.apart)[in_graph]
        nearest[lost], similarity[lost] = nearest_outside_group(unit, lost, np.arange(len(unit)), group, k=2)
    return nearest, similarity


def _distinct_with_class(table: pd.DataFrame, contents: NDArray[np.int64], graph: Graph) -> NDArray[np.int64]:
    """The rows (M,) of the first picture of each content, if it has a class and is in the graph."""
    first = np.sort(np.unique(contents, return_index=True)[1])
    usable = table["label"].notna().to_numpy() & (positions_of(contents, graph.content) >= 0)
    return first[usable[first]]


def _lists_among(graph: Graph, in_graph: NDArray[np.int64]) -> NDArray[np.int64]:
    """The graph's lists (M, K) of its rows `in_graph` (M,), as places among these; −1 for none, or one not of these."""
    number = np.full(len(graph) + 1, -1, np.int64)  # the last stands for −1, no neighbour
    number[in_graph] = np.arange(len(in_graph))
    return np.asarray(number[graph.position[in_graph]])


def _thinned(curve: RiskCoverage) -> Curve:
    """A risk–coverage curve as recall by coverage, of at most MOST_CURVE_POINTS."""
    chosen = np.unique(np.linspace(0, len(curve.coverage) - 1, MOST_CURVE_POINTS).round().astype(np.int64))
    return Curve(curve.coverage[chosen], 1 - curve.risk[chosen])
