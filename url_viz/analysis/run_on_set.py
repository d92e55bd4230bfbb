"""A recorded run on the pictures of a set: its classes matched by name, its dynamics, what it says held out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.classes import CodedLabels
from url_viz.analysis.dynamics import Epoch, dynamics, mean_shares
from url_viz.analysis.votes import NONE, Codes
from url_viz.errors import FolderError
from url_viz.store.tables import positions_of
from url_viz.store.training_records import RecordedEpoch
from url_viz.store.user_files import ARRAY, UserFile
from url_viz.wording import counted, first_of

Shares = NDArray[np.float32]
SMALLEST = 1e-6
"""What a probability of nothing counts as, so that it has a logit."""


@dataclass(frozen=True)
class ClassMatch:
    """Which column of a run's logits is each class of a set: `column` (K,), −1 for none; classes without a match."""

    column: NDArray[np.int32]
    only_in_set: tuple[str, ...] = ()
    only_in_run: tuple[str, ...] = ()
    is_by_order: bool = False

    @property
    def words(self) -> str:
        """What does not match, as a sentence; "" if all of it does."""
        if self.is_by_order:
            return "The run names no classes: its columns count as the set's classes in alphabetical order."
        parts = [
            f"{counted(len(names), 'class')} only in {where} ({first_of(names, 5)})"
            for names, where in ((self.only_in_set, "the set"), (self.only_in_run, "the run"))
            if names
        ]
        return f"{' and '.join(parts)}." if parts else ""


