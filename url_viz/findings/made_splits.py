"""Splits without leaks: whole source groups dealt to train, validation and test, with the classes in each alike."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.base.errors import ImageSetError
from url_viz.base.printout import Printout, Table
from url_viz.base.wording import counted, first_of, percent

TRAIN, VALIDATION, TEST = SPLITS = ("train", "validation", "test")
MOST_FOLDS = 100
"""Shares are dealt in hundredths at the finest."""
MISSES = 0.05
"""By how much the shares may be missed together for the sake of the classes."""
OFF_BY = 0.1
"""A class is balanced where its share of a split is that of all pictures within this much."""

Groups = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class MadeSplits:
    """Splits that were made: `split` (N,) of each picture, None for dropped ones, and what could not be balanced.

    `by_class`: label, pictures, and how many are in each split. `shares` are those that were asked for. `groups` is the
    number of source groups, `mixed` of those that lay in two splits already and stay there.
    """

    split: NDArray[np.object_]
    by_class: pd.DataFrame
    shares: Mapping[str, float]
    groups: int
    mixed: int = 0

    @property
    def names(self) -> list[str]:
        """The splits that were asked for, train first."""
        return [name for name in SPLITS if self.shares.get(name, 0) > 0]

    @property
    def counts(self) -> dict[str, int]:
        """How many pictures are in each split."""
        return {name: int((self.split == name).sum()) for name in self.names}

    @property
    def unbalanced(self) -> pd.DataFrame:
        """The rows of `by_class` of which a split has more, or less, than its share by `OFF_BY`."""
        rows = self.by_class
        whole = sum(self.counts.values())
        is_off = np.zeros(len(rows), bool)
        for name, count in self.counts.items():
            is_off |= (rows[name] / rows["pictures"] - count / whole).abs().to_numpy(float) > OFF_BY
        return rows[is_off].reset_index(drop=True)

    @property
    def words(self) -> list[str]:
        """How large the splits are, that none leaks, and which classes are not balanced."""
        whole = sum(self.counts.values())
        parts = (f"{name} {count:,} ({percent(count / whole, digits=1)})" for name, count in self.counts.items())
        outcome = f"{counted(self.groups, 'source group')} stayed whole: nothing leaks between the splits"
        if self.mixed:
            were = "source group was" if self.mixed == 1 else "source groups were"
            outcome = f"{self.mixed:,} {were} in two splits already, and stay so: `splits leaks` lists them"
        lines = [f"{', '.join(parts)}. {outcome}."]
        if len(self.by_class) > 1:
            off = self.unbalanced
            good = f"Each class has its share in each split, within {percent(OFF_BY)}"
            named = first_of(off["label"].astype(str).tolist())
            bad = f"{counted(len(off), 'class')} could not be balanced within {percent(OFF_BY)}: {named}"
            lines.append(f"{bad if len(off) else good}.")
        return lines

    def printout(self) -> Printout:
        """The words, and the classes that could not be balanced; all of them to a file."""
        off = self.unbalanced
        every = Table(self.by_class, noun="class", plural="classes")
        return Printout(self.words, [Table(off)] if len(off) else [], file=every)


def shares_of(test: float, validation: float) -> dict[str, float]:
    """The share of each split. Raises ImageSetError where nothing is left to train on, or nothing is to be split."""
    if not test + validation or test + validation >= 1:
        raise ImageSetError(
            f"test is {test:g} and validation {validation:g}; give fractions that are together above 0 and below 1."
        )
    return {TRAIN: 1 - test - validation, VALIDATION: validation, TEST: test}


def make_splits(
    groups: Groups,
    labels: Sequence[Any],
    *,
    shares: Mapping[str, float],
    is_used: NDArray[np.bool_],
    before: Sequence[object] | None = None,
    seed: int = 0,
) -> MadeSplits:
    """Deal N pictures to splits by whole groups, each class by the shares as well as groups allow.

    `groups` (N,) are codes: what is in one is never parted. `labels` (N,), None for none, count as one class. With
    `before` (N,), the split of each picture so far or None, pictures stay where they are, and what is in their group
    joins them. Pictures that are not used get None. Raises ImageSetError where there are fewer groups than splits.
    """
    named = pd.Series(labels, dtype=object)
    split = np.full(len(groups), None, dtype=object)
    mixed = 0
    if before is not None:
        mixed = _stay(split, np.asarray(before, dtype=object), groups)
    left = np.flatnonzero(is_used & pd.isna(split))
    wanted = {name: share * int(is_used.sum()) for name, share in shares.items()}
    fixed = {name: int(((split == name) & is_used).sum()) for name in shares}
    missing = {name: max(0.0, wanted[name] - fixed[name]) for name in shares}
    if len(left):
        total = sum(missing.values()) or 1.0
        rest = {name: value / total for name, value in missing.items()}
        code = pd.factorize(named.iloc[left].fillna("").astype(str), sort=True)[0]
        split[left] = _dealt(groups[left], code, rest, seed=seed)
    split[~is_used] = None
    return MadeSplits(split, _by_class(named, split, shares), dict(shares), len(np.unique(groups[is_used])), mixed)


def _stay(split: NDArray[np.object_], before: NDArray[np.object_], groups: Groups) -> int:
    """Keep what is in a split, and its group with it → how many groups lie in two of them."""
    is_in = np.array([isinstance(each, str) for each in before], bool)
    known = pd.DataFrame({"group": groups[is_in], "split": before[is_in].astype(str)})
    of_group = known.drop_duplicates()
    first = of_group.drop_duplicates("group").set_index("group")["split"]
    for row, joined in enumerate(pd.Series(groups).map(first)):
        split[row] = joined if isinstance(joined, str) else None
    split[is_in] = before[is_in]
    return int((of_group["group"].value_counts() > 1).sum())


def _dealt(groups: Groups, classes: NDArray[np.intp], shares: Mapping[str, float], *, seed: int) -> NDArray[np.object_]:
    """The split (N,) of each picture: folds of whole groups, as many as the shares need, joined."""
    asked = {name: share for name, share in shares.items() if share > 0}
    if len(asked) == 1:
        return np.full(len(groups), next(iter(asked)), dtype=object)
    most = min(MOST_FOLDS, len(np.unique(groups)), int(np.bincount(classes).max()))
    if most < len(asked):
        raise ImageSetError(
            f"There are {counted(len(np.unique(groups)), 'source group')}, of each class "
            f"{int(np.bincount(classes).max()):,} pictures at most: too few for {len(asked)} splits. Add pictures, or "
            "ask for fewer splits."
        )
    missed = partial(_missed, list(asked.values()))
    folds = min(range(len(asked), most + 1), key=missed)
    if missed(folds) > MISSES:  # classes are too small for the share
        classes, most = np.zeros_like(classes), min(MOST_FOLDS, len(np.unique(groups)))
        folds = min(range(len(asked), most + 1), key=missed)
    from sklearn.model_selection import StratifiedGroupKFold  # slow to import, and few commands need it

    fold = np.zeros(len(groups), np.intp)
    dealer = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of classes with fewer pictures than folds: said of the result
        for number, (_, rows) in enumerate(dealer.split(np.zeros(len(groups)), classes, groups)):
            fold[rows] = number
    split = np.full(len(groups), TRAIN if TRAIN in asked else next(iter(asked)), dtype=object)
    left, pictures = list(range(folds)), pd.crosstab(fold, classes).to_numpy(np.float64)
    for name in (VALIDATION, TEST):
        if name in asked:
            count = min(max(1, round(asked[name] * folds)), len(left) - (TRAIN in asked))
            chosen = _most_alike(pictures, left, count)
            split[np.isin(fold, chosen)] = name
            left = [each for each in left if each not in chosen]
    return split


def _most_alike(pictures: NDArray[np.float64], left: Sequence[int], count: int) -> list[int]:
    """So many of the folds that are `left`, one after the other: the one that brings classes nearest to their share.

    `pictures` (F, C) are those of each class in each fold. A large group is alone in its fold, which then trains.
    """
    whole, chosen = pictures.sum(axis=0), list[int]()
    for _ in range(count):
        share = (len(chosen) + 1) / len(pictures)

        def off_by(fold: int, share: float = share) -> float:
            return float(np.abs(pictures[[*chosen, fold]].sum(axis=0) / whole - share).sum())

        chosen.append(min((fold for fold in left if fold not in chosen), key=off_by))
    return chosen


def _missed(shares: Sequence[float], folds: int) -> float:
    """By how much shares are missed that are made of whole folds."""
    return sum(abs(max(1, round(share * folds)) / folds - share) for share in shares)


def _by_class(labels: "pd.Series[Any]", split: NDArray[np.object_], shares: Mapping[str, float]) -> pd.DataFrame:
    is_in = np.array([each is not None for each in split], bool)
    label = labels[is_in].fillna("no label").astype(str).to_numpy(dtype=object)
    names = [name for name in SPLITS if shares.get(name, 0) > 0]
    counts = pd.crosstab(pd.Series(label, name="label"), pd.Series(split[is_in], name="split"))
    counts = counts.reindex(columns=names, fill_value=0)
    pictures = counts.sum(axis=1).rename("pictures")
    return pd.concat([pictures, counts], axis=1).reset_index()
