"""Epochs of UMAP against trustworthiness on an image set's embeddings: `python -m benchmarks.epochs FOLDER`.

The folder must have been read. Trustworthiness is scikit-learn's, 15 neighbours, cosine, on at most 4,000 pictures.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.manifold import trustworthiness

from benchmarks.machine import machine
from url_viz.image_set import open_image_set
from url_viz.pipeline import projection
from url_viz.pipeline.graph import build_graph
from url_viz.pipeline.whitening import whitened_rows

EPOCHS = (300, 200, 120, 80)
SAMPLE = 4_000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    embedding = open_image_set(parser.parse_args().folder).embeddings()
    count = len(embedding)
    whitened = whitened_rows(np.arange(count), embedding)
    graph = projection._with_twins(build_graph(whitened, embedding))
    start = projection.fit_pca(whitened.rows)(whitened.rows)
    sample = np.random.default_rng(0).choice(count, min(SAMPLE, count), replace=False)
    print(f"## Epochs of the map of {count:,} pictures\n\n{machine()}\n\n| | trustworthiness |\n|---|---|")
    print(f"| umap-learn, defaults | {_trust(embedding, _defaults(embedding), sample):.3f} |")
    for epochs in EPOCHS:
        projection.UMAP_EPOCHS = projection.UMAP_EPOCHS_FEW = epochs
        xy = projection._umap(start, graph.position, graph.similarity)
        print(f"| ours, {epochs} epochs | {_trust(embedding, xy, sample):.3f} |")


def _defaults(embedding: NDArray[np.float32]) -> NDArray[np.float32]:
    import umap

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asarray(umap.UMAP(metric="cosine").fit_transform(embedding), np.float32)


def _trust(embedding: NDArray[np.float32], xy: NDArray[np.float32], sample: NDArray[np.int64]) -> float:
    return float(trustworthiness(embedding[sample], xy[sample], n_neighbors=15, metric="cosine"))


if __name__ == "__main__":
    main()