def match_classes(run: Sequence[str], names: Sequence[str]) -> ClassMatch:
    """Match a run's classes with the sorted `names` of a set's: by name, then without regard to case and separators.

    Numbered classes, as many as the set has, are the set's in alphabetical order.
    """
    if list(run) == [str(number) for number in range(len(names))] and not set(run) & set(names):
        return ClassMatch(np.arange(len(names), dtype=np.int32), is_by_order=True)
    exact = {name: column for column, name in enumerate(run)}
    plain: dict[str, int] = {}
    for column, name in enumerate(run):
        plain[_plain(name)] = -1 if _plain(name) in plain else column
    found = np.array([exact.get(name, plain.get(_plain(name), -1)) for name in names], np.int32)
    missing = tuple(name for name, column in zip(names, found, strict=True) if column < 0)
    unused = tuple(name for column, name in enumerate(run) if column not in set(found.tolist()))
    return ClassMatch(found, missing, unused)


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def logits_in(found: UserFile, names: Sequence[str]) -> tuple[tuple[str, ...] | None, NDArray[np.floating]]:
    """The classes of a file of predictions, None if it names none, and logits (M, C). Raises FolderError without any.

    Columns of probabilities, or of logits, that have the `names` of classes are taken if there are no logits.
    """
    lists = [rows for name, rows in found.lists.items() if name == ARRAY or "logit" in name.casefold()]
    if lists:
        return None, lists[0]
    column = {_plain(name): values for name, values in found.columns.items() if values.kind == "numeric"}
    classes = tuple(name for name in names if _plain(name) in column)
    if len(classes) < 2:
        raise FolderError(
            f"{found.name!r} has no predictions: neither columns logit_0, logit_1 …, nor numbers in columns that are "
            f"called like two or more of the classes ({first_of(names, 5)})."
        )
    values = np.stack([np.asarray(column[_plain(name)].values, np.float64) for name in classes], axis=1)
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
    def classes(self) -> tuple[str, ...]:
        """The names of the columns of the logits in the last epoch."""
        return self.epochs[-1].classes

    @cached_property
    def match(self) -> ClassMatch:
        """Which column each class of the set is."""
        return match_classes(self.classes, self.labels.names)

    @property
    def trained(self) -> tuple[RecordedEpoch, ...]:
        """The epochs of pictures that the model was trained on."""
        return tuple(epoch for epoch in self.epochs if not epoch.is_held_out)

    @property
    def last_held_out(self) -> tuple[RecordedEpoch, ...]:
        """The last epoch of each held-out split and fold."""
        return tuple({(epoch.split, epoch.fold): epoch for epoch in self.epochs if epoch.is_held_out}.values())

    @property
    def words(self) -> str:
        """What is recorded: "r1: 12 epochs with held-out pictures (val), of 20 classes"."""
        splits = dict.fromkeys(epoch.split for epoch in self.epochs if epoch.is_held_out)
        numbers = {epoch.number for epoch in self.epochs}
        names = [split for split in splits if split != "held-out"]
        held_out = " with held-out pictures" * bool(splits) + (f" ({', '.join(names)})" if names else "")
        epochs = counted(len(numbers), "epoch", "epochs")
        return f"{self.name}: {epochs}{held_out}, of {counted(len(self.classes), 'class')}"

    @cached_property
    def dynamics(self) -> pd.DataFrame:
        """What training did with each picture that the model was trained on."""
        return dynamics(self._read(self.trained), len(self.ids))

    @cached_property
    def held_out(self) -> Shares:
        """Probabilities (N, K) of the set's classes where pictures were held out, nan elsewhere: the last epochs'."""
        return self._of_the_set(mean_shares(self._read(self.last_held_out), len(self.ids), len(self.classes)))

    @cached_property
    def in_sample(self) -> Shares:
        """Probabilities (N, K) of the set's classes for pictures that the model was trained on: the epochs' mean.

        In the end a network says of most of them what it was told; on average over the epochs it does not.
        """
        return self._of_the_set(mean_shares(self._read(self.trained), len(self.ids), len(self.classes)))

    @cached_property
    def is_held_out(self) -> NDArray[np.bool_]:
        """Which pictures (N,) were held out in the end."""
        return np.asarray(np.isfinite(self.held_out).all(axis=1))

    def curves(self, image_id: int) -> pd.DataFrame:
        """One picture over the epochs: epoch, split, fold, probability of its class, margin of its logit.

        Of a picture without a class, or that no epoch has, no rows.
        """
        row = int(positions_of(np.array([image_id]), self.ids)[0])
        found = []
        for epoch, (rows, logits, classes) in zip(self.epochs, self._read(self.epochs), strict=True):
            [at] = np.nonzero((rows == row) & (classes != NONE))
            if row >= 0 and len(at):
                one = dynamics([(np.zeros(1, np.int64), logits[at[:1]], classes[at[:1]])], 1).iloc[0]
                found.append((epoch.number, epoch.split, epoch.fold, one["confidence"], one["last_margin"]))
        return pd.DataFrame(found, columns=["epoch", "split", "fold", "probability", "margin"])

    def _of_the_set(self, shares: Shares) -> Shares:
        """Probabilities (N, K) of the set's classes, of those of the run's (N, C): what others have is shared out."""
        column = self.match.column
        found = np.where(column >= 0, shares[:, np.maximum(column, 0)], 0)
        total = found.sum(axis=1, keepdims=True)
        shares_of_all: Shares = np.divide(found, total, out=np.full_like(found, np.nan), where=total > 0)
        return shares_of_all

    def _read(self, epochs: Iterable[RecordedEpoch]) -> Iterator[Epoch]:
        """Rows, logits and classes of epochs, without pictures that are not in the set.

        The class is that which was recorded, else the set's.
        """
        for epoch in epochs:
            said = epoch.read()
            rows = positions_of(said.ids, self.ids)
            rows, here = _last_of_each(rows, np.flatnonzero(rows >= 0))
            yield (
                rows,
                said.logits[here],
                np.where(said.labels[here] != NONE, said.labels[here], self._own_classes(epoch.classes)[rows]),
            )

    def _own_classes(self, classes: tuple[str, ...]) -> Codes:
        """The column (N,) of each picture's label among a run's classes, NONE for none."""
        column = (self.match if classes == self.classes else match_classes(classes, self.labels.names)).column
        own: Codes = np.append(column, np.int32(NONE))[self.labels.codes]
        return own


def _last_of_each(rows: NDArray[np.int64], here: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each row once, and its last place in `here`: processes that train together fill their batches with copies."""
    found, from_the_end = np.unique(rows[here][::-1], return_index=True)
    return found, here[::-1][from_the_end]
