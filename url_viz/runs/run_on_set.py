"""A recorded run on the pictures of a set: its classes matched by name, what training did, what it says held out.

Mean margin is the area under the margin of Pleiss et al. 2020 (arXiv 2001.10528, eq. 2); confidence and variability
are those of dataset cartography (Swayamdipta et al. 2020, arXiv 2009.10795, section 2); forgetting events are those of
Toneva et al. 2019 (arXiv 1812.05159, definition 1).
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax

from url_viz.base.errors import DamageError, FolderError
from url_viz.base.wording import counted, first_of
from url_viz.columns.engine import column
from url_viz.columns.ranking import NONE
from url_viz.columns.table import Frame
from url_viz.labels.classes import CodedLabels
from url_viz.labels.votes import Codes
from url_viz.store.columns.user_files import ARRAY, UserFile
from url_viz.store.tables.tables import positions_of
from url_viz.store.training_records import RecordedEpoch, RecordedRuns

ROWS_AT_ONCE = 1 << 15
_SEPARATORS = re.compile(r"[\s_./-]+")
SMALLEST = 1e-6
"""What a probability of nothing counts as, so that it has a logit."""

Floats = NDArray[np.float64]
Shares = NDArray[np.float32]
Epoch = tuple[NDArray[np.integer], NDArray[np.floating], Codes]
"""Rows (M,) of pictures, the logits (M, C) of them, and the class (M,) of each, NONE for none."""


def dynamics(epochs: Iterable[Epoch], count: int) -> pd.DataFrame:
    """What training did with each of `count` pictures, over epochs in their order, which are gone through once.

    `last_margin`, `mean_margin`: the logit of the class less the largest other, in the last epoch and on average.
    `confidence`, `variability`: mean and standard deviation of the class's probability. `forgotten`: how often an epoch
    that was right came before one that was wrong. `learnt`: the first epoch that was right, counted from 0 among those
    of the picture, infinite if none was. `epochs`: how many there were; where none with a class, all else is nan.
    """
    seen = np.zeros(count, np.int64)
    last, total, mean, squares = (np.zeros(count) for _ in range(4))
    forgotten, learnt, was_right = np.zeros(count), np.full(count, np.inf), np.zeros(count, bool)
    for part in chain.from_iterable(map(_in_parts, epochs)):
        is_known = (part[2] != NONE) & np.isfinite(part[1]).all(axis=1)
        rows, logits, classes = part[0][is_known], part[1][is_known].astype(np.float64), part[2][is_known]
        margin, share = margins(logits, classes), softmax(logits, axis=1)[np.arange(len(rows)), classes]
        last[rows] = margin
        total[rows] += margin
        is_right = margin > 0
        forgotten[rows] += was_right[rows] & ~is_right
        learnt[rows] = np.where(is_right & np.isinf(learnt[rows]), seen[rows], learnt[rows])
        was_right[rows] = is_right
        seen[rows] += 1
        change = share - mean[rows]  # Welford's: the mean of squares less the squared mean loses digits
        mean[rows] += change / seen[rows]
        squares[rows] += change * (share - mean[rows])
    often = np.maximum(seen, 1)
    values = {
        "last_margin": last,
        "mean_margin": total / often,
        "confidence": mean,
        "variability": np.sqrt(np.maximum(squares, 0) / often),
        "forgotten": forgotten,
        "learnt": learnt,
    }
    return pd.DataFrame({name: np.where(seen > 0, each, np.nan) for name, each in values.items()} | {"epochs": seen})


def _in_parts(epoch: Epoch) -> Iterator[Epoch]:
    """Parts of an epoch that are small enough for float64; a picture is in an epoch once."""
    rows, logits, classes = epoch
    for start in range(0, len(rows), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        yield rows[part], logits[part], classes[part]


def mean_of_folds(folds: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The mean of `dynamics` over the models of several folds that were trained on a picture.

    Each is a training of its own: what one forgot, another did not learn again. `epochs` are those of one fold, the
    most; `learnt` is infinite where one of them never was right.
    """
    if len(folds) == 1:
        return folds[0]
    stacked = np.stack([fold.to_numpy(np.float64) for fold in folds])
    trained = (~np.isnan(stacked)).sum(axis=0)
    total = np.where(np.isnan(stacked), 0, stacked).sum(axis=0)
    mean = np.divide(total, trained, out=np.full_like(total, np.nan), where=trained > 0)
    epochs = np.max([fold["epochs"] for fold in folds], axis=0)
    return pd.DataFrame(mean, columns=folds[0].columns).assign(epochs=epochs)


