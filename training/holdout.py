"""The pictures that finetuning tells its figures of, which neither train nor choose, and these figures."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.benchmark.labelled import Space, space_of
from training.groups import groups_of
from training.sources import Sources
from training.store import Cache
from training.training_rows import MOST_HELD_OUT, are_held_out
from url_viz.analysis.ambiguity import classify
from url_viz.analysis.holdout_report import AFTER, BEFORE, Told, told_of
from url_viz.analysis.order_metrics import auroc, spearman
from url_viz.models.head import Head
from url_viz.pipeline.confusability import confusability
from url_viz.pipeline.twins import twin_representatives

Bools = NDArray[np.bool_]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class ToldPictures:
    """The pictures of a cache that figures are told of: `is_told` (P,), `group` (P,) of twins, and `space` of all P."""

    cache: Cache
    is_told: Bools
    group: Integers
    space: Space

    @property
    def count(self) -> int:
        return int(self.is_told.sum())


def told_pictures(cache: Cache, share: float) -> ToldPictures:
    """Set a share of the pictures apart, whole groups of twins, by their ids alone."""
    group = groups_of(Sources.of(cache), "twins")
    return ToldPictures(cache, are_told(group, share), group, space_of(cache.clean))


def are_told(group: Integers, share: float) -> Bools:
    """Which pictures (P,) are told of, by their groups (P,): the other end of what chooses (see `are_held_out`)."""
    return are_held_out(~group, share, most=MOST_HELD_OUT)


def confusability_in(space: Space) -> NDArray[np.float32]:
    """Confusability (P,) of each picture among those of the space, as an image set of them has it."""
    graph = space.graph
    return confusability(graph.position, graph.similarity, representative=twin_representatives(graph.twins))[0]


def figures_of(heads: Mapping[str, Head], told: ToldPictures, loss: NDArray[np.float32]) -> tuple[Told, ...]:
    """R-AUROC, where classes tell it, and rank agreement with the task loss, of the heads AFTER and BEFORE.

    `loss` (R,) of all rows is of all pictures. The agreement is over views, its interval over twins. For R-AUROC see
    `r_auroc_of`; confusability and ambiguity, which need no job, stand beside it.
    """
    agreement = _agreement(heads, told, loss)
    if not len(told.cache.manifest.classes):
        return (agreement,)
    nearest = NearestErrors.of(told.space, told.cache.labels)
    orders = {name: (head(told.cache.clean), nearest) for name, head in heads.items()}
    others = {name: (values, nearest) for name, values in orders_without_a_job(told.space, told.cache.labels).items()}
    return r_auroc_of(orders | others, told.is_told, told.cache.labels), agreement


def _agreement(heads: Mapping[str, Head], told: ToldPictures, loss: NDArray[np.float32]) -> Told:
    rows = np.flatnonzero(told.is_told[told.cache.clean_rows] & np.isfinite(loss))
    views = told.cache.embeddings(rows)
    orders = {name: (head(views), loss[rows]) for name, head in heads.items()}
    pictures = told.cache.clean_rows[rows]
    return told_of("agreement", orders, _spearman, told.group[pictures], count=len(np.unique(pictures)))


@dataclass(frozen=True)
class NearestErrors:
    """Of P pictures, whether the nearest in the whitened space that is no twin `is_wrong`, of those that are `known`.

    A picture is known that has a class, and a nearest that has one too.
    """

    known: Bools
    is_wrong: Bools

    @classmethod
    def of(cls, space: Space, label: NDArray[np.integer]) -> "NearestErrors":
        place = space.graph.position[:, 0]
        return cls((place >= 0) & (label >= 0) & (label[place] >= 0), label[place] != label)


def r_auroc_of(
    orders: Mapping[str, tuple[NDArray[np.floating], NearestErrors]], is_told: Bools, label: NDArray[np.integer]
) -> Told:
    """R-AUROC of orders, each values (P,) with what is nearest in its space, on told pictures that all of them know.

    Intervals are over the classes, `label` (P,).
    """
    knows = [np.isfinite(values) & nearest.known for values, nearest in orders.values()]
    rows = np.flatnonzero(is_told & np.all(knows, axis=0))
    arrays = {name: (values[rows], nearest.is_wrong[rows]) for name, (values, nearest) in orders.items()}
    return told_of("r_auroc", arrays, auroc, label[rows], count=len(rows))


def orders_without_a_job(space: Space, label: NDArray[np.integer]) -> dict[str, NDArray[np.float32]]:
    """Confusability (P,) and, with classes, ambiguity (P,) of every picture, higher = less to be trusted."""
    graph = space.graph
    classified = classify(graph.position, graph.similarity, space.whitened.rows, label, space.group)
    orders = {"confusability": confusability_in(space)}
    return orders if classified is None else orders | {"ambiguity": classified.shares.ambiguity}


def _spearman(values: NDArray[np.floating], loss: NDArray[np.floating]) -> float:
    return spearman(values, loss) if len(values) else float("nan")


def heads_of(after: Head, before: Head | None) -> dict[str, Head]:
    """The heads under the names that figures have them by."""
    return {AFTER: after} if before is None else {AFTER: after, BEFORE: before}
