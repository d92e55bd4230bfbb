"""The test pictures of finetuning, their whitened space, and the figures on them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

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

Bools = NDArray[np.bool_]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Space:
    """The whitened space of N embeddings, as an image set has it: rows, graph without twins, source `group` (N,)."""

    whitened: WhitenedRows
    graph: Graph
    group: NDArray[np.int32]

    @cached_property
    def confusability(self) -> NDArray[np.float32]:
        """Of each picture (N,) among the others."""
        graph = self.graph
        return confusability(graph.position, graph.similarity, representative=twin_representatives(graph.twins))[0]

    def ambiguity(self, label: NDArray[np.integer]) -> NDArray[np.float32] | None:
        """Of each picture (N,) between the classes of `label` (N,); None if there are too few."""
        classified = classify(self.graph.position, self.graph.similarity, self.whitened.rows, label, self.group)
        return None if classified is None else classified.shares.ambiguity

    def nearest_errors(self, label: NDArray[np.integer]) -> tuple[Bools, Bools]:
        """Which pictures (N,) and their nearest both have a class, and where the two classes differ (N,)."""
        nearest = self.graph.position[:, 0]
        return (nearest >= 0) & (label >= 0) & (label[nearest] >= 0), label[nearest] != label


def find_space(embedding: NDArray[np.floating]) -> Space:
    """The whitened space of raw embeddings (N, D)."""
    rows = whitened_rows(np.arange(len(embedding)), embedding)
    graph = build_graph(rows, embedding)
    return Space(rows, graph, source_groups(graph.twins))


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
    """Hold a share of the pictures out for the test, whole groups of twins, chosen by their ids."""
    group = find_groups(Sources.from_caches(cache), "twins")
    return SplitCache(cache, are_test_pictures(group, share), group, find_space(cache.clean))


def are_test_pictures(group: Integers, share: float) -> Bools:
    """Which pictures (P,) test, by their groups (P,): the other end of those that choose (see `are_held_out`)."""
    return are_held_out(~group, share, most=MOST_HELD_OUT)


def holdout_figures(
    heads: Mapping[str, Head], split: SplitCache, loss: NDArray[np.float32]
) -> tuple[HoldoutFigure, ...]:
    """R-AUROC, where there are classes, and rank agreement with the task `loss` (R,), of the heads AFTER and BEFORE.

    The agreement is over views, its interval over twins. R-AUROC stands next to that of the orders that need no head.
    """
    cache, space = split.cache, split.space
    rows = np.flatnonzero(split.is_test[cache.clean_rows] & np.isfinite(loss))
    views, pictures = cache.embeddings[rows], cache.clean_rows[rows]
    agreements = {name: (head(views), loss[rows]) for name, head in heads.items()}
    agreement = holdout_figure("agreement", agreements, spearman, split.group[pictures], count=len(np.unique(pictures)))
    if not cache.manifest.classes:
        return (agreement,)
    values = {name: head(cache.clean) for name, head in heads.items()} | orders_without_head(space, cache.labels)
    known, is_wrong = space.nearest_errors(cache.labels)
    orders = {name: (order, known, is_wrong) for name, order in values.items()}
    return r_auroc_figure(orders, split.is_test, cache.labels), agreement


def r_auroc_figure(
    orders: Mapping[str, tuple[NDArray[np.floating], Bools, Bools]], is_test: Bools, label: NDArray[np.integer]
) -> HoldoutFigure:
    """R-AUROC of orders (P,), each with the `nearest_errors` of its space, on the test pictures that all of them know.

    Intervals are over the classes, `label` (P,).
    """
    knows = [np.isfinite(values) & known for values, known, _ in orders.values()]
    rows = np.flatnonzero(is_test & np.all(knows, axis=0))
    arrays = {name: (values[rows], is_wrong[rows]) for name, (values, _, is_wrong) in orders.items()}
    return holdout_figure("r_auroc", arrays, auroc, label[rows], count=len(rows))


def orders_without_head(space: Space, label: NDArray[np.integer]) -> dict[str, NDArray[np.float32]]:
    """Confusability (P,) and, with classes, ambiguity (P,) of every picture, higher = less to be trusted."""
    ambiguity = space.ambiguity(label)
    orders = {"confusability": space.confusability}
    return orders if ambiguity is None else orders | {"ambiguity": ambiguity}
