"""Embeddings by dice for the tests of the order: classes, bursts and copies."""

import numpy as np
from numpy.typing import NDArray

from url_viz.pipeline.graph import build_graph
from url_viz.pipeline.whitening import fit_whitening
from url_viz.store.tables import Graph


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


def graph_of(embeddings: NDArray[np.float16], k: int = 64) -> tuple[Graph, NDArray[np.float16]]:
    """The graph in the set's own whitened space, and the whitened rows."""
    whitened = fit_whitening(embeddings).transform(embeddings)
    return build_graph(whitened, embeddings, k=k), whitened


def cosines(rows: NDArray[np.floating]) -> NDArray[np.float64]:
    """All cosines (N, N), a row of zeros at 0 from everything."""
    z = rows.astype(np.float64)
    length = np.linalg.norm(z, axis=1, keepdims=True)
    unit = z / np.where(length > 0, length, 1)
    return unit @ unit.T
