"""Accuracy of a recorded run: overall, by the values of a column, by confused classes, and against another run."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.evidence.order_metrics import NO_INTERVAL, NORMAL_975, Figure, Interval, share_of
from url_viz.analysis.filters import SEVERAL, Between, Filter, OneOf, filterable, kind_of
from url_viz.analysis.labels.votes import NONE, Codes
from url_viz.analysis.runs.run_on_set import RunOnSet
from url_viz.analysis.runs.two_by_two import MODEL_COLUMNS

TENTHS = 10
MOST_CLASSES = 12
"""Of a confusion matrix: those of the most confused pairs."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class RunPredictions:
    """A run's predictions on the M labelled pictures that were held out; without any, on those it was trained on.

    `rows` (M,) are rows of the set's table, `label` and `predicted` (M,) codes among `names`.
    """

    rows: NDArray[np.int64]
    label: Codes
    predicted: Codes
    names: tuple[str, ...]
    is_held_out: bool

    @property
    def is_right(self) -> Flags:
        """Where the likeliest class is the label (M,)."""
        return np.asarray(self.label == self.predicted)

    @property
    def accuracy(self) -> Figure:
        """The share of pictures that is right, with Wilson's 95 % interval."""
        return share_of(int(self.is_right.sum()), len(self.rows))

    @property
    def words(self) -> str:
        """What was counted: "on 1,234 pictures that it was not trained on"."""
        return f"on {len(self.rows):,} pictures that it was {'not ' if self.is_held_out else ''}trained on"


def predicted(run: RunOnSet) -> RunPredictions:
    """The predictions of a run that its accuracy is counted on."""
    has_label = run.labels.codes != NONE
    is_held_out = bool((run.is_held_out & has_label).any())
    shares = run.held_out if is_held_out else run.in_sample
    has_both = np.asarray(np.isfinite(shares).all(axis=1) & has_label)
    rows = np.flatnonzero(has_both)
    predicted_class = shares[rows].argmax(axis=1).astype(np.int32) if len(rows) else np.zeros(0, np.int32)
    return RunPredictions(rows, run.labels.codes[rows], predicted_class, run.labels.names, is_held_out)


def confusions(predictions: RunPredictions) -> pd.DataFrame:
    """The pairs of classes that are taken for each other: `label`, `said` (codes), `pictures`; most pictures first."""
    wrong = ~predictions.is_right
    pairs = pd.DataFrame({"label": predictions.label[wrong], "said": predictions.predicted[wrong]})
    return pairs.value_counts().rename("pictures").reset_index()


def confusion_matrix(predictions: RunPredictions, *, most: int = MOST_CLASSES) -> pd.DataFrame:
    """How many pictures of each label (rows) are of each class (columns) to the model, for the most confused classes.

    At most so many classes, sorted by name: those of the pairs with most pictures.
    """
    shown = list(dict.fromkeys(confusions(predictions)[["label", "said"]].to_numpy().ravel().tolist()))[:most]
    counts = pd.crosstab(predictions.label, predictions.predicted).reindex(
        index=sorted(shown), columns=sorted(shown), fill_value=0
    )
    names = [predictions.names[code] for code in sorted(shown)]
    return counts.set_axis(names, axis=0).set_axis(names, axis=1)


def columns_to_compare(table: pd.DataFrame) -> list[str]:
    """The columns of `ImageSet.table()` by which accuracy can be compared, the class first."""
    without = {*SEVERAL, *MODEL_COLUMNS}
    columns = [name for name in filterable(table) if name not in without]
    return sorted(columns, key=lambda name: name != "label")


def accuracy_by(predictions: RunPredictions, column: "pd.Series[Any]") -> tuple[pd.DataFrame, tuple[Filter, ...]]:
    """Accuracy for each value of a column of the set's table, or each tenth of a numeric one, and the filter of each.

    Columns: `value`, `pictures`, `wrong`, `accuracy`, and the `low` and `high` end of Wilson's 95 % interval. That
    with the lowest `high` comes first: of few pictures, a low accuracy may be chance. Missing numbers are left out.
    """
    values = column.iloc[predictions.rows]
    number, filters = _tenths(values) if kind_of(column) == "numeric" else _kinds(values)
    pictures, right = (
        np.bincount(number[keep], minlength=len(filters))
        for keep in (number >= 0, (number >= 0) & predictions.is_right)
    )
    shares = [share_of(int(hits), int(count)) for hits, count in zip(right, pictures, strict=True)]
    unsorted = pd.DataFrame(
        {
            "value": [_words(rule) for rule in filters],
            "pictures": pictures,
            "wrong": pictures - right,
            "accuracy": [share.value for share in shares],
            "low": [share.interval.low for share in shares],
            "high": [share.interval.high for share in shares],
        }
    )
    table = unsorted.sort_values(["high", "pictures", "value"], ascending=[True, False, True], kind="stable")
    return table.reset_index(drop=True), tuple(filters[row] for row in table.index)


def _tenths(values: "pd.Series[Any]") -> tuple[NDArray[np.int64], list[Filter]]:
    numbers = values.to_numpy(np.float64)
    is_known = np.isfinite(numbers)
    edges = np.quantile(numbers[is_known], np.arange(1, TENTHS) / TENTHS) if is_known.any() else numbers[:0]
    part = np.where(is_known, np.searchsorted(edges, numbers), NONE)
    parts, number = np.unique(part, return_inverse=True)
    number = number - int((parts == NONE).any())  # NONE is sorted first
    name = str(values.name)
    each = (numbers[number == group] for group in range(number.max(initial=NONE) + 1))
    return number, [Between(name, float(part.min()), float(part.max())) for part in each]


def _kinds(values: "pd.Series[Any]") -> tuple[NDArray[np.int64], list[Filter]]:
    number, names = pd.factorize(values.where(values.notna(), "").astype(str), sort=True)
    return number.astype(np.int64), [OneOf(str(values.name), (str(name),)) for name in names]


def _words(rule: Filter) -> str:
    if isinstance(rule, Between):
        return f"{rule.low:.4g} – {rule.high:.4g}"
    return (rule.values[0] or "none") if isinstance(rule, OneOf) else rule.text


@dataclass(frozen=True, eq=False)
class TwoRuns:
    """Two runs on the M pictures that both say something of: `rows` (M,) of the table, where each is right (M,)."""

    rows: NDArray[np.int64]
    first: Flags
    second: Flags

    @property
    def difference(self) -> Figure:
        """The accuracy of `first` less that of `second`, with its 95 % interval; the pictures are the same.

        The interval is that of Agresti and Min 2005 (Statistics in Medicine 24, p. 729): half a picture is added to
        each of the four cells, so that it has a width where few pictures, or none, differ.
        """
        count = len(self.rows)
        if not count:
            return Figure(float("nan"), NO_INTERVAL)
        only_one, only_other = int((self.first & ~self.second).sum()), int((self.second & ~self.first).sum())
        total, difference = count + 2, only_one - only_other
        half = NORMAL_975 * float(np.sqrt(only_one + only_other + 1 - difference**2 / total)) / total
        interval = Interval(max(-1.0, difference / total - half), min(1.0, difference / total + half))
        return Figure(difference / count, interval)


def two_runs(first: RunPredictions, second: RunPredictions) -> TwoRuns:
    """Compare two runs on the same pictures of a set."""
    rows, here, there = np.intersect1d(first.rows, second.rows, assume_unique=True, return_indices=True)
    return TwoRuns(rows, first.is_right[here], second.is_right[there])
