"""Maps of an image set: its regions and who stands for them, a map of some pictures, fitting it again."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.base.printout import Printout
from url_viz.base.progress import ProgressCallback, silent
from url_viz.base.wording import counted
from url_viz.capability import capability
from url_viz.columns.filters import categories_of
from url_viz.columns.ranking import percentile_of_each
from url_viz.columns.twin_groups import group_codes
from url_viz.core import SetSubject
from url_viz.pipeline.postprocess import update_derived
from url_viz.pipeline.projection import FEWEST_FOR_UMAP, project_selection, tsne_coordinates
from url_viz.pipeline.whitening import whitened_for
from url_viz.store.tables.tables import PLACED, TSNE, UMAP, Graph, positions_of
from url_viz.store.tables.writer import Writer

CELLS = 160
"""Side of the grid on which regions are found."""
BANDWIDTH = 0.35
"""Of Scott's rule, which is meant for one heap and would blur a map of many into one."""
MOST = 32
FEWEST_IN_REGION = 3
LEAST_SHARE = 0.001
"""A region holds at least this share of the pictures, and three, unless they are few."""
CENTRAL_SHARE = 0.25
VOTES = 12
"""Nearest neighbours whose resemblance counts."""
STEPS = 15
DAMPING = 0.85

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]


def representatives(
    table: pd.DataFrame, contents: Ints, graph: Graph | None, *, count: int | None = None, by: str | None = None
) -> pd.DataFrame:
    """Pictures that stand for the regions of the map, those of the largest regions first.

    `table` is that of an image set, `contents` (N,) its content keys. At most `count` regions (None: the square root
    of the number of pictures, at most 32). `by` is the measure by which pictures are clear.

    Columns: id, path, x, y (of the picture), size (pictures in its region),
    label (the commonest class there, None if there is none) and share (of the labelled pictures there; nan).
    The same every time.
    """
    rows = np.flatnonzero(np.isfinite(table["x"].to_numpy(dtype=float)))
    xy = table[["x", "y"]].to_numpy(np.float32)[rows]
    region = regions_of(xy, count if count is not None else count_for(len(rows)))
    centrality = _row_centrality(table, contents, graph, rows, region)
    ranks = np.full(len(table), np.nan) if by is None else percentile_of_each(table, by)
    chosen = _chosen(xy, region, centrality, ranks[rows])
    chosen_rows = table.iloc[rows[chosen]][["id", "path", "x", "y"]].reset_index(drop=True)
    chosen_rows["size"] = np.bincount(region[region >= 0], minlength=len(chosen))
    chosen_rows["label"], chosen_rows["share"] = _commonest(table.iloc[rows], region, len(chosen))
    return chosen_rows


def count_for(pictures: int) -> int:
    """How many regions a map of this many pictures has."""
    return min(MOST, round(math.sqrt(pictures)))


def regions_of(xy: Floats, count: int) -> NDArray[np.int32]:
    """The region of each point (N, 2): numbers by falling size, at most `count`; −1 in none of them.

    Peaks of the points' density, joined where the pass between two is high (persistence: Chazal et al. 2013,
    "Persistence-Based Clustering in Riemannian Manifolds"), so that regions are the islands and heaps one sees,
    whatever their shape, where k-means would cut the large ones into equal cells. What a peak weighs is the points it
    gathers before it joins a higher one, times how deep the pass is: those that weigh most are kept.
    """
    region = np.full(len(xy), -1, np.int32)
    if not len(xy) or count < 1:
        return region
    cell, counts, density = _density(np.asarray(xy, np.float64))
    hills = _Hills(density, counts)
    fewest = max(FEWEST_IN_REGION, round(LEAST_SHARE * len(xy))) if len(xy) >= 10 * FEWEST_IN_REGION else 1
    hill = hills.joined(count, fewest=fewest)[hills.owner[cell]]
    numbers, sizes = np.unique(hill[hill >= 0], return_counts=True)
    for rank, number in enumerate(numbers[np.argsort(-sizes, kind="stable")].tolist()):
        region[hill == number] = rank
    return region


def centrality(position: NDArray[np.integer], similarity: Floats, region: NDArray[np.integer], twin: Ints) -> Floats:
    """How much each of M pictures is what others of its region resemble (M,); only the order means anything.

    PageRank (Brin and Page 1998) on the nearest of the lists `position` (M, K), weighted by `similarity` (M, K), along
    edges within a `region` (M,) and between pictures that are not twins (`twin` (M,) group numbers): a burst of copies
    would else vote for itself.
    """
    from scipy.sparse import csr_array

    position, similarity = position[:, :VOTES], similarity[:, :VOTES]
    m, k = position.shape
    start, end = np.repeat(np.arange(m), k), position.ravel()
    counts = (end >= 0) & (region[start] == region[end]) & (region[start] >= 0) & (twin[start] != twin[end])
    weight = np.where(counts, np.maximum(similarity.ravel(), 0), 0).astype(np.float64)
    total = np.bincount(start, weights=weight, minlength=m)
    weight /= np.maximum(total, 1e-12)[start]
    votes = csr_array((weight[counts], (end[counts], start[counts])), shape=(m, m))
    rank = np.ones(m)
    for _ in range(STEPS):
        rank = (1 - DAMPING) + DAMPING * (votes @ rank)
    return np.asarray(rank)


