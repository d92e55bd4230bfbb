"""How well measures order a labelled image set: R-AUROC, AURC and deciles with intervals, all on the same pictures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.measures import MEASURES, NEAREST_GAP, TABLE_MEASURES
from url_viz.analysis.measures import NEAREST as NEAREST_MEASURE
from url_viz.analysis.order_metrics import (
    NO_INTERVAL,
    Figure,
    Influenced,
    Interval,
    auroc_influence,
    r_auroc,
    risk_coverage,
    share_by_blocks,
)
from url_viz.analysis.ranking import percentile
from url_viz.analysis.selective_retrieval import (
    FEWEST_PICTURES,
    Curve,
    distinct_with_class,
    lists_among,
    nearest_outside_group,
    thinned,
)
from url_viz.pipeline.twins import source_groups
from url_viz.rows import l2_normalize
from url_viz.store.tables import Graph, positions_of

NEAREST = NEAREST_MEASURE.name
ALL = tuple(measure.name for measure in MEASURES)
"""All measures, each higher = less to be trusted; the last two are minus the nearest similarity, and minus the gap."""

FEWEST_OF_USER = 0.5
DECILES = 10
_NORMAL_975 = 1.959963984540054

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)  # as `Evaluated`
class CountedPictures:
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
        """Recall@1's 95 % interval over classes."""
        return share_by_blocks(self.is_right, self.code).interval

    @cached_property
    def code(self) -> NDArray[np.int64]:
        """The number of each picture's class (M,)."""
        return np.unique(self.labels, return_inverse=True)[1].astype(np.int64)

    @property
    def classes(self) -> int:
        """How many classes the counted pictures have."""
        return int(self.code.max()) + 1

    def auroc_of(self, name: str) -> Influenced:
        """R-AUROC of a measure with each picture's influence on it."""
        return auroc_influence(self.values[name], ~self.is_right)

    @property
    def oracle(self) -> Curve:
        """Recall by coverage of the best order there can be."""
        wrong = ~self.is_right
        return thinned(risk_coverage(wrong, wrong))


@dataclass(frozen=True)
class MeasureFigures:
    """How one measure orders the counted pictures.

    `auroc` is its R-AUROC with an interval of 95 % over classes (`auroc_by_blocks`); `over_nearest` its lead over
    nearest similarity on the same pictures (nan for nearest similarity itself). AURC: lower is better.
    """

    name: str
    auroc: Figure
    over_nearest: Figure
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


def counted_pictures(
    table: pd.DataFrame,
    contents: NDArray[np.int64],
    *,
    graph: Graph,
    embeddings: Callable[[], NDArray[np.floating]],
    user_measures: Sequence[str] = (),
) -> CountedPictures | None:
    """The pictures of `ImageSet.table()` to count, with content keys (N,) in its order; None if there are too few.

    Copies count once, as in `selective_retrieval`. `embeddings` gives rows (N, A) in the whitened space, and is asked
    only if all of a picture's neighbours in the graph are without a class, so that its nearest has to be searched.
    `user_measures` are columns that a user brought; one that fewer than half of the pictures have is passed over, as
    it would leave out most.
    """
    database = distinct_with_class(table, contents, graph)
    if len(database) < FEWEST_PICTURES or table["label"].iloc[database].nunique() < 2:
        return None
    nearest, similarity = _two_nearest(graph, positions_of(contents[database], graph.content), database, embeddings)
    values = _values(table.iloc[database], similarity)
    known = {name: values[name] for name in ALL if name in values and np.isfinite(values[name]).any()}
    brought = {name: table[name].iloc[database].to_numpy(np.float64) for name in user_measures}
    known |= {name: each for name, each in brought.items() if np.isfinite(each).mean() >= FEWEST_OF_USER}
    has_all = np.logical_and.reduce([np.isfinite(each) for each in known.values()])
    if NEAREST not in known or has_all.sum() < FEWEST_PICTURES:  # all of one source group have no neighbour
        return None
    labels = table["label"].to_numpy(dtype=object)
    found = database[nearest[has_all, 0]]
    return CountedPictures(
        rows=database[has_all],
        nearest=found,
        labels=labels[database[has_all]].astype(str),
        nearest_labels=labels[found].astype(str),
        values={name: each[has_all] for name, each in known.items()},
        left_out=len(table) - int(has_all.sum()),
    )


