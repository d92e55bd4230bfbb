"""A user's model against the pictures: sure or not, clear or ambiguous; its accuracy and the training map."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.base.errors import DamageError, SupersededError
from url_viz.columns.engine import column
from url_viz.columns.filters import SEVERAL, Between, Filter, OneOf, filter_kind, filterable
from url_viz.columns.measures import TRAINING_MEASURES
from url_viz.columns.ranking import NONE
from url_viz.evidence.order_metrics import NO_INTERVAL, NORMAL_975, Figure, Interval, share_of
from url_viz.labels.ambiguity import ClassShares
from url_viz.labels.votes import Codes
from url_viz.runs.run_on_set import RunOnSet, Shares
from url_viz.store.training_records import RecordedRuns

WRONG, AMBIGUOUS, WEAK, LATE = "wrong label", "ambiguous", "model's weakness", "learnt late"
TRAINING = "training"
"""The name of the map by training in addresses; that of the map by look is empty."""
MODEL_SAYS = "model_says"
"""The column with one of the four kinds, None for other pictures."""
MODEL_STRENGTH = "model_strength"
"""The column that orders the pictures of each kind, higher = first."""
CLEAR = 0.5
"""Ambiguity below which two classes are told apart: one has at least half of all shares more than the next."""
LATE_SHARE = 0.1
"""The last tenth of the pictures that a model learnt were learnt late …"""
LATE_EPOCH = 2
"""… if that was not in its first two epochs."""
MODEL_COLUMNS = (
    *("model_class", "model_second", "model_share", "model_doubt"),
    *(
        "last_margin",
        "mean_margin",
        "confidence",
        "epochs",
        MODEL_SAYS,
        MODEL_STRENGTH,
        *(each.name for each in TRAINING_MEASURES),
    ),
)
"""The columns of the table that a run gives; `learnt` is the number of epochs where none was right."""


@dataclass(frozen=True)
class ModelQueue:
    """A kind as a queue of the review: what is said of one picture or several, and why it matters."""

    kind: str
    title: str
    verb: str
    plural_verb: str
    why: str


QUEUES = {
    "model-wrong-labels": ModelQueue(
        WRONG,
        "Your model and look-alikes say another class",
        "is of another class, say your model and its look-alikes",
        "are of another class, say your model and their look-alikes",
        "Both say the same other class: probably wrong labels, or classes that are hard to tell apart.",
    ),
    "model-ambiguous": ModelQueue(
        AMBIGUOUS,
        "Truly ambiguous pictures",
        "is ambiguous to your model and among its look-alikes",
        "are ambiguous to your model and among their look-alikes",
        "Both are torn between the same two classes. More such labels will not help: ask people, or merge the classes.",
    ),
    "model-weakness": ModelQueue(
        WEAK,
        "Your model's own weakness",
        "is clear, and your model is wrong or unsure",
        "are clear, and your model is wrong or unsure",
        "Their look-alikes are of their label. More training pictures of this kind would help.",
    ),
    "model-learnt-late": ModelQueue(
        LATE,
        "Learnt late",
        "was learnt late, and is right",
        "were learnt late, and are right",
        "The model is right and sure of them only since the last epochs: rare kinds, or memorised ones.",
    ),
}
"""The queues, the one that matters most first."""

Flags = NDArray[np.bool_]


def top_two(shares: Shares) -> ClassShares:
    """The two likeliest classes of each row of `shares` (N, K), K of two or more; NONE and nan for rows of nan."""
    is_known: Flags = np.asarray(np.isfinite(shares).all(axis=1))
    values = np.where(is_known[:, None], shares, 0)
    order = np.argsort(-values, axis=1, kind="stable")[:, :2]
    first, second = np.where(is_known[:, None], order, NONE).astype(np.int32).T
    return ClassShares(first, second, *np.where(is_known, np.take_along_axis(values, order, 1).T, np.float32(np.nan)))


def tempered(shares: Shares, label: Codes) -> Shares:
    """Probabilities (N, K) raised to the one power under which the labels (N,) are likeliest, and normalised.

    A network is surer than it is right (Guo et al. 2017, arXiv 1706.04599). Rows of nan and without a label stay out.
    """
    from scipy.optimize import minimize_scalar  # slow to import, and few commands need it

    has_shares = np.flatnonzero(np.isfinite(shares).all(axis=1))
    logs = np.log(np.maximum(shares[has_shares], 1e-30)).astype(np.float64)
    labelled = np.flatnonzero(label[has_shares] != NONE)

    def scaled(log_power: float) -> NDArray[np.float64]:
        values = logs * np.exp(log_power)
        normal: NDArray[np.float64] = values - np.logaddexp.reduce(values, axis=1, keepdims=True)
        return normal

    def loss(log_power: float) -> float:
        return -float(scaled(log_power)[labelled, label[has_shares][labelled]].mean())

    scaled_shares = shares.copy()
    if len(labelled):
        scaled_shares[has_shares] = np.exp(scaled(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))
    return scaled_shares


def two_by_two(
    model: ClassShares, pictures: ClassShares, label: Codes, right: Shares, learnt: NDArray[np.float64]
) -> tuple[NDArray[np.object_], NDArray[np.float64]]:
    """The kind (N,) of each picture, None for none of the four, and its strength (N,): higher comes first in its kind.

    It follows from a model and from what other pictures of the set show; of held-out pictures, neither has seen the
    labels. `right` (N,) is the model's probability of the label, `learnt` (N,) the first epoch that was right.

    *wrong label*: the pictures are clearly of another class, and the model says the same class. *ambiguous*: both are
    torn, between the same two. *model's weakness*: the pictures are clear and of their label, the model is wrong or
    unsure. *learnt late*: the model is right and sure, but was only in the end.
    """
    is_known, has_label = model.first_class != NONE, label != NONE
    is_sure, is_clear = model.ambiguity < CLEAR, pictures.ambiguity < CLEAR
    agree = model.first_class == pictures.first_class
    of_model, of_pictures = (np.sort([each.first_class, each.second_class], axis=0) for each in (model, pictures))
    kind = np.full(len(label), None, object)
    strength = np.zeros(len(label))
    is_of_label = has_label & (pictures.first_class == label)
    is_late = has_label & (model.first_class == label) & is_sure & _is_late(learnt)
    cases: tuple[tuple[str, Flags, NDArray[np.floating]], ...] = (
        (LATE, is_late, np.nan_to_num(learnt, posinf=0)),
        (
            WEAK,
            is_of_label & is_clear & ~(is_sure & (model.first_class == label)),
            (1 - right) * (1 - pictures.ambiguity),
        ),
        (
            AMBIGUOUS,
            ~is_sure & ~is_clear & (of_model == of_pictures).all(axis=0),
            np.minimum(model.ambiguity, pictures.ambiguity),
        ),
        (WRONG, has_label & ~is_of_label & agree & is_clear, model.first_share * pictures.first_share),
    )
    for name, is_case, value in cases:  # a later one counts for more
        kind[is_known & is_case] = name
        strength[is_known & is_case] = value[is_known & is_case]
    return kind, strength


def _is_late(learnt: NDArray[np.float64]) -> Flags:
    """Which pictures (N,) are among the last that were learnt: at most a tenth, however many an epoch taught."""
    learnt_at = learnt[np.isfinite(learnt)]
    if not len(learnt_at):
        return np.zeros(len(learnt), bool)
    bound = float(np.quantile(learnt_at, 1 - LATE_SHARE, method="higher"))
    return np.isfinite(learnt) & (learnt > bound) & (learnt >= LATE_EPOCH)


def in_queue(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """The pictures of a queue of `QUEUES`, the strongest case first: id and, as suggested, the model's class.

    `table` is `ImageSet.table()`, or has MODEL_COLUMNS; none without a run.
    """
    if MODEL_SAYS not in table:
        return pd.DataFrame({"id": [], "suggested": []})
    rows = table[table[MODEL_SAYS] == QUEUES[name].kind].sort_values(MODEL_STRENGTH, ascending=False, kind="stable")
    suggested = rows["model_class"].to_numpy(object, copy=True)
    suggested[(rows["model_class"] == rows["label"]).to_numpy(bool)] = None
    return pd.DataFrame({"id": rows["id"].to_numpy(), "suggested": pd.Series(suggested, dtype=object)})


def _columns_of(run: RunOnSet, pictures: ClassShares | None) -> Mapping[str, Any]:
    """MODEL_COLUMNS of N pictures: what a run says of them; `pictures` is None for a set without classes.

    Probabilities are those of held-out pictures, tempered by their labels, else the mean over the epochs.
    """
    labels = run.labels
    held_out = tempered(run.held_out, labels.codes)
    shares = np.where(run.is_held_out[:, None], held_out, run.in_sample)
    model, trained = top_two(shares), {str(name): column.to_numpy() for name, column in run.dynamics.items()}
    names = np.array([*labels.names, None], object)
    right = np.where(labels.codes == NONE, np.nan, shares[np.arange(len(shares)), labels.codes])
    kind, strength = np.full(len(shares), None, object), np.zeros(len(shares))
    if pictures is not None:
        kind, strength = two_by_two(model, pictures, labels.codes, right, trained["learnt"])
    return {
        "model_class": pd.Series(names[model.first_class], dtype=object),
        "model_second": pd.Series(names[model.second_class], dtype=object),
        "model_share": model.first_share,
        "model_doubt": model.ambiguity,
        **trained,
        "epochs": trained["epochs"].astype(np.float64),
        "low_last_margin": -trained["last_margin"],
        "low_mean_margin": -trained["mean_margin"],
        "low_confidence": 1 - trained["confidence"],
        "learnt": np.where(np.isinf(trained["learnt"]), trained["epochs"], trained["learnt"]),
        MODEL_SAYS: pd.Series(kind, dtype=object),
        MODEL_STRENGTH: strength,
    }


def has_training(table: pd.DataFrame) -> bool:
    """Whether a run trained on pictures of the table in two epochs or more."""
    return "variability" in table and bool((table["variability"] > 0).any())


def by_training(table: pd.DataFrame) -> pd.DataFrame:
    """The table with x = variability and y = confidence, nan for pictures that no epoch trained on.

    Dataset cartography (Swayamdipta et al. 2020, arXiv 2009.10795).
    """
    return table.assign(x=table["variability"].astype("float32"), y=table["confidence"].astype("float32"))


@column(gives=MODEL_COLUMNS)
def model_columns(
    runs: RecordedRuns,
    recorded_runs: dict[str, RunOnSet | DamageError],
    class_codes: dict[str, NDArray[Any]] | None,
) -> Mapping[str, Any]:
    """What the chosen run says; {} without a run that can be read, or without two classes."""
    run = None if runs.chosen is None else recorded_runs.get(runs.chosen)
    if not isinstance(run, RunOnSet) or len(run.labels.names) < 2:
        return {}
    names = ("first_class", "second_class", "first_share", "second_share")
    with suppress(DamageError, SupersededError):  # reported where runs are shown
        return _columns_of(run, None if class_codes is None else ClassShares(*(class_codes[name] for name in names)))
    return {}


TENTHS = 10
MOST_CLASSES = 12
"""Of a confusion matrix: those of the most confused pairs."""


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
        """Whether the likeliest class is the label (M,)."""
        return np.asarray(self.label == self.predicted)

    @property
    def accuracy(self) -> Figure:
        """The share of pictures that is right, with Wilson's 95 % interval."""
        return share_of(int(self.is_right.sum()), len(self.rows))

    @property
    def words(self) -> str:
        """ "on 1,234 pictures that it was not trained on" """
        return f"on {len(self.rows):,} pictures that it was {'not ' if self.is_held_out else ''}trained on"


def predicted(run: RunOnSet) -> RunPredictions:
    """The predictions on which a run's accuracy is counted."""
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
    """Pictures by label (rows) and predicted class (columns), for at most `most` classes, the most confused ones."""
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
    number, filters = _tenths(values) if filter_kind(column) == "numeric" else _kinds(values)
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
