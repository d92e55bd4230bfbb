"""The map's coordinates: PCA, UMAP on the neighbour graph, places for later pictures, and packing onto the canvas."""

import sys
import warnings
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from url_viz.base.processes import keep_compiled
from url_viz.base.rows import l2_normalize
from url_viz.pipeline.nearest import closed_up, itself, top_k_within
from url_viz.store.tables.embedding_rows import WhitenedRows
from url_viz.store.tables.tables import PCA, PLACED, TSNE, UMAP, Coordinates, Graph, no_twins, positions_of

GAP = 1.0
"""Space between groups, and the width of the cells that tell them apart, in UMAP's units (its `spread` is 1)."""
MOST_CELLS = 4_000_000
"""Beyond so large a map, cells are larger: an outlier far away must not cost memory."""
_DIRECTIONS = 32
_STEPS = 64
_ANGLES = 45

Array = NDArray[np.float32]
Array64 = NDArray[np.float64]


def packed(xy: Array) -> Array:
    """The map `xy` (N, 2), float32, with its groups moved together; distances within a group stay as they are.

    Groups are parted by at least `GAP`. The largest stays, each next one goes where the map remains most compact, at
    `GAP` from the others. Then the whole is turned to fit into the smallest square, as its canvas about is.
    """
    if not len(xy):
        return xy
    group, width = _separate_groups(xy)
    sizes = np.bincount(group)
    result = xy.astype(np.float64)
    by_size = np.argsort(-sizes, kind="stable")
    placed = _outline(result[group == by_size[0]], width)
    for number in by_size[1:]:
        rows = group == number
        shift = _best_shift(_outline(result[rows], width), placed, width)
        result[rows] += shift
        placed = np.concatenate([placed, _outline(result[rows], width)])
    angles = np.linspace(0, np.pi / 2, _ANGLES, endpoint=False)
    turns = np.array([[[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]] for a in angles])
    best = min(turns, key=lambda turn: _side(placed @ turn))
    return np.asarray((result - result.mean(axis=0)) @ best, np.float32)


def _separate_groups(xy: Array) -> tuple[NDArray[np.int64], float]:
    """The number of each point's group (N,), and the width of the cells; touching cells with points are one group."""
    low, extent = xy.min(axis=0), np.ptp(xy, axis=0)
    width = max(GAP, float(np.sqrt(extent.prod() / MOST_CELLS)), float(extent.max() / MOST_CELLS))
    cell = ((xy - low) / width).astype(np.int64)
    grid = np.zeros(cell.max(axis=0) + 1, np.bool_)
    grid[cell[:, 0], cell[:, 1]] = True
    labels, _ = ndimage.label(grid, np.ones((3, 3)))
    return labels[cell[:, 0], cell[:, 1]].astype(np.int64) - 1, width


def _outline(xy: Array64, width: float) -> Array64:
    """One point for each quarter of a cell with points: few, however many points there are."""
    _, first = np.unique((xy / (width / 4)).astype(np.int64), axis=0, return_index=True)
    return xy[first]


def _best_shift(group: Array64, placed: Array64, gap: float) -> Array64:
    """The shift (2,) that brings `group` to the `gap` from what is placed, and keeps the whole most compact."""
    tree = cKDTree(placed)
    centre, middle = placed.mean(axis=0), (group.min(axis=0) + group.max(axis=0)) / 2
    reach = float(np.ptp(placed, axis=0).sum() + np.ptp(group, axis=0).sum()) + gap
    angles = np.arange(_DIRECTIONS) * 2 * np.pi / _DIRECTIONS
    before = np.arctan2(*(middle - centre)[::-1])
    outward = np.stack([np.cos(angles), np.sin(angles)], axis=1)[np.cos(angles - before) >= 0]  # it stays on its side
    near = centre - middle
    shifts = [_pulled_in(group, tree, near + reach * direction, near, gap) for direction in outward]
    return min(shifts, key=lambda shift: _side(np.concatenate([placed, group + shift])))


def _pulled_in(group: Array64, tree: cKDTree, far: Array64, near: Array64, gap: float) -> Array64:
    """On the way from the shift `far` to `near`, the last one before the group comes nearer than the `gap`."""
    for step in range(1, _STEPS + 1):
        shift = far + step / _STEPS * (near - far)
        if tree.query(group + shift)[0].min() < gap:
            return far + (step - 1) / _STEPS * (near - far)
    return near


def _side(xy: Array64) -> float:
    """The larger side of the box around the points (N, 2), a little more the larger the other side is."""
    extent = np.ptp(xy, axis=0)
    return float(extent.max() + 0.1 * extent.min())


