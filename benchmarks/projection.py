"""Projection speed against umap-learn's defaults: `python -m benchmarks.projection [--rows 20000]`, neighbours counted.

Synthetic clusters of 1,280 numbers; trustworthiness (scikit-learn, 15 neighbours, cosine) on 4,000 rows. The
compilation of numba is not counted: both have run once on a few rows before.
"""

import argparse
import time
import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.manifold import trustworthiness

from benchmarks.machine import machine
from url_viz.pipeline.graph import build_graph
from url_viz.pipeline.projection import fit_map, pca_coordinates
from url_viz.pipeline.whitening import whitened_rows

CLUSTERS = 200
SAMPLE = 4_000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    count = parser.parse_args().rows
    rng = np.random.default_rng(0)
    centres = rng.gamma(1, 1, (CLUSTERS, 1280))
    embedding = centres[rng.integers(0, CLUSTERS, count)] + rng.normal(0, 0.8, (count, 1280))
    raw = embedding.astype(np.float16)
    _umap_defaults(embedding[:200])
    warm = whitened_rows(np.arange(200), raw[:200])
    fit_map(warm, build_graph(warm, raw[:200]))

    started = time.perf_counter()
    whitened = whitened_rows(np.arange(count), raw)
    whitened_s = time.perf_counter() - started
    pca_coordinates(whitened)
    pca_s = time.perf_counter() - started
    started = time.perf_counter()
    graph = build_graph(whitened, raw)
    graph_s = time.perf_counter() - started
    ours = fit_map(whitened, graph).xy
    ours_s = time.perf_counter() - started + whitened_s
    started = time.perf_counter()
    theirs = _umap_defaults(embedding)
    theirs_s = time.perf_counter() - started

    sample = rng.choice(count, min(SAMPLE, count), replace=False)
    print(f"## The map of {count:,} × 1,280\n\n{machine()}\n")
    print("| | seconds | × | trustworthiness |\n|---|---|---|---|")
    print(f"| umap-learn, defaults, cosine | {theirs_s:.1f} | 1.0 | {_trust(embedding, theirs, sample):.3f} |")
    parts = f"{whitened_s:.1f} s of it the whitened space, {graph_s:.1f} s the graph"
    told = f"ours ({parts}) | {ours_s:.1f} | {theirs_s / ours_s:.1f}"
    print(f"| {told} | {_trust(embedding, ours, sample):.3f} |")
    print(f"| PCA, shown meanwhile | {pca_s:.1f} | | |\n")


def _umap_defaults(embedding: NDArray[np.floating]) -> NDArray[np.floating]:
    import umap

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = umap.UMAP(metric="cosine").fit_transform(embedding.astype(np.float32))
    return np.asarray(found)


def _trust(embedding: NDArray[np.floating], xy: NDArray[np.floating], sample: NDArray[np.int64]) -> float:
    return float(trustworthiness(embedding[sample], xy[sample], n_neighbors=15, metric="cosine"))


if __name__ == "__main__":
    main()