def measured(pictures: CountedPictures) -> tuple[MeasureFigures, ...]:
    """Every measure's figures, in the order of ALL, the user's own last."""
    return tuple(_measured(pictures, name) for name in pictures.values)


def _measured(pictures: CountedPictures, name: str) -> MeasureFigures:
    auroc = pictures.auroc_of(name).by_blocks(pictures.code)
    lead = Figure(float("nan"), NO_INTERVAL) if name == NEAREST else lead_over(pictures, name, NEAREST)
    curve = risk_coverage(pictures.values[name], ~pictures.is_right)
    return MeasureFigures(name, auroc, lead, curve.aurc, thinned(curve))


def lead_over(pictures: CountedPictures, name: str, other: str) -> Figure:
    """R-AUROC of one measure minus that of another on the same pictures, with the 95 % interval of the difference."""
    return (pictures.auroc_of(name) - pictures.auroc_of(other)).by_blocks(pictures.code, least=-1)


def deciles(values: Floats, is_right: NDArray[np.bool_]) -> Deciles:
    """Recall@1 by tenths of a measure (M,), whose search `is_right` (M,)."""
    rank = percentile(values).astype(np.float64) * (len(values) - 1) / 100  # 0 to M − 1, ties sharing their middle
    tenth = np.minimum((rank + 0.5) * DECILES / len(values), DECILES - 1).astype(np.int64)
    pictures = np.bincount(tenth, minlength=DECILES)
    hits = np.bincount(tenth, weights=is_right, minlength=DECILES)
    intervals = [share_interval(int(h), int(n)) for h, n in zip(hits, pictures, strict=True)]
    recall = np.divide(hits, pictures, out=np.full(DECILES, np.nan), where=pictures > 0)
    return Deciles(recall, np.array([i.low for i in intervals]), np.array([i.high for i in intervals]), pictures)


def by_class(pictures: CountedPictures, measure: str) -> pd.DataFrame:
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


def share_interval(hits: float, count: int) -> Interval:
    """Wilson's 95 % interval of a share of `count`, ties among the hits as halves; nan if there is nothing to count."""
    if count == 0:
        return NO_INTERVAL
    z, share = _NORMAL_975, hits / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * np.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return Interval(max(0.0, float(middle - half)), min(1.0, float(middle + half)))


def _two_nearest(
    graph: Graph,
    in_graph: NDArray[np.int64],
    database: NDArray[np.int64],
    embeddings: Callable[[], NDArray[np.floating]],
) -> tuple[NDArray[np.int64], Floats]:
    """Places in `database` (M,) of each one's two nearest that are no twins (M, 2), and cosines (M, 2), or nan."""
    place = lists_among(graph, in_graph)
    first_two = np.argsort(place < 0, axis=1, kind="stable")[:, :2]
    nearest = np.take_along_axis(place, first_two, 1)
    similarity = np.take_along_axis(graph.similarity[in_graph], first_two, 1).astype(np.float64)
    lost = np.flatnonzero((nearest < 0).any(axis=1))
    if len(lost):
        unit, group = l2_normalize(embeddings()[database]), source_groups(graph.twins, graph.apart)[in_graph]
        nearest[lost], similarity[lost] = nearest_outside_group(unit, lost, np.arange(len(unit)), group, k=2)
    return nearest, similarity


def _values(table: pd.DataFrame, similarity: Floats) -> dict[str, Floats]:
    return {
        **{name: table[name].to_numpy(np.float64) for name in TABLE_MEASURES if name in table},
        NEAREST: -similarity[:, 0],
        NEAREST_GAP.name: similarity[:, 1] - similarity[:, 0],
    }


def _most_often(names: NDArray[np.str_]) -> str | None:
    if not len(names):
        return None
    found, count = np.unique(names, return_counts=True)
    return str(found[count.argmax()])
