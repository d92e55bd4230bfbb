"""Soft labels: the share of each class in each picture's label, by people's answers, on request smoothed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.base.printout import Printout, Table
from url_viz.base.wording import counted, numbered
from url_viz.store.decisions.decision_rows import LabelAnswer

FIRST_COLUMNS = ("id", "path", "label")
SOFT_LABEL = "soft_label"
"""The column of data sets in which a picture's shares are a list."""
TOLD = 2
"""How many classes of a picture are told in words."""

Shares = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class LabelShares:
    """The soft labels of N pictures: `shares` (N, C) float32 of the `classes`, adding up to 1; nan without a label.

    `rows` (N) have FIRST_COLUMNS of each, and `is_kept`, whether it is not dropped; `answers` (N,) counts the people
    whose answers a soft label is of.
    """

    classes: tuple[str, ...]
    shares: Shares
    rows: pd.DataFrame
    answers: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.shares)

    @property
    def ids(self) -> NDArray[np.int64]:
        return self.rows["id"].to_numpy(np.int64)

    @property
    def is_soft(self) -> NDArray[np.bool_]:
        """Which pictures (N,) are of more than one class."""
        return np.asarray((self.shares > 0).sum(axis=1) > 1)

    def lists(self, ids: Iterable[int]) -> Iterator[list[float] | None]:
        """The shares of pictures in the order of the classes; None for one without a label."""
        row = {image_id: number for number, image_id in enumerate(self.ids.tolist())}
        for shares in (self.shares[row[int(image_id)]] for image_id in ids):
            yield None if np.isnan(shares).any() else [round(float(share), 6) for share in shares]

    @cached_property
    def table(self) -> pd.DataFrame:
        """Pictures with a label that are not dropped: id, path, label, then the share of each class in a column.

        A class that is called like one of these columns gets a number behind its name.
        """
        names = dict(zip(self.classes, column_names(self.classes), strict=True))
        shares = pd.DataFrame(self.shares, columns=list(names.values()), index=self.rows.index)
        has = np.isfinite(self.shares).all(axis=1) & self.rows["is_kept"].to_numpy(bool)
        return pd.concat([self.rows[list(FIRST_COLUMNS)], shares], axis=1)[has].reset_index(drop=True)

    def printout(self) -> Printout:
        """How many labels are soft, and these; all to a file."""
        people = int((self.answers > 1).sum())
        words = f"{counted(int(self.is_soft.sum()), 'soft label')} of {counted(len(self.table), 'picture')}"
        if people:
            words += f"; {people:,} by the answers of several people"
        soft = self.rows[self.is_soft & self.rows["is_kept"].to_numpy(bool)]
        shown = soft.assign(shares=[self._in_words(row) for row in soft.index])
        return Printout([f"{words}."], [Table(shown, ("shares", "path"), noun="picture")], file=Table(self.table))

    def _in_words(self, row: int) -> str:
        """ "kiwi 50 %, lime 50 %" """
        order = np.argsort(-self.shares[row], kind="stable")[:TOLD]
        return ", ".join(f"{self.classes[place]} {100 * self.shares[row, place]:.0f} %" for place in order)


def column_names(classes: Sequence[str]) -> list[str]:
    """A column for each class, none of FIRST_COLUMNS and no two the same."""
    used = {*FIRST_COLUMNS}
    names = []
    for name in classes:
        names.append(next(each for each in numbered(name) if each not in used))
        used.add(names[-1])
    return names


def soft_labels(
    label: Sequence[str | None],
    either: Sequence[str | None],
    people: Sequence[Mapping[str, LabelAnswer] | None],
    *,
    classes: Sequence[str],
    shares: NDArray[np.floating] | None = None,
    smooth: float = 0.0,
) -> Shares:
    """The shares (N, C) of `classes` in each label: one-hot, *either* half and half, several answers by their counts.

    `label` (N), `either` (N) the class that it rightly is besides; `people` (N) what each person said. `smooth` is the
    weight of estimated `shares` (N, C), nan for none, in labels that nobody answered. Rows without a label are nan.
    """
    place = {name: number for number, name in enumerate(classes)}
    soft = np.full((len(label), len(classes)), np.nan, np.float32)
    for row, (own, other, said) in enumerate(zip(label, either, people, strict=True)):
        if own is None:
            continue
        held: LabelAnswer = own if other is None else (own, other)
        answers = [*said.values()] if said is not None and len(said) > 1 else [held]
        soft[row] = 0
        for answer in answers:
            named = (answer,) if isinstance(answer, str) else answer
            for name in named:
                soft[row, place[name]] += 1 / len(named) / len(answers)
    if smooth and shares is not None:
        is_open = np.array([said is None for said in people], bool)
        rows = np.flatnonzero(is_open & np.isfinite(shares).all(axis=1) & np.isfinite(soft).all(axis=1))
        soft[rows] = (1 - smooth) * soft[rows] + smooth * shares[rows]
    return soft