def margins(logits: NDArray[np.floating], classes: Codes) -> Floats:
    """The logit of its class less the largest other (M,), of logits (M, C) and classes (M,)."""
    own, others = (np.arange(len(logits)), classes), logits.astype(np.float64)
    others[own] = -np.inf
    lead: Floats = logits[own].astype(np.float64) - others.max(axis=1, initial=-np.inf)
    return lead


def mean_shares(epochs: Iterable[Epoch], count: int, classes: int) -> NDArray[np.float32]:
    """The mean probabilities (N, C) over some epochs; nan for pictures that were in none."""
    total, seen = np.zeros((count, classes), np.float32), np.zeros(count, np.float32)
    for rows, logits, _ in chain.from_iterable(map(_in_parts, epochs)):
        is_known = np.isfinite(logits).all(axis=1)
        total[rows[is_known]] += softmax(logits[is_known].astype(np.float64), axis=1)
        seen[rows[is_known]] += 1
    return np.divide(total, seen[:, None], out=np.full_like(total, np.nan), where=seen[:, None] > 0)


@dataclass(frozen=True)
class ClassMatch:
    """Which column of a run's logits is each class of a set: `column` (K,), −1 for none; classes without a match.

    `unnamed` is how many columns a run has that names no classes, 0 for one that does.
    """

    column: NDArray[np.int32]
    only_in_set: tuple[str, ...] = ()
    only_in_run: tuple[str, ...] = ()
    unnamed: int = 0

    @property
    def words(self) -> str:
        """What does not match, as a sentence; "" if all of it does."""
        if self.unnamed == len(self.column):
            return "The run names no classes: its columns count as the set's classes in alphabetical order."
        if self.unnamed:
            return (
                f"The run names no classes, and its {self.unnamed:,} columns are not as many as the "
                f"{len(self.column):,} classes of the set. Name them: url_viz.record(…, classes=[…]), or in its file."
            )
        parts = [
            f"{counted(len(names), 'class')} only in {where} ({first_of(names, 5)})"
            for names, where in ((self.only_in_set, "the set"), (self.only_in_run, "the run"))
            if names
        ]
        return f"{' and '.join(parts)}." if parts else ""


def match_classes(run: Sequence[str], names: Sequence[str], *, columns: int = 0) -> ClassMatch:
    """Match a run's classes with the sorted `names` of a set's: by name, then without regard to case and separators.

    The `columns` of a run without names are the set's classes in alphabetical order, if they are as many.
    """
    if not run:
        by_order = np.arange(len(names), dtype=np.int32)
        return ClassMatch(by_order if columns == len(names) else np.full_like(by_order, -1), unnamed=columns)
    exact = {name: number for number, name in enumerate(run)}
    plain: dict[str, int] = {}
    for number, name in enumerate(run):  # of two names that differ in case alone neither is meant
        plain[_plain(name)] = -1 if _plain(name) in plain else number
    columns_by_class = [exact.get(name, plain.get(_plain(name), -1)) for name in names]
    matched = set(columns_by_class)
    only_in_set = tuple(name for name, number in zip(names, columns_by_class, strict=True) if number < 0)
    only_in_run = tuple(name for number, name in enumerate(run) if number not in matched)
    return ClassMatch(np.array(columns_by_class, np.int32), only_in_set, only_in_run)