def _row_centrality(
    table: pd.DataFrame, contents: Ints, graph: Graph | None, rows: Ints, region: NDArray[np.int32]
) -> Floats:
    """The centrality of each of `rows`; 0 if the graph does not reach."""
    result = np.zeros(len(rows))
    if graph is None or not len(graph):
        return result
    row_of_graph = positions_of(contents[rows], graph.content)
    has = row_of_graph >= 0
    regions, twin = np.full(len(graph), -1, np.int32), -1 - np.arange(len(graph))
    regions[row_of_graph[has]] = region[has]
    twin[row_of_graph[has]] = group_codes(table)[rows][has]
    result[has] = centrality(graph.position, graph.similarity, regions, twin)[row_of_graph[has]]
    return result


def _chosen(xy: Floats, region: NDArray[np.int32], centrality: Floats, percentile: Floats) -> Ints:
    """The row of each region's representative: of its most central quarter the clearest.

    `percentile` (N,) is that of the leading measure; where it is nan, the most central one; among equals the one
    nearest to the region's middle.
    """
    members = np.flatnonzero(region >= 0)
    member_region, count = region[members], np.maximum(np.bincount(region[members]), 1)
    middle = np.stack([np.bincount(member_region, weights=xy[members, axis]) / count for axis in (0, 1)], axis=1)
    distance = np.linalg.norm(xy[members] - middle[member_region], axis=1)
    order = np.lexsort((distance, -centrality[members], member_region))
    members, member_region = members[order], member_region[order]
    rank = np.arange(len(member_region)) - np.searchsorted(member_region, member_region)
    is_outer = rank >= np.ceil(CENTRAL_SHARE * count[member_region])
    clearest = np.lexsort((rank, np.nan_to_num(percentile[members], nan=50), is_outer, member_region))
    return members[clearest[np.unique(member_region, return_index=True)[1]]]


def _commonest(
    table: pd.DataFrame, region: NDArray[np.int32], regions: int
) -> tuple[NDArray[np.object_], NDArray[np.float32]]:
    """The commonest class of each region, and its share of the labelled pictures there."""
    categories = categories_of(table)
    labels = np.full(regions, None, object)
    share = np.full(regions, np.nan, np.float32)
    for number in range(regions):
        inside = categories.numbers[(region == number) & (categories.numbers >= 0)]
        if len(inside):
            counts = np.bincount(inside)
            labels[number], share[number] = categories.names[int(counts.argmax())], counts.max() / len(inside)
    return labels, share


def _density(xy: NDArray[np.float64]) -> tuple[Ints, NDArray[np.float64], NDArray[np.float64]]:
    """The cell of each point (N,), and points a cell, raw and smoothed: (CELLS + 2, CELLS + 2) with an empty rim.

    The far half of a hundredth on each side goes to the outermost cells: one stray picture does not set the scale.
    """
    from scipy.ndimage import gaussian_filter

    low, high = np.quantile(xy, [0.005, 0.995], axis=0)
    side = max(float((high - low).max()), 1e-9) / (CELLS - 1)
    cell_xy = np.clip(np.rint((xy - low) / side), 0, CELLS - 1).astype(np.int64) + 1
    cell = cell_xy[:, 1] * (CELLS + 2) + cell_xy[:, 0]
    counts = np.bincount(cell, minlength=(CELLS + 2) ** 2).reshape(CELLS + 2, CELLS + 2).astype(np.float64)
    spread = float(np.sqrt(np.clip(xy, low, high).var(axis=0).mean())) / side
    bandwidth = min(CELLS / 4, max(1.0, BANDWIDTH * spread * len(xy) ** (-1 / 6)))
    density = gaussian_filter(counts, bandwidth, mode="constant", truncate=3)
    density[[0, -1]] = density[:, [0, -1]] = 0
    return cell, counts, density


