"""Records of an evaluation: figures of each order, comparisons, crops, and reference data."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.benchmark.labelled import LabelledSet
from url_viz.analysis.evidence.order_metrics import Interval

HEAD = "head"


@dataclass(frozen=True)
class OrderResult:
    """How one uncertainty orders a set. `interval` is R-AUROC's of 95 % over classes, `risk` at `coverage`.

    `recall_by_tenth` is recall@1 of each tenth of the pictures, from the clearest to the most uncertain.
    """

    name: str
    r_auroc: float
    interval: Interval
    aurc: float
    coverage: tuple[float, ...]
    risk: tuple[float, ...]
    beside: "Comparisons"
    recall_by_tenth: tuple[float, ...] = ()


@dataclass(frozen=True)
class Comparisons:
    """Further figures of an uncertainty, beyond recall@1; nan without the reference data.

    `classification_auroc`: against the classifier's errors. `human_alignment`: Spearman with the entropy of people's
    votes. `ood_auroc` and `mixed_r_auroc`: with an upstream set.
    """

    classification_auroc: float = math.nan
    human_alignment: float = math.nan
    ood_auroc: float = math.nan
    mixed_r_auroc: float = math.nan


@dataclass(frozen=True)
class References:
    """Reference data of the comparisons, None if absent.

    `classes` (N,): each picture's class among the classifier's, −1 unknown. `entropy_nats` (N,): of people's votes.
    `upstream` was embedded with the same model.
    """

    classes: NDArray[np.int64] | None = None
    entropy_nats: NDArray[np.float64] | None = None
    upstream: LabelledSet | None = None


@dataclass(frozen=True)
class Crop:
    """One picture's crop: the share of the sides it keeps, and whether the head finds it more uncertain."""

    share: float
    is_more_uncertain: bool


@dataclass(frozen=True)
class Evaluation:
    """Every figure of a model on a labelled set; `crop_test` is nan if it was not run."""

    model: str
    data: str
    precision: str
    pictures: int
    classes: int
    unreadable: int
    recall_at_1: float
    crop_test: float
    orders: tuple[OrderResult, ...]
    crops: tuple[Crop, ...] = ()

    def order(self, name: str) -> OrderResult:
        return next(order for order in self.orders if order.name == name)
