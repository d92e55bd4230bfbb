"""How well measures order a labelled image set: R-AUROC, AURC and deciles with intervals, all on the same pictures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.measures import MEASURES, NEAREST_GAP, TABLE_MEASURES
from url_viz.analysis.measures import NEAREST as NEAREST_MEASURE
from url_viz.analysis.metrics import (
    MOST_SIMILARITIES,
    Interval,
    RiskCoverage,
    bootstrap_interval,
    r_auroc,
    risk_coverage,
)
from url_viz.analysis.ranking import percentile
from url_viz.analysis.selective_retrieval import FEWEST_PICTURES, MOST_CURVE_POINTS, Curve
from url_viz.pipeline.twins import twin_groups
from url_viz.rows import l2_normalize
from url_viz.store.tables import Graph, positions_of

NEAREST = NEAREST_MEASURE.name
ALL = tuple(measure.name for measure in MEASURES)
"""All measures, each higher = less to be trusted; the last two are minus the nearest similarity, and minus the gap."""

MOST_RESAMPLES, FEWEST_RESAMPLES = 1000, 200
FEWEST_OF_USER = 0.5
ROWS_RESAMPLED = 20_000_000
DECILES = 10
_NORMAL_975 = 1.959963984540054

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Counted:
    """The M pictures that are counted: distinct, with a class, with neighbours, with a value of every measure.

    `rows` (M,) of the image set's table, `nearest` (M,) the rows of their nearest others among all distinct pictures
    with a class, `labels` and `nearest_labels` (M,), `values` by measure (M,) float64. `left_out` counts the other rows
    of the table.
    """

    rows: NDArray[np.int64]
    nearest: NDArray[np.int64]
    labels: NDArray[np.str_]
    nearest_labels: NDArray[np.str_]
    values: Mapping[str, Floats]
    left_out: int

    def __post_init__(self) -> None:
        assert len(self.rows) == len(self.nearest) == len(self.labels) == len(self.nearest_labels)
        assert all(len(values) == len(self.rows) for values in self.values.values())

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def is_right(self) -> NDArray[np.bool_]:
        """Whether each picture's nearest other has its class (M,)."""
        same: NDArray[np.bool_] = self.labels == self.nearest_labels
        return same

    @property
    def recall(self) -> float:
        """Recall@1 of the counted pictures."""
        return float(self.is_right.mean())

    @property
    def recall_interval(self) -> Interval:
        """Recall@1's 95 % interval."""
        return share_interval(int(self.is_right.sum()), len(self))

    @property
    def classes(self) -> int:
        """How many classes the counted pictures have."""
        return len(np.unique(self.labels))

    @property
    def oracle(self) -> Curve:
        """Recall by coverage of the best order there can be."""
        wrong = ~self.is_right
        return _curve(risk_coverage(wrong, wrong))


@dataclass(frozen=True)
class Measured:
    """How one measure orders the counted pictures.

    `interval` is R-AUROC's 95 % bootstrap interval; `beyond_nearest` its lead over nearest similarity on the same
    pictures, with an interval of the same resamples (nan for nearest similarity itself). AURC: lower is better.
    """

    name: str
    r_auroc: float
    interval: Interval
    beyond_nearest: float
    beyond_interval: Interval
    aurc: float
    curve: Curve


@dataclass(frozen=True)
class Deciles:
    """Recall@1 by tenths of a measure, clearest first: `recall` (10,), its 95 % `low` and `high`, and `pictures`.

    Equal values share a tenth; one that is empty for that reason has no recall (nan).
    """

    recall: Floats
    low: Floats
    high: Floats
    pictures: NDArray[np.int64]


def counted(
    table: pd.DataFrame,
    contents: NDArray[np.int64],
    *,
    graph: Graph,
    embeddings: Callable[[], NDArray[np.floating]],
    user_measures: Sequence[str] = (),
) -> Counted | None:
    """The pictures of `ImageSet.table()` to count, with content keys (N,) in its order; None if there are too few.

    Copies count once, as in `selective_retrieval`. `embeddings` gives rows (N, A) in the whitened space, and is asked
    only if all of a picture's neighbours in the graph are without a class, so that its nearest has to be searched.
    `user_measures` are columns that a user brought; one that fewer than half of the pictures have is passed over, as
    it would leave out most.
    """
    database = _database(table, contents, graph)
    if len(database) < FEWEST_PICTURES or table["label"].iloc[database].nunique() < 2:
        return None
    nearest, similarity = _two_nearest(graph, positions_of(contents[database], graph.content), database, embeddings)
    values = _values(table.iloc[database], similarity)
    known = {name: values[name] for name in ALL if np.isfinite(values[name]).any()}
    brought = {name: table[name].iloc[database].to_numpy(np.float64) for name in user_measures}
    known |= {name: one for name, one in brought.items() if np.isfinite(one).mean() >= FEWEST_OF_USER}
    has_all = np.logical_and.reduce([np.isfinite(one) for one in known.values()])
    if has_all.sum() < FEWEST_PICTURES:
        return None
    labels = table["label"].to_numpy(dtype=object)
    found = database[nearest[has_all, 0]]
    return Counted(
        rows=database[has_all],
        nearest=found,
        labels=labels[database[has_all]].astype(str),
        nearest_labels=labels[found].astype(str),
        values={name: one[has_all] for name, one in known.items()},
        left_out=len(table) - int(has_all.sum()),
    )