class _Hills:
    """The hills of a density on a grid, by flooding from the top, and how they join.

    `owner` (cells,) is the hill of each cell (−1: nothing near), `parent` the hill that each joins (−1: none),
    `importance` what it weighs there. A parent weighs at least as much as what joins it.
    """

    def __init__(self, density: NDArray[np.float64], counts: NDArray[np.float64]) -> None:
        self.parent: list[int] = []
        self.importance: list[float] = []
        self._weight: list[float] = []
        self._peak: list[float] = []
        self._top: list[int] = []
        self.owner = np.array(self._flood(density, counts), np.int64)
        for hill, parent in enumerate(self.parent):
            if parent < 0:
                self.importance[hill] = self._weight[hill]

    def joined(self, count: int, *, fewest: int) -> NDArray[np.int64]:
        """The heavy hill that each hill belongs to, −1 for none (also at the end, for cells of no hill).

        At most `count` are heavy, each of `fewest` points or more.
        """
        order = np.argsort(-np.array(self.importance), kind="stable")[:count]
        heavy = {int(hill) for hill in order if self._weight[hill] >= fewest}
        result = np.full(len(self.parent) + 1, -1, np.int64)
        for hill in range(len(self.parent)):
            joined_to = hill
            while joined_to >= 0 and joined_to not in heavy:
                joined_to = self.parent[joined_to]
            result[hill] = joined_to
        return result

    def _flood(self, density: NDArray[np.float64], counts: NDArray[np.float64]) -> list[int]:
        width = density.shape[1]
        height, mass = density.ravel().tolist(), counts.ravel().tolist()
        steps = (-width - 1, -width, -width + 1, -1, 1, width - 1, width, width + 1)
        owner = [-1] * len(height)
        for cell in np.argsort(-density.ravel(), kind="stable").tolist():
            if height[cell] <= 0:
                break
            around = [cell + step for step in steps if owner[cell + step] >= 0]
            if around:
                owner[cell] = owner[max(around, key=height.__getitem__)]
                self._join({self._top_of(owner[near]) for near in around}, height[cell])
            else:
                owner[cell] = self._new(height[cell])
            self._weight[self._top_of(owner[cell])] += mass[cell]
        return owner

    def _new(self, height: float) -> int:
        self._top.append(len(self._top))
        self._peak.append(height)
        self._weight.append(0.0)
        self.parent.append(-1)
        self.importance.append(0.0)
        return len(self._top) - 1

    def _join(self, hills: set[int], height: float) -> None:
        """Let the lower of these hills, which meet at a pass of this height, join the highest."""
        highest = min(hills, key=lambda hill: (-self._peak[hill], hill))
        for hill in sorted(hills - {highest}):
            self.parent[hill] = self._top[hill] = highest
            self.importance[hill] = (1 - height / self._peak[hill]) * self._weight[hill]
            self._weight[highest] += self._weight[hill]

    def _top_of(self, hill: int) -> int:
        while self._top[hill] != hill:
            self._top[hill] = self._top[self._top[hill]]
            hill = self._top[hill]
        return hill


Method = Literal["UMAP", "t-SNE", "PCA"]
MapBy = Literal["umap", "tsne"]
NEAR = 24
"""Nearest neighbours of a region's picture that are asked with it."""


@dataclass(frozen=True)
class Projection:
    """Pictures on a map of their own: `ids` (M,) int64 in the order of `table()`, `xy` (M, 2) float32.

    It is by UMAP or t-SNE, or by PCA alone, because they are few.
    """

    ids: NDArray[np.int64]
    xy: NDArray[np.float32]
    by: Method

    def __len__(self) -> int:
        return len(self.ids)


def _refitted(maps: "SetMaps", _: None) -> Printout:
    core = maps._core
    return Printout([f"The map of {counted(len(core.base.table), core.noun)} in {core.root} was made again."])


class SetMaps(SetSubject):
    """The maps of an image set, as `image_set.maps`."""

    def project(self, ids: Iterable[int], *, method: MapBy = "umap") -> Projection:
        """Some pictures on a map of their own: UMAP on the neighbours among them, PCA below 15; seeded.

        Beyond 20,000 a sample is fitted and the others are placed. `tsne` is t-SNE of the raw embeddings, as in the
        paper's figure; beyond 10,000 of a sample. Raises ImageSetError for an id that is not in this set.
        """
        store, key, graph = self._core.store, self._core.space.key, self._core.graph
        rows = np.unique(self._core.rows_of(ids))
        contents = np.unique(self._core.contents[rows])
        if method == "tsne" and len(contents) >= FEWEST_FOR_UMAP:
            read = store.embeddings(key, contents)
            coordinates = tsne_coordinates(read.content, read.embedding, graph)
        else:
            coordinates = project_selection(whitened_for(store, key, contents), graph)
        methods: dict[int, Method] = {TSNE: "t-SNE", UMAP: "UMAP"}
        by: Method = next((name for code, name in methods.items() if (coordinates.method == code).any()), "PCA")
        place = positions_of(self._core.contents[rows], coordinates.content)
        return Projection(self._core.ids[rows], coordinates.xy[place], by)

    @capability("sets refit", show=_refitted)
    def refit(self, *, progress: ProgressCallback = silent) -> None:
        """Make the map again: until then, pictures added later are only placed among their neighbours.

        Everything moves.

        In Python it is seen by opening the set again. Raises WorkspaceError if another process writes.
        """
        with Writer(self._core.store.paths, self._core.root) as writer:
            update_derived(writer, self._core.space, report=progress, refit=True)

    @cached_property
    def placed_fraction(self) -> float:
        """The fraction of the map's pictures that came after its fit, and were placed by their neighbours."""
        coordinates = self._core.store.coordinates(self._core.space.key)
        if coordinates is None or not (coordinates.method == UMAP).any():
            return 0.0
        return float((coordinates.method == PLACED).mean())