UMAP_NEIGHBOURS = 15
FEWEST_FOR_UMAP = UMAP_NEIGHBOURS
"""Fewer pictures than UMAP looks at around each one get PCA: UMAP would draw them as a ring."""
UMAP_EPOCHS = 200
UMAP_EPOCHS_FEW = 300
FEW_ROWS = 10_000
SAMPLE_ROWS = 100_000
"""UMAP is fitted on at most this many rows; the others are placed by their neighbours."""
MOST_SELECTED = 20_000
"""The most pictures that the map of a selection is fitted on, as a user waits for it; the others are placed."""
PCA_SAMPLE_ROWS = 20_000
PCA_ROWS_AT_ONCE = 16_384
FEWEST_FOR_LANCZOS = 32
"""Rows, and numbers in each, from which two directions are found without finding all."""
SEED = 0
PERPLEXITY = 30.0
LEARNING_RATE = 200.0
TSNE_SEED = 1
TSNE_MOST = 10_000
"""Of more pictures a sample is fitted, and the others are placed by their neighbours."""


@dataclass(frozen=True)
class PcaBasis:
    """A linear projection onto two directions: `mean` (D,), `directions` (D, 2)."""

    mean: Array
    directions: Array

    def __call__(self, embedding: NDArray[np.floating]) -> Array:
        """Coordinates (N, 2) of embeddings (N, D), scaled to length one first."""
        starts = range(0, max(1, len(embedding)), PCA_ROWS_AT_ONCE)  # a million in float32 would be 5 GB, twice
        parts = (l2_normalize(embedding[start : start + PCA_ROWS_AT_ONCE]) - self.mean for start in starts)
        return np.asarray(np.concatenate([part @ self.directions for part in parts]), np.float32)