def _plain(name: str) -> str:
    """A name without case and separators; one of separators alone as it is."""
    return _SEPARATORS.sub("", unicodedata.normalize("NFC", name).casefold()) or name


def logits_in(file: UserFile, names: Sequence[str]) -> tuple[tuple[str, ...] | None, NDArray[np.floating]]:
    """The classes of a file of predictions, None if it names none, and logits (M, C). Raises FolderError without any.

    Columns of probabilities, or of logits, that have the `names` of classes are taken if there are no logits.
    """
    lists = [rows for name, rows in file.lists.items() if name == ARRAY or "logit" in name.casefold()]
    if lists:
        return None, lists[0]
    columns = {name: values for name, values in file.columns.items() if values.kind == "numeric"}
    match = match_classes(tuple(columns), names)
    classes = tuple(name for name, column in zip(names, match.column, strict=True) if column >= 0)
    if len(classes) < 2:
        raise FolderError(
            f"{file.name!r} has no predictions: neither columns logit_0, logit_1 …, nor numbers in columns that are "
            f"called like two or more of the classes ({first_of(names, 5)})."
        )
    numbers = [np.asarray(values.values, np.float64) for values in columns.values()]
    values = np.stack([numbers[column] for column in match.column if column >= 0], axis=1)
    are_shares = np.nanmin(values) >= 0 and np.nanmax(values) <= 1
    return classes, np.log(np.maximum(values, SMALLEST)) if are_shares else values


