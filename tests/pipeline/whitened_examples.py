"""Embeddings by dice for the tests of the order: classes, bursts and copies."""

import numpy as np
from numpy.typing import NDArray

from url_viz.imaging.copied_pixels import SIDE, Patches
from url_viz.imaging.quality import WORDS
from url_viz.pipeline.graph import build_graph
from url_viz.pipeline.near_copies import Pixels
from url_viz.pipeline.whitening import RAW_COSINE, VIEW_COSINE, whitened_rows
from url_viz.store.tables.tables import Graph, Twins


def classes(
    count: int, *, of: int = 8, size: int = 64, spread: float = 0.8, seed: int = 0
) -> tuple[NDArray[np.float16], NDArray[np.int32]]:
    """Embeddings (N, D) around `of` centres, and which centre (N,)."""
    rng = np.random.default_rng(seed)
    label = np.sort(np.arange(count) % of)
    centre = rng.normal(size=(of, size))
    embeddings = centre[label] + spread * rng.normal(size=(count, size)) + 0.5
    return embeddings.astype(np.float16), label.astype(np.int32)


def with_burst(count: int, burst: int, *, noise: float = 0.02, seed: int = 0) -> NDArray[np.float16]:
    """`count` embeddings, the first of which has `burst` − 1 near copies at the end."""
    embeddings = classes(count, seed=seed)[0].astype(np.float64)
    frames = embeddings[:1] + noise * np.random.default_rng(seed + 1).normal(size=(burst - 1, embeddings.shape[1]))
    return np.concatenate([embeddings, frames]).astype(np.float16)


def pictures(which: NDArray[np.integer]) -> Pixels:
    """Pictures by dice, of which those of one number are the same picture; below 0 there is none."""
    numbers, place = np.unique(which, return_inverse=True)
    rng = np.random.default_rng(5)
    blobs = rng.integers(0, 256, (len(numbers), 3, 8, 8), dtype=np.uint8).repeat(SIDE // 8, 2).repeat(SIDE // 8, 3)
    hashes = rng.integers(1, 1 << 63, (len(numbers), WORDS), dtype=np.uint64)
    blobs[numbers < 0], hashes[numbers < 0] = 0, 0
    return Pixels.from_patches(hashes[place], Patches(blobs[place], np.full(len(place), 200)))


def graph_of(
    embeddings: NDArray[np.float16], k: int = 64, *, which: NDArray[np.integer] | None = None
) -> tuple[Graph, NDArray[np.float16]]:
    """The graph in the set's own whitened space, and the whitened rows; `which` picture each is says the copies."""
    whitened = whitened_rows(np.arange(len(embeddings)), embeddings)
    pixels = None if which is None else pictures(which)
    return build_graph(whitened, embeddings, k=k, pixels=pixels), whitened.rows


def cosines(rows: NDArray[np.floating]) -> NDArray[np.float64]:
    """All cosines (N, N), a row of zeros at 0 from everything."""
    z = rows.astype(np.float64)
    length = np.linalg.norm(z, axis=1, keepdims=True)
    unit = z / np.where(length > 0, length, 1)
    return unit @ unit.T


def naive_views(embeddings: NDArray[np.floating]) -> set[tuple[int, int]]:
    """By the definition, worked out from the raw embeddings: the space is made anew without views of earlier ones."""
    z = embeddings.astype(np.float64)
    unit = z / np.linalg.norm(z, axis=1, keepdims=True)
    near, counts = _near(unit, unit), np.zeros(len(z), bool)
    for row in range(len(z)):
        counts[row] = not near[row, :row][counts[:row]].any()
    is_alike = unit @ unit.T >= RAW_COSINE
    pairs = np.argwhere(np.triu(_near(unit[counts], unit) & is_alike, 1)).tolist()
    return {(one, other) for one, other in pairs}


def _near(fitted_on: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.bool_]:
    variance, axes = np.linalg.eigh(np.cov(fitted_on.T, bias=True))
    most = min(len(rows) * 2 // 3, len(fitted_on) - 1, 256, rows.shape[1])
    first = np.argsort(-variance)[:most]
    fully = (rows - fitted_on.mean(axis=0)) @ axes[:, first] / np.sqrt(variance[first] + 1e-4 * variance.max())
    near: NDArray[np.bool_] = cosines(fully) >= max(VIEW_COSINE, 5 / most**0.5)
    return near


def listed(twins: Twins) -> set[tuple[int, int]]:
    """The pairs, none of which stands twice."""
    pairs = [(one, other) for one, other in twins.pair.tolist()]
    assert len(pairs) == len(set(pairs)) == len(twins)
    assert all(one < other for one, other in pairs)
    return set(pairs)
