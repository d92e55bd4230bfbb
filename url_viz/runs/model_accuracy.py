"""A user's model against the pictures: sure or not, clear or ambiguous; its accuracy and the training map."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
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
from url_viz.findings.checks import Check, Said, counted_rows
from url_viz.labels.ambiguity import ClassShares
from url_viz.labels.questions import ask_any_label, between_classes
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
    *("last_margin", "mean_margin", "confidence", "epochs", MODEL_SAYS, MODEL_STRENGTH),
    *(measure.name for measure in TRAINING_MEASURES),
)
"""The columns of the table that a run gives; `learnt` is the number of epochs where none was right."""


Flags = NDArray[np.bool_]


def top_two(shares: Shares) -> ClassShares:
    """The two likeliest classes of each row of `shares` (N, K), K of two or more; NONE and nan for rows of nan."""
    is_known = np.isfinite(shares).all(axis=1, keepdims=True)
    values = np.where(is_known, shares, 0)
    order = np.argsort(-values, axis=1, kind="stable")[:, :2]
    first, second = np.where(is_known, order, NONE).astype(np.int32).T
    return ClassShares(first, second, *np.where(is_known, np.take_along_axis(values, order, 1), np.float32(np.nan)).T)


def tempered(shares: Shares, label: Codes) -> Shares:
    """Probabilities (N, K) raised to the one power under which the labels (N,) are likeliest, and normalised.

    A network is surer than it is right (Guo et al. 2017, arXiv 1706.04599). Rows of nan and without a label stay out.
    """
    from scipy.optimize import minimize_scalar  # slow to import, and few commands need it

    known = np.flatnonzero(np.isfinite(shares).all(axis=1))
    logs = np.log(np.maximum(shares[known], 1e-30)).astype(np.float64)
    labelled = np.flatnonzero(label[known] != NONE)

    def scaled(log_power: float) -> NDArray[np.float64]:
        values = logs * np.exp(log_power)
        normal: NDArray[np.float64] = values - np.logaddexp.reduce(values, axis=1, keepdims=True)
        return normal

    def loss(log_power: float) -> float:
        return -float(scaled(log_power)[labelled, label[known][labelled]].mean())

    result = shares.copy()
    if len(labelled):
        result[known] = np.exp(scaled(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))
    return result


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
    is_right, is_of_label = model.first_class == label, has_label & (pictures.first_class == label)
    is_same_class = model.first_class == pictures.first_class
    pairs = [np.sort([each.first_class, each.second_class], axis=0) for each in (model, pictures)]
    is_same_pair = (pairs[0] == pairs[1]).all(axis=0)
    cases = (
        (LATE, has_label & is_right & is_sure & _is_late(learnt), np.nan_to_num(learnt, posinf=0)),
        (WEAK, is_of_label & is_clear & ~(is_sure & is_right), (1 - right) * (1 - pictures.ambiguity)),
        (AMBIGUOUS, ~is_sure & ~is_clear & is_same_pair, np.minimum(model.ambiguity, pictures.ambiguity)),
        (WRONG, has_label & ~is_of_label & is_same_class & is_clear, model.first_share * pictures.first_share),
    )
    kind, strength = np.full(len(label), None, object), np.zeros(len(label))
    for name, is_case, value in cases:  # a later one counts for more
        kind[is_known & is_case] = name
        strength[is_known & is_case] = value[is_known & is_case]
    return kind, strength


def _is_late(learnt: NDArray[np.float64]) -> Flags:
    """Which pictures (N,) are among the last that were learnt: at most a tenth, however many an epoch taught."""
    is_learnt = np.isfinite(learnt)
    bound = np.quantile(learnt[is_learnt], 1 - LATE_SHARE, method="higher") if is_learnt.any() else np.inf
    return np.asarray(is_learnt & (learnt > bound) & (learnt >= LATE_EPOCH))


def in_queue(kind: str, table: pd.DataFrame) -> pd.DataFrame:
    """The pictures of a kind, the strongest case first: id and, as suggested, the model's class.

    `table` is `ImageSet.table()`, or has MODEL_COLUMNS; none without a run.
    """
    if MODEL_SAYS not in table:
        return pd.DataFrame({"id": [], "suggested": []})
    rows = table[table[MODEL_SAYS] == kind].sort_values(MODEL_STRENGTH, ascending=False, kind="stable")
    suggested = rows["model_class"].to_numpy(object, copy=True)
    suggested[(rows["model_class"] == rows["label"]).to_numpy(bool)] = None
    return pd.DataFrame({"id": rows["id"].to_numpy(), "suggested": pd.Series(suggested, dtype=object)})


def _queue(kind: str, name: str, verb: str, plural_verb: str, **how: Any) -> Check:
    """The check of a kind, which says of one picture `verb`, of several `plural_verb`."""

    def said(table: pd.DataFrame, left: int) -> Said:
        return Said(left, counted_rows(table, left, verb, plural_verb))

    return Check(name, finds=partial(in_queue, kind), says=said, **{"ask": ask_any_label, **how})


QUEUES = {
    WRONG: _queue(
        WRONG,
        "model-wrong-labels",
        "is of another class, say your model and its look-alikes",
        "are of another class, say your model and their look-alikes",
        place=80,
        short="label{s} your model doubts",
        why="Both say the same other class: probably wrong labels, or classes that are hard to tell apart.",
        title="Your model and look-alikes say another class",
    ),
    AMBIGUOUS: _queue(
        AMBIGUOUS,
        "model-ambiguous",
        "is ambiguous to your model and among its look-alikes",
        "are ambiguous to your model and among their look-alikes",
        place=100,
        short="doubt{s} of your model",
        why="Both are torn between the same two classes. More such labels will not help: ask people, or merge the "
        "classes.",
        title="Truly ambiguous pictures",
        ask=between_classes,
    ),
    WEAK: _queue(
        WEAK,
        "model-weakness",
        "is clear, and your model is wrong or unsure",
        "are clear, and your model is wrong or unsure",
        place=110,
        short="weak spot{s} of your model",
        why="Their look-alikes are of their label. More training pictures of this kind would help.",
        title="Your model's own weakness",
    ),
    LATE: _queue(
        LATE,
        "model-learnt-late",
        "was learnt late, and is right",
        "were learnt late, and are right",
        place=120,
        short="learnt late",
        why="The model is right and sure of them only since the last epochs: rare kinds, or memorised ones.",
        title="Learnt late",
    ),
}
"""The check of each kind, the one that matters most first."""
CHECKS = (*QUEUES.values(),)


@column(gives=MODEL_COLUMNS)
def model_columns(
    runs: RecordedRuns,
    recorded_runs: dict[str, RunOnSet | DamageError],
    class_codes: dict[str, NDArray[Any]] | None,
) -> Mapping[str, Any]:
    """What the chosen run says: probabilities of held-out pictures, tempered by their labels, else the epochs' mean.

    {} without a run that can be read, or without two classes.
    """
    run = None if runs.chosen is None else recorded_runs.get(runs.chosen)
    if not isinstance(run, RunOnSet) or len(run.labels.names) < 2:
        return {}
    codes = run.labels.codes
    try:
        shares = np.where(run.is_held_out[:, None], tempered(run.held_out, codes), run.in_sample)
        trained = {str(name): column.to_numpy() for name, column in run.dynamics.items()}
    except (DamageError, SupersededError):  # reported where runs are shown
        return {}
    model, names = top_two(shares), np.array([*run.labels.names, None], object)
    kind, strength = np.full(len(shares), None, object), np.zeros(len(shares))
    if class_codes is not None:
        columns = (class_codes[name] for name in ("first_class", "second_class", "first_share", "second_share"))
        right = np.where(codes == NONE, np.nan, shares[np.arange(len(shares)), codes])
        kind, strength = two_by_two(model, ClassShares(*columns), codes, right, trained["learnt"])
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
    codes, names = run.labels.codes, run.labels.names
    is_held_out = bool((run.is_held_out & (codes != NONE)).any())
    shares = run.held_out if is_held_out else run.in_sample
    rows = np.flatnonzero(np.isfinite(shares).all(axis=1) & (codes != NONE))
    called = shares[rows].argmax(axis=1).astype(np.int32) if len(rows) else np.zeros(0, np.int32)
    return RunPredictions(rows, codes[rows], called, names, is_held_out)


def confusions(predictions: RunPredictions) -> pd.DataFrame:
    """The pairs of classes that are taken for each other: `label`, `said` (codes), `pictures`; most pictures first."""
    wrong = ~predictions.is_right
    pairs = pd.DataFrame({"label": predictions.label[wrong], "said": predictions.predicted[wrong]})
    return pairs.value_counts().rename("pictures").reset_index()


def confusion_matrix(predictions: RunPredictions, *, most: int = MOST_CLASSES) -> pd.DataFrame:
    """Pictures by label (rows) and predicted class (columns), for at most `most` classes, the most confused ones."""
    confused = dict.fromkeys(confusions(predictions)[["label", "said"]].to_numpy().ravel().tolist())
    shown = sorted(list(confused)[:most])
    counts = pd.crosstab(predictions.label, predictions.predicted).reindex(index=shown, columns=shown, fill_value=0)
    names = [predictions.names[code] for code in shown]
    return counts.set_axis(names, axis=0).set_axis(names, axis=1)


def columns_to_compare(table: pd.DataFrame) -> list[str]:
    """The columns of `ImageSet.table()` by which accuracy can be compared, the class first."""
    columns = (name for name in filterable(table) if name not in {*SEVERAL, *MODEL_COLUMNS})
    return sorted(columns, key=lambda name: name != "label")


def accuracy_by(predictions: RunPredictions, column: "pd.Series[Any]") -> tuple[pd.DataFrame, tuple[Filter, ...]]:
    """Accuracy for each value of a column of the set's table, or each tenth of a numeric one, and the filter of each.

    Columns: `value`, `pictures`, `wrong`, `accuracy`, and the `low` and `high` end of Wilson's 95 % interval. That
    with the lowest `high` comes first: of few pictures, a low accuracy may be chance. Missing numbers are left out.
    """
    values, name = column.iloc[predictions.rows], str(column.name)
    filters: list[Filter]
    if filter_kind(column) == "numeric":
        number, ranges = _tenths(values.to_numpy(np.float64))
        filters = [Between(name, low, high) for low, high in ranges]
        words = [f"{low:.4g} – {high:.4g}" for low, high in ranges]
    else:
        number, kinds = pd.factorize(values.where(values.notna(), "").astype(str), sort=True)
        filters = [OneOf(name, (str(kind),)) for kind in kinds]
        words = [str(kind) or "none" for kind in kinds]
    pictures = np.bincount(number[number >= 0], minlength=len(filters))
    right = np.bincount(number[(number >= 0) & predictions.is_right], minlength=len(filters))
    shares = [share_of(int(hits), int(count)) for hits, count in zip(right, pictures, strict=True)]
    table = pd.DataFrame(
        {
            "value": words,
            "pictures": pictures,
            "wrong": pictures - right,
            "accuracy": [share.value for share in shares],
            "low": [share.interval.low for share in shares],
            "high": [share.interval.high for share in shares],
        }
    ).sort_values(["high", "pictures", "value"], ascending=[True, False, True], kind="stable")
    return table.reset_index(drop=True), tuple(filters[row] for row in table.index)


def _tenths(numbers: NDArray[np.float64]) -> tuple[NDArray[np.int64], list[tuple[float, float]]]:
    """The tenth of each number (M,), NONE for nan, and the smallest and largest number of each that is not empty."""
    is_known = np.isfinite(numbers)
    edges = np.quantile(numbers[is_known], np.arange(1, TENTHS) / TENTHS) if is_known.any() else numbers[:0]
    part = np.where(is_known, np.searchsorted(edges, numbers), NONE)
    parts, number = np.unique(part, return_inverse=True)
    number = number - int((parts == NONE).any())  # NONE is sorted first
    each = (numbers[number == tenth] for tenth in range(number.max(initial=NONE) + 1))
    return number, [(float(tenth.min()), float(tenth.max())) for tenth in each]


def right_in_both(first: RunPredictions, second: RunPredictions) -> tuple[NDArray[np.int64], Flags, Flags]:
    """The rows (M,) of the table that two runs both say something of, and where each of them is right (M,)."""
    rows, here, there = np.intersect1d(first.rows, second.rows, assume_unique=True, return_indices=True)
    return rows, first.is_right[here], second.is_right[there]


def accuracy_difference(first: Flags, second: Flags) -> Figure:
    """The accuracy of one run less that of another, by where each is right (M,), with its 95 % interval.

    The interval is that of Agresti and Min 2005 (Statistics in Medicine 24, p. 729): half a picture is added to each of
    the four cells, so that it has a width where few pictures, or none, differ.
    """
    count = len(first)
    if not count:
        return Figure(float("nan"), NO_INTERVAL)
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    total, difference = count + 2, only_first - only_second
    half = NORMAL_975 * float(np.sqrt(only_first + only_second + 1 - difference**2 / total)) / total
    interval = Interval(max(-1.0, difference / total - half), min(1.0, difference / total + half))
    return Figure(difference / count, interval)
