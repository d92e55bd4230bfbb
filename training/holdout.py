"""The test pictures of finetuning, their whitened space, and the figures on them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.store import Cache
from training.training_rows import MOST_HELD_OUT, Sources, are_held_out, find_groups
from url_viz.evidence.holdout_report import HoldoutFigure, holdout_figure
from url_viz.evidence.order_metrics import auroc, spearman
from url_viz.labels.ambiguity import classify
from url_viz.models.head import Head
from url_viz.pipeline.confusability import confusability
from url_viz.pipeline.graph import build_graph
from url_viz.pipeline.twins import source_groups, twin_representatives
from url_viz.pipeline.whitening import whitened_rows
from url_viz.store.tables.embedding_rows import WhitenedRows
from url_viz.store.tables.tables import Graph


@dataclass(frozen=True)
class Space:
    """The whitened space of N embeddings: its rows, the graph without twins, and the group (N,) of each picture."""

    whitened: WhitenedRows
    graph: Graph
    group: NDArray[np.int32]


def find_space(embedding: NDArray[np.floating]) -> Space:
    """The whitened space of a set's raw embeddings (N, D), as an image set keeps it."""
    rows = whitened_rows(np.arange(len(embedding)), embedding)
    graph = build_graph(rows, embedding)
    return Space(rows, graph, source_groups(graph.twins))


Bools = NDArray[np.bool_]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class FinetuneReport:
    """Result of finetuning: how many pictures trained, chose the epoch and gave the figures; the figures; advice."""

    mode: str
    pictures: int
    unreadable: int
    trained: int
    chose: int
    told_pictures: int
    told: tuple[HoldoutFigure, ...]
    advice: str


@dataclass(frozen=True)
class SplitCache:
    """A cache with its test pictures `is_test` (P,), the twin `group` (P,) of each picture, and the `space` of all."""

    cache: Cache
    is_test: Bools
    group: Integers
    space: Space


def split_cache(cache: Cache, share: float) -> SplitCache:
    """Take a share of the pictures for the test, whole groups of twins, chosen by their ids."""
    group = find_groups(Sources.from_caches(cache), "twins")
    return SplitCache(cache, are_test_pictures(group, share), group, find_space(cache.clean))


def are_test_pictures(group: Integers, share: float) -> Bools:
    """Which pictures (P,) test, by their groups (P,): the other end of those that choose (see `are_held_out`)."""
    return are_held_out(~group, share, most=MOST_HELD_OUT)


def confusability_in(space: Space) -> NDArray[np.float32]:
    """Confusability (P,) of each picture among those of the space, as an image set of them has it."""
    graph = space.graph
    return confusability(graph.position, graph.similarity, representative=twin_representatives(graph.twins))[0]


def holdout_figures(
    heads: Mapping[str, Head], split: SplitCache, loss: NDArray[np.float32]
) -> tuple[HoldoutFigure, ...]:
    """R-AUROC, where there are classes, and rank agreement with the task loss, of the heads AFTER and BEFORE.

    `loss` (R,) is of all rows. The agreement is over views, its interval over twins. R-AUROC (see `r_auroc_figure`) is
    compared with confusability and ambiguity, which need no job.
    """
    agreement = _agreement(heads, split, loss)
    if not len(split.cache.manifest.classes):
        return (agreement,)
    nearest = NearestErrors.from_space(split.space, split.cache.labels)
    orders = {name: (head(split.cache.clean), nearest) for name, head in heads.items()}
    others = {name: (values, nearest) for name, values in orders_without_head(split.space, split.cache.labels).items()}
    return r_auroc_figure(orders | others, split.is_test, split.cache.labels), agreement


def _agreement(heads: Mapping[str, Head], split: SplitCache, loss: NDArray[np.float32]) -> HoldoutFigure:
    rows = np.flatnonzero(split.is_test[split.cache.clean_rows] & np.isfinite(loss))
    views = split.cache.embeddings[rows]
    orders = {name: (head(views), loss[rows]) for name, head in heads.items()}
    pictures = split.cache.clean_rows[rows]
    return holdout_figure("agreement", orders, spearman, split.group[pictures], count=len(np.unique(pictures)))


@dataclass(frozen=True)
class NearestErrors:
    """Of P pictures, whether the nearest in the whitened space that is not a twin has another class (`is_wrong`).

    This is `known` of a picture with a class whose nearest has a class, too.
    """

    known: Bools
    is_wrong: Bools

    @classmethod
    def from_space(cls, space: Space, label: NDArray[np.integer]) -> "NearestErrors":
        nearest = space.graph.position[:, 0]
        return cls((nearest >= 0) & (label >= 0) & (label[nearest] >= 0), label[nearest] != label)


def r_auroc_figure(
    orders: Mapping[str, tuple[NDArray[np.floating], NearestErrors]], is_test: Bools, label: NDArray[np.integer]
) -> HoldoutFigure:
    """R-AUROC of orders, each values (P,) with the errors of its space, on the test pictures that all of them know.

    Intervals are over the classes, `label` (P,).
    """
    knows = [np.isfinite(values) & nearest.known for values, nearest in orders.values()]
    rows = np.flatnonzero(is_test & np.all(knows, axis=0))
    arrays = {name: (values[rows], nearest.is_wrong[rows]) for name, (values, nearest) in orders.items()}
    return holdout_figure("r_auroc", arrays, auroc, label[rows], count=len(rows))


def orders_without_head(space: Space, label: NDArray[np.integer]) -> dict[str, NDArray[np.float32]]:
    """Confusability (P,) and, with classes, ambiguity (P,) of every picture, higher = less to be trusted."""
    graph = space.graph
    classified = classify(graph.position, graph.similarity, space.whitened.rows, label, space.group)
    orders = {"confusability": confusability_in(space)}
    return orders if classified is None else orders | {"ambiguity": classified.shares.ambiguity}
