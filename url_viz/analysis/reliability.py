"""Reliability of shares: how often the label is the first class, where so much was said of it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.order_metrics import Figure, jackknife, without_each_block
from url_viz.analysis.twin_groups import first_of_each
from url_viz.wording import decimal

BINS = 15
SHOWN_BINS = 10
MOST_LEFT_OUT = 100
"""How often the error is computed again for its interval: of more classes several leave at once."""
FEWEST = 100
"""Of fewer labelled pictures too little can be said."""


@dataclass(frozen=True)
class Reliability:
    """The shares of the first class of P labelled pictures, in bins of equally many, and how often each is right.

    `share`, `right` (B,) float64 are the mean share of a bin and the fraction whose label is the first class. `error`
    is the expected calibration error with an interval over classes, `bias` the mean share less the right fraction.
    """

    share: NDArray[np.float64]
    right: NDArray[np.float64]
    pictures: int
    error: Figure
    bias: float

    @property
    def words(self) -> str:
        """In a sentence, how far shares are shares of cases."""
        way = "too high" if self.bias > 0 else "too low"
        return (
            f"On average a share is {decimal(abs(self.bias), digits=3)} {way}; the expected calibration error is "
            f"{self.error.text()} ({self.pictures:,} pictures, own labels unseen)."
        )


def reliability(table: pd.DataFrame) -> Reliability | None:
    """How reliable the shares in `ImageSet.table()` are; twins count once. None below FEWEST labelled pictures."""
    rows = first_of_each(table[table["label"].notna() & table["first_class"].notna()])
    if len(rows) < FEWEST:
        return None
    share = rows["first_share"].to_numpy(np.float64)
    is_right = (rows["first_class"] == rows["label"]).to_numpy(dtype=bool)
    block = pd.factorize(rows["label"])[0]
    left_out = without_each_block(calibration_error, share, is_right, block=block, most=MOST_LEFT_OUT)
    parts = np.array_split(np.argsort(share, kind="stable"), SHOWN_BINS)
    return Reliability(
        np.array([share[part].mean() for part in parts]),
        np.array([is_right[part].mean() for part in parts]),
        len(rows),
        jackknife(calibration_error(share, is_right), left_out, least=0.0),
        float(share.mean() - is_right.mean()),
    )


def calibration_error(share: NDArray[np.floating], is_right: NDArray[np.bool_]) -> float:
    """How far shares (N,) lie from how often they are right (N,), on average over BINS of equally many; nan of none.

    The expected calibration error with bins of equal mass (Nixon et al. 2019).
    """
    if not len(share):
        return float("nan")
    parts = np.array_split(np.argsort(share, kind="stable"), BINS)
    gaps = [len(rows) * abs(share[rows].mean(dtype=float) - is_right[rows].mean()) for rows in parts if len(rows)]
    return float(sum(gaps) / len(share))