def fit_pca(embedding: NDArray[np.floating]) -> PcaBasis:
    """The two directions of largest variance of the rows (N, D), scaled to length one; any N, also 0 and 1."""
    rows = embedding[:: max(1, len(embedding) // PCA_SAMPLE_ROWS)]
    z = l2_normalize(rows)
    mean = z.mean(axis=0) if len(z) else np.zeros(embedding.shape[1], np.float32)
    directions = np.zeros((embedding.shape[1], 2), np.float32)
    if len(z) > 1:
        components = _leading(z - mean)
        is_positive = np.abs(components).max(axis=0) == components.max(axis=0)
        components = components * np.where(is_positive, 1, -1)  # the sign is free: fix it
        directions[:, : components.shape[1]] = components
    return PcaBasis(mean.astype(np.float32), directions)


def _leading(centred: NDArray[np.floating]) -> NDArray[np.floating]:
    """The two leading right singular vectors (D, 2) of centred rows (N, D), N at least 2; zeros where all are alike."""
    count, size = centred.shape
    if not centred.any():
        return np.zeros((size, 2), centred.dtype)
    if size < FEWEST_FOR_LANCZOS:
        return np.asarray(np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :2])
    if count < FEWEST_FOR_LANCZOS:
        values, vectors = np.linalg.eigh(centred @ centred.T)
        return np.asarray(centred.T @ vectors[:, ::-1][:, :2] / np.sqrt(np.maximum(values[::-1][:2], 1e-12)))
    from scipy.sparse.linalg import svds  # all of them take a hundred times as long

    first = np.random.default_rng(SEED).normal(size=min(centred.shape)).astype(centred.dtype)
    return np.asarray(svds(centred, k=2, v0=first, return_singular_vectors="vh")[2][::-1].T)


def pca_coordinates(whitened: WhitenedRows) -> Coordinates:
    """Coordinates by PCA, for any number of rows."""
    xy = fit_pca(whitened.rows)(whitened.rows)
    return Coordinates(whitened.content, xy, np.full(len(xy), PCA, np.int8))


def fit_map(whitened: WhitenedRows, graph: Graph, *, most: int = SAMPLE_ROWS) -> Coordinates:
    """UMAP of the rows of `graph`, started from PCA; PCA alone below 15 rows.

    Twins, which the graph leaves out, count as neighbours here: they lie together. Beyond `most` rows a sample is
    fitted, the rest placed by its neighbours (method PLACED). Deterministic.
    """
    assert np.array_equal(whitened.content, graph.content)
    if len(graph) < FEWEST_FOR_UMAP:
        return pca_coordinates(whitened)
    start = fit_pca(whitened.rows)(whitened.rows)
    whole = _with_twins(graph)
    if len(graph) <= most:
        xy = _umap(start, whole.position, whole.similarity)
        return Coordinates(graph.content, xy, np.full(len(xy), UMAP, np.int8))
    chosen = np.sort(np.random.default_rng(SEED).choice(len(graph), most, replace=False))
    sample = _restricted(whole, chosen)
    xy = _umap(start[chosen], sample.position, sample.similarity)
    return place(whole, Coordinates(sample.content, xy, np.full(len(xy), UMAP, np.int8)))


def compile_umap() -> None:
    """Compile what maps need, by making a small one; nothing if one is being made already."""
    if "umap" not in sys.modules:
        row = np.arange(2 * FEWEST_FOR_UMAP)
        start = np.stack([row, row % 3], axis=1).astype(np.float32)
        near = (row[:, None] + np.arange(1, UMAP_NEIGHBOURS)) % len(row)
        _umap(start, near, np.full(near.shape, 0.5, np.float32))


def project_selection(whitened: WhitenedRows, graph: Graph | None, *, most: int = MOST_SELECTED) -> Coordinates:
    """Coordinates of some pictures by themselves, as if there were no others; PCA below 15.

    Their neighbours are searched among them again. Beyond `most` a random sample is fitted, and the others are placed
    by their neighbours in `graph`, that of the whole set. Deterministic.
    """
    if len(whitened) < FEWEST_FOR_UMAP:
        return pca_coordinates(whitened)
    if len(whitened) <= most or graph is None:
        return _fit_selection(whitened)
    chosen = np.sort(np.random.default_rng(SEED).choice(len(whitened), most, replace=False))
    fitted = _fit_selection(WhitenedRows(whitened.whitening, whitened.content[chosen], whitened.rows[chosen]))
    rows = positions_of(whitened.content, graph.content)
    placed = place(_restricted(graph, np.sort(rows[rows >= 0])), fitted)
    xy = np.tile(fitted.xy.mean(axis=0), (len(whitened), 1))  # what no graph knows yet stays in the middle
    method = np.full(len(whitened), PLACED, np.int8)
    for part in (placed, fitted):
        row = positions_of(part.content, whitened.content)
        xy[row], method[row] = part.xy, part.method
    return Coordinates(whitened.content, xy, method)


def _fit_selection(whitened: WhitenedRows) -> Coordinates:
    near = top_k_within(whitened.rows, UMAP_NEIGHBOURS, exclude=itself(len(whitened)))
    xy = _umap(fit_pca(whitened.rows)(whitened.rows), near.position, near.similarity)
    return Coordinates(whitened.content, xy, np.full(len(xy), UMAP, np.int8))


def _with_twins(graph: Graph) -> Graph:
    """The graph with each row's twins at the head of its list, as near as their raw cosines say."""
    first, second = graph.twins.pair.T.astype(np.int64)
    if not len(first):
        return graph
    row, twin = np.concatenate([first, second]), np.concatenate([second, first])
    cosine = np.tile(graph.twins.cosine, 2)
    order = np.lexsort((twin, -cosine, row))
    row, twin, cosine = row[order], twin[order], cosine[order]
    slot = np.arange(len(row)) - np.searchsorted(row, row)
    is_first = slot < UMAP_NEIGHBOURS
    shape = len(graph), min(UMAP_NEIGHBOURS, int(slot.max()) + 1)
    position, similarity = np.full(shape, -1, np.int32), np.full(shape, -1, np.float32)
    position[row[is_first], slot[is_first]] = twin[is_first]
    similarity[row[is_first], slot[is_first]] = cosine[is_first]
    lists = closed_up(
        np.concatenate([position, graph.position], axis=1), np.concatenate([similarity, graph.similarity], axis=1)
    )
    return replace(graph, position=lists.position, similarity=lists.similarity)


def place(graph: Graph, coordinates: Coordinates) -> Coordinates:
    """Coordinates for every row of `graph`: known rows stay, others go to the middle of their neighbours.

    A new row none of whose neighbours is known is placed by the neighbours that were placed before it; one that cannot
    be reached at all goes to the middle of the map.
    """
    graph = _with_twins(graph)
    row = positions_of(graph.content, coordinates.content)
    has_place = row >= 0
    xy = np.zeros((len(graph), 2), np.float32)
    xy[has_place] = coordinates.xy[row[has_place]]
    method = np.full(len(graph), PLACED, np.int8)
    method[has_place] = coordinates.method[row[has_place]]
    middle = coordinates.xy.mean(axis=0) if len(coordinates) else np.zeros(2, np.float32)
    while not has_place.all():
        waiting = np.flatnonzero(~has_place)
        placed, where = _by_neighbours(graph, waiting, has_place, xy)
        if not placed.any():
            xy[waiting], has_place[waiting] = middle, True
            break
        xy[waiting[placed]], has_place[waiting[placed]] = where[placed], True
    return Coordinates(graph.content, xy, method)


def _by_neighbours(
    graph: Graph, rows: NDArray[np.int64], has_place: NDArray[np.bool_], xy: Array
) -> tuple[NDArray[np.bool_], Array]:
    """Whether each row has a placed neighbour, and the mean of its five nearest placed ones, the nearer the heavier."""
    position = graph.position[rows]
    usable = (position >= 0) & has_place[position]
    usable &= usable.cumsum(axis=1) <= 5
    similarity = np.where(usable, graph.similarity[rows], -np.inf)
    nearest = np.where(usable.any(axis=1), similarity.max(axis=1), 0)  # its weight is 1, so the sum is never nearly 0
    weight = np.exp((similarity - nearest[:, None]) / 0.02)
    total = weight.sum(axis=1, keepdims=True)
    where = np.einsum("rk,rkc->rc", weight / np.maximum(total, 1), xy[position])
    return np.asarray(usable.any(axis=1)), where.astype(np.float32)


def _restricted(graph: Graph, rows: NDArray[np.int64]) -> Graph:
    """The graph of some of its rows (sorted) alone: other neighbours leave the lists."""
    among = np.full(len(graph) + 1, -1, np.int64)  # the last is what −1 finds
    among[rows] = np.arange(len(rows))
    position = among[graph.position[rows]]
    near = closed_up(position, np.where(position >= 0, graph.similarity[rows], -1))
    twins = no_twins(len(rows))
    return Graph(graph.content[rows], near.position, near.similarity, twins, graph.whitening, graph.is_approximate)


def _umap(start: Array, position: NDArray[np.integer], similarity: Array) -> Array:
    """UMAP on a graph's lists (N, K), packed; `start` (N, 2) is the layout it begins with."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numba's and umap's own remarks on seeds and threads
        import umap

        keep_compiled(umap.umap_, umap.layouts, umap.utils)
        k = min(UMAP_NEIGHBOURS, len(start) - 1, position.shape[1] + 1)
        own = np.arange(len(start))[:, None]
        near = np.where(position[:, : k - 1] >= 0, position[:, : k - 1], own)
        index = np.concatenate([own, near], axis=1).astype(np.int64)
        distance = np.concatenate([np.zeros_like(own), 1 - similarity[:, : k - 1]], axis=1).astype(np.float32)
        spread = np.asarray(start, np.float32) - start.mean(axis=0)
        spread = 10 * spread / max(float(np.abs(spread).max()), 1e-12)
        spread += np.random.default_rng(SEED).normal(0, 1e-4, spread.shape).astype(np.float32)
        fit = umap.UMAP(
            n_neighbors=k,
            metric="cosine",
            precomputed_knn=(index, np.maximum(distance, 0)),
            init=spread,
            n_epochs=UMAP_EPOCHS if len(start) > FEW_ROWS else UMAP_EPOCHS_FEW,
            random_state=SEED,
            n_jobs=1,
        ).fit(np.zeros((len(start), 1), np.float32))
    return packed(np.asarray(fit.embedding_, np.float32))


def fit_tsne(embedding: NDArray[np.floating]) -> NDArray[np.float32]:
    """Coordinates (N, 2) of raw embeddings (N, D), N at least 4.

    As the authors' script has it (METHOD: random start, perplexity 30, learning rate 200, seed 1), by scikit-learn's
    Barnes-Hut t-SNE; with fewer than 91 rows the perplexity is a third of them, as it has to be below their number.
    """
    from sklearn import manifold

    perplexity = min(PERPLEXITY, max(1.0, (len(embedding) - 1) / 3))
    fit = manifold.TSNE(perplexity=perplexity, init="random", learning_rate=LEARNING_RATE, random_state=TSNE_SEED)
    return np.asarray(fit.fit_transform(np.asarray(embedding, np.float32)), np.float32)


def tsne_coordinates(
    content: NDArray[np.int64], embedding: NDArray[np.floating], graph: Graph | None, *, most: int = TSNE_MOST
) -> Coordinates:
    """Coordinates of contents (M,) with raw embeddings (M, D); beyond `most` of a sample, the others by `graph`."""
    if len(content) <= most or graph is None:
        return Coordinates(content, fit_tsne(embedding), np.full(len(content), TSNE, np.int8))
    chosen = np.sort(np.random.default_rng(TSNE_SEED).choice(len(content), most, replace=False))
    fitted = fit_tsne(embedding[chosen])
    return place(graph, Coordinates(content[chosen], fitted, np.full(most, TSNE, np.int8)))