def measured(pictures: Counted, *, resamples: int | None = None, seed: int = 0) -> tuple[Measured, ...]:
    """Every measure's figures, in the order of ALL, the user's own last."""
    return tuple(_measured(pictures, name, resamples=resamples, seed=seed) for name in pictures.values)


def resamples_for(count: int) -> int:
    """How many bootstrap resamples `count` pictures get: 1,000, and fewer of very many, which need fewer."""
    return min(MOST_RESAMPLES, max(FEWEST_RESAMPLES, ROWS_RESAMPLED // count))


def _measured(pictures: Counted, name: str, *, resamples: int | None, seed: int) -> Measured:
    values, right = pictures.values[name], pictures.is_right
    draws = resamples or resamples_for(len(pictures))
    curve = risk_coverage(values, ~right)
    lead, lead_interval = float("nan"), Interval(float("nan"), float("nan"))
    if name != NEAREST:
        lead, lead_interval = lead_over(pictures, name, NEAREST, resamples=draws, seed=seed)
    return Measured(
        name=name,
        r_auroc=r_auroc(values, right),
        interval=bootstrap_interval(auroc_of_codes, _codes(values), right, resamples=draws, seed=seed),
        beyond_nearest=lead,
        beyond_interval=lead_interval,
        aurc=curve.aurc,
        curve=_curve(curve),
    )


def lead_over(
    pictures: Counted, name: str, other: str, *, resamples: int | None = None, seed: int = 0
) -> tuple[float, Interval]:
    """R-AUROC of one measure minus that of another, with the interval of the difference on the same resamples."""

    def lead(codes: NDArray[np.integer], other_codes: NDArray[np.integer], is_right: NDArray[np.bool_]) -> float:
        return auroc_of_codes(codes, is_right) - auroc_of_codes(other_codes, is_right)

    arrays = _codes(pictures.values[name]), _codes(pictures.values[other]), pictures.is_right
    draws = resamples or resamples_for(len(pictures))
    return lead(*arrays), bootstrap_interval(lead, *arrays, resamples=draws, seed=seed)


def auroc_of_codes(codes: NDArray[np.integer], is_right: NDArray[np.bool_]) -> float:
    """`r_auroc` of values given by their rank among the distinct ones (M,), without sorting: for many resamples."""
    size = int(codes.max()) + 1
    right = np.bincount(codes[is_right], minlength=size)
    wrong = np.bincount(codes[~is_right], minlength=size)
    pairs = int(right.sum()) * int(wrong.sum())
    if not pairs:
        return float("nan")
    below = np.cumsum(right) - right / 2
    return float(wrong @ below / pairs)


def deciles(values: Floats, is_right: NDArray[np.bool_]) -> Deciles:
    """Recall@1 by tenths of a measure (M,), whose search `is_right` (M,)."""
    rank = percentile(values).astype(np.float64) * (len(values) - 1) / 100  # 0 to M − 1, ties sharing their middle
    tenth = np.minimum((rank + 0.5) * DECILES / len(values), DECILES - 1).astype(np.int64)
    pictures = np.bincount(tenth, minlength=DECILES)
    hits = np.bincount(tenth, weights=is_right, minlength=DECILES)
    intervals = [share_interval(int(h), int(n)) for h, n in zip(hits, pictures, strict=True)]
    recall = np.divide(hits, pictures, out=np.full(DECILES, np.nan), where=pictures > 0)
    return Deciles(recall, np.array([i.low for i in intervals]), np.array([i.high for i in intervals]), pictures)


def by_class(pictures: Counted, measure: str) -> pd.DataFrame:
    """One row per class: label, pictures, recall, mean_percentile and r_auroc of a measure, and taken_for.

    `mean_percentile` is among all counted pictures; `r_auroc` is nan if all of a class are right, or all wrong;
    `taken_for` is the class that its mistaken pictures find most often, None if none is mistaken.
    """
    values, right = pictures.values[measure], pictures.is_right
    ranks = percentile(values)
    names, group = np.unique(pictures.labels, return_inverse=True)
    members = np.split(np.argsort(group, kind="stable"), np.cumsum(np.bincount(group))[:-1])
    return pd.DataFrame(
        {
            "label": names.astype(object),
            "pictures": [len(rows) for rows in members],
            "recall": [float(right[rows].mean()) for rows in members],
            "mean_percentile": [float(ranks[rows].mean()) for rows in members],
            "r_auroc": [r_auroc(values[rows], right[rows]) for rows in members],
            "taken_for": pd.Series(
                [_most_often(pictures.nearest_labels[rows[~right[rows]]]) for rows in members], dtype=object
            ),
        }
    )


def share_interval(hits: int, count: int) -> Interval:
    """Wilson's 95 % interval of a share of `count`; nan if there is nothing to count."""
    if count == 0:
        return Interval(float("nan"), float("nan"))
    z, share = _NORMAL_975, hits / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * np.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return Interval(max(0.0, float(middle - half)), min(1.0, float(middle + half)))


def _database(table: pd.DataFrame, contents: NDArray[np.int64], graph: Graph) -> NDArray[np.int64]:
    """The rows to search among: the first of each content, if it has a class and is in the graph."""
    first = np.sort(np.unique(contents, return_index=True)[1])
    usable = table["label"].notna().to_numpy() & (positions_of(contents, graph.content) >= 0)
    return first[usable[first]]


def _two_nearest(
    graph: Graph,
    in_graph: NDArray[np.int64],
    database: NDArray[np.int64],
    embeddings: Callable[[], NDArray[np.floating]],
) -> tuple[NDArray[np.int64], Floats]:
    """Places in `database` (M,) of each one's two nearest that are no twins (M, 2), and cosines (M, 2), or nan."""
    number = np.full(len(graph) + 1, -1, np.int64)  # the last stands for −1, no neighbour
    number[in_graph] = np.arange(len(in_graph))
    place = number[graph.position[in_graph]]
    first_two = np.argsort(place < 0, axis=1, kind="stable")[:, :2]
    nearest = np.take_along_axis(place, first_two, 1)
    similarity = np.take_along_axis(graph.similarity[in_graph], first_two, 1).astype(np.float64)
    lost = np.flatnonzero((nearest < 0).any(axis=1))
    if len(lost):
        group = twin_groups(graph.twins)[in_graph]
        nearest[lost], similarity[lost] = _searched(l2_normalize(embeddings()[database]), lost, group)
    return nearest, similarity


def _searched(
    unit: NDArray[np.float32], rows: NDArray[np.int64], group: NDArray[np.integer]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The two nearest to each of `rows` that are not of its group of twins; a similarity is nan if there is none."""
    nearest, similarity = np.empty((len(rows), 2), np.int64), np.empty((len(rows), 2), np.float32)
    at_once = max(1, MOST_SIMILARITIES // len(unit))
    for start in range(0, len(rows), at_once):
        block = rows[start : start + at_once]
        cosines = unit[block] @ unit.T
        cosines[group[block][:, None] == group[None, :]] = -np.inf
        two = np.argpartition(-cosines, 1, axis=1)[:, :2]
        found = np.take_along_axis(cosines, two, 1)
        order = np.argsort(-found, axis=1, kind="stable")
        nearest[start : start + at_once] = np.take_along_axis(two, order, 1)
        similarity[start : start + at_once] = np.take_along_axis(found, order, 1)
    similarity[np.isneginf(similarity)] = np.nan
    return nearest, similarity


def _values(table: pd.DataFrame, similarity: Floats) -> dict[str, Floats]:
    return {
        **{name: table[name].to_numpy(np.float64) for name in TABLE_MEASURES},
        NEAREST: -similarity[:, 0],
        NEAREST_GAP.name: similarity[:, 1] - similarity[:, 0],
    }


def _codes(values: Floats) -> NDArray[np.int64]:
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def _curve(found: RiskCoverage) -> Curve:
    chosen = np.unique(np.linspace(0, len(found.coverage) - 1, MOST_CURVE_POINTS).round().astype(np.int64))
    return Curve(found.coverage[chosen], 1 - found.risk[chosen])


def _most_often(names: NDArray[np.str_]) -> str | None:
    if not len(names):
        return None
    found, count = np.unique(names, return_counts=True)
    return str(found[count.argmax()])