@dataclass(frozen=True)
class RunOnSet:
    """A run on the N pictures of a set, by `ids` (N,), whose `labels` (N,) are among K classes."""

    name: str
    epochs: tuple[RecordedEpoch, ...]
    ids: NDArray[np.int64]
    labels: CodedLabels

    @property
    def columns(self) -> int:
        """How many classes its logits are of."""
        return self.epochs[-1].columns

    @cached_property
    def match(self) -> ClassMatch:
        return match_classes(self.epochs[-1].classes, self.labels.names, columns=self.columns)

    @property
    def trained(self) -> tuple[RecordedEpoch, ...]:
        """The epochs of pictures that the model was trained on."""
        return tuple(epoch for epoch in self.epochs if not epoch.is_held_out)

    @property
    def folds(self) -> tuple[str, ...]:
        """The folds that were trained on, each of which is a model: ("",) of a run without folds."""
        return tuple(sorted({epoch.fold for epoch in self.trained})) or ("",)

    @property
    def words(self) -> str:
        """What is recorded: "r1: 12 epochs with held-out pictures (val), of 20 classes"."""
        splits = {epoch.split: None for epoch in self.epochs if epoch.is_held_out}
        names = [split for split in splits if split != "held-out"]
        folds = len({epoch.fold for epoch in self.epochs})
        epochs = counted(len({epoch.number for epoch in self.epochs}), "epoch", "epochs")
        epochs += f" of {folds:,} folds" * (folds > 1)
        held_out = " with held-out pictures" * bool(splits) + (f" ({', '.join(names)})" if names else "")
        return f"{self.name}: {epochs}{held_out}, of {counted(self.columns, 'class')}"

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What does not fit the set, a sentence each: classes, and pictures that are none of it."""
        is_known, unknown = np.zeros(len(self.ids), bool), np.zeros(0, np.int64)
        for epoch in self.epochs:
            ids = epoch.ids()
            rows = positions_of(ids, self.ids)
            is_known[rows[rows >= 0]] = True
            unknown = np.union1d(unknown, ids[rows < 0])
        notes = [self.match.words] if self.match.words else []
        if len(unknown):
            recorded = f"{len(unknown):,} of {len(unknown) + int(is_known.sum()):,} recorded pictures"
            notes.append(f"{recorded} {'is no picture' if len(unknown) == 1 else 'are no pictures'} of the set.")
        return tuple(notes)

    @cached_property
    def dynamics(self) -> pd.DataFrame:
        """What training did with each picture that the models were trained on: of several folds, the mean of each."""
        return mean_of_folds([self.fold_dynamics(fold) for fold in self.folds])

    def fold_dynamics(self, fold: str) -> pd.DataFrame:
        """What the training of one fold did with each picture."""
        return dynamics(self._read(epoch for epoch in self.trained if epoch.fold == fold), len(self.ids))

    @cached_property
    def held_out(self) -> Shares:
        """Probabilities (N, K) of the set's classes where pictures were held out, nan elsewhere: the last epochs'."""
        last = {(epoch.split, epoch.fold): epoch for epoch in self.epochs if epoch.is_held_out}
        return self._set_shares(last.values())

    @cached_property
    def in_sample(self) -> Shares:
        """Probabilities (N, K) of the set's classes for pictures that the model was trained on: the epochs' mean.

        In its last epochs a network predicts the labels that it was trained on; on average over all epochs it does not.
        """
        return self._set_shares(self.trained)

    @cached_property
    def is_held_out(self) -> NDArray[np.bool_]:
        """Which pictures (N,) were held out in the end."""
        return np.asarray(np.isfinite(self.held_out).all(axis=1))

    def curves(self, image_id: int) -> pd.DataFrame:
        """One picture over the epochs: epoch, split, fold, probability of its class, margin of its logit.

        Of a picture without a class, or that no epoch has, no rows.
        """
        row = int(positions_of(np.array([image_id]), self.ids)[0])
        points = []
        for epoch, (rows, logits, classes) in zip(self.epochs, self._read(self.epochs), strict=True):
            [at_row] = np.nonzero((rows == row) & (classes != NONE))
            if row >= 0 and len(at_row):
                learnt = dynamics([(np.zeros(1, np.int64), logits[at_row[:1]], classes[at_row[:1]])], 1).iloc[0]
                points.append((epoch.number, epoch.split, epoch.fold, learnt["confidence"], learnt["last_margin"]))
        return pd.DataFrame(points, columns=["epoch", "split", "fold", "probability", "margin"])

    def _set_shares(self, epochs: Iterable[RecordedEpoch]) -> Shares:
        """Mean probabilities (N, K) of the set's classes: those of classes that only the run has are shared out."""
        shares, column = mean_shares(self._read(epochs), len(self.ids), self.columns), self.match.column
        own_shares = np.where(column >= 0, shares[:, np.maximum(column, 0)], 0)
        total = own_shares.sum(axis=1, keepdims=True)
        return np.asarray(np.divide(own_shares, total, out=np.full_like(own_shares, np.nan), where=total > 0))

    def _read(self, epochs: Iterable[RecordedEpoch]) -> Iterator[Epoch]:
        """Rows, logits and classes of epochs, without pictures that are not in the set.

        The class is that which was recorded, else the set's.
        """
        own = np.append(self.match.column, np.int32(NONE))[self.labels.codes]
        for epoch in epochs:
            predictions = epoch.read()
            rows = positions_of(predictions.ids, self.ids)
            here = np.flatnonzero(rows >= 0)
            rows, recorded = rows[here], predictions.labels[here]
            yield rows, predictions.logits[here], np.where(recorded != NONE, recorded, own[rows])


@column()
def recorded_runs(runs: RecordedRuns, base: Frame, picture_labels: CodedLabels) -> dict[str, RunOnSet | DamageError]:
    """Each run, or what is wrong with it: others can be read all the same."""
    ids = base.table["id"].to_numpy(np.int64)
    return {
        run: epochs if isinstance(epochs, DamageError) else RunOnSet(run, epochs, ids, picture_labels)
        for run, epochs in runs.epochs.items()
        if epochs
    }
