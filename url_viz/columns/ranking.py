"""Order pictures by a value: percentiles, the two ends, twins counted once, overall or class by class."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.columns.measures import measure_named
from url_viz.columns.twin_groups import COPIES, group_codes

NONE = -1
"""The code of a picture that has no class."""


def percentile(values: NDArray[np.floating], *, among: NDArray[np.floating] | None = None) -> NDArray[np.float32]:
    """Percentile 0 to 100 of each value (N,) among the finite ones of `among` (M,), by default among themselves.

    The lowest is at 0 and the highest at 100; ties share their middle. A value between two of `among` lies halfway, one
    beyond them where the last is. nan if the value, or all of `among`, is not finite.
    """
    among = values if among is None else among
    ordered = np.sort(among[np.isfinite(among)])
    rows = np.flatnonzero(np.isfinite(values))
    rows = rows[np.argsort(values[rows])]  # looked up in their order, they are found several times as fast
    before, up_to = (np.searchsorted(ordered, values[rows], side=side) for side in ("left", "right"))
    last = len(ordered) - 1
    position = np.clip((before + up_to - 1) / 2, 0, max(0, last))
    result = np.full(len(values), np.nan, np.float32)
    if len(ordered):
        result[rows] = 100 * position / last if last else 50.0
    return result


def rank_within(values: NDArray[np.floating], label: NDArray[np.integer]) -> NDArray[np.float32]:
    """(mid-rank − ½) / n of each value (N,) among the n of its class, 0 to 1.

    `label` (N,) are codes, NONE for no class. nan if the value is, and without a class.
    """
    by_class = pd.Series(np.where(label != NONE, values, np.nan)).groupby(label)
    return np.asarray((by_class.rank() - 0.5) / by_class.transform("count"), np.float32)


def percentile_of_each(rows: pd.DataFrame, measure: str, *, within: pd.DataFrame | None = None) -> NDArray[np.float32]:
    """The percentile (N,) of each of `rows` by `measure` in its set: `within` is its whole table, by default `rows`."""
    column = measure_named(measure).percentile
    if column in rows:
        return np.asarray(rows[column].to_numpy(), np.float32)
    among = rows if within is None else within
    return percentile(rows[measure].to_numpy(dtype=float), among=among[measure].to_numpy(dtype=float))


def with_percentile(table: pd.DataFrame, measure: str, *, within_class: bool = False) -> pd.DataFrame:
    """The whole table of a set with a column `rank_percentile`: that of `measure` in the set, or in its class.

    Within classes a picture without a class has none.
    """
    if not within_class:
        return table.assign(rank_percentile=percentile_of_each(table, measure))
    codes = pd.factorize(table["label"])[0]
    return table.assign(rank_percentile=100 * rank_within(table[measure].to_numpy(dtype=float), codes))


def value_at(rows: pd.DataFrame, measure: str, threshold: float) -> float:
    """The lowest value of `measure` in `rows` whose `rank_percentile` is at least `threshold`; inf if none is."""
    above = rows.loc[rows["rank_percentile"] >= threshold, measure].to_numpy(dtype=float)
    return float(above.min()) if len(above) else float("inf")


@dataclass(frozen=True)
class Ends:
    """The two ends of an order: tables of `ImageSet.table()` plus `twins` and `copies`, most telling first.

    `pictures` counts all that are ordered, `twins` the others that they represent, `copies` those that are copies.
    """

    ambiguous: pd.DataFrame
    clear: pd.DataFrame
    pictures: int
    twins: int
    copies: int


def ends(table: pd.DataFrame, *, by: str, collapse_twins: bool = True, most: int | None = None) -> Ends:
    """Pictures from most to least ambiguous, and the other way round; pictures without the value are left out.

    With `collapse_twins`, each group of copies and views is represented by its most ambiguous (or clearest) member;
    `twins` says how many others it represents, and `copies` how many of these are copies of it. With `most`, each end
    has at most that many pictures.
    """
    values = table[by].to_numpy(dtype=float)
    finite = np.flatnonzero(np.isfinite(values))
    group = group_codes(table) if collapse_twins else np.arange(len(table))
    size = np.bincount(group[finite], minlength=len(table))
    others, pictures = size[group] - 1, int(np.count_nonzero(size))
    copy = group_codes(table, COPIES) if collapse_twins else group
    copies = np.bincount(copy[finite], minlength=len(table))[copy] - 1
    looked_at = None if most is None else most + int(np.count_nonzero(others[finite] > 0))  # twins may fill the end

    def end(upwards: NDArray[np.float64]) -> pd.DataFrame:
        rows = _lowest(upwards, finite, looked_at)
        by_id = rows[np.argsort(table["id"].to_numpy()[rows], kind="stable")]  # equal values: by id, at both ends
        order = by_id[np.argsort(upwards[by_id], kind="stable")]
        order = order[~pd.Series(group[order]).duplicated().to_numpy()][:most]
        picked: pd.DataFrame = table.iloc[order].assign(twins=others[order], copies=copies[order])
        return picked

    stacked = len(finite) - pictures
    return Ends(
        end(-values), end(values), pictures, stacked, len(finite) - np.unique(copy[finite]).size if stacked else 0
    )


def _lowest(values: NDArray[np.float64], rows: NDArray[np.int64], count: int | None) -> NDArray[np.int64]:
    """Those of `rows` that have the `count` lowest of their `values`, and all that are as low as the last of them."""
    if count is None or count >= len(rows):
        return rows
    low = values[rows]
    is_low: NDArray[np.bool_] = low <= np.partition(low, count - 1)[count - 1]
    return rows[is_low]


def first_of_each_class(rows: pd.DataFrame, count: int) -> pd.DataFrame:
    """The first `count` rows of each class, class after class by name; pictures without a class are left out."""
    labelled = rows[rows["label"].notna()]
    firsts: pd.DataFrame = labelled[labelled.groupby("label", sort=False).cumcount() < count]
    return firsts.sort_values("label", kind="stable")
