"""Between two classes: the question of a picture, and the pictures from clear ones of one class to those of another."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.filters import OneOf
from url_viz.analysis.twin_groups import first_of_each
from url_viz.wording import percent

RAREST = 100
"""Shares are not told apart beyond one case in so many."""
OPEN_QUESTION = 0.2
"""From this ambiguity on a picture's second class is named."""


def between_filters(pair: tuple[str, str]) -> tuple[OneOf, ...]:
    """The filters that leave the pictures that lie between two classes, whatever their label."""
    return tuple(OneOf(column, pair) for column in ("first_class", "second_class"))


def question_of(row: Mapping[str, object]) -> str | None:
    """ "cucumber or banana?" for a row of `ImageSet.table()`; None if it is clear, or there are no classes."""
    first, second, ambiguity = row.get("first_class"), row.get("second_class"), row.get("ambiguity")
    if not isinstance(first, str) or not isinstance(second, str) or not isinstance(ambiguity, float | np.floating):
        return None
    return f"{first} or {second}?" if float(ambiguity) >= OPEN_QUESTION else None


def labelled_otherwise(share: float) -> str:
    """What the share of the first class means of cases: "about 1 in 4 pictures like this has another label"."""
    others = 1 - share
    if others < 1 / RAREST:
        return f"fewer than 1 in {RAREST} pictures like this has another label"
    if others > 0.5:
        return f"{percent(share)} of pictures like this have this label"
    return f"about 1 in {round(1 / others)} pictures like this has another label"


def between(first: object, second: object) -> str | None:
    """Two classes as words, "between cucumber and banana"; None if they are not known."""
    return f"between {first} and {second}" if isinstance(first, str) and isinstance(second, str) else None


def between_classes(table: pd.DataFrame, first: str, second: str, *, most: int = 24) -> pd.DataFrame:
    """Pictures from the clear ones of one class to the clear ones of another: a quarter of `most` at each end.

    In the middle are the most ambiguous of those whose two likeliest classes are these, in the order of `balance`, the
    share of `first` less that of `second` (−1 to 1); the rows are those of `ImageSet.table()` with this column.
    """
    balance = _share_of(table, first) - _share_of(table, second)
    rows = table.assign(balance=balance.astype(np.float32))
    is_between = rows["first_class"].isin([first, second]) & rows["second_class"].isin([first, second])
    middle = rows[is_between].sort_values(["ambiguity", "id"], ascending=[False, True])
    middle = first_of_each(middle).head(most // 2).sort_values(["balance", "id"], ascending=[False, True])
    ends = [_clearest(rows[~rows["id"].isin(middle["id"])], name, most // 4) for name in (first, second)]
    return pd.concat([ends[0], middle, ends[1].iloc[::-1]], ignore_index=True)


def _share_of(table: pd.DataFrame, name: str) -> NDArray[np.float64]:
    shares = table[["first_share", "second_share"]].to_numpy(float)
    is_named = np.stack([table[column].to_numpy() == name for column in ("first_class", "second_class")], axis=1)
    share: NDArray[np.float64] = np.where(is_named, np.nan_to_num(shares), 0).sum(axis=1)
    return share


def _clearest(rows: pd.DataFrame, name: str, count: int) -> pd.DataFrame:
    of_class = rows[(rows["first_class"] == name) & (rows["label"] == name)]
    return first_of_each(of_class.sort_values(["ambiguity", "id"])).head(count)
