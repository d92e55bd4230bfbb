"""What a model's epochs say of each picture: margins, confidence, forgetting, and shares where it was held out.

Mean margin is the area under the margin of Pleiss et al. 2020 (arXiv 2001.10528, eq. 2); confidence and variability
are those of dataset cartography (Swayamdipta et al. 2020, arXiv 2009.10795, section 2); forgetting events are those of
Toneva et al. 2019 (arXiv 1812.05159, definition 1).
"""

from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax

from url_viz.analysis.votes import NONE, Codes

ROWS_AT_ONCE = 1 << 15

Floats = NDArray[np.float64]
Epoch = tuple[NDArray[np.integer], NDArray[np.floating], Codes]
"""Rows (M,) of pictures, the logits (M, C) of them, and the class (M,) of each, NONE for none."""


def dynamics(epochs: Iterable[Epoch], count: int) -> pd.DataFrame:
    """What training did with each of so many pictures, over epochs in their order, which are gone through once.

    `last_margin`, `mean_margin`: the logit of the class less the largest other, in the last epoch and on average.
    `confidence`, `variability`: mean and standard deviation of the class's probability. `forgotten`: how often an epoch
    that was right came before one that was wrong. `learnt`: the first epoch that was right, counted from 0 among those
    of the picture, infinite if none was. `epochs`: how many there were; where none with a class, all else is nan.
    """
    seen = np.zeros(count, np.int64)
    last, total, mean, squares = (np.zeros(count) for _ in range(4))
    forgotten, learnt, was_right = np.zeros(count), np.full(count, np.inf), np.zeros(count, bool)
    for all_rows, all_logits, all_classes in chain.from_iterable(map(_in_parts, epochs)):
        is_known = (all_classes != NONE) & np.isfinite(all_logits).all(axis=1)
        rows, logits, classes = all_rows[is_known], all_logits[is_known].astype(np.float64), all_classes[is_known]
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
    known = np.where(seen > 0, 1.0, np.nan)
    often = np.maximum(seen, 1)
    return pd.DataFrame(
        {
            "last_margin": last * known,
            "mean_margin": total / often * known,
            "confidence": mean * known,
            "variability": np.sqrt(np.maximum(squares, 0) / often) * known,
            "forgotten": forgotten * known,
            "learnt": np.where(seen > 0, learnt, np.nan),
            "epochs": seen,
        }
    )


def _in_parts(epoch: Epoch) -> Iterator[Epoch]:
    """Parts of an epoch that are small enough for float64; a picture is in an epoch once."""
    rows, logits, classes = epoch
    for start in range(0, len(rows), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        yield rows[part], logits[part], classes[part]


def margins(logits: NDArray[np.floating], classes: Codes) -> Floats:
    """The logit of its class less the largest other (M,), of logits (M, C) and classes (M,)."""
    values = logits.astype(np.float64)
    own = np.arange(len(values)), classes
    mine = values[own]
    values[own] = -np.inf
    lead: Floats = mine - values.max(axis=1, initial=-np.inf)
    return lead


def mean_shares(epochs: Iterable[Epoch], count: int, classes: int) -> NDArray[np.float32]:
    """The mean probabilities (N, C) over some epochs; nan for pictures that were in none."""
    total, seen = np.zeros((count, classes), np.float32), np.zeros(count, np.float32)
    for rows, logits, _ in chain.from_iterable(map(_in_parts, epochs)):
        is_known = np.isfinite(logits).all(axis=1)
        total[rows[is_known]] += softmax(logits[is_known].astype(np.float64), axis=1)
        seen[rows[is_known]] += 1
    return np.divide(total, seen[:, None], out=np.full_like(total, np.nan), where=seen[:, None] > 0)
